-- HTTP transactions under the names that chisels written for sysdig expect from require "http". New chisels use
-- burin.http.

partial_transactions = {}

local wanted = {
	buffer_field = "evt.buffer",
	fd_field = "fd.num",
	pid_field = "proc.pid",
	rawtime_field = "evt.rawtime",
	datetime_field = "evt.datetime",
	dir_field = "evt.io_dir",
	container_field = "container.name",
}

function http_init()
	chisel.set_filter("evt.is_io=true and evt.buflen>0 and (fd.sockfamily=ip or fd.sockfamily=unix)")
	for global, field in pairs(wanted) do
		_G[global] = chisel.request_field(field)
	end
	sysdig.set_snaplen(1024)
end

-- Line ends arrive as dots.
function parse_request(data)
	local method, url = data:match("^(%u+) (%g+)")
	if not method then
		return nil
	end
	return { method = method, url = (data:match("Host: (%g+)%.%.") or "") .. url }
end

function parse_response(data)
	local code = data:match("HTTP/%g+ (%d+)")
	if not code then
		return nil
	end
	return { code = tonumber(code), length = tonumber(data:match("Content%-Length: (%d+)%.%.") or 0) }
end

local arrows = { read = "<", write = ">" }

-- Calls done(transaction) for each response whose request was seen; transaction: { request, response, dir, container },
-- request and response carry ts.
function run_http_parser(event, done)
	local data, now = event.field(buffer_field), event.field(rawtime_field)
	local key = string.format("%d\1\1%d", event.field(pid_field), event.field(fd_field))
	local open = partial_transactions[key]
	if open then
		open.response = parse_response(data)
		if open.response then
			open.response.ts = now
			done(open)
			partial_transactions[key] = nil
		end
		return
	end
	local request = parse_request(data)
	if request then
		request.ts = now
		partial_transactions[key] = {
			request = request,
			dir = arrows[event.field(dir_field)] or "<NA>",
			container = event.field(container_field),
		}
	end
end
