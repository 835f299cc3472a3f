-- Data exchanged on a port. The heading of a piece of data is renewed when the direction changes, and printed
-- for every piece: so it depends on the event before, and this chisel runs in order.

description = "Shows the data that processes exchange on a port."
short_description = "Data exchanged on a port"
category = "Net"

args = {
	{ name = "host_port", description = "the port", argtype = "int" },
	{ name = "disable_color", description = "disable_colors turns colours off", argtype = "string", optional = true },
}

local paint = require "burin.paint"
local text = require "burin.text"
local port
local data, result, is_read
local heading, last

function on_set_arg(name, value)
	if name == "host_port" then
		port = value
	elseif value == "disable_colors" then
		paint.enable(false)
	end
	return true
end

function on_init()
	data = chisel.request_field("evt.arg.data")
	is_read = chisel.request_field("evt.is_io_read")
	result = chisel.request_field("evt.rawarg.res")
	sysdig.set_snaplen(1000)
	chisel.set_filter("evt.is_io=true and (fd.type=ipv4 or fd.type=ipv6) and fd.port=" .. port)
	return true
end

function on_event()
	local n, bytes = evt.field(result), evt.field(data)
	if not n or n <= 0 or not bytes then
		return true
	end
	local reading = evt.field(is_read) == true
	if reading ~= last then
		if reading then
			heading = string.format("%s------ Read %s", paint.red, text.bytes(n))
		else
			heading = string.format("%s------ Write %s", paint.blue, text.bytes(n))
		end
		last = reading
	end
	print(heading)
	print(bytes)
	return true
end

function on_capture_end()
	print(paint.reset)
end
