-- Which program started which. What ran is collected in the workers, keyed by event number, and put together at the end.

description = "Shows the programs that were started as a tree: when, how long they ran, command line and exit code."
short_description = "Tree of started programs"
category = "Security"

args = {}

merge = { runs = "union", ends = "union" }
runs = {} -- event number of the exec -> { pid, ppid, time, ns, command }
ends = {} -- event number of the exit -> { pid, ns, status }

local text = require "burin.text"
local json = require "burin.json"
local kind, num, pid, ppid, tid, time, now, exe, arguments, status

function on_init()
	kind = chisel.request_field("evt.type")
	num = chisel.request_field("evt.num")
	pid = chisel.request_field("proc.pid")
	ppid = chisel.request_field("proc.ppid")
	tid = chisel.request_field("thread.tid")
	time = chisel.request_field("evt.time")
	now = chisel.request_field("evt.rawtime")
	exe = chisel.request_field("proc.exe")
	arguments = chisel.request_field("proc.args")
	status = chisel.request_field("evt.rawarg.status")
	chisel.set_filter("(evt.type in (execve, execveat) and evt.dir=< and evt.failed=false) or evt.type=procexit")
	return true
end

function on_event()
	local process = evt.field(pid)
	if not process then
		return true
	end
	if evt.field(kind) == "procexit" then
		if evt.field(tid) == process then
			ends[evt.field(num)] = { pid = process, ns = evt.field(now), status = evt.field(status) }
		end
		return true
	end
	local command = evt.field(exe) or "<NA>"
	local rest = evt.field(arguments)
	runs[evt.field(num)] = {
		pid = process,
		ppid = evt.field(ppid) or -1,
		time = evt.field(time),
		ns = evt.field(now),
		command = rest and rest ~= "" and command .. " " .. rest or command,
	}
	return true
end

-- Runs in order, each with its end and below its parent's latest run.
local function build()
	local roots, current, all = {}, {}, {}
	local events = {}
	for n, run in pairs(runs) do
		events[#events + 1] = { n = n, run = run }
	end
	for n, exit in pairs(ends) do
		events[#events + 1] = { n = n, exit = exit }
	end
	table.sort(events, function(a, b)
		return a.n < b.n
	end)
	for _, e in ipairs(events) do
		if e.exit then
			local run = current[e.exit.pid]
			if run then
				run.duration, run.status = e.exit.ns - run.ns, e.exit.status
				current[e.exit.pid] = nil
			end
		else
			local run = e.run
			local parent = current[run.pid] or current[run.ppid]
			run.below = {}
			table.insert(parent and parent.below or roots, run)
			current[run.pid] = run
			all[#all + 1] = run
		end
	end
	return roots, all
end

-- A wait status: exit code or signal.
local function ended(run)
	if not run.duration then
		return "still running"
	end
	local s = run.status or 0
	local how = s & 0x7f ~= 0 and "signal " .. (s & 0x7f) or (s >> 8 & 0xff) ~= 0 and "exit " .. (s >> 8 & 0xff) or ""
	return text.time(math.tointeger(run.duration) or run.duration) .. (how ~= "" and ", " .. how or "")
end

local function show(run, depth)
	print(string.format("%s %s%s [%d] %s", run.time, ("  "):rep(depth), run.command, run.pid, ended(run)))
	for _, child in ipairs(run.below) do
		show(child, math.min(depth + 1, 60))
	end
end

function on_capture_end()
	local roots, all = build()
	if sysdig.get_output_format() == "json" then
		for _, run in ipairs(all) do
			print(json.encode(json.object(run, { "time", "pid", "ppid", "command", "duration", "status" })))
		end
		return
	end
	for _, run in ipairs(roots) do
		show(run, 0)
	end
end
