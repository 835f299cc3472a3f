-- System calls slower than a threshold: one line per call.

description = "Prints every system call that took longer than a number of milliseconds. With -pc the container is shown."
short_description = "System calls slower than a threshold"
category = "Performance"

local slower = require "burin.slower"

args = slower.args

mode = "per_event"

local min_ms

function on_set_arg(name, value)
	local ms, ok = slower.argument(name, value)
	min_ms = ms or min_ms
	return ok
end

function on_init()
	local columns = { { field = "evt.datetime", head = "evt.datetime", rule = ("-"):rep(23), text = "%-23.23s" } }
	if sysdig.is_print_container_data() then
		columns[2] = {
			field = "container.id", head = "container.id", rule = ("-"):rep(20), text = "%-20.20s", heading = "%-20.20s ",
		}
		columns[3] = { field = "container.name", head = "container.name", rule = ("-"):rep(20), text = "%-20.20s" }
	end
	columns[#columns + 1] = { field = "proc.name", head = "proc.name", rule = ("-"):rep(23), text = "%-23.23s" }
	columns[#columns + 1] = { head = "LATENCY(ms)", rule = ("-"):rep(20), text = "%-20s" }
	columns[#columns + 1] = { field = "evt.type", head = "evt.type", rule = ("-"):rep(20), text = "%s" }
	return slower.start(nil, columns, min_ms)
end

function on_event()
	local ms = slower.latency()
	if ms and ms > min_ms then
		slower.line(ms)
	end
	return true
end
