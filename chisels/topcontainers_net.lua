-- Containers by network bytes.

description = "Shows the containers that send and receive the most bytes."
short_description = "Top containers by network bytes"
category = "Net"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "container.name", "container.name" } },
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true and container.name!=host",
		rows = 100,
	}
end
