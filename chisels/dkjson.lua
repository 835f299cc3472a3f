-- JSON under the names that chisels written for sysdig expect from require "dkjson": encode, decode, null, quotestring.

local text = require "burin.json"

local M = { version = "burin", null = text.null }

M.quotestring = text.quote

-- state: { indent = true, keyorder = { ... } }
function M.encode(value, state)
	if state and state.keyorder and type(value) == "table" and #value == 0 then
		local order, placed = {}, {}
		for _, k in ipairs(state.keyorder) do
			if value[k] ~= nil then
				order[#order + 1], placed[k] = k, true
			end
		end
		for k in pairs(value) do
			if not placed[k] then
				order[#order + 1] = k
			end
		end
		value = text.object(value, order)
	end
	return text.encode(value, state and state.indent)
end

-- Value, position behind it; nil, position, message when the text is no JSON.
function M.decode(s, at, null)
	return text.decode(s, at, null)
end

return M
