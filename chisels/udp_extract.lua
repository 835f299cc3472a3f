-- The payload of each UDP conversation in a file of its own.

local DIRECTORY = "./udp_dump_files"

description = "Writes what each UDP socket of a trace sends and receives to a file named after its addresses, in " .. DIRECTORY .. "."
short_description = "UDP payload to files"
category = "I/O"

args = {}

local data, name
local files = {}

function on_init()
	data = chisel.request_field("evt.rawarg.data")
	name = chisel.request_field("fd.name")
	os.execute("mkdir -p " .. DIRECTORY)
	sysdig.set_snaplen(16384)
	chisel.set_filter("evt.dir=< and evt.rawres>=0 and fd.l4proto=udp and evt.is_io=true")
	return true
end

function on_capture_start()
	if sysdig.is_live() then
		print("live capture not supported")
		return false
	end
	return true
end

function on_event()
	local conversation, bytes = evt.field(name), evt.field(data)
	if not conversation or not bytes then
		return true
	end
	if not files[conversation] then
		files[conversation] = assert(io.open(DIRECTORY .. "/" .. conversation:gsub("[:/]", "_"):gsub(">", "-"), "w"))
	end
	files[conversation]:write(bytes)
	return true
end

function on_capture_end()
	for _, file in pairs(files) do
		file:close()
	end
end
