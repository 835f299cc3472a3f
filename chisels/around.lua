-- Saves the events around those that match the filter of the command line.

description = "Prints each event that passes the filter and then saves the events of the same thread shortly before and after it to a file."
short_description = "Save the events around matches of a filter"
category = "Misc"

args = {
	{ name = "dump_file_name", description = "the file to write", argtype = "string" },
	{ name = "dump_range_ms", description = "how far around, in milliseconds (1000)", argtype = "int", optional = true },
}

local dump = require "burin.dump"
local file
local range_ms = "1000"
local process, tid, time
local entries, started = {}, false

function on_set_arg(name, value)
	if name == "dump_file_name" then
		file = value
	else
		range_ms = value
	end
	return true
end

function on_init()
	process = chisel.request_field("proc.name")
	tid = chisel.request_field("thread.tid")
	time = chisel.request_field("evt.time")
	if sysdig.get_filter() == "" then
		print("no filter specified")
		return false
	end
	return true
end

function on_capture_start()
	if sysdig.is_live() then
		print("live capture not supported")
		return false
	end
	started = true
	return true
end

function on_event()
	print(evt.field(time) .. " " .. (evt.field(process) or "<NA>") .. "(" .. evt.field(tid) .. ")")
	local s, ns = evt.get_ts()
	entries[#entries + 1] = { s, ns, evt.field(tid) }
	return true
end

function on_capture_end()
	if sysdig.is_tty() then
		print("\27[0m")
	end
	if started then
		print("\nSaving events around " .. #entries .. " syslog entries to " .. file)
		dump.around(entries, file, range_ms)
	end
end
