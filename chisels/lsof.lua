-- Open files: a snapshot at the first event that passes the filter of the command line.

description = "Lists the descriptors that are open when the capture begins. The filter picks some, for example fd.type=ipv4."
short_description = "Open files"
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
	chisel.demand("threads", "fds", "users")
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
	for num, fd in pairs(thread.fdtable) do
		print(column(thread.comm, 20) .. column(thread.pid, 8) .. column(tid, 8) .. column(thread.username, 8)
			.. column(num, 8) .. column(fd.type, 12) .. fd.name)
	end
end

function on_capture_end()
	if not started then
		return
	end
	if not event_seen then
		print("empty capture or no event matching the filter")
		return
	end
	print(column("COMMAND", 20) .. column("PID", 8) .. column("TID", 8) .. column("USER", 8) .. column("FD", 8)
		.. column("TYPE", 12) .. "NAME")
	for tid, thread in pairs(sysdig.get_thread_table(filter)) do
		show(tid, thread)
	end
end
