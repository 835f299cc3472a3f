-- Evaluates every line of cases.txt (an expression, or "do" and a block) and prints it with its results, or "error". Runs in
-- sysdig and in burin: tests/diff/lua51.py compares.

args = {}

local function show(v)
	local kind = type(v)
	if kind == "table" or kind == "function" or kind == "userdata" or kind == "thread" then
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
	cases[#cases + 1] = line
end
for _, text in ipairs(cases) do
	local f = loadstring(text:find("^do ") and text:sub(4) or "return " .. text)
	print(text .. "\t" .. (f and outcome(pcall(f)) or "syntax"))
end
