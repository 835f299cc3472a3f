-- A summary of a trace as JSON, with time lines of 400 samples, for programs that draw them. Two passes: the first measures how
-- long the trace is and restarts the program; the second cuts the time into slices. Ports that are listened on and the tables
-- of processes depend on what came before: this chisel runs in order.

description = "Summarises a trace as JSON: about 45 numbers, each with its sum, its maximum and a time line."
short_description = "JSON summary of a trace"
category = "NA"
hidden = true

args = {
	{
		name = "composite_args",
		description = "number of samples of the time lines and length of the trace in ns, with a comma; the chisel measures the length itself",
		argtype = "int",
		optional = true,
	},
}

local json = require "burin.json"

local SLICES = 400
local PROGRESS_EVERY = SLICES * 3 // 100

local samples, length = SLICES, nil

-- ---- the metrics: one row each -----------------------------------------------------------------------------------

-- id, name, category, view; set: counts distinct things; always: shown though 0; note: worth a look; avg: samples are
-- averaged; key, title, filter, sort: what the view is told.
local metrics = {
	{ "notifications", "Sysdig Secure Notifications", "general", "notifications", note = true, key = "NONE" },
	{ "procs", "Running Processes", "general", "procs", set = true, always = true, avg = true },
	{ "containers", "Running Containers", "general", "containers", set = true, always = true, avg = true },
	{ "calls", "System Calls", "general", "syscalls", always = true },
	{ "file_bytes", "File Bytes In+Out", "file", "files", always = true, key = "fd.directory", sort = 2 },
	{ "file_in", "File Bytes In", "file", "files", always = true, key = "fd.directory", sort = 0 },
	{ "file_out", "File Bytes Out", "file", "files", always = true, key = "fd.directory", sort = 1 },
	{ "files", "Accessed Files", "file", "files", set = true, key = "fd.directory", sort = 2, filter = "evt.is_io_read=true" },
	{
		"files_written", "Modified Files", "file", "files", set = true, key = "fd.directory", sort = 1,
		filter = "evt.is_io_write=true",
	},
	{ "net_bytes", "Net Bytes In+Out", "network", "sports", always = true, key = "fd.directory", sort = 4 },
	{ "net_in", "Net Bytes In", "network", "sports", always = true, key = "fd.sport", sort = 2 },
	{ "net_out", "Net Bytes Out", "network", "sports", always = true, key = "fd.sport", sort = 3 },
	{
		"connections", "Active Network Connections", "network", "connections", set = true, key = "fd.sport", sort = 8,
		filter = "evt.is_io=true",
	},
	{ "ports", "Listening Ports", "network", "port_bindings", set = true, avg = true, key = "fd.sport" },
	{ "ports_new", "New Listening Ports", "network", "port_bindings", note = true, key = "fd.sport" },
	{
		"connects", "New Outbound Connections", "network", "dig", key = "NONE", title = "Connect events",
		filter = "evt.type=connect and evt.dir=< and fd.sport exists",
	},
	{
		"accepts", "New Inbound Connections", "network", "dig", title = "Connect events",
		filter = "evt.type=accept and evt.dir=< and fd.sport exists",
	},
	{ "commands", "Executed Commands", "security", "spy_users_wsysdig", always = true, note = true },
	{
		"commands_typed", "Executed Interactive Commands", "security", "spy_users_wsysdig", note = true, key = "NONE",
		filter = "proc.pname=bash",
	},
	{
		"symlinks", "New Symlinks", "security", "dig", note = true, key = "NONE", title = "Symlink creations",
		filter = "(evt.type=symlink or evt.type=symlinkat) and evt.dir=< and evt.failed = false",
	},
	{
		"system_files", "Modified System Files", "security", "files", set = true, note = true, key = "NONE", sort = 1,
		filter = "evt.is_io_write=true",
	},
	{
		"sudo", "Sudo Invocations", "security", "dig", note = true, key = "NONE", title = "Sudo executions",
		filter = "evt.type=execve and evt.arg.exe=sudo",
	},
	{
		"setns", "Setns Invocations", "security", "dig", note = true, key = "NONE", title = "Setns executions",
		filter = "evt.type=setns",
	},
	{
		"ssh", "New SSH Connections", "security", "dig", note = true, title = "Connect events",
		filter = "(evt.type=accept or evt.type=connect) and evt.dir=< and fd.sport=22",
	},
	{
		"deletions", "Deleted Files", "security", "dig", note = true, key = "NONE", title = "File deletions",
		filter = "evt.type=unlink or evt.type=unlinkat",
	},
	{
		"http", "HTTP Requests", "performance", "echo", note = true, key = "fd.directory", title = "HTTP responses",
		filter = '(fd.type=ipv4 or fd.type=ipv6) and evt.buffer contains "HTTP/"',
	},
	{
		"http_errors", "HTTP Errors", "performance", "echo", note = true, key = "fd.directory", title = "HTTP responses",
		filter = '(fd.type=ipv4 or fd.type=ipv6) and evt.arg.data startswith "HTTP/" and not evt.arg.data contains "200"',
	},
	{
		"open_errors", "File Open Errors", "performance", "dig", key = "fd.directory", title = "Failed open() calls",
		filter = "evt.type=open and evt.rawres<0",
	},
	{
		"forks", "Fork Count", "performance", "dig", key = "NONE", title = "Clone executions",
		filter = "evt.type=clone and evt.rawres=0",
	},
	{
		"connect_errors", "Failed Connection Attempts", "performance", "dig", note = true, key = "NONE",
		title = "Failed connect() calls",
		filter = "evt.type=connect and (fd.type=ipv4 or fd.type=ipv6) and evt.rawres<0 and evt.res!=EINPROGRESS",
	},
	{
		"signals", "Received Signals", "performance", "dig", key = "NONE", title = "Received signals",
		filter = "evt.type=signaldeliver",
	},
	{
		"segfaults", "Segmentation Faults", "performance", "dig", note = true, key = "NONE", title = "List of segfault events",
		filter = "evt.type=signaldeliver and evt.arg.sig=SIGSEGV",
	},
	{ "slow_1ms", "Slow File I/O calls (1ms+)", "performance", "slow_io", key = "NONE", sort = 1 },
	{ "slow_10ms", "Slow File I/O calls (10ms+)", "performance", "slow_io", key = "NONE", sort = 1 },
	{ "slow_100ms", "Slow File I/O calls (100ms+)", "performance", "slow_io", note = true, key = "NONE", sort = 1 },
	{ "app_logs", "App Log Messages", "logs", "echo", key = "NONE", title = "Application Log Messages" },
	{ "app_warnings", "App Log Warning Messages", "logs", "echo", key = "NONE", title = "Warning Application Log Messages" },
	{ "app_errors", "App Log Error Messages", "logs", "echo", note = true, key = "NONE", title = "Error Application Log Messages" },
	{ "syslog", "Syslog Messages", "logs", "spy_syslog", key = "NONE", title = "Syslog Messages" },
	{
		"syslog_warnings", "Syslog Warning Messages", "logs", "spy_syslog", key = "NONE", title = "Syslog Messages",
		filter = "syslog.severity=4",
	},
	{
		"syslog_errors", "Syslog Error Messages", "logs", "spy_syslog", note = true, key = "NONE", title = "Syslog Messages",
		filter = "syslog.severity<4",
	},
	{ "docker", "Docker Events", "infrastructure", "docker_events", note = true, key = "NONE" },
}

