#!/usr/bin/env python3
"""Native aggregates against the same numbers kept by a script, event by event: every operation, with one key, several and none, with
filters, missing keys and intervals, for one to eight workers."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin

SCRIPT = """
args = {}
local OPS = { "sum", "count", "avg", "min", "max", "first", "last", "distinct", "hist" }
local sets = {
	{ key = { "proc.name" }, value = "evt.rawarg.res" },
	{ key = { "fd.type", "evt.dir", "evt.type" }, value = "evt.latency", filter = "evt.is_io=true" },
	{ key = {}, value = "fd.num" },
	{ key = { "fd.name", "proc.pid" }, value = "evt.rawarg.res", missing = "-" },
	{ key = { "evt.cpu", "evt.is_io_read" }, value = "evt.rawarg.res", positive = true },
}
local EXACT = 256 -- distinct values counted exactly
local shown = 0

function on_init()
	num, isio = chisel.request_field("evt.num"), chisel.request_field("evt.is_io")
	for _, s in ipairs(sets) do
		s.fields = {}
		for i, k in ipairs(s.key) do
			s.fields[i] = chisel.request_field(k)
		end
		s.v = chisel.request_field(s.value)
		s.rows = {}
		local values = {}
		for i = 1, 8 do
			values[i] = { s.value, OPS[i] }
		end
		local def = { key = s.key, values = values, filter = s.filter, missing = s.missing, positive = s.positive }
		s.agg = chisel.aggregate(def)
		def.values, def.value, def.op = nil, s.value, "hist"
		s.hist = chisel.aggregate(def)
	end
	if INTERVAL then
		chisel.set_interval_ns(INTERVAL)
	end
	return true
end

local function add(s)
	local v = evt.field(s.v)
	if v == nil or s.positive and v <= 0 or s.filter and not evt.field(isio) then
		return
	end
	local keys = {}
	for i, f in ipairs(s.fields) do
		local k = evt.field(f)
		if k == nil then
			k = s.missing
		end
		if k == nil then
			return
		end
		keys[i] = k
	end
	local name = {}
	for i, k in ipairs(keys) do
		name[i] = type(k) .. tostring(k)
	end
	name = table.concat(name, "\\0")
	local r = s.rows[name]
	if not r then
		r = { keys = keys, n = 0, sum = 0, first = v, min = v, max = v, seen = {}, distinct = 0, all = {} }
		s.rows[name] = r
	end
	r.n, r.sum, r.last = r.n + 1, r.sum + v, v
	r.min, r.max = math.min(r.min, v), math.max(r.max, v)
	r.all[#r.all + 1] = v
	if not r.seen[v] then
		r.seen[v], r.distinct = true, r.distinct + 1
	end
end

function on_event()
	for _, s in ipairs(sets) do
		add(s)
	end
	return true
end

local function same(what, got, want)
	if got ~= want then
		shown = shown + 1
		print("differs", what, got, want)
	end
end

local function near(got, want, share)
	return math.abs(got - want) <= math.abs(want) * share + 1
end

local function compare(i, s)
	local n = 0
	for _, r in pairs(s.rows) do
		n = n + 1
		local g = { s.agg:get(unpack(r.keys)) }
		local want = { r.sum, r.n, r.sum / r.n, r.min, r.max, r.first, r.last, r.distinct }
		for c = 1, 8 do
			local what = i .. " " .. table.concat(r.keys, ",", 1, 0) .. " " .. OPS[c]
			if OPS[c] == "distinct" and r.distinct > EXACT then
				same(what, near(g[c], r.distinct, 0.08), true)
			elseif OPS[c] == "sum" then -- beyond 2^53 a float
				same(what, g[c] + 0.0, want[c] + 0.0)
			else
				same(what, g[c], want[c])
			end
		end
		same(i .. " hist", (s.hist:get(unpack(r.keys))), r.n)
	end
	same(i .. " size", #s.agg, n)
	same(i .. " rows", s.agg:size(), #s.agg:top())
	-- top: by value descending, then key ascending; the n best of it
	local before
	for k, row in ipairs(s.agg:top(0)) do
		same(i .. " order", before == nil or before >= row.value, true)
		before = row.value
		same(i .. " cut", k > 3 or s.agg:top(3)[k].value == row.value, true)
	end
	local count = 0
	for _ in s.agg:pairs() do
		count = count + 1
	end
	same(i .. " pairs", count, #s.key == 0 and math.min(n, 1) or n)
	for _, row in ipairs(s.hist:top(5)) do
		local key = {}
		for k = 1, #s.key do
			key[k] = type(row[k]) .. tostring(row[k])
		end
		local r = s.rows[table.concat(key, "\\0")]
		table.sort(r.all)
		for _, q in ipairs({ 0, 0.5, 0.9, 0.99, 1 }) do
			local exact = r.all[math.max(1, math.ceil(q * #r.all))]
			local got = s.hist:quantile(row, q)
			same(i .. " quantile " .. q .. " is " .. exact .. " not " .. got, exact < 0 and got < 0 or near(got, exact, 0.04), true) -- one bucket below 0
		end
		local total = 0
		for _, b in ipairs(s.hist:buckets(row)) do
			total = total + b.n
		end
		same(i .. " buckets", total, row.n)
	end
	s.rows = {}
	s.agg:clear()
	s.hist:clear()
	return n
end

local function all()
	local n = 0
	for i, s in ipairs(sets) do
		n = n + compare(i, s)
	end
	return n
end

local rows = 0
function on_interval()
	rows = rows + all()
	return true
end

function on_capture_end()
	rows = rows + all()
	print("rows", rows, "differ", shown)
end
"""


def main():
    traces = [t for t in (burin.trace("old", n) for n in ("net", "churn")) if t]
    if not traces:
        burin.skip("chisel-aggregates", "no trace")
        burin.finish()
    with tempfile.TemporaryDirectory(prefix="burin-agg-") as cwd:
        for interval in (0, 200000000):
            with open(os.path.join(cwd, "agg%d.lua" % interval), "w") as f:
                f.write(("INTERVAL = %d\n" % interval if interval else "") + SCRIPT)
            for trace in traces:
                bad, rows = [], None
                for workers, batch in ((1, 0), (3, 50), (8, 7)):
                    p = subprocess.run([burin.BURIN, "-r", burin.unpacked(trace), "-n", "9000", "--workers=%d" % workers] +
                                       (["--batch-events=%d" % batch] if batch else []) + ["-c", "./agg%d" % interval], cwd=cwd,
                                       stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
                    out = p.stdout.decode().split("\n")
                    if p.returncode or len(out) < 2 or not out[-2].startswith("rows\t") or not out[-2].endswith("\t0") or (rows or out[-2]) != out[-2]:
                        bad.append("%d workers: %s %s" % (workers, out[:3], p.stderr[:300]))
                    rows = out[-2] if len(out) > 1 else ""
                name = os.path.basename(trace).split(".")[0]
                burin.report(not bad and "rows\t0" not in rows, "chisel-aggregates-%s-%s" % (name, "interval" if interval else "whole"),
                             "; ".join(bad) or rows.replace("\t", " "))
    burin.finish()


main()
