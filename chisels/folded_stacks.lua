-- Time in system calls as folded stacks, the input of flame graph tools: ancestors;process;call nanoseconds.

description = "Prints time in system calls as folded stacks (ancestors;process;call and nanoseconds), which flame graph tools draw: burin -r FILE -c folded_stacks | flamegraph.pl > out.svg"
short_description = "Folded stacks of system call time"
category = "Performance"

args = { { name = "value", description = "time (default), calls or bytes", argtype = "string", optional = true } }

local ANCESTORS = 4

local values = {
	time = { "evt.latency", "sum", "evt.dir=<" },
	calls = { "evt.count", "sum", "evt.dir=<" },
	bytes = { "evt.rawarg.res", "sum", "evt.dir=< and evt.is_io=true" },
}
local value = "time"
local sums

function on_set_arg(name, given)
	value = given
	return values[given] ~= nil
end

function on_init()
	local keys = {}
	for i = ANCESTORS, 1, -1 do
		keys[#keys + 1] = "proc.aname[" .. i .. "]"
	end
	keys[#keys + 1] = "proc.name"
	keys[#keys + 1] = "evt.type"
	local field, op, filter = table.unpack(values[value])
	sums = chisel.aggregate { key = keys, value = field, op = op, filter = filter, positive = true, missing = "" }
	return true
end

function on_capture_end()
	for _, row in ipairs(sums:top()) do
		local frames = {}
		for i = 1, #row do
			local name = tostring(row[i]):gsub("[; \n]", "_")
			if name ~= "" then
				frames[#frames + 1] = name
			end
		end
		print(table.concat(frames, ";") .. " " .. row.value)
	end
end
