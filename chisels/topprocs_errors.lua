-- Processes by failed system calls.

description = "Shows the processes whose system calls fail most often. With -pc each container has its own rows."
short_description = "Top processes by number of errors"
category = "Errors"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "proc.name", "Process" }, { "proc.pid", "PID" } },
		by_container = {
			{ "proc.name", "Process" }, { "proc.pid", "Host_pid" },
			{ "thread.vtid", "Container_pid" }, { "container.name", "container.name" },
		},
		value = "evt.count",
		title = "#Errors",
		units = "none",
		filter = "evt.failed=true",
		rows = 100,
	}
end
