-- Latencies as a heat map: one row per interval, one column per piece of the logarithm of the latency.

description = "Draws how long system calls take, over time, as a heat map on the terminal: from 1 ns at the left to 10 s at the right."
short_description = "Heat map of latencies"
category = "CPU Usage"

args = {
	{ name = "refresh_time", description = "milliseconds per row (500)", argtype = "int", optional = true },
}

merge = { cells = "hist" }

local heatmap = require "burin.heatmap"
local text = require "burin.text"
local refresh_ns = 500000000
local width, latency
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

local DECADES = 11

function on_init()
	width = heatmap.begin()
	if not width then
		return false
	end
	heatmap.per_second = 1000000000 / refresh_ns
	latency = chisel.request_field("evt.latency")
	chisel.set_filter("evt.dir=<")
	return true
end

function on_capture_start()
	chisel.set_interval_ns(refresh_ns)
	return true
end

function on_event()
	local ns = evt.field(latency)
	if not ns or ns == 0 then
		return true
	end
	local column = math.floor(math.min(math.log10(ns), DECADES) * width / DECADES) + 1
	cells[column] = (cells[column] or 0) + 1
	return true
end

local function label(x)
	if heatmap.mark(x, DECADES, width) then
		return "|" .. text.time(10 ^ math.floor(x * DECADES / width))
	end
end

local function dark(fg, bg)
	fg(0)
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
		on_interval() -- the last, incomplete row
		heatmap.finish()
	end
end
