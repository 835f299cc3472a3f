-- The containers known at the first event that passes the filter of the command line.

description = "Lists the containers of the machine; with the argument desc as a Lua table."
short_description = "Containers of the machine"
category = "System State"

args = { { name = "desc", description = "desc prints a table", argtype = "string", optional = true } }

local column = require("burin.text").column
local as_table, started

function on_set_arg(name, value)
	as_table = value == "desc"
	return as_table
end

function on_init()
	chisel.demand("containers")
	return true
end

function on_capture_start()
	started = true
	return true
end

function on_event()
	sysdig.end_capture()
	return true
end

local WIDTHS = { type = 15, image = 16, name = 20, id = 13 }
local ORDER = { "type", "image", "name", "id" }

local function line(values)
	local out = ""
	for _, name in ipairs(ORDER) do
		out = out .. column(values[name], WIDTHS[name])
	end
	print(out)
end

local function serialized(value, depth)
	if type(value) ~= "table" then
		return type(value) == "string" and string.format("%q", value) or tostring(value)
	end
	local out = "{\n"
	for k, v in pairs(value) do
		out = out .. (" "):rep(depth + 1) .. k .. " = " .. serialized(v, depth + 1) .. ",\n"
	end
	return out .. (" "):rep(depth) .. "}"
end

function on_capture_end()
	if not started then
		return
	end
	local containers = sysdig.get_container_table()
	if as_table then
		print(serialized(containers, 0))
		return
	end
	local heads, rules = {}, {}
	for _, name in ipairs(ORDER) do
		heads[name], rules[name] = "container." .. name, ("-"):rep(WIDTHS[name])
	end
	line(heads)
	line(rules)
	for _, c in ipairs(containers) do
		line(c)
	end
end
