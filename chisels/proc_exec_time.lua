-- Run time of the processes that end.

description = "Prints how long each process ran when it ends: red from 10 seconds, yellow from 3, blue in containers, else green. With -pc the container is shown."
short_description = "Run time of processes that end"
category = "Performance"

args = { { name = "disable_color", description = "disable_colors turns colours off", argtype = "string", optional = true } }

mode = "per_event"

local paint = require "burin.paint"
local text = require "burin.text"
local name, arguments, duration, container, container_id, with_container

function on_set_arg(_, value)
	if value == "disable_colors" then
		paint.enable(false)
	end
	return true
end

local NARROW = "%-13.13s %-12.12s %s"
local WIDE = "%-13.13s %-20.20s %-20.20s %-12.12s %s"

function on_init()
	name = chisel.request_field("proc.name")
	arguments = chisel.request_field("proc.args")
	duration = chisel.request_field("proc.duration")
	container = chisel.request_field("container.name")
	container_id = chisel.request_field("container.id")
	with_container = sysdig.is_print_container_data()
	chisel.set_filter("evt.type=procexit")
	local rule = ("-"):rep(20)
	if with_container then
		print(string.format(WIDE, "proc.duration", "container.id", "container.name", "proc.name", "proc.args"))
		print(string.format(WIDE, rule, rule, rule, rule, rule))
	else
		print(string.format(NARROW, "proc.duration", "proc.name", "proc.args"))
		print(string.format(NARROW, rule, rule, rule))
	end
	return true
end

local function color_of(ns)
	if ns > 10000000000 then
		return paint.red
	elseif ns > 3000000000 then
		return paint.yellow
	end
	return evt.field(container) ~= "host" and paint.blue or paint.green
end

function on_event()
	local ns = evt.field(duration)
	if not ns then
		return true
	end
	local time = text.time(ns)
	if with_container then
		print(color_of(ns) .. string.format(WIDE, time, evt.field(container_id), evt.field(container), evt.field(name),
			evt.field(arguments)))
	else
		print(color_of(ns) .. string.format(NARROW, time, evt.field(name), evt.field(arguments)))
	end
	return true
end

function on_capture_end()
	print(paint.reset)
end
