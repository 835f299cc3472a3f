-- Everything read from and written to files.

description = "Prints what processes read from and write to files: of one file when it is named, else of all but terminals."
short_description = "Reads and writes on files"
category = "I/O"

args = {
	{ name = "read_or_write", description = "R, W or RW", argtype = "string", optional = true },
	{ name = "spy_on_file_name", description = "the file", argtype = "string", optional = true },
}

mode = "per_event"

local text = require "burin.text"
local direction, file = "RW", ""
local data, name, is_write, pid, process, result, time

function on_set_arg(arg, value)
	if arg == "read_or_write" then
		direction = value:upper()
	else
		file = value
	end
	return true
end

local kinds = { R = "evt.is_io_read=true", W = "evt.is_io_write=true" }

function on_init()
	data = chisel.request_field("evt.arg.data")
	name = chisel.request_field("fd.name")
	is_write = chisel.request_field("evt.is_io_write")
	pid = chisel.request_field("proc.pid")
	process = chisel.request_field("proc.name")
	result = chisel.request_field("evt.rawarg.res")
	time = chisel.request_field("evt.time")
	sysdig.set_snaplen(2000)
	sysdig.set_output_format("ascii")
	local which = "not fd.name contains /dev/pt and not fd.name contains /dev/tty"
	if file ~= "" then
		which = "fd.name=" .. file
	end
	chisel.set_filter(string.format("(%s) and %s and fd.type=file and evt.dir=< and evt.failed=false", which,
		kinds[direction] or "evt.is_io=true"))
	return true
end

function on_event()
	print(string.format("%s %s(%s) %s %s %s %s", evt.field(time), evt.field(process), evt.field(pid),
		evt.field(is_write) and "W" or "R", text.bytes(evt.field(result)), evt.field(name), evt.field(data)))
	return true
end
