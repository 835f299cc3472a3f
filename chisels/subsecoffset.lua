-- When in an interval calls begin, as a heat map: one row per interval, one column per piece of it.

description = "Draws when within each second (or another interval) system calls begin, as a heat map on the terminal: shows what happens periodically."
short_description = "Heat map of start times within a second"
category = "CPU Usage"

args = {
	{ name = "refresh_time", description = "milliseconds per row (1000)", argtype = "int", optional = true },
}

merge = { cells = "hist" }

local heatmap = require "burin.heatmap"
local refresh_ns = 1000000000
local width, time
cells = {} -- column -> events

function on_set_arg(name, value)
	local ms = tonumber(value)
	if not ms then
		print("Input refresh_time must be a number.")
		return false
	end
	refresh_ns = ms * 1000000
	return true
end

local MARKS = 10

function on_init()
	width = heatmap.begin()
	if not width then
		return false
	end
	heatmap.per_second = 1000000000 / refresh_ns
	time = chisel.request_field("evt.rawtime")
	chisel.set_filter("evt.dir=>")
	print("Tracing syscalls... red (hot) == high frequency <-> green == low frequency.\n")
	return true
end

function on_capture_start()
	chisel.set_interval_ns(refresh_ns)
	return true
end

function on_event()
	local column = math.floor(evt.field(time) * 1000 / refresh_ns % 1000 / 1000 * width)
	cells[column] = (cells[column] or 0) + 1
	return true
end

local function mark_text(n)
	return "|" .. tostring(n * refresh_ns / 10000000) .. "ms"
end

local function label(x)
	local longest = #("|" .. tostring(0.9 * refresh_ns / 10000000) .. "ms")
	if heatmap.mark(x, MARKS, width) and x <= width - longest then
		return mark_text(math.floor(MARKS * x / width))
	end
end

local function dark(_, bg)
	bg(0)
	bg(0)
end

function on_interval()
	heatmap.row(width, cells, dark)
	heatmap.scale(width, label)
	cells = {}
	return true
end

function on_capture_end()
	if width then
		heatmap.finish()
	end
end
