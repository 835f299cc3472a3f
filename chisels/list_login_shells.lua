-- Ids of login shells in which programs were started. Only the last one is known at the end, and it is printed once for
-- each thing known about it (id, container name, container id): sysdig's chisel does so.

description = "Shows the id of the last login shell in which a program was started that matches. With -pc the container is shown."
short_description = "Id of the last login shell used"
category = "Security"

args = {
	{
		name = "command",
		description = "Lua pattern for the program; * means any",
		argtype = "string",
		optional = true,
	},
	{ name = "arguments", description = "Lua pattern for its arguments", argtype = "string", optional = true },
}

merge = { found = "last" }

local command, arguments
local shell, exe, exe_args, container, container_id, with_container

function on_set_arg(name, value)
	if name == "arguments" then
		arguments = value
	elseif value ~= "*" then
		command = value
	end
	return true
end

function on_init()
	shell = chisel.request_field("proc.loginshellid")
	exe = chisel.request_field("evt.arg.exe")
	exe_args = chisel.request_field("evt.arg.args")
	container = chisel.request_field("container.name")
	container_id = chisel.request_field("container.id")
	with_container = sysdig.is_print_container_data()
	chisel.set_filter("evt.type=execve")
	return true
end

function on_event()
	local id, program, words = evt.field(shell), evt.field(exe), evt.field(exe_args)
	if not id or not program then
		return true
	end
	if command and not program:find(command) then
		return true
	end
	if arguments and words and not words:find(arguments) then
		return true
	end
	-- One text, so that the last event decides about all of it.
	found = id .. "\0" .. (evt.field(container) or "") .. "\0" .. (evt.field(container_id) or "")
	return true
end

function on_capture_end()
	print(command and "Shells containing " .. command .. ":" or "All shells:")
	if not found then
		return
	end
	local id, name, cid = found:match("^(.-)%z(.-)%z(.*)$")
	for _, known in ipairs { id, name, cid } do
		if known ~= "" then
			print(with_container and id .. " " .. name .. " " .. cid or id)
		end
	end
end
