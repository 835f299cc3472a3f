-- I/O bytes by any field.

description = "Adds up the bytes read and written for each value of a field, for example fd.name, proc.name or fd.type."
short_description = "I/O bytes by any field"
category = "I/O"

args = { { name = "key", description = "the field to group by", argtype = "string" } }

local group = require "burin.group"
local key

function on_set_arg(name, value)
	key = value
	return true
end

function on_init()
	return group.table {
		by = { { key, key } },
		value = "evt.rawarg.res",
		title = "Bytes",
		units = "bytes",
		filter = "evt.is_io=true and evt.failed=false",
		rows = 30,
	}
end
