-- burin.heatmap: rows of coloured cells, for spectrogram and subsecoffset.

local M = {}

local CSI = "\27["
-- From seldom to often: green, yellow, red (256-colour palette).
local PALETTE = { 22, 28, 64, 34, 2, 76, 46, 118, 154, 191, 227, 226, 11, 220, 209, 208, 202, 197, 9, 1 }
-- Between two colours: a quarter, half, and three quarters as a quarter with the colours exchanged.
local SHADES = { " ", "░", "▒", "░" }

M.per_second = 1

local function fg(color)
	io.write(CSI, "38;5;", color, "m")
end

local function bg(color)
	io.write(CSI, "48;5;", color, "m")
end

-- Colour grows with the logarithm (base 1.6) of the rate.
local function cell(n)
	local at = math.log(n * M.per_second + 1, 10) / math.log(1.6, 10)
	at = math.max(1, math.min(at, #PALETTE))
	local low, high = math.floor(at), math.ceil(at)
	local between = at - low
	local shade = SHADES[math.floor(1 + between * #SHADES)]
	if between > 0.75 then
		low, high = high, low
	end
	fg(PALETTE[low])
	bg(PALETTE[high])
	io.write(shade)
end

-- One row of width cells over the last line of the screen; counts: list by column; empty(): colours of an empty cell.
function M.row(width, counts, empty)
	io.write(CSI, "1F")
	for x = 1, width do
		local n = counts[x]
		if n and n > 0 then
			cell(n)
		else
			empty(fg, bg)
			io.write(" ")
		end
	end
	io.write(CSI, "0m\n")
end

-- The line below: label(x) gives the text that begins in column x (from 0) or nil.
function M.scale(width, label)
	local x = 0
	while x < width do
		local text = label(x) or " "
		io.write(text)
		x = x + #text
	end
	io.write("\n")
end

-- True where the scale of n marks has one in column x.
function M.mark(x, n, width)
	return math.floor(x * n / width) ~= math.floor((x - 1) * n / width)
end

function M.begin()
	if not sysdig.is_tty() then
		print("This chisel only works on ANSI terminals. Aborting.")
		return nil
	end
	io.write(CSI, "?25l")
	return sysdig.get_terminal_info().width
end

function M.finish()
	print(CSI .. "0m")
	io.write(CSI, "?25h")
end

return M
