-- System calls by time.

description = "Shows in which system calls the most time is spent. With -pc each container has its own rows."
short_description = "Top system calls by time"
category = "Performance"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "evt.type", "Syscall" } },
		by_container = { { "evt.type", "Syscall" }, { "container.name", "container.name" } },
		value = "evt.latency",
		title = "Time",
		units = "time",
		rows = 30,
	}
end
