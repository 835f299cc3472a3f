-- One line per HTTP transaction.

description = "Prints every HTTP request and what became of it: > for those a process makes, < for those it serves. With -pc the container is shown."
short_description = "HTTP transactions"
category = "Application"

args = {}

local http = require "burin.http"
local time, with_container

function on_init()
	http.start()
	time = chisel.request_field("evt.datetime")
	with_container = sysdig.is_print_container_data()
	return true
end

function on_event()
	local t = http.transaction()
	if t then
		local container = with_container and " " .. t.container or ""
		print(string.format("%s%s %s method=%s url=%s response_code=%d latency=%dms size=%dB", evt.field(time), container,
			t.arrow, t.method, t.url, t.code, t.ns / 1000000, t.bytes))
	end
	return true
end
