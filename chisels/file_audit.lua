-- Who touched which file.

description = "Lists who touched which file: opens, bytes read and written, and failed calls by file, user and program. An argument limits it to paths that begin with it."
short_description = "Who touched which file"
category = "Security"

args = { { name = "path", description = "only files whose path begins with this", argtype = "string", optional = true } }

local text = require "burin.text"
local report = require "burin.report"
local path
local opens, failed, read, written

local KEY = { "fd.name", "user.name", "proc.name" }

function on_set_arg(name, value)
	path = value
	return true
end

function on_init()
	local files = "fd.type=file and fd.name!=''" .. (path and " and fd.name startswith " .. path or "")
	local function count(filter)
		return chisel.aggregate { key = KEY, op = "count", filter = files .. " and " .. filter, missing = "<NA>" }
	end
	local function bytes(filter)
		return chisel.aggregate {
			key = KEY, value = "evt.rawarg.res", op = "sum", filter = files .. " and " .. filter, positive = true,
			missing = "<NA>",
		}
	end
	opens = count("evt.dir=< and evt.failed=false and evt.type in (open, openat, openat2, creat, open_by_handle_at)")
	failed = count("evt.failed=true")
	read, written = bytes("evt.is_io_read=true"), bytes("evt.is_io_write=true")
	return true
end

report.run {
	columns = {
		{ "FILE", "file" }, { "USER", "user" }, { "PROGRAM", "program" }, { "OPENS", "opens" }, { "READ", "read" },
		{ "WRITTEN", "written" }, { "FAILED", "failed" },
	},
	format = { read = text.bytes, written = text.bytes },
	rows = function()
		local all = {}
		local function take(agg, member)
			for file, user, program, value in agg:pairs() do
				local name = table.concat({ file, user, program }, "\1")
				all[name] = all[name]
					or { file = file, user = user, program = program, opens = 0, read = 0, written = 0, failed = 0 }
				all[name][member] = value
			end
		end
		take(opens, "opens")
		take(failed, "failed")
		take(read, "read")
		take(written, "written")
		local out = {}
		for _, row in pairs(all) do -- by file, user, program
			out[#out + 1] = row
		end
		return out
	end,
}
