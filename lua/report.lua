-- burin.report: chisels that show one table of records: at the end of a trace, every second while capturing live, as JSON
-- with -j.
--
--   report.run {
--     columns = { { "COUNT", "n" }, { "PROCESS", "process" }, ... },   heading, member; numbers are aligned right
--     rows = function() return list of records end,
--     limit = 20,                                                      rows of a text table, nil for all
--     format = { bytes = text.bytes, ... },                            members shown otherwise than as they are
--   }
-- sets on_capture_start, on_interval and on_capture_end.

local json = require "burin.json"
local screen = require "burin.screen"

local M = {}

local function cells_of(spec, row)
	local out = {}
	for i, c in ipairs(spec.columns) do
		local v = row[c[2]]
		local shown = spec.format and spec.format[c[2]]
		out[i] = v == nil and "-" or shown and shown(v) or tostring(v)
	end
	return out
end

local function is_right(spec, rows, member)
	for _, row in ipairs(rows) do
		local v = row[member]
		if v ~= nil then
			return type(v) == "number"
		end
	end
	return false
end

function M.text(spec, rows)
	local lines, widths, right = {}, {}, {}
	for i, c in ipairs(spec.columns) do
		widths[i], right[i] = #c[1], is_right(spec, rows, c[2])
	end
	for k, row in ipairs(rows) do
		lines[k] = cells_of(spec, row)
		for i, cell in ipairs(lines[k]) do
			widths[i] = math.max(widths[i], utf8.len(cell) or #cell)
		end
	end
	local last = #spec.columns
	local function put(cells)
		local out = {}
		for i, cell in ipairs(cells) do
			local blanks = (" "):rep(widths[i] - (utf8.len(cell) or #cell))
			out[i] = right[i] and blanks .. cell or i == last and cell or cell .. blanks
		end
		print((table.concat(out, "  "):gsub(" +$", "")))
	end
	local heads = {}
	for i, c in ipairs(spec.columns) do
		heads[i] = c[1]
	end
	put(heads)
	for _, cells in ipairs(lines) do
		put(cells)
	end
end

function M.json(spec, rows)
	local order = {}
	for i, c in ipairs(spec.columns) do
		order[i] = c[2]
	end
	for _, row in ipairs(rows) do
		print(json.encode(json.object(row, order)))
	end
end

local function cut(rows, limit)
	if not limit or #rows <= limit then
		return rows
	end
	return table.move(rows, 1, limit, 1, {})
end

function M.run(spec)
	local live, as_json

	local function show(limit)
		local rows = spec.rows()
		if as_json then
			M.json(spec, rows)
		else
			M.text(spec, cut(rows, limit))
		end
	end

	function on_capture_start()
		live = sysdig.is_live()
		as_json = sysdig.get_output_format() == "json"
		if live then
			chisel.set_interval_s(1)
			if not as_json then
				screen.begin()
			end
		end
		return true
	end

	function on_interval()
		screen.page()
		show(screen.lines() or spec.limit)
		return true
	end

	function on_capture_end()
		screen.finish()
		show(spec.limit)
	end
end

return M
