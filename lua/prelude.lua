-- The parts of Lua 5.1 that 5.4 dropped, for scripts written for it. Runs in every state before the
-- chisel. What is hot (string.format, tostring, table.insert, pairs ...) is in engine/chisel/*.c.

_VERSION = "Lua 5.1"

unpack = table.unpack
loadstring = load

function table.getn(t)
	return #t
end

function table.setn() end

function table.maxn(t)
	local max = 0
	for k in pairs(t) do
		if type(k) == "number" and k > max then
			max = k
		end
	end
	return max
end

function table.foreach(t, f)
	for k, v in pairs(t) do
		local r = f(k, v)
		if r ~= nil then
			return r
		end
	end
end

function table.foreachi(t, f)
	for i = 1, #t do
		local r = f(i, t[i])
		if r ~= nil then
			return r
		end
	end
end

math.pow = function(x, y)
	return x ^ y
end
math.log10 = function(x)
	return math.log(x, 10)
end
math.mod = math.fmod
math.cosh = function(x)
	return (math.exp(x) + math.exp(-x)) / 2
end
math.sinh = function(x)
	return (math.exp(x) - math.exp(-x)) / 2
end
math.tanh = function(x)
	if x > 20 then
		return 1
	elseif x < -20 then
		return -1
	end
	local a, b = math.exp(x), math.exp(-x)
	return (a - b) / (a + b)
end
math.ldexp = function(m, e)
	return m * 2.0 ^ e
end
math.frexp = function(x)
	if x == 0 or x ~= x or x == math.huge or x == -math.huge then
		return x, 0
	end
	local e = math.floor(math.log(math.abs(x), 2)) + 1
	local m = x / 2.0 ^ e
	if math.abs(m) >= 1 then
		m, e = m / 2, e + 1
	elseif math.abs(m) < 0.5 then
		m, e = m * 2, e - 1
	end
	return m, e
end

string.gfind = string.gmatch
string.dump = nil -- nothing loads it

function dofile(name)
	return assert(loadfile(name))()
end

-- The main program is no coroutine.
local running = coroutine.running
function coroutine.running()
	local co, main = running()
	return not main and co or nil
end

-- A function's environment is its upvalue _ENV in 5.4.
local function env_index(f)
	for i = 1, 255 do
		local name = debug.getupvalue(f, i)
		if not name then
			return nil
		elseif name == "_ENV" then
			return i
		end
	end
end

local function level_function(f)
	if type(f) == "number" then
		if f == 0 then
			return nil
		end
		return debug.getinfo(f + 2, "f").func
	end
	return f
end

function getfenv(f)
	f = level_function(f or 1)
	local i = f and env_index(f)
	if not i then
		return _G
	end
	local _, env = debug.getupvalue(f, i)
	return env
end

function setfenv(f, env)
	if type(env) ~= "table" then
		error("bad argument #2 to 'setfenv' (table expected, got " .. type(env) .. ")", 2)
	end
	local fn = level_function(f)
	if fn and debug.getinfo(fn, "S").what == "C" then
		error("'setfenv' cannot change environment of given object", 2)
	end
	local i = fn and env_index(fn)
	if i then
		debug.upvaluejoin(fn, i, function()
			return env
		end, 1)
	end
	return fn
end

function module(name, ...)
	local m = package.loaded[name]
	if type(m) ~= "table" then
		m = {}
		package.loaded[name] = m
		_G[name] = m
	end
	m._M, m._NAME, m._PACKAGE = m, name, name:match("^(.*%.)[^.]*$") or ""
	for _, f in ipairs({ ... }) do
		f(m)
	end
	setfenv(2, m)
	return m
end

function package.seeall(m)
	setmetatable(m, { __index = _G })
end

package.loaders = package.searchers

-- One result: 5.4 adds where the module was found.
local require54 = require
function require(name)
	return (require54(name))
end

-- bit: 32-bit operations with signed results, as in LuaJIT.
local function to32(x)
	local i = math.tointeger(x)
	if not i then
		x = x % 2 ^ 32
		i = math.floor(x)
		local rest = x - i -- to the nearest, halves to even
		if rest > 0.5 or rest == 0.5 and i % 2 == 1 then
			i = i + 1
		end
	end
	x = i & 0xffffffff
	return x >= 0x80000000 and x - 0x100000000 or x
end

local function fold(op)
	return function(a, ...)
		local r = to32(a)
		for _, v in ipairs({ ... }) do
			r = op(r, to32(v))
		end
		return to32(r)
	end
end

bit = {
	tobit = to32,
	bnot = function(a)
		return to32(~to32(a))
	end,
	band = fold(function(a, b)
		return a & b
	end),
	bor = fold(function(a, b)
		return a | b
	end),
	bxor = fold(function(a, b)
		return a ~ b
	end),
	lshift = function(a, n)
		return to32((to32(a) & 0xffffffff) << (n & 31))
	end,
	rshift = function(a, n)
		return to32((to32(a) & 0xffffffff) >> (n & 31))
	end,
	arshift = function(a, n)
		return to32(to32(a) // (1 << (n & 31)))
	end,
	rol = function(a, n)
		a, n = to32(a) & 0xffffffff, n & 31
		return to32(a << n | a >> (32 - n))
	end,
	ror = function(a, n)
		a, n = to32(a) & 0xffffffff, n & 31
		return to32(a >> n | a << (32 - n))
	end,
	bswap = function(a)
		a = to32(a) & 0xffffffff
		return to32((a & 0xff) << 24 | (a & 0xff00) << 8 | a >> 8 & 0xff00 | a >> 24)
	end,
	tohex = function(a, n)
		n = n or 8
		local digits = math.min(math.abs(n), 8)
		local s = string.format(n < 0 and "%08X" or "%08x", to32(a) & 0xffffffff)
		return s:sub(-digits)
	end,
}
package.loaded.bit = bit

-- Code that asks for jit must not conclude that ffi is there.
jit = {
	status = function()
		return false
	end,
	on = function() end,
	off = function() end,
	flush = function() end,
	version = "none",
	version_num = 0,
	os = "Linux",
	arch = "x64",
}
package.loaded.jit = jit
