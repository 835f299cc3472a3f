-- Calls everything that a chisel can call with arguments made at random, in every callback, each under pcall. Environment: SEED, CALLS
-- (per callback). A call may fail, but only with an error; tests/fuzz/fuzz_chisel.py runs this under the sanitizers.

args = {}
mode = os.getenv("MODE")
if mode == "parallel" then
	merge = { seen = "sum", list = "top(3)", set = "union" }
end
seen, list, set = {}, {}, {}

local seed = tonumber(os.getenv("SEED") or 1)
local calls = tonumber(os.getenv("CALLS") or 50)
local state = seed

-- A generator of our own: the same calls whatever else uses math.random.
local function draw(n)
	state = (state * 16807) % 2147483647
	return state % n + 1
end

local dead = { -- ends the run, leaves it, or waits
	exit = true, execute = true, popen = true, remove = true, rename = true, tmpname = true, tmpfile = true, read = true, lines = true, input = true,
	output = true, run_app = true, run_sysdig = true, end_capture = true, udp_setpeername = true, udp_send = true, debug = true, sethook = true,
	setlocale = true, collectgarbage = true, dofile = true, loadfile = true, exec = true, loadlib = true, getregistry = true, open = true,
	setmetatable = true, upvaluejoin = true, setupvalue = true, setuservalue = true, setlocal = true, setcstacklimit = true, wait = true,
}

local functions, handles = {}, {}

local function collect(name, t)
	local keys = {}
	for k, v in pairs(t) do
		if type(k) == "string" and type(v) == "function" and not dead[k] then
			keys[#keys + 1] = k
		end
	end
	for _, k in ipairs(keys) do
		functions[#functions + 1] = { name .. "." .. k, t[k] }
	end
end

local fields = { "fd.name", "evt.num", "proc.aname[99]", "evt.rawarg.data", "evt.buffer", "evt.args", "thread.cpu", "evt.type.is.3", "proc.env[A]",
	"fd.sip", "evt.deltatime", "evt.arg[7]", "evt.rawarg", "no.such", "" }
local filters = { "evt.type=open", "fd.name contains a", "proc.name in (a, b)", "((", "fd.sport=80", "container.id=x", "not fd.num<3", "evt.num=1", "" }
local texts = { "", "x", "a\0b", ("y"):rep(300), "-1", "0x10", "1e400", "nan", "%d%s%5.2f", "%99.99f", "%[", "[[", "(.-)%s*$", "json", "hex", "\255\254", "sum",
	"hist", "127.0.0.1", "1", "2", "*t", "!%c", "on_event" }
local numbers = { 0, 1, -1, 2, 3, 7, 255, 1e9, -1e9, 2 ^ 31, 2 ^ 53, -2 ^ 63, 1e308, -1e308, 1 / 0, -1 / 0, 0 / 0, 0.5, -0.5, 1e-300 }

local value

local function some_table(depth)
	local t = {}
	for i = 1, draw(4) do
		t[draw(2) == 1 and i or texts[draw(#texts)]] = value(depth + 1)
	end
	if draw(8) == 1 then
		t = { key = fields[draw(#fields)], value = fields[draw(#fields)], op = texts[draw(#texts)], filter = filters[draw(#filters)], positive = draw(2) == 1 }
	elseif draw(8) == 1 then
		setmetatable(t, { __index = function(_, k)
			return k
		end, __len = function()
			return value(3)
		end, __tostring = function()
			return value(3)
		end })
	end
	return t
end

function value(depth)
	local kind = draw(12)
	if kind <= 2 then
		return numbers[draw(#numbers)]
	elseif kind <= 4 then
		return texts[draw(#texts)]
	elseif kind == 5 then
		return fields[draw(#fields)]
	elseif kind == 6 then
		return filters[draw(#filters)]
	elseif kind == 7 and depth < 3 then
		return some_table(depth)
	elseif kind == 8 then
		return draw(2) == 1
	elseif kind == 9 then
		return handles[draw(#handles + 1)]
	elseif kind == 10 then
		return draw(3) == 1 and coroutine.create(print) or functions[draw(#functions)][2]
	elseif kind == 11 then
		return draw(2) == 1 and sichisel or io.stdout
	end
	return nil
end

local function keep(ok, v)
	if ok and (type(v) == "userdata" or type(v) == "table") and #handles < 200 then
		handles[#handles + 1] = v
	end
end

local function storm(n)
	for _ = 1, n do
		local f = functions[draw(#functions)]
		local a, b, c, d = value(1), value(1), value(1), value(1)
		if f[1] == "string.rep" then
			a, b = "x", math.min(tonumber(b) or 1, 1000)
		end
		local count = draw(5) - 1
		if os.getenv("TRACE") then
			io.stderr:write(f[1], " ", count, " ", type(a), " ", type(b), " ", type(c), " ", type(d), "\n")
		end
		keep(pcall(f[2], unpack({ a, b, c, d }, 1, count)))
		local h = handles[draw(#handles + 1)]
		if type(h) == "userdata" and pcall(function() return h.top end) then
			local methods = { "top", "pairs", "get", "quantile", "buckets", "size", "clear" }
			keep(pcall(function(...)
				return h[methods[draw(#methods)]](h, ...)
			end, a, b, c))
		end
	end
end

for name, t in pairs({ chisel = chisel, sysdig = sysdig, evt = evt, string = string, table = table, math = math, os = os, io = io, bit = bit,
	coroutine = coroutine, debug = debug, package = package }) do
	collect(name, t)
end
collect("_G", { tostring = tostring, tonumber = tonumber, pairs = pairs, ipairs = ipairs, next = next, select = select, unpack = unpack, type = type,
	rawget = rawget, rawset = rawset, rawequal = rawequal, load = load, loadstring = loadstring, setfenv = setfenv, getfenv = getfenv, print = print,
	error = error, pcall = pcall, getmetatable = getmetatable, require = require, module = module })
table.sort(functions, function(a, b)
	return a[1] < b[1]
end)

local pairs, ipairs, pcall, type, unpack, tostring = pairs, ipairs, pcall, type, unpack, tostring
local G = _G
local kept = {}
for k, v in pairs(G) do
	kept[k] = v
end

-- The storm may break what it reaches: the libraries come back.
local function mend()
	for k, v in pairs(kept) do
		rawset(G, k, v)
	end
end

storm(calls)
mend()

function on_init()
	for _, f in ipairs(fields) do
		keep(pcall(chisel.request_field, f))
	end
	for _, op in ipairs({ "sum", "count", "avg", "min", "max", "first", "last", "distinct", "hist" }) do
		keep(pcall(chisel.aggregate, { key = { "proc.name", "fd.name" }, value = "evt.rawarg.res", op = op, missing = draw(2) == 1 and "-" or nil }))
	end
	storm(calls)
	mend()
	pcall(chisel.set_filter, "")
	return true
end

function on_capture_start()
	storm(calls)
	mend()
	chisel.set_interval_ns(300000000)
	return true
end

local events = 0

function on_event()
	events = events + 1
	if mode ~= "parallel" and events % 16 == 0 then
		storm(calls)
		mend()
	elseif mode == "parallel" then
		seen[draw(5)] = (seen[draw(5)] or 0) + 1
		list[#list % 3 + 1] = draw(100)
		set[texts[draw(#texts)]] = true
		pcall(evt.field, handles[draw(#handles + 1)])
		if draw(20) == 1 then
			pcall(function()
				seen[value(1)] = value(1)
			end)
		end
	end
	return draw(2) == 1
end

function on_interval()
	storm(calls)
	mend()
	return true
end

function on_capture_end()
	storm(calls)
	print("end")
end
