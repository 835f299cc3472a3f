-- Files by bytes read and written.

description = "Shows the files with the most bytes read and written. With -pc each container has its own rows."
short_description = "Top files by read and written bytes"
category = "I/O"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "fd.name", "Filename" } },
		by_container = { { "container.name", "container.name" }, { "fd.name", "Filename" } },
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "fd.type=file and evt.is_io=true",
		rows = 10,
	}
end
