-- Messages sent to syslog. While the events around them are to be saved their list is kept, in order; else lines depend on
-- their own event only.

description = "Prints the messages that processes send to syslog. On a terminal errors are red and warnings yellow. With -pc the container is shown. The events around each can be saved to a file."
short_description = "Messages sent to syslog"
category = "Logs"

args = {
	{ name = "dump_file_name", description = "save the events around them to this file", argtype = "string", optional = true },
	{ name = "dump_range_ms", description = "how far around, in milliseconds (1000)", argtype = "int", optional = true },
	{ name = "disable_color", description = "disable_color turns colours off", argtype = "string", optional = true },
}

mode = "per_event"

local paint = require "burin.paint"
local dump = require "burin.dump"
local file
local range_ms = "1000"
local entries, started = {}, false
local tid, process, container, with_container, on_terminal
local facility, severity, level, message, container_id

function on_set_arg(arg, value)
	if arg == "dump_file_name" then
		file = value
		mode = "ordered"
	elseif arg == "dump_range_ms" then
		range_ms = value
	elseif value == "disable_color" then
		paint.enable(false)
	else
		return false
	end
	return true
end

function on_init()
	tid = chisel.request_field("thread.tid")
	process = chisel.request_field("proc.name")
	container = chisel.request_field("container.name")
	with_container = sysdig.is_print_container_data()
	on_terminal = sysdig.is_tty()
	facility = chisel.request_field("syslog.facility.str")
	severity = chisel.request_field("syslog.severity.str")
	level = chisel.request_field("syslog.severity")
	message = chisel.request_field("syslog.message")
	container_id = chisel.request_field("container.id")
	sysdig.set_snaplen(1000)
	chisel.set_filter("fd.name contains /dev/log and evt.is_io_write=true and evt.dir=< and evt.failed=false")
	return true
end

function on_capture_start()
	if file and sysdig.is_live() then
		print("events export not supported on live captures")
		return false
	end
	started = true
	return true
end

local function color_of(number)
	if number == 4 then
		return paint.yellow
	elseif number < 4 then
		return paint.red
	end
	return evt.field(container) ~= "host" and paint.blue or paint.green
end

local function show()
	local color = on_terminal and color_of(evt.field(level)) or ""
	local what, kind, id, owner = evt.field(facility), evt.field(severity), evt.field(container_id), evt.field(container)
	local tail = string.format("%s[%u] %s", evt.field(process), evt.field(tid), evt.field(message))
	if not with_container then
		print(string.format("%s%s.%s %s", color, what, kind, tail))
	elseif on_terminal then
		print(string.format("%s%-20s %-20s %s.%s %s", color, id, owner, what, kind, tail))
	else -- sysdig's chisel has the columns in this order here
		print(string.format("%-20s %-20s %s.%s %s", what, id, owner, kind, tail))
	end
end

function on_event()
	show()
	if file then
		local s, ns = evt.get_ts()
		entries[#entries + 1] = { s, ns, evt.field(tid) }
	end
	return true
end

function on_capture_end()
	if on_terminal then
		print(paint.reset)
	end
	if file and started then
		print("Writing events for " .. #entries .. " log entries")
		dump.around(entries, file, range_ms)
	end
end
