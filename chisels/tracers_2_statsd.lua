-- Durations of tracer spans, sent to a statsd server on this machine.

description = "Sends the duration of every tracer span to statsd as a timer named by the span's tags."
short_description = "Span durations to statsd"
category = "Tracers"

args = {
	{ name = "server_addr", description = "not used: 127.0.0.1", argtype = "string", optional = true },
	{ name = "server_port", description = "not used: 8125", argtype = "string", optional = true },
}

local tags, duration

function on_set_arg()
	return true
end

function on_init()
	sysdig.udp_setpeername("127.0.0.1", 8125)
	tags = chisel.request_field("span.tags")
	duration = chisel.request_field("span.duration")
	chisel.set_filter("evt.type=tracer and evt.dir=<")
	return true
end

function on_event()
	local ns = evt.field(duration)
	if ns then
		local name = tostring(evt.field(tags)):gsub("[:|@]", "_")
		sysdig.udp_send(name .. ":" .. tostring(ns / 1000000) .. "|ms")
	end
	return true
end
