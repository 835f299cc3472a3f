-- burin.dump: saving the events around some moments to a file, in a second run of the program.

local M = {}

-- entries: list of { seconds, nanoseconds, tid }
function M.around(entries, file, range_ms)
	local parts = {}
	for i, e in ipairs(entries) do
		parts[i] = string.format("(evt.around[%s]=%s and thread.tid=%d)", sysdig.make_ts(e[1], e[2]), range_ms, e[3])
	end
	sysdig.run_app("-F -r" .. sysdig.get_evtsource_name() .. " -w" .. file .. " " .. table.concat(parts, " or "))
end

return M
