-- Processes of the machine: a snapshot at the first event that passes the filter of the command line.

description = "Lists the threads that exist when the capture begins. The filter picks those with a matching descriptor or process, for example proc.name=sshd."
short_description = "Processes of the machine"
category = "System State"

args = { { name = "filter", description = "which ones to list", argtype = "filter", optional = true } }

local text = require "burin.text"
local column = text.column
local filter = ""
local started, event_seen

function on_set_arg(name, value)
	filter = value
	return true
end

function on_init()
	chisel.demand("threads", "fds", "users", "memory")
	return true
end

function on_capture_start()
	started = true
	return true
end

function on_event()
	event_seen = true
	sysdig.end_capture()
	return false
end

local function show(tid, thread)
	print(column(tid, 8) .. column(thread.pid, 8) .. column(thread.username, 12)
		.. column(text.bytes(thread.vmsize_kb * 1024), 11) .. column(text.bytes(thread.vmrss_kb * 1024), 11)
		.. column(thread.fdlimit, 10) .. thread.comm)
end

function on_capture_end()
	if not started then
		return
	end
	if not event_seen then
		print("empty capture or no event matching the filter")
		return
	end
	print(column("TID", 8) .. column("PID", 8) .. column("USER", 12) .. column("VIRT", 11) .. column("RES", 11)
		.. column("FDLIMIT", 10) .. column("CMD", 20))
	for tid, thread in pairs(sysdig.get_thread_table(filter)) do
		show(tid, thread)
	end
end
