-- Processes by network bytes.

description = "Shows the processes that send and receive the most bytes. With -pc each container has its own rows."
short_description = "Top processes by network bytes"
category = "Net"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "proc.name", "Process" }, { "proc.pid", "PID" } },
		by_container = {
			{ "proc.name", "Process" }, { "proc.pid", "Host_pid" },
			{ "thread.vtid", "Container_pid" }, { "container.name", "container.name" },
		},
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true",
		rows = 100,
	}
end
