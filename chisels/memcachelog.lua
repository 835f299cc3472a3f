-- Requests to a memcached server.

description = "Prints the get and set requests that memcached receives."
short_description = "memcached requests"
category = "Application"

args = {
	{ name = "method", description = "only this one: get or set", optional = true },
	{ name = "size", description = "only sets of at least this many bytes", optional = true },
}

mode = "per_event"

local only, min_size
local data, time

function on_set_arg(name, value)
	if name == "method" then
		only = value
	else
		min_size = tonumber(value)
	end
	return true
end

function on_init()
	sysdig.set_filter("(fd.sport=11211 or proc.name=memcached) and evt.is_io=true")
	sysdig.set_snaplen(4096)
	data = chisel.request_field("evt.arg[1]")
	time = chisel.request_field("evt.datetime")
	return true
end

function on_event()
	local words = {}
	for word in ((evt.field(data) or "") .. " "):gmatch("(.-) ") do
		words[#words + 1] = word
	end
	local method, key = words[1], words[2]
	if not key or not method:find("^[gs]et") or (only and only ~= method) then
		return true
	end
	local size = tonumber(words[5]) or 0
	if only == "set" and min_size and size < min_size then
		return true
	end
	print(string.format("%s method=%s size=%dB key=%s", evt.field(time), method, size, key))
	return true
end
