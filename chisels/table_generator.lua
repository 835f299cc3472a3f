-- Groups events by some fields and shows the sums of another field as a sorted table. The engine
-- keeps the sums (chisel.aggregate), so no Lua runs for single events, and workers run in parallel.

description = "Groups events by one or more fields, adds up the value of another field in each group and shows the groups with the largest sums. Other chisels use it through chisel.exec."
short_description = "Sum of a field by other fields"
category = "Filter"
hidden = true

args = {
	{ name = "keys", description = "fields to group by, separated by commas", argtype = "string" },
	{ name = "keydescs", description = "their headings, separated by commas", argtype = "string" },
	{ name = "value", description = "field to add up", argtype = "string" },
	{ name = "valuedesc", description = "its heading", argtype = "string" },
	{ name = "filter", description = "which events count", argtype = "string" },
	{ name = "top_number", description = "rows to show, 0 for all", argtype = "string" },
	{ name = "value_units", description = "none, bytes, time or timepct", argtype = "string" },
}

local screen = require "burin.screen"
local tables = require "burin.table"

local given = {}
local view, sums
local live

local function words(list)
	local out = {}
	for word in (list .. ","):gmatch("([^,]*),") do
		out[#out + 1] = word
	end
	return out
end

function on_set_arg(name, value)
	given[name] = value
	return true
end

function on_init()
	view = {
		keys = words(given.keys),
		key_titles = words(given.keydescs),
		value = given.value,
		value_title = given.valuedesc,
		units = given.value_units,
		top = tonumber(given.top_number),
	}
	if #view.keys ~= #view.key_titles then
		print("error: keys and keydescs must have the same number of entries")
		return false
	end
	if given.filter ~= "" then
		chisel.set_filter(given.filter)
	end
	sums = chisel.aggregate { key = view.keys, value = view.value, op = "sum", positive = true }
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

function on_interval(ts_s, ts_ns, delta)
	screen.page()
	tables.print(view, sums:top(screen.lines() or view.top), ts_s, delta)
	sums:clear()
	return true
end

function on_capture_end(ts_s, ts_ns, delta)
	screen.finish()
	tables.print(view, sums:top(view.top), ts_s, delta)
	return true
end
