-- How long calls take: percentiles per system call, file, process or any other field.

description = "Shows how long system calls take: number, percentiles, maximum and total time for each value of a field (evt.type unless another is named, for example fd.name or proc.name). Those with the largest total come first."
short_description = "Latency percentiles by system call or any field"
category = "Performance"

args = { { name = "by", description = "the field to group by (evt.type)", argtype = "string", optional = true } }

local text = require "burin.text"
local report = require "burin.report"
local by = "evt.type"
local latencies

function on_set_arg(name, value)
	by = value
	return true
end

function on_init()
	latencies = chisel.aggregate {
		key = by,
		values = { { "evt.latency", "sum" }, { "evt.latency", "hist" }, { "evt.latency", "max" } },
		filter = "evt.dir=<",
		positive = true,
	}
	return true
end

report.run {
	columns = {
		{ "CALLS", "calls" }, { "P50", "p50" }, { "P90", "p90" }, { "P99", "p99" }, { "MAX", "max" },
		{ "TOTAL", "total" }, { "BY", "by" },
	},
	format = { p50 = text.time, p90 = text.time, p99 = text.time, max = text.time, total = text.time },
	limit = 30,
	rows = function()
		local out = {}
		for i, row in ipairs(latencies:top()) do
			local max = row.values[3]
			local function quantile(q) -- a bucket's middle can lie above the largest value in it
				return math.min(latencies:quantile(row, q, 2), max)
			end
			out[i] = {
				calls = row.n,
				p50 = quantile(0.5),
				p90 = quantile(0.9),
				p99 = quantile(0.99),
				max = max,
				total = row.value,
				by = row[1],
			}
		end
		return out
	end,
}
