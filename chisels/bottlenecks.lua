-- The ten slowest system calls, entry and exit. The entry line of a thread's call is remembered until its exit, so
-- this chisel runs in order.

description = "Shows the ten system calls that took longest, with their entry and exit events."
short_description = "Slowest system calls"
category = "Performance"

args = {}

local SHOWN = 10

local num, time, kind, arguments, latency, process, tid
local slowest, entries = {}, {}

function on_init()
	num = chisel.request_field("evt.num")
	kind = chisel.request_field("evt.type")
	arguments = chisel.request_field("evt.args")
	latency = chisel.request_field("evt.latency")
	process = chisel.request_field("proc.name")
	tid = chisel.request_field("thread.tid")
	return true
end

local function line(number, ns, name, thread, dir, call, args)
	return string.format("%d) %d.%.9d %s (%d) %s %s %s", number, ns // 1000000000, ns % 1000000000, name or "", thread,
		dir, call, args)
end

-- Place of a latency among the slowest; nil when it is none of them. Of equal ones the earlier stays in front.
local function place(ns)
	for i = #slowest, 0, -1 do
		if i == 0 or slowest[i].ns >= ns then
			return i < SHOWN and i + 1 or nil
		end
	end
end

function on_event()
	local name, ns = evt.field(kind), evt.field(latency)
	if name == "switch" or not ns then
		return true
	end
	local thread = evt.field(tid)
	if ns == 0 then
		local e = entries[thread]
		if not e then
			e = {}
			entries[thread] = e
		end
		e[1], e[2], e[3], e[4] = evt.field(num), evt.field(process), name, evt.field(arguments)
		return true
	end
	local at = place(ns)
	if at then
		local e = entries[thread]
		table.insert(slowest, at, {
			ns = ns,
			entry = e and line(e[1], 0, e[2], thread, ">", e[3], e[4]),
			exit = line(evt.field(num), ns, evt.field(process), thread, "<", name, evt.field(arguments)),
		})
		slowest[SHOWN + 1] = nil
	end
	return true
end

function on_capture_end()
	for _, call in ipairs(slowest) do
		print(call.entry)
		print(call.exit)
	end
end
