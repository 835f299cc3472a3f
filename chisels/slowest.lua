-- The slowest events of all. Each worker keeps its own list of the slowest; the lists are merged.

description = "Shows the N events that took longest."
short_description = "The N slowest events"
category = "Performance"

args = { { name = "n", description = "how many (20)", argtype = "int", optional = true } }

local text = require "burin.text"
local report = require "burin.report"

merge = {}
best = {} -- slowest first; of equal ones the earlier first

local n = 20
local num, time, process, tid, kind, latency, file, arguments

function on_set_arg(name, value)
	n = tonumber(value)
	return n ~= nil and n >= 1
end

function on_init()
	merge.best = string.format("top(%d,latency)", n)
	num = chisel.request_field("evt.num")
	time = chisel.request_field("evt.time")
	process = chisel.request_field("proc.name")
	tid = chisel.request_field("thread.tid")
	kind = chisel.request_field("evt.type")
	latency = chisel.request_field("evt.latency")
	file = chisel.request_field("fd.name")
	arguments = chisel.request_field("evt.args")
	chisel.set_filter("evt.dir=<")
	return true
end

function on_event()
	local ns = evt.field(latency)
	if not ns or ns <= 0 or (best[n] and best[n].latency >= ns) then
		return true
	end
	local at = #best + 1
	while at > 1 and best[at - 1].latency < ns do
		at = at - 1
	end
	table.insert(best, at, {
		latency = ns,
		num = evt.field(num),
		time = evt.field(time),
		process = evt.field(process) or "<NA>",
		tid = evt.field(tid),
		syscall = evt.field(kind),
		file = evt.field(file) or "",
		args = evt.field(arguments),
	})
	best[n + 1] = nil
	return true
end

report.run {
	columns = {
		{ "LATENCY", "latency" }, { "EVENT", "num" }, { "TIME", "time" }, { "PROCESS", "process" }, { "TID", "tid" },
		{ "SYSCALL", "syscall" }, { "FILE", "file" }, { "RESULT", "args" },
	},
	format = {
		latency = text.time,
		args = function(s)
			return #s > 60 and s:sub(1, 57) .. "..." or s
		end,
	},
	rows = function()
		return best
	end,
}
