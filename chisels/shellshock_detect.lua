-- Shells started with a function in their environment (CVE-2014-6271).

description = "Prints every start of bash or sh with an environment variable that looks like a function definition, as in attempts to exploit the shellshock bug."
short_description = "Shellshock attempts"
category = "Security"

args = {}

mode = "per_event"

local column = require("burin.text").column
local parent, parent_id, process, env, time

function on_init()
	parent = chisel.request_field("proc.pname")
	parent_id = chisel.request_field("proc.ppid")
	process = chisel.request_field("proc.pid")
	env = chisel.request_field("evt.arg.env")
	time = chisel.request_field("evt.time")
	chisel.demand("threads")
	chisel.set_filter("proc.name=bash or proc.name=sh and evt.type=execve")
	print(column("TIME", 22) .. column("PROCNAME", 22) .. column("PID", 8) .. "FUNCTION")
	return true
end

local FUNCTION = "%(%) ?{.+"

function on_event()
	local all = evt.field(env)
	if not all or not all:find(FUNCTION) then
		return true
	end
	local thread = sysdig.get_thread_table_nofds()[evt.field(process)]
	for _, variable in ipairs(thread and thread.env or {}) do
		if variable:find(FUNCTION) then
			print(column(evt.field(time), 22) .. column(evt.field(parent), 22) .. column(evt.field(parent_id), 8)
				.. variable:match("%(%).+"))
			break
		end
	end
	return true
end
