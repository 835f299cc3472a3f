-- burin.term: terminal control sequences (ECMA-48).

local M = {}

local CSI = "\27["

M.reset = CSI .. "0m"

function M.clear()
	io.write(CSI, "2J")
end

function M.move(row, column)
	io.write(CSI, row, ";", column, "H")
end

function M.cursor(visible)
	io.write(CSI, visible and "?25h" or "?25l")
end

-- Clears the screen and starts at its top left corner.
function M.page()
	M.clear()
	M.move(0, 0)
end

return M
