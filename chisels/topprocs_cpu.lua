-- Top processes by CPU usage. Shares of a processor are fractions, whose sum depends on the order: this chisel runs in
-- order. It gets one event per thread and second.

description = "Shows the processes that use the most processor time. With -pc each container has its own rows."
short_description = "Top processes by CPU usage"
category = "CPU Usage"

args = {}

local tables = require "burin.table"
local screen = require "burin.screen"

-- thread.cpu is in percent of a second: its value in nanoseconds.
local NS_PER_PERCENT = 10000000

local view, fields, cpu, live
local rows = {} -- joined keys -> row

function on_init()
	view = {
		keys = { "proc.name", "proc.pid" },
		key_titles = { "Process", "PID" },
		value = "thread.exectime",
		value_title = "CPU%",
		units = "timepct",
		top = 10,
	}
	if sysdig.is_print_container_data() then
		view.keys = { "proc.name", "proc.pid", "proc.vpid", "container.name" }
		view.key_titles = { "Process", "Host_pid", "Container_pid", "container.name" }
	end
	fields = {}
	for i, name in ipairs(view.keys) do
		fields[i] = chisel.request_field(name)
	end
	cpu = chisel.request_field("thread.cpu")
	chisel.set_filter("evt.type=procinfo")
	return true
end

function on_capture_start()
	live = sysdig.is_live()
	view.json = sysdig.get_output_format() == "json"
	if live then
		chisel.set_interval_s(1)
		if not view.json then
			screen.begin()
		end
	end
	return true
end

function on_event()
	local keys = {}
	for i, field in ipairs(fields) do
		keys[i] = evt.field(field)
		if not keys[i] then
			return true
		end
	end
	local used = evt.field(cpu)
	if not used then
		return true
	end
	local name = table.concat(keys, "\1\1")
	if not rows[name] then
		keys.value = used * NS_PER_PERCENT
		rows[name] = keys
	else
		rows[name].value = rows[name].value + used * NS_PER_PERCENT
	end
	return true
end

local function show(ts_s, delta)
	local list = {}
	for _, row in pairs(rows) do
		list[#list + 1] = row
	end
	table.sort(list, function(a, b)
		return a.value > b.value
	end)
	for i = #list, view.top + 1, -1 do
		list[i] = nil
	end
	tables.print(view, list, ts_s, delta)
end

function on_interval(ts_s, ts_ns, delta)
	screen.page()
	show(ts_s, delta)
	rows = {}
	return true
end

function on_capture_end(ts_s, ts_ns, delta)
	screen.finish()
	show(ts_s, delta)
end
