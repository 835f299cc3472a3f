-- All data read and written, with a coloured heading for each piece.

description = "Prints the data that processes read and write, each piece with its size, file or connection and process. With -pc the container is shown."
short_description = "Data read and written by processes"
category = "I/O"

args = { { name = "disable_color", description = "disable_color turns colours off", argtype = "string", optional = true } }

mode = "per_event"

local paint = require "burin.paint"
local text = require "burin.text"
local is_read, result, file, process, container, container_id, with_container

function on_set_arg(name, value)
	if value == "disable_color" then
		paint.enable(false)
	end
	return true
end

function on_init()
	is_read = chisel.request_field("evt.is_io_read")
	result = chisel.request_field("evt.rawarg.res")
	file = chisel.request_field("fd.name")
	process = chisel.request_field("proc.name")
	container = chisel.request_field("container.name")
	container_id = chisel.request_field("container.id")
	with_container = sysdig.is_print_container_data()
	sysdig.set_snaplen(2000)
	chisel.set_filter("evt.is_io=true and evt.dir=< and evt.rawres>0")
	chisel.set_event_formatter("%evt.arg.data")
	return true
end

local function where()
	if not with_container then
		return ""
	end
	local name = evt.field(container)
	return string.format("%s [%s] [%s]", name == "host" and paint.green or paint.cyan, name, evt.field(container_id))
end

function on_event()
	local reading = evt.field(is_read)
	local color = reading and paint.red or paint.blue
	print(string.format("%s------ %s %s %s %s %s %s (%s)", color, reading and "Read" or "Write",
		text.bytes(evt.field(result)), reading and "from" or "to", where(), color, evt.field(file) or "<NA>",
		evt.field(process)))
	return true
end

function on_capture_end()
	print(paint.reset)
end
