-- burin.group: chisels that are one table, "the sum of a field grouped by others".
--
--   group.table{
--     by = { { "proc.name", "Process" }, ... },      fields and headings
--     by_container = { ... },                        the same with -pc (default: as by)
--     value = "evt.rawarg.res", title = "Bytes", units = "bytes", filter = "...", rows = 10,
--   }

local M = {}

local function column(list, i)
	local out = {}
	for k, entry in ipairs(list) do
		out[k] = entry[i]
	end
	return table.concat(out, ",")
end

-- For on_init: hands over to table_generator.
function M.table(spec)
	local by = spec.by
	if spec.by_container and sysdig.is_print_container_data() then
		by = spec.by_container
	end
	chisel.exec("table_generator", column(by, 1), column(by, 2), spec.value, spec.title, spec.filter or "",
		tostring(spec.rows), spec.units)
	return true
end

return M
