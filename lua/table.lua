-- burin.table: the sorted table of the top* chisels, as text or JSON.

local text = require "burin.text"
local json = require "burin.json"

local M = {}

local COLUMN = 20
local RULE = ("-"):rep(80)

-- view: { keys = field names, key_titles, value = field name, value_title, units, json = boolean }
-- rows: list of { key1, ..., value = number }, already in order
function M.print_text(view, rows, delta)
	local head = text.column(view.value_title, COLUMN)
	for _, title in ipairs(view.key_titles) do
		head = head .. text.column(title, COLUMN)
	end
	print(head)
	print(RULE)
	for _, row in ipairs(rows) do
		local line = text.column(text.value(row.value, view.units, delta), COLUMN)
		for i = 1, #row - 1 do
			line = line .. text.column(row[i], COLUMN)
		end
		print(line .. tostring(row[#row]))
	end
end

local function field_info(name, title, is_key)
	return json.object({ name = name, desc = title, is_key = is_key }, { "name", "desc", "is_key" })
end

-- The value's entry of info is always the third, whatever the number of keys: readers of sysdig's output know it so.
function M.print_json(view, rows, ts_s)
	local data, info = {}, {}
	for i, row in ipairs(rows) do
		local item = {}
		for k = 1, #row do
			item[k] = tostring(row[k])
		end
		item[#row + 1] = row.value
		data[i] = json.list(item)
	end
	for i, name in ipairs(view.keys) do
		info[i] = field_info(name, view.key_titles[i], true)
	end
	info[3] = field_info(view.value, view.value_title, false)
	print(json.encode(json.object({
		ts = sysdig.make_ts(ts_s, 0),
		data = json.list(data, #rows),
		info = json.list(info, math.max(3, #view.keys)),
	}, { "ts", "data", "info" }), true))
end

function M.print(view, rows, ts_s, delta)
	if view.json then
		M.print_json(view, rows, ts_s)
	else
		M.print_text(view, rows, delta)
	end
end

return M
