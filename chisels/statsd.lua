-- A statsd client under the names that chisels written for sysdig expect from require "statsd":
-- local client = require "statsd" { host = "127.0.0.1", port = 8125, namespace = "x" }; client:timer("name", ms)

local Client = {}
Client.__index = Client

local function message(self, name, value, kind, rate)
	name = tostring(name):gsub("[:|@]", "_")
	if self.namespace then
		name = self.namespace .. "." .. name
	end
	return name .. ":" .. tostring(value) .. "|" .. kind .. (rate ~= 1 and "|@" .. tostring(rate) or "")
end

function Client:send_to_socket(data)
	return sysdig.udp_send(data)
end

-- what: a name, or a table of names and values (a list of names counts each once)
function Client:send(what, value, kind, rate, negative)
	if type(what) ~= "table" then
		return self:send_to_socket(message(self, what, value, kind, rate or 1))
	end
	local lines, size = {}, 0
	for name, v in pairs(what) do
		if type(name) == "number" then
			name, v = v, 1
		end
		local line = message(self, name, negative and -v or v, kind, value or 1)
		if #lines > 0 and size + #line > self.packet_size then
			self:send_to_socket(table.concat(lines, "\n"))
			lines, size = {}, 0
		end
		lines[#lines + 1] = line
		size = size + #line
	end
	return self:send_to_socket(table.concat(lines, "\n"))
end

function Client:gauge(name, value, rate)
	return self:send(name, value, "g", rate)
end

function Client:counter(name, value, rate)
	return self:send(name, value, "c", rate)
end

function Client:increment(name, value, rate)
	return self:send(name, value or 1, "c", rate)
end

function Client:decrement(name, value, rate)
	value = value or 1
	return self:send(name, type(name) == "string" and -value or value, "c", rate, true)
end

function Client:timer(name, ms)
	return self:send(name, ms, "ms")
end

function Client:histogram(name, value)
	return self:send(name, value, "h")
end

function Client:meter(name, value)
	return self:send(name, value, "m")
end

function Client:set(name, value)
	return self:send(name, value, "s")
end

return function(options)
	options = options or {}
	sysdig.udp_setpeername(options.host or "127.0.0.1", options.port or 8125)
	return setmetatable({ namespace = options.namespace, packet_size = options.packet_size or 508 }, Client)
end
