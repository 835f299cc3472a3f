-- Number of distinct descriptors per value of a field. The engine counts the distinct (value, number, name)
-- triples; only their list is gone through here.

description = "Counts the distinct open files, sockets and other descriptors that are used for each value of a field, for example proc.name or fd.type."
short_description = "Number of descriptors by any field"
category = "I/O"

args = { { name = "key", description = "the field to group by", argtype = "string" } }

local key, triples

function on_set_arg(name, value)
	key = value
	return true
end

function on_init()
	triples = chisel.aggregate {
		key = { key, "fd.num", "fd.name" },
		op = "count",
		filter = "fd.num>0 and fd.name!=''",
	}
	return true
end

function on_capture_end()
	local count, seen = {}, {}
	for value, num, name in triples:pairs() do
		local fd = tostring(value) .. "\1" .. num .. name
		if not seen[fd] then
			seen[fd] = true
			count[value] = (count[value] or 0) + 1
		end
	end
	local values = {}
	for value in pairs(count) do
		values[#values + 1] = value
	end
	table.sort(values, function(a, b)
		return count[a] > count[b]
	end)
	for _, value in ipairs(values) do
		print(value, count[value])
	end
end
