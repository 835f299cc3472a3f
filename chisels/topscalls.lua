-- System calls by number.

description = "Shows which system calls are made most often (entry and exit both count). With -pc each container has its own rows."
short_description = "Top system calls by number"
category = "Performance"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "evt.type", "Syscall" } },
		by_container = { { "evt.type", "Syscall" }, { "container.name", "container.name" } },
		value = "evt.count",
		title = "# Calls",
		units = "none",
		filter = "evt.type!=switch",
		rows = 30,
	}
end
