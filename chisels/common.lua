-- Helpers under the names that chisels written for sysdig expect from require "common". New chisels use the modules
-- burin.text, burin.table and burin.json instead.

local text = require "burin.text"
local tables = require "burin.table"
json = require "dkjson"

ONE_S_IN_NS = 1000000000
ONE_MS_IN_NS = 1000000
ONE_US_IN_NS = 1000

extend_string = text.column
format_bytes = text.bytes
format_time_interval = text.time

-- A table as text: st(value [, name [, on_one_line [, depth]]]).
function st(value, name, on_one_line, depth)
	depth = depth or 0
	local blanks, nl = (" "):rep(depth), on_one_line and "" or "\n"
	local head = blanks .. (name and tostring(name) .. " = " or "")
	if type(value) == "table" then
		local out = { head, "{", nl }
		for k, v in pairs(value) do
			out[#out + 1] = st(v, k, on_one_line, depth + 1) .. "," .. nl
		end
		return table.concat(out) .. blanks .. "}"
	elseif type(value) == "string" then
		return head .. string.format("%q", value)
	elseif type(value) == "number" or type(value) == "boolean" then
		return head .. tostring(value)
	end
	return head .. '"[inserializeable datatype:' .. type(value) .. ']"'
end

-- Pieces of s between delimiters; the delimiter is a Lua pattern.
function split(s, delimiter)
	local out, at = {}, 1
	s = s .. ""
	while true do
		local from, to = s:find(delimiter, at)
		if not from or to < from then
			out[#out + 1] = s:sub(at)
			return out
		end
		out[#out + 1] = s:sub(at, from - 1)
		at = to + 1
	end
end

function starts_with(s, prefix)
	return s:sub(1, #prefix) == prefix
end

function ends_with(s, suffix)
	return suffix == "" or s:sub(-#suffix) == suffix
end

-- Iterates over keys and values in the order that before(t, a, b) gives the keys, at most n of them (0: all).
function pairs_top_by_val(t, n, before)
	local keys = {}
	for k in pairs(t) do
		keys[#keys + 1] = k
	end
	table.sort(keys, function(a, b)
		return before(t, a, b)
	end)
	local i = 0
	return function()
		i = i + 1
		if keys[i] ~= nil and (n == 0 or i <= n) then
			return keys[i], t[keys[i]]
		end
	end
end

function ts_to_str(s, ns)
	return string.format("%u%.9u", s, ns)
end

-- Shows a table of sums, key -> number; several keys are joined by two bytes 1.
function print_sorted_table(sums, ts_s, ts_ns, delta, info)
	local rows = {}
	for key, value in pairs_top_by_val(sums, info.top_number, function(t, a, b)
		return t[a] > t[b]
	end) do
		local row = split(key, "\1\1")
		row.value = value
		rows[#rows + 1] = row
	end
	tables.print({
		keys = info.key_fld,
		key_titles = info.key_desc,
		value = info.value_fld,
		value_title = info.value_desc,
		units = info.value_units,
		json = info.output_format == "json",
	}, rows, ts_s, delta)
end

-- A number that the user gave; ends the program with a message when it is none.
function parse_numeric_input(value, name)
	local n = tonumber(value)
	if not n then
		print(string.format("Input %s must be a number.", name))
		os.exit()
	end
	return n
end

function copytable(value)
	if type(value) ~= "table" then
		return value
	end
	local copy = {}
	for k, v in pairs(value) do
		copy[copytable(k)] = copytable(v)
	end
	return setmetatable(copy, copytable(getmetatable(value)))
end

function concattable(to, from)
	return table.move(from, 1, #from, #to + 1, to)
end

function typeof(value)
	local meta = getmetatable(value)
	if (type(value) == "table" or type(value) == "userdata") and type(meta) == "table" and meta._NAME then
		return meta._NAME
	end
	return type(value)
end
