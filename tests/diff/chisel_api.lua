-- Evaluates the lines of cases.txt, "phase TAB expression" (or "do" and a block), in their phase and prints each with its results, or
-- "error". Runs in sysdig and in burin: tests/diff/chisel_api.py compares. Phase any: in every phase from init on, by its name.

args = {}

local function show(v)
	local kind = type(v)
	if kind == "table" then
		local keys = {}
		for k in pairs(v) do
			keys[#keys + 1] = k
		end
		table.sort(keys, function(a, b)
			return tostring(a) < tostring(b)
		end)
		for i, k in ipairs(keys) do
			keys[i] = tostring(k) .. "=" .. show(v[k])
		end
		return "{" .. table.concat(keys, ",") .. "}"
	elseif kind == "function" or kind == "userdata" then
		return kind
	elseif kind == "string" then
		return (string.format("%q", v):gsub("\n", "n"))
	end
	return tostring(v)
end

local function outcome(ok, ...)
	if not ok then
		return "error"
	end
	local out = {}
	for i = 1, select("#", ...) do
		out[i] = show((select(i, ...)))
	end
	return table.concat(out, " ")
end

local cases = {}
for line in io.lines("cases.txt") do
	local phase, text = line:match("^(%w+)\t(.*)")
	cases[#cases + 1] = { phase, text }
end

local function try(phase)
	for _, case in ipairs(cases) do
		if case[1] == phase then
			local text = case[2]
			local f = loadstring(text:find("^do ") and text:sub(4) or "return " .. text)
			print(phase .. "\t" .. text .. "\t" .. (f and outcome(pcall(f)) or "syntax"))
		end
	end
end

-- sorted "key:value" texts of a table of threads, f giving the value
function list(t, f)
	local out = {}
	for k, v in pairs(t) do
		out[#out + 1] = k .. ":" .. f(v)
	end
	table.sort(out)
	return table.concat(out, " ")
end

function count(t)
	local n = 0
	for _ in pairs(t) do
		n = n + 1
	end
	return n
end

function names(t)
	return list(t, function(thread)
		return list(thread.fdtable, function(fd)
			return fd.name or "-"
		end)
	end)
end

try("load")

function on_init()
	try("init")
	chisel.set_interval_ns(100000000)
	return true
end

function on_capture_start()
	try("start")
	return true
end

function on_event()
	local n = evt.get_num()
	if n == 2 then
		try("first")
	elseif n == 62 then
		try("event")
	end
	return true
end

local intervals = 0
function on_interval(...)
	intervals = intervals + 1
	if intervals == 2 then
		try("interval")
	end
	return true
end

function on_capture_end()
	try("end")
end
