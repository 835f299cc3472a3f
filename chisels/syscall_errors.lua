-- Which calls fail, and how.

description = "Counts failed system calls by call and error, and names the process that fails most often that way."
short_description = "Failed system calls by error"
category = "Errors"

args = {}

local report = require "burin.report"
local failed

function on_init()
	failed = chisel.aggregate {
		key = { "evt.type", "evt.res", "proc.name" },
		op = "count",
		filter = "evt.failed=true",
		missing = "<NA>",
	}
	return true
end

report.run {
	columns = { { "FAILED", "failed" }, { "SYSCALL", "syscall" }, { "ERROR", "error" }, { "MOSTLY", "process" }, { "THERE", "most" } },
	limit = 50,
	rows = function()
		local out, known = {}, {}
		for _, row in ipairs(failed:top()) do -- most frequent first: the first process seen is the main one
			local name = row[1] .. " " .. row[2]
			local r = known[name]
			if not r then
				r = { failed = 0, syscall = row[1], error = row[2], process = row[3], most = row.value }
				known[name] = r
				out[#out + 1] = r
			end
			r.failed = r.failed + row.value
		end
		table.sort(out, function(a, b)
			return a.failed > b.failed
		end)
		return out
	end,
}
