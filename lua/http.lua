-- burin.http: HTTP transactions seen in the data of reads and writes, for httplog and httptop.
--
-- A request is remembered per (process, descriptor) until its response comes: so the chisels run in order.

local M = {}

local buffer, fd, pid, time, direction, container
local open = {} -- (pid, fd) -> request that waits for its response

function M.start()
	chisel.set_filter("evt.is_io=true and evt.buflen>0 and (fd.sockfamily=ip or fd.sockfamily=unix)")
	buffer = chisel.request_field("evt.buffer")
	fd = chisel.request_field("fd.num")
	pid = chisel.request_field("proc.pid")
	time = chisel.request_field("evt.rawtime")
	direction = chisel.request_field("evt.io_dir")
	container = chisel.request_field("container.name")
	sysdig.set_snaplen(1024)
end

local arrows = { read = "<", write = ">" }

-- Data comes with its line ends shown as dots: ".." stands for CR LF.
local function request(data)
	local method, url = data:match("^(%u+) (%g+)")
	if not method then
		return nil
	end
	local host = data:match("Host: (%g+)%.%.")
	return {
		method = method,
		url = (host or "") .. url,
		time = evt.field(time),
		arrow = arrows[evt.field(direction)] or "<NA>",
		container = evt.field(container),
	}
end

-- The transaction that the event under way completes: the request with code, bytes and ns added; nil when there is none.
function M.transaction()
	local data = evt.field(buffer)
	if not data then
		return nil
	end
	local key = string.format("%d %d", evt.field(pid) or 0, evt.field(fd) or 0)
	local asked = open[key]
	if not asked then
		open[key] = request(data)
		return nil
	end
	local code = data:match("HTTP/%g+ (%d+)")
	if not code then
		return nil
	end
	open[key] = nil
	asked.code = tonumber(code)
	asked.bytes = tonumber(data:match("Content%-Length: (%d+)%.%.") or 0)
	asked.ns = evt.field(time) - asked.time
	return asked
end

return M
