-- DNS questions and answers (RFC 1035), as far as the captured bytes go.

description = "Prints the DNS queries that processes send and the answers they get: type, name, and for answers the result and the addresses."
short_description = "DNS queries and answers"
category = "Net"

args = {}

mode = "per_event"

local data, time, process, pid, server

function on_init()
	data = chisel.request_field("evt.rawarg.data")
	time = chisel.request_field("evt.time")
	process = chisel.request_field("proc.name")
	pid = chisel.request_field("proc.pid")
	server = chisel.request_field("fd.name")
	sysdig.set_snaplen(512)
	chisel.set_filter("evt.is_io=true and evt.dir=< and fd.port=53 and evt.rawres>12")
	return true
end

local TYPES = {
	[1] = "A", [2] = "NS", [5] = "CNAME", [6] = "SOA", [12] = "PTR", [15] = "MX", [16] = "TXT", [28] = "AAAA", [33] = "SRV",
	[65] = "HTTPS", [255] = "ANY",
}
local RESULTS = { [0] = "ok", "format error", "server failure", "no such name", "not implemented", "refused" }

-- The name at position at and the position behind it; nil when the bytes end before. Pointers lead backwards.
local function name_at(s, at)
	local labels, behind, jumps = {}, nil, 0
	while true do
		local n = s:byte(at)
		if not n then
			return nil
		elseif n == 0 then
			return table.concat(labels, "."), behind or at + 1
		elseif n >= 0xc0 then
			local low = s:byte(at + 1)
			jumps = jumps + 1
			if not low or jumps > 20 then
				return nil
			end
			behind = behind or at + 2
			at = (n - 0xc0) * 256 + low + 1
		elseif n > 63 or at + n > #s or #labels > 127 then
			return nil
		else
			labels[#labels + 1] = s:sub(at + 1, at + n)
			at = at + n + 1
		end
	end
end

local function address(s, at, length)
	if length == 4 then
		return string.format("%d.%d.%d.%d", s:byte(at, at + 3))
	end
	local parts = {}
	for i = 0, 14, 2 do
		parts[#parts + 1] = string.format("%x", s:byte(at + i) * 256 + s:byte(at + i + 1))
	end
	return table.concat(parts, ":")
end

-- Addresses and names among n answers from position at on.
local function answers(s, at, n)
	local out = {}
	for _ = 1, math.min(n, 50) do
		local _, behind = name_at(s, at)
		if not behind or #s < behind + 9 then
			break
		end
		local kind, _, _, length = string.unpack(">I2I2I4I2", s, behind)
		local body = behind + 10
		if #s < body + length - 1 then
			break
		end
		if (kind == 1 and length == 4) or (kind == 28 and length == 16) then
			out[#out + 1] = address(s, body, length)
		elseif kind == 5 or kind == 12 then
			out[#out + 1] = name_at(s, body)
		end
		at = body + length
	end
	return table.concat(out, " ")
end

function on_event()
	local s = evt.field(data)
	if not s or #s < 17 then
		return true
	end
	local _, flags, questions, replies = string.unpack(">I2I2I2I2", s)
	local name, behind = name_at(s, 13)
	if questions < 1 or questions > 16 or not name or #s < behind + 3 then
		return true
	end
	local kind = string.unpack(">I2", s, behind)
	local tail = "?"
	if flags & 0x8000 ~= 0 then
		local result = flags & 15
		tail = (RESULTS[result] or "error " .. result) .. " " .. answers(s, behind + 4, replies)
	end
	print(string.format("%s %s(%d) %s %s %s %s", evt.field(time), evt.field(process) or "<NA>", evt.field(pid) or -1,
		evt.field(server) or "", TYPES[kind] or "TYPE" .. kind, name == "" and "." or name, tail))
	return true
end
