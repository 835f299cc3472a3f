-- Containers by failed system calls.

description = "Shows the containers whose system calls fail most often."
short_description = "Top containers by number of errors"
category = "Errors"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "container.name", "container.name" } },
		value = "evt.count",
		title = "#Errors",
		units = "none",
		filter = "evt.failed=true and container.name!=host",
		rows = 100,
	}
end
