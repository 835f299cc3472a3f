-- How large reads and writes are: a histogram with one bar per power of two.

description = "Draws how large reads and writes are, one bar per power of two; for each value of a field (fd.type unless another is named, for example proc.name or fd.name), those with the most calls first."
short_description = "Histogram of I/O sizes"
category = "I/O"

args = { { name = "by", description = "the field to group by (fd.type)", argtype = "string", optional = true } }

local text = require "burin.text"
local json = require "burin.json"

local GROUPS = 10
local BAR = 40

local by = "fd.type"
local sizes

function on_set_arg(name, value)
	by = value
	return true
end

function on_init()
	sizes = chisel.aggregate {
		key = { by, "evt.io_dir" },
		value = "evt.rawarg.res",
		op = "hist",
		filter = "evt.is_io=true and evt.dir=<",
		positive = true,
	}
	return true
end

-- { { from, to, n } ... }: buckets joined to powers of two
local function powers(row)
	local out = {}
	for _, b in ipairs(sizes:buckets(row)) do
		local from = 1
		while from * 2 <= b.lo do
			from = from * 2
		end
		local last = out[#out]
		if last and last.from == from then
			last.n = last.n + b.n
		else
			out[#out + 1] = { from = from, to = from * 2 - 1, n = b.n }
		end
	end
	return out
end

local function draw(row)
	print(string.format("%s %s: %d calls, half of them up to %s", row[1], row[2], row.n,
		text.bytes(sizes:quantile(row, 0.5))))
	local most = 0
	local list = powers(row)
	for _, p in ipairs(list) do
		most = math.max(most, p.n)
	end
	for _, p in ipairs(list) do
		local bar = ("#"):rep(math.max(1, p.n * BAR // most))
		print(string.format("  %10s .. %-10s %9d  %s", text.bytes(p.from), text.bytes(p.to), p.n, bar))
	end
	print()
end

function on_capture_end()
	local as_json = sysdig.get_output_format() == "json"
	for i, row in ipairs(sizes:top(as_json and 0 or GROUPS)) do
		if as_json then
			print(json.encode(json.object({ by = row[1], dir = row[2], calls = row.n, sizes = json.list(powers(row)) },
				{ "by", "dir", "calls", "sizes" })))
		else
			draw(row)
		end
	end
end
