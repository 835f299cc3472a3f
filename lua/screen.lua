-- burin.screen: tables that are drawn anew every second while capturing live. On a terminal they have the alternate
-- screen to themselves and what was there before comes back at the end; elsewhere they follow one another.

local M = {}

local CSI = "\27["
local open = false

-- For on_capture_start of a live capture.
function M.begin()
	if sysdig.is_tty() then
		open = true
		io.write(CSI, "?1049h", CSI, "?25l")
	end
end

function M.page()
	if open then
		io.write(CSI, "H", CSI, "2J")
	end
end

-- Lines that fit below a heading of two; nil = no limit. Asked for every time, because windows change.
function M.lines()
	local height = open and sysdig.get_terminal_info().height or -1
	return height > 3 and height - 3 or nil
end

function M.finish()
	if open then
		open = false
		io.write(CSI, "?25h", CSI, "?1049l")
	end
end

return M
