-- What every process writes to its standard error, as it is.

description = "Prints what every process writes to its standard error. With -pc each piece begins with its container."
short_description = "Data of standard error"
category = "I/O"

args = { { name = "disable_color", description = "disable_color turns colours off", argtype = "string", optional = true } }

mode = "per_event"

local paint = require "burin.paint"
local data, container, id, with_container

function on_set_arg(name, value)
	paint.enable(value ~= "disable_color")
	return value == "disable_color"
end

function on_init()
	data = chisel.request_field("evt.rawarg.data")
	container = chisel.request_field("container.name")
	id = chisel.request_field("container.id")
	with_container = sysdig.is_print_container_data()
	sysdig.set_snaplen(2000)
	chisel.set_filter("fd.num=2 and evt.is_io=true")
	return true
end

function on_event()
	local bytes = evt.field(data)
	if not bytes then
		return true
	end
	if with_container then
		local name = evt.field(container)
		local color = name == "host" and paint.green or paint.blue
		print(color .. string.format("%-20.20s %-20.20s %s", evt.field(id), name, bytes))
	else
		print(bytes)
	end
	return true
end
