-- Terminal sequences under the names that chisels written for sysdig expect from require "ansiterminal".

local M = {}

local CSI = "\27["

local attributes = { "reset", "bright", "dim", [5] = "underscore", [6] = "blink", [8] = "reverse", [9] = "hidden" }
local colors = { "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white" }

local codes = { clear = 0 }
for i, name in pairs(attributes) do
	codes[name] = i - 1
end
for i, name in ipairs(colors) do
	codes[name] = 29 + i
	codes["on" .. name] = 39 + i
end

function M.enable_color(on)
	for name, code in pairs(codes) do
		M[name] = on == true and CSI .. code .. "m" or ""
	end
end

local function writer(format)
	return function(...)
		io.write(CSI, string.format(format, ...))
	end
end

M.clearscreen = writer("2J")
M.clearline = writer("2K")
M.moveto = writer("%s;%sH")
M.moveup = writer("%sF")
M.hidecursor = writer("?25l")
M.showcursor = writer("?25h")
M.setfgcol = writer("38;5;%sm")
M.setbgcol = writer("48;5;%sm")

return M
