-- burin.json: JSON text of Lua values, members in a fixed order.
--
-- json.encode(v [, indent]): one line, or with indent the members of objects on lines of their own. A table with the metafield json_order (list of member names) is an object
-- in that order; a table with elements 1..n, or marked by json.list(t, n), is an array; other tables are
-- objects with sorted members. json.null stands for null.

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

return M
