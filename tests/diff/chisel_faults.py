#!/usr/bin/env python3
"""Scripts that misbehave: each gives a clear message and exit code 1 (or what is named), never a crash or a hang."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin

ARGS = "args = {}\n"
END = "function on_capture_end() print('end') end\n"
EVENT = "function on_event() %s end\n" + END

# name, script, options, exit code, text in the output, text in the messages
CASES = [
    ("endless-event", ARGS + EVENT % "while true do end", ["--lua-seconds=1"], 1, "end", "ran for more than 1 s"),
    ("endless-pcall", ARGS + EVENT % "while true do pcall(function() while true do end end) end", ["--lua-seconds=1"], 1,
     "end", "ran for more than 1 s"),
    ("endless-load", ARGS + "while true do end", ["--lua-seconds=1"], 1, "", "ran for more than 1 s"),
    ("endless-init", ARGS + "function on_init() while true do end end", ["--lua-seconds=1"], 1, "", "ran for more than 1 s"),
    ("endless-end", ARGS + "function on_capture_end() print('x') while true do end end", ["--lua-seconds=1"], 0, "x", ""),
    ("endless-parallel", ARGS + "merge = {}\n" + EVENT % "while true do end", ["--lua-seconds=1"], 1, "", "ran for more than 1 s"),
    ("endless-coroutine", ARGS + EVENT % "coroutine.wrap(function() while true do end end)()", ["--lua-seconds=1"], 1, "end",
     "ran for more than 1 s"),
    ("endless-instructions", ARGS + EVENT % "print(evt.get_num()) while true do pcall(function() while true do end end) end",
     ["--lua-instructions=1"], 1, "end", "ran more than 1 million instructions"),
    ("endless-instructions-parallel", ARGS + "merge = {}\n" + EVENT % "while true do end", ["--lua-instructions=2"], 1, "",
     "ran more than 2 million instructions"),
    ("endless-gc", ARGS + "setmetatable({}, {__gc = function() while true do end end})\n" + END, ["--lua-seconds=1"], 0, "end", ""),
    ("table", ARGS + EVENT % "t = t or {} while true do t[#t + 1] = #t .. 'x' end", ["--lua-memory=16M"], 1, "end",
     "needs more than 16 MiB"),
    ("string", ARGS + EVENT % "local s = ('x'):rep(1 << 40)", [], 1, "end", "chisel error"),
    ("string-doubling", ARGS + EVENT % "local s = 'x' while true do s = s .. s end", ["--lua-memory=32M"], 1, "end", "32 MiB"),
    ("memory-caught", ARGS + EVENT % "t = {} pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end) error('later')",
     ["--lua-memory=16M"], 1, "", "chisel error"),
    ("memory-parallel", ARGS + "merge = { n = 'union' } n = {}\n" + EVENT %
     "for i = 1, 100000 do n[#n + 1] = #n .. 'x' end", ["--lua-memory=16M"], 1, "", "16 MiB"),
    ("recursion", ARGS + "function f() return 1 + f() end\n" + EVENT % "f()", [], 1, "end", "stack overflow"),
    ("recursion-c", ARGS + EVENT % "local s = ('('):rep(1000000) string.find('x', s)", [], 1, "end", "chisel error"),
    ("recursion-error", ARGS + "function h() error(h()) end\n" + EVENT % "h()", [], 1, "end", "chisel error"),
    ("error-event", ARGS + EVENT % "local x = nil + 1", [], 1, "end", "attempt to perform arithmetic on a nil value"),
    ("error-table", ARGS + EVENT % "error({1})", [], 1, "end", "error object is a table value"),
    ("error-nil", ARGS + EVENT % "error()", [], 1, "end", "error object is a nil value"),
    ("error-tostring", ARGS + EVENT % "error(setmetatable({}, {__tostring = function() error('inner') end}))", [], 1, "end", "chisel error"),
    ("error-init", ARGS + "function on_init() error('boom') end\n" + END, [], 1, "end", "boom"),
    ("error-start", ARGS + "function on_capture_start() error('boom') end\n" + END, [], 1, "end", "boom"),
    ("error-interval", ARGS + "function on_init() chisel.set_interval_ns(1) return true end\nfunction on_interval() error('boom') end\n"
     + END, [], 1, "end", "boom"),
    ("error-end", ARGS + "function on_capture_end() print('end') error('boom') end", [], 0, "end", ""),
    ("error-load", ARGS + "error('boom')", [], 1, "", "boom"),
    ("traceback", ARGS + "local function deep() error('boom') end\n" + EVENT % "deep()", [], 1, "end", "in upvalue 'deep'"),
    ("exit-event", ARGS + EVENT % "os.exit(7)", [], 7, "", ""),
    ("exit-init", ARGS + "function on_init() print('x') os.exit(3) end", [], 3, "x", ""),
    ("exit-load", ARGS + "print('x') os.exit(0)", [], 0, "x", ""),
    ("exit-end", ARGS + "function on_capture_end() print('end') os.exit(5) end", [], 5, "end", ""),
    ("exit-parallel", ARGS + "merge = {}\n" + EVENT % "os.exit(7)", [], 1, "", "os.exit in on_event"),
    ("syntax", ARGS + "function (", [], 1, "", "<name> expected"),
    ("bytecode", None, [], 1, "", "attempt to load a binary chunk"),
    ("bytecode-load", ARGS + EVENT % "local f, e = load('\\27Lua\\84\\0') assert(not f and string.dump == nil) error(e)", [], 1, "end",
     "attempt to load a binary chunk"),
    ("not-text", ARGS + "\0\1\2", [], 1, "", "Failed to load chisel"),
    ("args-number", "args = 7", [], 1, "", "args table missing"),
    ("args-entries", "args = {1, 2}", [], 1, "", "entry 1 of args is not a table"),
    ("args-types", "args = {{name = {}}}", [], 1, "", "name is not a string"),
    ("field-type", ARGS + "function on_init() chisel.request_field({}) end", [], 1, "", "argument 1 must be the name of a field"),
    ("field-unknown", ARGS + "function on_init() chisel.request_field('no.such') end", [], 1, "", "nonexistent field no.such"),
    ("field-nil", ARGS + "function on_init() chisel.request_field() end", [], 1, "", "argument 1"),
    ("field-many", ARGS + "function on_init() for i = 1, 5000 do chisel.request_field('proc.aname[' .. i .. ']') end end", [], 1, "",
     "more than"),
    ("handle-string", ARGS + EVENT % "evt.field('fd.name')", [], 1, "end", "argument 1 is a string"),
    ("handle-odd", ARGS + EVENT % "assert(evt.field(io.stdout) == nil and evt.field({}) == nil and evt.field(99) == nil) error('fine')", [], 1,
     "end", "fine"),
    ("handle-foreign", ARGS + EVENT % "assert(evt.field(sichisel) == nil) error('fine')", [], 1, "end", "fine"),
    ("filter", ARGS + "function on_init() chisel.set_filter('proc.name=') chisel.set_filter('((') end", [], 1, "", "invalid filter in chisel"),
    ("filter-late", ARGS + EVENT % "chisel.set_filter('')", [], 1, "end", "only possible in on_init"),
    ("format", ARGS + "function on_init() chisel.set_event_formatter('%nosuch') end", [], 1, "", "set_event_formatter"),
    ("interval-type", ARGS + "function on_init() chisel.set_interval_s({}) end", [], 1, "", "argument 1 must be a number"),
    ("interval-huge", ARGS + "function on_init() chisel.set_interval_s(1e300) chisel.set_precise_interval_ns(-5) return true end\n" + END,
     [], 0, "end", ""),
    ("exec-unknown", ARGS + "function on_init() chisel.exec('no_such_chisel') return true end", [], 1, "", "can't find chisel no_such_chisel"),
    ("exec-self", ARGS + "function on_init() chisel.exec('exec-self') return true end", [], 1, "", "chisels in a row"),
    ("thread-table-filter", ARGS + EVENT % "sysdig.get_thread_table('evt.type=open')", [], 1, "end", "not supported for thread table"),
    ("thread-table-syntax", ARGS + EVENT % "sysdig.get_thread_table('((')", [], 1, "end", "invalid filter argument for get_thread_table"),
    ("thread-table-often", ARGS + EVENT % "n = (n or 0) + 1 sysdig.get_thread_table() if n == 50 then error('fine') end", [], 1, "end", "fine"),
    ("udp", ARGS + "function on_init() sysdig.udp_setpeername('localhost', 1) end", [], 1, "", "inet_pton error"),
    ("udp-send", ARGS + "function on_init() sysdig.udp_send('x') end", [], 1, "", "udp_setpeername first"),
    ("aggregate-type", ARGS + "function on_init() chisel.aggregate(7) end", [], 1, "", "must be a table of options"),
    ("aggregate-keys", ARGS + "function on_init() local k = {} for i = 1, 9 do k[i] = 'fd.name' end chisel.aggregate{key = k, op = 'count'} end",
     [], 1, "", "at most 8 keys"),
    ("aggregate-early", ARGS + EVENT % "" + "function on_init() a = chisel.aggregate{op = 'count'} a:top() return true end", [], 1, "",
     "read in on_interval"),
    ("aggregate-half", ARGS + "function on_init() pcall(chisel.aggregate, {value = 'no.such'}) return true end\n" + END, [], 0, "end", ""),
    ("merge-deep", ARGS + "merge = { t = 'union' } t = {}\n" + EVENT % "local x = t for i = 1, 100 do x[1] = x[1] or {} x = x[1] end", [], 1, "",
     "nested deeper than 64"),
    ("merge-cycle", ARGS + "merge = { t = 'sum' } t = {}\n" + EVENT % "t.t = t", [], 1, "", "refers to itself"),
    ("merge-function", ARGS + "merge = { t = 'union' } t = {}\n" + EVENT % "t[1] = print", [], 1, "", "cannot be merged"),
    ("merge-undeclared", ARGS + "merge = { n = 'sum' } n = 0\n" + EVENT % "total = 1", [], 1, "", "assigns the global 'total'"),
    ("metatable-globals", ARGS + "setmetatable(_G, {__index = function(t, k) error('no ' .. k) end})\n" + EVENT % "error('fine')", [], 1, "end",
     "fine"),
    ("globals-gone", ARGS + END + EVENT % "local g = _G for k in pairs(g) do g[k] = nil end", [], 1, "", "on_event is gone"),
    ("debug-hook", ARGS + EVENT % "debug.sethook() while true do end", ["--lua-seconds=1"], 1, "end", "ran for more than 1 s"),
    ("registry", ARGS + EVENT % "local r = debug.getregistry() for k in pairs(r) do if type(k) ~= 'number' then r[k] = nil end end error('fine')",
     [], 1, "", "chisel error"),
    ("next-wild", ARGS + EVENT % "next({}, 'nosuch')", [], 1, "end", "invalid key to 'next'"),
    ("sort-wild", ARGS + EVENT % "local t = {} for i = 1, 500 do t[i] = i end table.sort(t, function() return true end) error('fine')", [], 1,
     "end", "fine"),
    ("format-wild", ARGS + EVENT % "string.format(('%99.99f'):rep(50), 1e308)", [], 1, "end", ""),
    ("end-capture", ARGS + EVENT % "print('event') sysdig.end_capture()", [], 0, "event\nend", ""),
    ("run-app", ARGS + "function on_init() sysdig.run_app('--version') return true end", [], 0, "burin version", ""),
    ("run-app-twice", ARGS + "function on_init() print('again') sysdig.run_app('-r TRACE -c run-app-twice') return true end", [], 0, "again\nagain", ""),
]


def run_case(case, trace, cwd, workers):
    name, script, options, code, out, err = case
    path = os.path.join(cwd, name + ".lua")
    with open(path, "wb") as f:
        f.write(b"\x1bLuaR\x00" if script is None else script.replace("TRACE", trace).encode())
    words = [burin.BURIN, "-r", trace, "--workers=%d" % workers, *options, "-c", name]
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    try:
        p = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "does not end"
    if name == "format-wild":
        return "" if p.returncode in (0, 1) else "exit %d" % p.returncode
    if p.returncode != code:
        return "exit %d, wanted %d: %s" % (p.returncode, code, p.stderr.decode("utf-8", "replace")[:300])
    if out.encode() not in p.stdout:
        return "output lacks %r: %r" % (out, p.stdout[-200:])
    if err.encode() not in p.stderr:
        return "message lacks %r: %r" % (err, p.stderr[-300:])
    return ""


def main():
    trace = burin.trace("old", "net")
    if not trace:
        burin.skip("chisel-faults", "no trace")
        burin.finish()
    trace = burin.unpacked(trace)
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="burin-chisels-") as cwd:
        for case in CASES:
            if only and case[0] not in only:
                continue
            for workers in (1, 3):
                why = run_case(case, trace, cwd, workers)
                burin.report(not why, "chisel-fault-%s-w%d" % (case[0], workers), why)
    burin.finish()


main()
