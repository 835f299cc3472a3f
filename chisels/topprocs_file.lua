-- Processes by bytes read from and written to files.

description = "Shows the processes that read and write the most bytes on files. With -pc each container has its own rows."
short_description = "Top processes by file bytes"
category = "I/O"

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
		filter = "fd.type=file and evt.is_io=true",
		rows = 10,
	}
end
