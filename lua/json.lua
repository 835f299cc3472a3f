-- burin.json: JSON text of Lua values, members in a fixed order.
--
-- json.encode(v [, indent]): one line, or with indent the members of objects on lines of their own. A table with the metafield json_order (list of member names) is an object
-- in that order; a table with elements 1..n, or marked by json.list(t, n), is an array; other tables are
-- objects with sorted members. json.null stands for null.
-- json.decode(text [, position [, null]]): value and the position behind it; nil, position, message on errors.

local M = {}

M.null = setmetatable({}, { __tostring = function()
	return "null"
end })

local escapes = {
	['"'] = '\\"',
	["\\"] = "\\\\",
	["\b"] = "\\b",
	["\f"] = "\\f",
	["\n"] = "\\n",
	["\r"] = "\\r",
	["\t"] = "\\t",
}

local function escape(c)
	return escapes[c] or string.format("\\u%04x", c:byte())
end

function M.quote(s)
	return '"' .. s:gsub('[%c"\\\127]', escape) .. '"'
end

function M.list(t, n)
	return setmetatable(t, { json_list = n or #t })
end

function M.object(t, order)
	return setmetatable(t, { json_order = order })
end

local encode

local function encode_list(t, n, depth)
	local out = {}
	for i = 1, n do
		out[i] = encode(t[i], depth and depth + 1)
	end
	return "[" .. table.concat(out, ",") .. "]"
end

local function encode_object(t, order, depth)
	local out = {}
	local inner = depth and depth + 1
	if order then
		for _, k in ipairs(order) do
			out[#out + 1] = M.quote(k) .. ":" .. encode(t[k], inner)
		end
	else
		for k, v in pairs(t) do
			out[#out + 1] = M.quote(tostring(k)) .. ":" .. encode(v, inner)
		end
	end
	if not depth or #out == 0 then
		return "{" .. table.concat(out, ",") .. "}"
	end
	local blanks = ("  "):rep(inner)
	return "{\n" .. blanks .. table.concat(out, ",\n" .. blanks) .. "\n" .. ("  "):rep(depth) .. "}"
end

-- depth: nesting so far, nil for one line
function encode(v, depth)
	local kind = type(v)
	if v == nil or v == M.null then
		return "null"
	elseif kind == "string" then
		return M.quote(v)
	elseif kind == "number" then
		if v ~= v or v == math.huge or v == -math.huge then
			return "null"
		end
		return tostring(v)
	elseif kind == "boolean" then
		return tostring(v)
	elseif kind ~= "table" then
		error("a " .. kind .. " has no JSON form")
	end
	local meta = getmetatable(v)
	if meta and meta.json_list then
		return encode_list(v, meta.json_list, depth)
	elseif meta and meta.json_order then
		return encode_object(v, meta.json_order, depth)
	elseif #v > 0 then
		return encode_list(v, #v, depth)
	end
	return encode_object(v, nil, depth)
end

function M.encode(v, indent)
	return encode(v, indent and 0 or nil)
end

-- ---- reading ----

local MAX_DEPTH = 200
local decode_value

local function fail(s, at, what)
	error({ at = at, what = what .. " at position " .. at }, 0)
end

local function skip(s, at)
	return s:find("[^ \t\r\n]", at) or #s + 1
end

local unescapes = {
	['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function unicode(s, at)
	local hex = s:match("^%x%x%x%x", at)
	if not hex then
		fail(s, at, "four hexadecimal digits expected")
	end
	local code, behind = tonumber(hex, 16), at + 4
	if code >= 0xd800 and code < 0xdc00 then
		local low = s:match("^\\u(%x%x%x%x)", behind)
		low = low and tonumber(low, 16)
		if low and low >= 0xdc00 and low < 0xe000 then
			return utf8.char(0x10000 + (code - 0xd800) * 0x400 + low - 0xdc00), behind + 6
		end
	end
	return utf8.char(code), behind
end

local function decode_string(s, at)
	local out = {}
	at = at + 1
	while true do
		local stop = s:find('["\\]', at)
		if not stop then
			fail(s, at, "unfinished string")
		end
		out[#out + 1] = s:sub(at, stop - 1)
		if s:sub(stop, stop) == '"' then
			return table.concat(out), stop + 1
		end
		local c = s:sub(stop + 1, stop + 1)
		if c == "u" then
			out[#out + 1], at = unicode(s, stop + 2)
		elseif unescapes[c] then
			out[#out + 1], at = unescapes[c], stop + 2
		else
			fail(s, stop, "wrong escape")
		end
	end
end

local function decode_list(s, at, null, depth)
	local out, n = {}, 0
	at = skip(s, at + 1)
	if s:sub(at, at) == "]" then
		return M.list(out, 0), at + 1
	end
	while true do
		n = n + 1
		out[n], at = decode_value(s, at, null, depth)
		at = skip(s, at)
		local c = s:sub(at, at)
		at = at + 1
		if c == "]" then
			return M.list(out, n), at
		elseif c ~= "," then
			fail(s, at - 1, "comma or ] expected")
		end
	end
end

local function decode_object(s, at, null, depth)
	local out = {}
	at = skip(s, at + 1)
	if s:sub(at, at) == "}" then
		return out, at + 1
	end
	while true do
		local key
		at = skip(s, at)
		if s:sub(at, at) ~= '"' then
			fail(s, at, "name of a member expected")
		end
		key, at = decode_string(s, at)
		at = skip(s, at)
		if s:sub(at, at) ~= ":" then
			fail(s, at, "colon expected")
		end
		out[key], at = decode_value(s, at + 1, null, depth)
		at = skip(s, at)
		local c = s:sub(at, at)
		at = at + 1
		if c == "}" then
			return out, at
		elseif c ~= "," then
			fail(s, at - 1, "comma or } expected")
		end
	end
end

function decode_value(s, at, null, depth)
	at = skip(s, at)
	depth = depth + 1
	if depth > MAX_DEPTH then
		fail(s, at, "too deeply nested")
	end
	local c = s:sub(at, at)
	if c == '"' then
		return decode_string(s, at)
	elseif c == "{" then
		return decode_object(s, at, null, depth)
	elseif c == "[" then
		return decode_list(s, at, null, depth)
	end
	local word = s:match("^%a+", at)
	if word == "true" or word == "false" then
		return word == "true", at + #word
	elseif word == "null" then
		return null, at + 4
	end
	local number = s:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
	local value = number and tonumber(number)
	if not value then
		fail(s, at, "value expected")
	end
	return value, at + #number
end

function M.decode(s, at, null)
	local ok, value, behind = pcall(decode_value, s, at or 1, null, 0)
	if ok then
		return value, behind
	elseif type(value) == "table" then
		return nil, value.at, value.what
	end
	error(value, 0)
end

return M
