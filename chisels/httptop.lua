-- HTTP requests by number, bytes or mean time.

description = "Shows the HTTP requests that are made most often, move the most bytes or take the most time on average. With -pc each container has its own rows."
short_description = "Top HTTP requests"
category = "Application"

args = { { name = "by", description = "ncalls (default), bytes or time", argtype = "string", optional = true } }

local http = require "burin.http"
local tables = require "burin.table"
local screen = require "burin.screen"

local units = { ncalls = "none", bytes = "bytes", time = "time" }
local by = "ncalls"
local view, live, with_container
local seen = {} -- joined keys -> { keys..., n, bytes, ns }

function on_set_arg(name, value)
	if not units[value] then
		print("by must be ncalls, bytes or time")
		return false
	end
	by = value
	return true
end

function on_init()
	http.start()
	with_container = sysdig.is_print_container_data()
	local keys = with_container and { "container", "method", "url" } or { "method", "url" }
	view = { keys = keys, key_titles = keys, value = by, value_title = by, units = units[by], top = 30 }
	return true
end

function on_capture_start()
	live = sysdig.is_live()
	view.json = sysdig.get_output_format() == "json"
	if live then
		chisel.set_interval_s(1)
		if not view.json then
			screen.begin()
		end
	end
	return true
end

function on_event()
	local t = http.transaction()
	if not t then
		return true
	end
	local keys = with_container and { t.container, t.method, t.url } or { t.method, t.url }
	local name = table.concat(keys, "\1\1")
	local sum = seen[name]
	if not sum then
		keys.n, keys.bytes, keys.ns = 0, 0, 0
		sum = keys
		seen[name] = sum
	end
	sum.n, sum.bytes, sum.ns = sum.n + 1, sum.bytes + t.bytes, sum.ns + t.ns
	return true
end

local values = {
	ncalls = function(sum)
		return sum.n
	end,
	bytes = function(sum)
		return sum.bytes
	end,
	time = function(sum)
		return sum.ns / sum.n
	end,
}

local function show(ts_s, delta)
	local rows = {}
	for _, sum in pairs(seen) do
		sum.value = values[by](sum)
		rows[#rows + 1] = sum
	end
	table.sort(rows, function(a, b)
		return a.value > b.value
	end)
	for i = #rows, view.top + 1, -1 do
		rows[i] = nil
	end
	tables.print(view, rows, ts_s, delta)
end

function on_interval(ts_s, ts_ns, delta)
	screen.page()
	show(ts_s, delta)
	seen = {}
	return true
end

function on_capture_end(ts_s, ts_ns, delta)
	screen.finish()
	show(ts_s, delta)
end
