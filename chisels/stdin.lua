-- What every process reads from its standard input, as it is.

description = "Prints what every process reads from its standard input. A filter picks the processes, for example proc.name=cat."
short_description = "Data of standard input"
category = "I/O"

args = {}

mode = "per_event"

local data

function on_init()
	data = chisel.request_field("evt.rawarg.data")
	sysdig.set_snaplen(2000)
	chisel.set_filter("fd.num=0 and evt.is_io=true")
	return true
end

function on_event()
	local bytes = evt.field(data)
	if bytes then
		print(bytes)
	end
	return true
end
