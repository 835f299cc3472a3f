-- File I/O slower than a threshold: one line per call.

description = "Prints every read and write on a file that took longer than a number of milliseconds. Files under /dev are left out. With -pc the container is shown."
short_description = "File I/O slower than a threshold"
category = "Performance"

local slower = require "burin.slower"

args = slower.args

mode = "per_event"

local min_ms
local dir, file

function on_set_arg(name, value)
	local ms, ok = slower.argument(name, value)
	min_ms = ms or min_ms
	return ok
end

function on_init()
	local columns = { { field = "evt.datetime", head = "evt.datetime", rule = ("-"):rep(23), text = "%-23.23s" } }
	if sysdig.is_print_container_data() then
		for _, name in ipairs { "container.id", "container.name" } do
			columns[#columns + 1] = { field = name, head = name, rule = ("-"):rep(30), text = "%-20.20s" }
		end
	end
	columns[#columns + 1] = { field = "proc.name", head = "proc.name", rule = ("-"):rep(12), text = "%-12.12s" }
	columns[#columns + 1] = { field = "evt.type", head = "evt.type", rule = ("-"):rep(8), text = "%-8s" }
	columns[#columns + 1] = { head = "LATENCY(ms)", rule = ("-"):rep(12), text = "%-12s", value = "%12d" }
	columns[#columns + 1] = { field = "fd.name", head = "fd.name", rule = ("-"):rep(41), text = "%s" }
	dir = chisel.request_field("evt.dir")
	file = chisel.request_field("fd.name")
	return slower.start("evt.is_io=true and fd.type=file", columns, min_ms)
end

function on_event()
	local ms = slower.latency()
	if evt.field(dir) ~= "<" or not ms or ms <= min_ms then
		return true
	end
	local name = evt.field(file)
	if name and name:sub(1, 5) == "/dev/" then
		return true
	end
	slower.line(ms)
	return true
end
