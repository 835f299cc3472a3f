-- Files by bytes read and written.

description = "Shows the files with the most bytes read and written. With -pc each container has its own rows."
short_description = "Top files by read and written bytes"
category = "I/O"

args = {}

function on_init()
	local key, title = "fd.name", "Filename"
	if sysdig.is_print_container_data() then
		key, title = "container.name," .. key, "container.name," .. title
	end
	chisel.exec("table_generator", key, title, "evt.rawarg.res", "Bytes", "fd.type=file and evt.is_io=true", "10", "bytes")
	return true
end