local LOG_FILES = "((fd.name contains .log or fd.name contains _log or fd.name contains /var/log) and not "
	.. "(fd.name contains .gz or fd.name contains .tgz)) and evt.is_io_write=true"
local log_filters = {
	app_logs = LOG_FILES,
	app_warnings = LOG_FILES .. " and evt.arg.data icontains warn",
	app_errors = LOG_FILES .. " and (evt.arg.data icontains error or evt.arg.data icontains critic or evt.arg.data icontains "
		.. "emerg or evt.arg.data icontains alert)",
}

-- Server ports of well-known protocols.
local protocols = {
	["HTTP"] = { 80, 8080 }, ["HTTPs"] = { 443 }, ["SSH"] = { 22 }, ["DNS"] = { 53 },
	["Sysdig Agent"] = { 6443, 6666, 6667 }, ["etcd"] = { 2379, 22379 }, ["mysql"] = { 3306 }, ["postgres"] = { 5432 },
	["redis"] = { 6379 }, ["couchdb"] = { 5984 }, ["fluentd"] = { 9880 }, ["statsd"] = { 8125 }, ["gearman"] = { 4730 },
	["hadoop"] = { 8020, 9000, 50070 }, ["hbase"] = { 60000, 60010, 60020, 60030 }, ["kafka"] = { 2181 },
	["Kyoto Tycoon"] = { 1978 }, ["memcached"] = { 11211 }, ["mongodb"] = { 27017, 27018, 27019, 28017 },
	["rabbitmq"] = { 5672 }, ["riak"] = { 8087, 8098 }, ["solr"] = { 8983 }, ["voltdb"] = { 5555 }, ["elasticsearch"] = {},
}
for port = 9200, 9400 do
	table.insert(protocols.elasticsearch, port)
