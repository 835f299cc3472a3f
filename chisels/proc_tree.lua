-- Processes as a tree, with what they and their descendants did.

description = "Shows the processes that were active as a tree: processor time (from procinfo events, where the trace has them), bytes read and written, calls, each for the process and for everything below it."
short_description = "Process tree with CPU and I/O totals"
category = "Performance"

args = {}

local text = require "burin.text"
local json = require "burin.json"

local TICK_NS = 10000000 -- procinfo counts hundredths of a second

local who, cpu, reads, writes

function on_init()
	who = chisel.aggregate {
		key = "proc.pid",
		values = { { "evt.count", "count" }, { "proc.name", "last" }, { "proc.ppid", "last" } },
	}
	cpu = chisel.aggregate {
		key = { "proc.pid", "thread.tid" },
		values = {
			{ "evt.rawarg.cpu_usr", "min" }, { "evt.rawarg.cpu_usr", "max" },
			{ "evt.rawarg.cpu_sys", "min" }, { "evt.rawarg.cpu_sys", "max" },
		},
		filter = "evt.type=procinfo",
	}
	local function bytes(filter)
		return chisel.aggregate { key = "proc.pid", value = "evt.rawarg.res", op = "sum", filter = filter, positive = true }
	end
	reads, writes = bytes("evt.is_io_read=true and evt.dir=<"), bytes("evt.is_io_write=true and evt.dir=<")
	return true
end

local SUMS = { "cpu", "read", "written", "calls" }

local function processes()
	local all = {}
	for pid, calls, name, parent in who:pairs() do
		all[pid] = {
			pid = pid, name = name, parent = parent, calls = calls,
			cpu = 0, read = reads:get(pid) or 0, written = writes:get(pid) or 0, below = {},
		}
	end
	for pid, _, u0, u1, s0, s1 in cpu:pairs() do
		if all[pid] then
			all[pid].cpu = all[pid].cpu + (u1 - u0 + s1 - s0) * TICK_NS
		end
	end
	return all
end

-- Children under parents; returns the list of roots. Totals are added up from the leaves.
local function grow(all)
	local roots = {}
	for pid, p in pairs(all) do
		local parent = p.parent ~= pid and all[p.parent]
		table.insert(parent and parent.below or roots, p)
	end
	return roots
end

local function total(p, depth)
	p.total = {}
	for _, name in ipairs(SUMS) do
		p.total[name] = p[name]
	end
	if depth > 100 then -- pids that were used again can be each other's parents
		p.below = {}
	end
	for _, child in ipairs(p.below) do
		total(child, depth + 1)
		for _, name in ipairs(SUMS) do
			p.total[name] = p.total[name] + child.total[name]
		end
	end
end

local function show(p, depth)
	local t = p.total
	print(string.format("%10s %10s %10s %10d  %s%s (%d)", text.time(t.cpu), text.bytes(t.read), text.bytes(t.written), t.calls,
		("  "):rep(depth), p.name, p.pid))
	for _, child in ipairs(p.below) do
		show(child, depth + 1)
	end
end

function on_capture_end()
	local all = processes()
	local roots = grow(all)
	for _, root in ipairs(roots) do
		total(root, 0)
	end
	if sysdig.get_output_format() == "json" then
		local order = { "pid", "parent", "name", "cpu", "read", "written", "calls", "total" }
		for _, p in pairs(all) do
			p.total = p.total and json.object(p.total, SUMS)
			print(json.encode(json.object(p, order)))
		end
		return
	end
	print(string.format("%10s %10s %10s %10s  %s", "CPU", "READ", "WRITTEN", "CALLS", "PROCESS (WITH ALL BELOW IT)"))
	for _, root in ipairs(roots) do
		show(root, 0)
	end
end
