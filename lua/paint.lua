-- burin.paint: colours of lines. They are on unless an argument or NO_COLOR says otherwise (sysdig's chisels
-- colour their lines whether or not they go to a terminal, and scripts count on it).

local M = {}

local codes = { reset = 0, red = 31, green = 32, yellow = 33, blue = 34, cyan = 36 }

function M.enable(on)
	on = on and not os.getenv("NO_COLOR")
	for name, code in pairs(codes) do
		M[name] = on and string.format("\27[%dm", code) or ""
	end
end

M.enable(true)

return M
