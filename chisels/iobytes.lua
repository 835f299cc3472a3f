-- All I/O bytes per second. The time of a line is that of the event that opened the next second.

description = "Adds up the bytes read and written on all kinds of descriptors and prints the sums once a second."
short_description = "All I/O bytes per second"
category = "I/O"

args = {}

local sums, time

function on_init()
	chisel.set_filter("evt.is_io=true")
	chisel.set_interval_s(1)
	time = chisel.request_field("evt.time.s")
	sums = chisel.aggregate { key = "evt.is_io_read", value = "evt.rawarg.res", op = "sum", positive = true }
	return true
end

function on_interval()
	local received, sent = sums:get(true) or 0, sums:get(false) or 0
	print(evt.field(time) .. " in:" .. received .. " out:" .. sent .. " tot:" .. received + sent)
	sums:clear()
	return true
end
