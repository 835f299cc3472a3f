-- Processes by bytes read from and written to files.

description = "Shows the processes that read and write the most bytes on disk files. With -pc each container has its own rows."
short_description = "Top processes by file bytes"
category = "I/O"

args = {}

function on_init()
	local keys, titles = "proc.name,proc.pid", "Process,PID"
	if sysdig.is_print_container_data() then
		keys, titles = "proc.name,proc.pid,thread.vtid,container.name", "Process,Host_pid,Container_pid,container.name"
	end
	chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "fd.type=file and evt.is_io=true", "10", "bytes")
	return true
end
