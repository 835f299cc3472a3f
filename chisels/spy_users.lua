-- Commands that users type and directories they visit, indented by the depth of the shell. The depth depends on what was seen
-- before, so this chisel runs in order.

description = "Prints the programs that users start from shells and the directories they change to, indented by how deeply the shells are nested. With -pc the container is shown."
short_description = "Commands typed by users"
category = "Security"

args = {
	{ name = "max_depth", description = "how deep to go", argtype = "int", optional = true },
	{ name = "disable_color", description = "disable_color turns colours off", argtype = "string", optional = true },
}

local paint = require "burin.paint"

local ANCESTORS = 16

local kind, exe, arguments, directory, user, time, pid, ppid, container
local names, ids = {}, {}
local max_depth
local with_container

-- sysdig's chisel moves its list of ancestors by one at every chdir and never back: kept, the output shows it.
local shift = 0
-- pid -> { depth, pid of the shell }; depth -1: there is no shell above
local known = {}

function on_set_arg(name, value)
	if name == "max_depth" then
		max_depth = tonumber(value)
		if not max_depth then
			print("Input max_depth must be a number.")
			return false
		end
	elseif value == "disable_color" then
		paint.enable(false)
	end
	return true
end

function on_init()
	kind = chisel.request_field("evt.type")
	exe = chisel.request_field("proc.exe")
	arguments = chisel.request_field("proc.args")
	directory = chisel.request_field("evt.arg.path")
	user = chisel.request_field("user.name")
	time = chisel.request_field("evt.time.s")
	pid = chisel.request_field("proc.pid")
	ppid = chisel.request_field("proc.ppid")
	container = chisel.request_field("container.name")
	for i = 0, ANCESTORS do
		names[i] = chisel.request_field("proc.aname[" .. i .. "]")
		ids[i] = chisel.request_field("proc.apid[" .. i .. "]")
	end
	with_container = sysdig.is_print_container_data()
	chisel.set_filter("((evt.type=execve and evt.dir=<) or (evt.type=chdir and evt.dir=< and proc.name contains sh "
		.. "and not proc.name contains sshd)) and evt.failed=false")
	return true
end

-- Field number i of a list of ancestors, as far as the shift lets it be seen.
local function ancestor(list, i)
	local field = list[i - shift]
	return field and evt.field(field)
end

-- The farthest shell above decides.
local function find_shell(process)
	known[process] = { -1 }
	for i = 1, ANCESTORS do
		local name = ancestor(names, i)
		if name then
			if name:sub(-2) == "sh" then
				local shell = ancestor(ids, i)
				known[process] = { known[shell] and i - 1 or 0, shell }
			end
		elseif not ancestor(ids, i) then
			break
		end
	end
end

function on_event()
	local is_chdir = evt.field(kind) == "chdir"
	local process = evt.field(pid)
	local parent = evt.field(ppid)
	if is_chdir then
		parent = process
		shift = shift + 1
	end
	if not known[parent] then
		find_shell(parent)
	end
	if known[parent][1] == -1 then
		return true
	end
	if not known[process] then
		known[process] = { known[parent][1] + 1, known[parent][2] }
	end
	local depth, shell = known[process][1] - (is_chdir and 0 or 1), known[process][2]
	if max_depth and depth > max_depth then
		return true
	end
	local who, color = evt.field(user) or "<NA>", ""
	if with_container then
		local owner = evt.field(container)
		color = owner ~= "host" and paint.blue or paint.green
		who = who .. "@" .. owner
	end
	local what = is_chdir and "cd " .. (evt.field(directory) or "")
		or (evt.field(exe) or "") .. " " .. (evt.field(arguments) or "")
	local indent = (" "):rep(math.max(depth, 0) * ((is_chdir or with_container) and 4 or 3))
	print(color .. indent .. shell .. " " .. evt.field(time) .. " " .. who .. ") " .. what)
	return true
end

function on_capture_end()
	print(paint.reset)
end
