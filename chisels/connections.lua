-- Network connections in the order in which they began.

description = "Lists network connections in the order in which they were first used: when, how long, bytes received and sent, process, protocol and addresses."
short_description = "Timeline of network connections"
category = "Net"

args = {}

local text = require "burin.text"
local report = require "burin.report"
local used, received, sent

local KEY = { "proc.name", "proc.pid", "fd.l4proto", "fd.name" }
local IS_NET = "(fd.type=ipv4 or fd.type=ipv6) and fd.name!=''"

function on_init()
	used = chisel.aggregate {
		key = KEY,
		values = { { "evt.rawtime", "min" }, { "evt.rawtime", "max" }, { "evt.time.s", "first" } },
		filter = IS_NET,
	}
	received = chisel.aggregate {
		key = KEY, value = "evt.rawarg.res", op = "sum", filter = IS_NET .. " and evt.is_io_read=true", positive = true,
	}
	sent = chisel.aggregate {
		key = KEY, value = "evt.rawarg.res", op = "sum", filter = IS_NET .. " and evt.is_io_write=true", positive = true,
	}
	return true
end

report.run {
	columns = {
		{ "START", "start" }, { "DURATION", "duration" }, { "RECEIVED", "received" }, { "SENT", "sent" },
		{ "PROCESS", "process" }, { "PID", "pid" }, { "PROTO", "proto" }, { "CONNECTION", "connection" },
	},
	format = { duration = text.time, received = text.bytes, sent = text.bytes },
	rows = function()
		local out = {}
		for process, pid, proto, name, first, last, start in used:pairs() do
			out[#out + 1] = {
				start = start,
				first = first,
				duration = last - first,
				received = received:get(process, pid, proto, name) or 0,
				sent = sent:get(process, pid, proto, name) or 0,
				process = process,
				pid = pid,
				proto = proto,
				connection = name,
			}
		end
		table.sort(out, function(a, b)
			return a.first < b.first
		end)
		return out
	end,
}
