-- burin.text: numbers and columns as the table chisels show them.

local M = {}

-- Pads to width, or cuts so that at least one blank stays behind the text.
function M.column(s, width)
	s = tostring(s)
	if #s < width then
		return s .. (" "):rep(width - #s)
	end
	return width > 0 and s:sub(1, width - 1) .. " " or ""
end

local byte_units = { "KB", "M", "G", "T", "P" }

function M.bytes(n)
	local unit = 0
	local scale = 1
	while unit < #byte_units and n > scale * 1024 do
		unit, scale = unit + 1, scale * 1024
	end
	if unit == 0 then
		return string.format("%dB", n)
	end
	return string.format("%.2f%s", n / scale, byte_units[unit])
end

-- From 1 s, 10 ms, 1 ms, 10 us and 1 us up: two decimals only where the number is below ten, or seconds.
local time_steps = {
	{ 1000000000, 1000000000, "s", 2 },
	{ 10000000, 1000000, "ms", 0 },
	{ 1000000, 1000000, "ms", 2 },
	{ 10000, 1000, "us", 0 },
	{ 1000, 1000, "us", 2 },
}

function M.time(ns)
	for _, step in ipairs(time_steps) do
		local from, unit, name, decimals = table.unpack(step)
		if ns >= from then
			local whole = string.format("%u", math.floor(ns / unit))
			if decimals == 0 then
				return whole .. name
			end
			return string.format("%s.%02u%s", whole, (ns % unit) / (unit / 100), name)
		end
	end
	return string.format("%uns", ns)
end

-- value in units (none, bytes, time, timepct); delta: length of the interval in ns, for timepct
function M.value(v, units, delta)
	if units == "bytes" then
		return M.bytes(v)
	elseif units == "time" then
		return M.time(v)
	elseif units == "timepct" then
		return string.format("%.2f%%", delta > 0 and v / delta * 100 or 0)
	end
	return tostring(v)
end

return M
