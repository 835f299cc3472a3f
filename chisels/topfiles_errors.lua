-- Files by failed system calls.

description = "Shows the files on which system calls fail most often. With -pc each container has its own rows."
short_description = "Top files by number of errors"
category = "Errors"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "fd.name", "Filename" } },
		by_container = { { "fd.name", "Filename" }, { "container.name", "container.name" } },
		value = "evt.count",
		title = "#Errors",
		units = "none",
		filter = "fd.type=file and evt.failed=true",
		rows = 100,
	}
end
