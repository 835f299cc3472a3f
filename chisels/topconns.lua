-- Connections by bytes.

description = "Shows the network connections that carry the most bytes. With -pc each container has its own rows."
short_description = "Top network connections by bytes"
category = "Net"

args = {}

local group = require "burin.group"

function on_init()
	return group.table {
		by = { { "fd.l4proto", "Proto" }, { "fd.name", "Conn" } },
		by_container = {
			{ "container.name", "container.name" }, { "fd.l4proto", "Proto" }, { "fd.name", "Conn" },
		},
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true",
		rows = 30,
	}
end
