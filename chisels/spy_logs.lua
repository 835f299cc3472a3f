-- Lines written to log files. While the events around them are to be saved their list is kept, in order; else lines depend on
-- their own event only.

description = "Prints what processes write to files that look like logs (*.log, *_log, /var/log). On a terminal errors are red and warnings yellow. With -pc the container is shown. The events around each can be saved to a file."
short_description = "Lines written to log files"
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
local data, name

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
	data = chisel.request_field("evt.buffer")
	name = chisel.request_field("fd.name")
	sysdig.set_snaplen(2000)
	sysdig.set_output_format("ascii")
	chisel.set_filter("((fd.name contains .log or fd.name contains _log or fd.name contains /var/log) and not "
		.. "(fd.name contains .gz or fd.name contains .tgz)) and evt.is_io_write=true and evt.dir=< and evt.failed=false")
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

local function color_of(message)
	local lower = message:lower()
	if lower:find("warn") then
		return paint.yellow
	end
	return message:find("err") and paint.red or paint.green
end

local function show(message)
	local where = evt.field(process) .. " " .. evt.field(name) .. " "
	local owner = evt.field(container)
	if not on_terminal then
		print((with_container and owner .. " " or "") .. where .. message)
		return
	end
	local color = color_of(message)
	if with_container then
		local own = owner ~= "host" and paint.blue or color
		print(string.format("%s %s %s %s %s%s", color, own, owner, color, where, message))
	else
		print(string.format("%s %s%s", color, where, message))
	end
end

function on_event()
	for message in (evt.field(data) .. "\n"):gmatch("(.-)\n") do
		if message ~= "" then
			show(message)
		end
	end
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
