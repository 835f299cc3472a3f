-- burin.slower: fileslower, netlower, scallslower: one line for every call that took longer than a threshold.

local paint = require "burin.paint"

local M = {}

local columns, fields, line_format
local latency, container

local function formats(kind)
	local out = {}
	for i, c in ipairs(columns) do
		out[i] = c[kind] or c.text
	end
	return table.concat(out, " ")
end

local function pick(kind)
	local out = {}
	for i, c in ipairs(columns) do
		out[i] = c[kind]
	end
	return table.unpack(out)
end

-- Events that cannot have taken longer than ms milliseconds need not be looked at; "" when that says nothing. A little
-- less than ms: on_event decides.
local function at_least(ms)
	local ns = ms * 1000000 - 2
	if ns >= 1 and ns < 2 ^ 53 then
		return string.format("evt.latency>=%d", ns)
	end
	return ""
end

-- cols: list of { field (nil: the latency), head, rule, text = format of heading and rule,
--                 value = format of the value (default: text), heading = format of the heading }
-- Prints heading and rule. Events must pass filter (nil: all may) and have taken longer than min_ms. For on_init.
function M.start(filter, cols, min_ms)
	columns, fields = cols, {}
	for i, c in ipairs(cols) do
		fields[i] = c.field and chisel.request_field(c.field) or false
	end
	latency = chisel.request_field("evt.latency")
	container = chisel.request_field("container.name")
	line_format = formats("value")
	local slow = at_least(min_ms)
	if filter and slow ~= "" then
		filter = slow .. " and " .. filter
	end
	chisel.set_filter(filter or slow)
	print(string.format(formats("heading"), pick("head")))
	print(string.format(formats("text"), pick("rule")))
	return true
end

-- ms; nil when the event has none
function M.latency()
	local ns = evt.field(latency)
	return ns and ns / 1000000
end

function M.line(ms)
	local v = {}
	for i, f in ipairs(fields) do
		if f then
			v[i] = evt.field(f)
		else
			v[i] = ms
		end
	end
	local color = evt.field(container) ~= "host" and paint.blue or paint.green
	print(color .. string.format(line_format, table.unpack(v, 1, #fields)))
end

-- Arguments of all of them: min_ms and disable_color. Returns the threshold or nil, and whether the argument was fine.
function M.argument(name, value)
	if name == "min_ms" then
		local ms = tonumber(value)
		if not ms then
			print(string.format("Input %s must be a number.", name))
			return nil, false
		end
		return ms, true
	end
	if value == "disable_color" then
		paint.enable(false)
	end
	return nil, true
end

M.args = {
	{ name = "min_ms", description = "only what took longer than this many milliseconds", argtype = "int" },
	{ name = "disable_color", description = "disable_color turns colours off", argtype = "string", optional = true },
}

return M