end

local protocol_of = {}
for name, ports in pairs(protocols) do
	local tests = {}
	for i, port in ipairs(ports) do
		protocol_of[port] = "bytes of " .. name
		tests[i] = "fd.sport=" .. port
	end
	table.insert(metrics, {
		"bytes of " .. name, name .. " Bytes", "napps", "connections", key = "NONE", filter = table.concat(tests, " or "),
	})
end

local by_id = {}
for _, m in ipairs(metrics) do
	by_id[m[1]] = m
	m.filter = m.filter or log_filters[m[1]]
	m.total, m.max, m.line, m.all = 0, 0, {}, {}
end

-- ---- counting within a slice ---------------------------------------------------------------------------------------

local count = {} -- id -> number, of the slice under way
local seen = {} -- id -> set, of the slice under way
local listening = {} -- port -> true; lives on from slice to slice

local function add(id, n)
	count[id] = (count[id] or 0) + (n or 1)
end

local function add_to_set(id, thing)
	if thing == nil then
		return
	end
	seen[id] = seen[id] or {}
	if not seen[id][thing] then
		seen[id][thing] = true
		add(id)
	end
end

local function listen(port, on)
	if (listening[port] or false) ~= on then
		listening[port] = on or nil
		add("ports", on and 1 or -1)
	end
end

local function size(set)
	local n = 0
	for _ in pairs(set) do
		n = n + 1
	end
	return n
end

