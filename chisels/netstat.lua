-- Network sockets: a snapshot at the first event that passes the filter of the command line.

description = "Lists the network sockets that are open when the capture begins. The filter picks some, for example proc.name=sshd."
short_description = "Network sockets"
category = "System State"

args = { { name = "filter", description = "which ones to list", argtype = "filter", optional = true } }

local text = require "burin.text"
local column = text.column
local filter = "(fd.type=ipv4 or fd.type=ipv6)"
local started, event_seen

function on_set_arg(name, value)
	filter = filter .. " and (" .. value .. ")"
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
	for _, fd in pairs(thread.fdtable) do
		local client, state = "0.0.0.0:*", "LISTEN"
		if fd.cip then
			client, state = fd.cip .. ":" .. fd.cport, "ESTABLISHED"
		end
		print(column(fd.l4proto, 6) .. column(fd.sip .. ":" .. fd.sport, 25) .. column(client, 25) .. column(state, 15)
			.. tid .. "/" .. thread.pid .. "/" .. thread.comm)
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
	print(column("Proto", 6) .. column("Server Address", 25) .. column("Client Address", 25) .. column("State", 15)
		.. "TID/PID/Program Name")
	for tid, thread in pairs(sysdig.get_thread_table(filter)) do
		show(tid, thread)
	end
end
