-- Files by time spent in I/O.

description = "Shows the files on which reads and writes take the most time in total. With -pc each container has its own rows."
short_description = "Top files by I/O time"
category = "I/O"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "fd.name", "Filename" } },
		by_container = { { "fd.name", "Filename" }, { "container.name", "container.name" } },
		value = "evt.latency",
		title = "Time",
		units = "time",
		filter = "fd.type=file and evt.is_io=true",
		rows = 10,
	}
end