local function close_slice(ts_s, ts_ns)
	local time = sysdig.make_ts(ts_s, ts_ns)
	seen.ports = listening
	for _, m in ipairs(metrics) do
		local n = count[m[1]] or 0
		m.total = m.total + n
		m.max = math.max(m.max, n)
		m.line[#m.line + 1] = { t = time, v = n }
		for thing, name in pairs(seen[m[1]] or {}) do
			m.all[thing] = name
		end
	end
	count, seen = { ports = size(listening) }, {}
end

local function look_at_tables()
	local processes, containers = {}, {}
	for _, thread in pairs(sysdig.get_thread_table_barebone_nofds(sysdig.get_filter())) do
		if thread.tid == thread.pid then
			processes[thread.pid] = true
		end
	end
	for _, c in pairs(sysdig.get_container_table()) do
		containers[c.id] = c.name
	end
	seen.procs, count.procs = processes, size(processes)
	seen.containers, count.containers = containers, size(containers)
end

-- ---- events ---------------------------------------------------------------------------------------------------------

local fields = {
	kind = "evt.type", dir = "evt.dir", result = "evt.rawres", container_file = "fd.containername", name = "fd.name",
	fd_type = "fd.type", is_write = "evt.is_io_write", is_read = "evt.is_io_read", buffer = "evt.buffer", bytes = "evt.buflen",
	port = "fd.sport", letter = "fd.typechar", exe = "evt.arg.exe", signal = "evt.arg.sig", latency = "evt.latency",
	severity = "syslog.severity", source = "evt.arg.source", event_name = "evt.arg.name", parent = "proc.pname",
}

local function get(name)
	return evt.field(fields[name])
end

local SYSTEM = { "/bin/", "/sbin/", "/boot/", "/etc/", "/lib", "/usr/bin/", "/usr/sbin/", "/usr/share/", "/usr/lib" }

local function is_system_file(name)
	for _, dir in ipairs(SYSTEM) do
		if name:sub(1, #dir) == dir then
			return true
		end
	end
end

local function is_log_file(name)
	return (name:find(".log", 1, true) or name:find("_log", 1, true) or name:find("/var/log", 1, true))
		and not (name:find(".gz", 1, true) or name:find(".tgz", 1, true))
end

-- False: not a write to syslog.
local function count_syslog()
	local severity = get("severity")
	if not severity then
		return false
	end
	add("syslog")
	if severity == 4 then
		add("syslog_warnings")
	elseif severity < 4 then
		add("syslog_errors")
	end
	return true
end

local function count_log_lines(data)
	for line in (data .. "\n"):gmatch("([^\n]+)\n") do
		local lower = line:lower()
		add("app_logs")
		if lower:find("warn") then
			add("app_warnings")
		elseif lower:find("error") or lower:find("critic") or lower:find("emergency") or lower:find("alert") then
			add("app_errors")
		end
	end
end

local SLOW = { { "slow_1ms", 1000000 }, { "slow_10ms", 10000000 }, { "slow_100ms", 100000000 } }

local function on_file(writing)
	local bytes, name = get("bytes") or 0, get("name") or ""
	add_to_set("files", get("container_file"))
	add("file_bytes", bytes)
	add(writing and "file_out" or "file_in", bytes)
	if writing then
		add_to_set("files_written", get("container_file"))
		if is_system_file(name) then
			add_to_set("system_files", name)
		end
		if not count_syslog() and is_log_file(name) then
			count_log_lines(get("buffer") or "")
		end
	end
	local ns = get("latency")
	if ns and name:sub(1, 5) ~= "/dev/" then
		for _, step in ipairs(SLOW) do
			if ns > step[2] then
				add(step[1])
			end
		end
	end
end

local function on_network(writing)
	local bytes, port, data = get("bytes") or 0, get("port"), get("buffer") or ""
	add_to_set("connections", get("container_file"))
	add("net_bytes", bytes)
	add(writing and "net_out" or "net_in", bytes)
	if port and protocol_of[port] then
		add(protocol_of[port], bytes)
	end
	if data:sub(1, 5) == "HTTP/" then
		add("http")
		if tonumber(data:match("^%S* (%S*)")) ~= 200 then
			add("http_errors")
		end
	end
end

local function on_connection(id)
	local port = get("port")
	if port then
		add(id)
		if port == 22 then
			add("ssh")
		end
	end
end

local done = {
	execve = function()
		add("commands")
		if (get("parent") or ""):find("bash") then
			add("commands_typed")
		end
		if get("exe") == "sudo" then
			add("sudo")
		end
	end,
	bind = function()
		local port = get("port")
		if port then
			listen(port, true)
			add("ports_new")
		end
	end,
	connect = function()
		on_connection("connects")
	end,
	accept = function()
		on_connection("accepts")
	end,
	unlink = function()
		add("deletions")
	end,
	symlink = function()
		add("symlinks")
	end,
	clone = function(result)
		if result > 0 then
			add("forks")
		end
	end,
	setns = function()
		add("setns")
	end,
}
done.unlinkat, done.symlinkat, done.fork = done.unlink, done.symlink, done.clone

local failed = {
	connect = function(result)
		on_connection("connects")
		local kind = get("fd_type")
		if result ~= -115 and (kind == "ipv4" or kind == "ipv6") then
			add("connect_errors")
		end
	end,
	accept = function()
		on_connection("accepts")
	end,
	open = function()
		add("open_errors")
	end,
}

local function on_exit()
	local result, name = get("result"), nil
	if not result or result < 0 then
		name = failed[get("kind")]
		return name and result and name(result)
	end
	local writing, reading = get("is_write"), get("is_read")
	if not writing and not reading then
		name = done[get("kind")]
		return name and name(result)
	end
	local kind = get("fd_type")
	if kind == "file" then
		on_file(writing)
	elseif kind == "ipv4" or kind == "ipv6" then
		on_network(writing)
	elseif kind == "unix" and writing then
		count_syslog()
	end
end

local function docker_event(name)
	local id = "docker " .. name
	if not by_id[id] then
		local m = {
			id, name .. " Events", "infrastructure", "docker_events", note = true, key = "NONE",
			filter = 'evt.arg.name="' .. name .. '"', total = 0, max = 0, line = {}, all = {},
		}
		by_id[id] = m
		metrics[#metrics + 1] = m
	end
	add(id)
end

local entered = {
	close = function()
		local port = get("port")
		if port and get("letter") == "2" then
			listen(port, false)
		end
	end,
	signaldeliver = function()
		add("signals")
		if get("signal") == "SIGSEGV" then
			add("segfaults")
		end
	end,
	notification = function()
		add("notifications")
	end,
	infra = function()
		if get("source") == "docker" then
			add("docker")
			docker_event(get("event_name") or "")
		end
	end,
}

function on_event()
	if not length then
		return true
	end
	add("calls")
	if get("dir") == "<" then
		on_exit()
	else
		local enter = entered[get("kind")]
		if enter then
			enter()
		end
	end
	return true
end

-- ---- callbacks ----------------------------------------------------------------------------------------------------

function on_set_arg(_, value)
	local n, ns = value:match("^([^,]*),?(.*)$")
	n = tonumber(n)
	if not n then
		return false
	end
	if n ~= 0 and n < SLICES then
		samples = n
	end
	length = tonumber(ns)
	return true
end

function on_init()
	chisel.demand("threads", "fds", "containers")
	if not length then
		return true
	end
	chisel.set_precise_interval_ns(length / (SLICES - 1))
	for name, field in pairs(fields) do
		fields[name] = chisel.request_field(field)
	end
	print('{"slices": [')
	return true
end

function on_capture_start()
	if length then
		for _, thread in pairs(sysdig.get_thread_table_barebone(sysdig.get_filter())) do
			for _, fd in pairs(thread.fdtable) do
				if fd.is_server then
					listening[fd.sport] = true
				end
			end
		end
		count.ports = size(listening)
	end
	return true
end

local slices = 0

function on_interval(ts_s, ts_ns)
	look_at_tables()
	close_slice(ts_s, ts_ns)
	if slices % PROGRESS_EVERY == 0 then
		print('{"progress": ' .. tostring(math.min(sysdig.get_read_progress(), 99.99)) .. " },")
	end
	slices = slices + 1
	return true
end

-- ---- the result ----------------------------------------------------------------------------------------------------

-- Joins every few samples into one.
local function thinned(m)
	local per, line, max = math.ceil(#m.line / samples), {}, 0
	for from = 1, #m.line - per + 1, per do
		local sum = 0
		for i = from, from + per - 1 do
			sum = sum + m.line[i].v
		end
		sum = m.avg and sum / per or sum
		max = math.max(max, sum)
		line[#line + 1] = { t = m.line[from].t, v = sum }
	end
	return line, max
end

local function data_of(m)
	local line, max = m.line, m.max
	if samples ~= SLICES and #line > 0 then
		line, max = thinned(m)
	end
	for i, sample in ipairs(line) do
		line[i] = json.object(sample, { "t", "v" })
	end
	return {
		tot = m.total,
		max = max,
		timeLine = json.list(line),
		excludable = not m.always,
		noteworthy = m.note or false,
		aggregation = m.avg and "avg" or "sum",
	}
end

local CATEGORIES = {
	{ "general", "General", true }, { "file", "File", true }, { "network", "Network", true }, { "napps", "Network Apps" },
	{ "security", "Security", true }, { "performance", "Performance", true }, { "logs", "Logs" },
	{ "infrastructure", "Infrastructure" },
}

local function result(delta)
	local list, used = {}, {}
	for _, m in ipairs(metrics) do
		if m.set then
			m.total = size(m.all)
		end
		local hidden = m[1] == "containers" and sysdig.get_filter():find("container", 1, true)
		if not hidden and (m.always or m.total ~= 0) then
			used[m[3]] = true
			list[#list + 1] = {
				name = m[2], desc = m[2], category = m[3], targetView = m[4], targetViewTitle = m.title,
				targetViewFilter = m.filter, targetViewSortingCol = m.sort, drillDownKey = m.key or "", data = data_of(m),
			}
		end
	end
	local categories = {}
	for _, c in ipairs(CATEGORIES) do
		if c[3] or used[c[1]] then
			categories[#categories + 1] = { id = c[1], name = c[2] }
		end
	end
	return {
		info = {
			IndexFormatVersion = 1,
			containers = by_id.containers.all,
			durationNs = delta,
			startTs = sysdig.get_firstevent_ts(),
			endTs = sysdig.get_lastevent_ts(),
			categories = categories,
		},
		metrics = json.list(list),
	}
end

function on_capture_end(ts_s, ts_ns, delta)
	if not length then
		sysdig.run_app(string.format('-r "%s" -c wsysdig_summary %d,%d %s', sysdig.get_evtsource_name(), samples, delta,
			sysdig.get_filter()))
		return
	end
	close_slice(ts_s, ts_ns)
	print('{"progress": 100, "data": ' .. json.encode(result(delta), true) .. "}")
	print("]}")
end
