-- Server ports by bytes.

description = "Shows the server ports with the most network traffic. With -pc each container has its own rows."
short_description = "Top server ports by bytes"
category = "Net"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "fd.sport", "Srv Port" } },
		by_container = { { "fd.sport", "Srv Port" }, { "container.name", "container.name" } },
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true",
		rows = 100,
	}
end
