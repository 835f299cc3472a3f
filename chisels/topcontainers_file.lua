-- Containers by file bytes.

description = "Shows the containers that read and write the most bytes on files."
short_description = "Top containers by file bytes"
category = "I/O"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "container.name", "container.name" } },
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "fd.type=file and evt.is_io=true and container.name!=host",
		rows = 10,
	}
end
