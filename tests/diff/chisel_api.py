#!/usr/bin/env python3
"""The chisel API, function by function, on made-up activity (chisel_crafted.World).

probe   tests/golden/chisel_api.txt: a phase, an expression, what sysdig 0.29.3 makes of it and, where the project's documents say
        otherwise, what burin does. Every expression is evaluated in its phase by one script, chisel_api.lua.
scenes  tests/golden/chisel_scenes.txt: whole scripts with options: exit code and output.
errors  wrong arguments: the message names the chisel, the function and the argument, and the run ends with 1 and a traceback.

burin must do what is written, with one worker and with three on tiny batches; where sysdig is installed, so must sysdig.

  chisel_api.py [--set]   writes sysdig's and burin's answers into the golden files"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), HERE]
import burin
import chisel_crafted
from scapgen import Trace

PROBE = os.path.join(HERE, "../golden/chisel_api.txt")
SCENES = os.path.join(HERE, "../golden/chisel_scenes.txt")
PEER = ["sysdig"]
OURS = [[burin.BURIN, "--compat=0.29", "--workers=1"], [burin.BURIN, "--compat=0.29", "--workers=3", "--batch-events=7"]]


def run(words, cwd, options):
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    env.pop("SYSDIG_CHISEL_DIR", None)
    p = subprocess.run(words + ["-r", "world.scap"] + options, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return p.returncode, p.stdout.decode("latin-1"), p.stderr.decode("latin-1")


# ---- probe ---------------------------------------------------------------------------------------------------------

def read_probe():
    rows = [line.rstrip("\n").split("\t") for line in open(PROBE, encoding="latin-1") if line.strip()]
    return [(r[0], r[1], r[2] if len(r) > 2 else "", r[3] if len(r) > 3 else r[2] if len(r) > 2 else "") for r in rows]


def probe(words, cwd, rows):
    """(phase, expression) -> result"""
    with open(os.path.join(cwd, "cases.txt"), "w", encoding="latin-1") as f:
        f.write("".join("%s\t%s\n" % r[:2] for r in rows))
    out = run(words, cwd, ["-c", "./chisel_api"])[1]
    found = {}
    for line in out.splitlines():
        cells = line.split("\t")
        if len(cells) == 3:
            found[cells[0], cells[1]] = cells[2]
    return found


def check_probe(name, got, wanted):
    bad = ["%s %s: %s, wanted %s" % (k + (got.get(k), w)) for k, w in wanted if got.get(k) != w]
    for line in bad:
        print("differs:", line)
    burin.report(not bad, name, "identical: %d of %d" % (len(wanted) - len(bad), len(wanted)))


def probes(cwd, setting):
    shutil.copy(os.path.join(HERE, "chisel_api.lua"), cwd)
    rows = read_probe()
    if setting:
        peer, ours = probe(PEER, cwd, rows), probe(OURS[0], cwd, rows)
        with open(PROBE, "w", encoding="latin-1") as f:
            for r in rows:
                a, b = peer.get(r[:2], "(none)"), ours.get(r[:2], "(none)")
                f.write("\t".join(r[:2] + (a,) + ((b,) if a != b else ())) + "\n")
        return
    for i, words in enumerate(OURS):
        check_probe("chisel-api-probe-%d" % i, probe(words, cwd, rows), [(r[:2], r[3]) for r in rows])
    if burin.have_peer():
        check_probe("chisel-api-probe-sysdig", probe(PEER, cwd, rows), [(r[:2], r[2]) for r in rows])


# ---- scenes --------------------------------------------------------------------------------------------------------

class Scene:
    """=== NAME OPTIONS, the script (further ones behind "-- file NAME"), --- CODE, its output; --- burin CODE where burin's differs.
    "--- peer" instead of an output: only compared where sysdig is installed."""

    def __init__(self, text):
        head, body = text.split("\n", 1)
        self.name, _, options = head.partition(" ")
        self.options = re.findall(r'"[^"]*"|\S+', options)
        parts = re.split(r"^--- (.*)\n", body, flags=re.M)
        self.script, self.answers = parts[0], dict(zip(parts[1::2], parts[2::2]))

    def files(self):
        parts = re.split(r"^-- file (\w+)\n", self.script, flags=re.M)
        return {self.name: parts[0], **dict(zip(parts[1::2], parts[2::2]))}

    def run(self, words, cwd):
        for name, text in self.files().items():
            with open(os.path.join(cwd, name + ".lua"), "w") as f:
                f.write("args = args or {}\n" + text)
        code, out, _ = run(words, cwd, [o.strip('"') for o in self.options])
        return "%d" % code, out

    def wanted(self, burins):
        for key, out in self.answers.items():
            if key.startswith("burin ") == burins:
                return key.split()[-1], out
        return self.wanted(False) if burins else None

    def text(self, peer, ours):
        out = "=== %s %s\n%s" % (self.name, " ".join(self.options), self.script)
        if "peer" in self.answers:
            return out + "--- peer\n"
        out += "--- %s\n%s" % peer
        return out if peer == ours else out + "--- burin %s\n%s" % ours


def read_scenes():
    return [Scene(t) for t in open(SCENES, encoding="latin-1").read().split("=== ")[1:]]


def scenes(cwd, setting):
    all_scenes = read_scenes()
    if setting:
        with open(SCENES, "w", encoding="latin-1") as f:
            f.write("".join(s.text(s.run(PEER, cwd), s.run(OURS[0], cwd)) for s in all_scenes))
        return
    for s in all_scenes:
        peer = s.run(PEER, cwd) if burin.have_peer() else None
        compared = [("burin-%d" % i, s.run(words, cwd)) for i, words in enumerate(OURS)]
        if "peer" in s.answers:
            if peer is None:
                continue
            bad = [who for who, got in compared if got != peer]
        else:
            bad = [who for who, got in compared if got != s.wanted(True)]
            if peer is not None and peer != s.wanted(False):
                bad.append("sysdig")
        for who, got in compared if bad else []:
            print("%s: exit %s\n%s" % ((who,) + got))
        burin.report(not bad, "chisel-scene-" + s.name, ", ".join(bad))


# ---- errors --------------------------------------------------------------------------------------------------------

# phase, call, what the message must hold beside the name of the chisel
ERRORS = [
    ("init", "chisel.request_field({})", "chisel.request_field: argument 1 must be the name of a field, got table"),
    ("init", "chisel.request_field()", "chisel.request_field: argument 1"),
    ("init", "chisel.request_field('no.such')", "chisel requesting nonexistent field no.such"),
    ("init", "chisel.request_field('fd.ip')", "chisel.request_field: fd.ip is for filters only"),
    ("init", "chisel.set_filter()", "chisel.set_filter: argument 1 must be a filter, got no value"),
    ("init", "chisel.set_filter('a.b=1')", "invalid filter in chisel"),
    ("init", "chisel.set_event_formatter(true)", "chisel.set_event_formatter: argument 1 must be a format, got boolean"),
    ("init", "chisel.set_event_formatter('%no.such')", "chisel.set_event_formatter: "),
    ("init", "chisel.set_interval_s('x')", "chisel.set_interval_s: argument 1 must be a number, got string"),
    ("init", "chisel.set_interval_ns({})", "chisel.set_interval_ns: argument 1 must be a number, got table"),
    ("init", "sysdig.set_interval_s({})", "set_interval_s: argument 1 must be a number, got table"),
    ("init", "chisel.set_precise_interval_ns(print)", "chisel.set_precise_interval_ns: argument 1 must be a number, got function"),
    ("init", "chisel.exec()", "chisel.exec: argument 1 must be the name of a chisel, got no value"),
    ("init", "chisel.demand('nosuch')", "chisel.demand: argument 1: nosuch is none of threads, fds"),
    ("init", "chisel.aggregate('x')", "chisel.aggregate: argument 1 must be a table of options"),
    ("init", "chisel.aggregate{}", "chisel.aggregate: value must be a field name"),
    ("init", "chisel.aggregate{key = 5, value = 'evt.count'}", "chisel.aggregate: key must be a field name or a list"),
    ("init", "chisel.aggregate{key = {1}, value = 'evt.count'}", "chisel.aggregate: key must be a field name or a list"),
    ("init", "chisel.aggregate{value = 'no.such'}", "nonexistent field no.such"),
    ("init", "chisel.aggregate{value = 'evt.count', op = 'mode'}", "chisel.aggregate: op must be one of sum, count, avg"),
    ("init", "chisel.aggregate{value = 'evt.count', filter = '(('}", "chisel.aggregate: filter ((: "),
    ("init", "chisel.aggregate{value = 'evt.count', filter = 5}", "chisel.aggregate: filter must be a text"),
    ("init", "chisel.aggregate{value = 'evt.count', missing = 5}", "chisel.aggregate: missing must be a text"),
    ("init", "chisel.aggregate{value = 'thread.cpu'}", "thread.cpu is a fraction"),
    ("init", "chisel.aggregate{values = {5}}", "chisel.aggregate: values must be a list of {field, op}"),
    ("init", "sysdig.set_filter()", "sysdig.set_filter: argument 1 must be a string, got no value"),
    ("init", "sysdig.set_snaplen('x')", "sysdig.set_snaplen: argument 1 must be a number, got string"),
    ("init", "sysdig.set_output_format({})", "sysdig.set_output_format: argument 1 must be a string, got table"),
    ("init", "sysdig.set_output_format('x')", "invalid set_output_format value in chisel"),
    ("init", "sysdig.set_fatfile_dump_mode(1)", "sysdig.set_fatfile_dump_mode: argument 1 must be a boolean, got number"),
    ("init", "sysdig.get_machine_info()", "sysdig.get_machine_info can only be called from the on_capture_start callback"),
    ("init", "sysdig.get_read_progress()", "sysdig.get_read_progress: the source is not open yet"),
    ("init", "sysdig.run_app()", "sysdig.run_app: argument 1 must be a string, got no value"),
    ("init", "sysdig.run_sysdig({})", "sysdig.run_app: argument 1 must be a string, got table"),
    ("init", "sysdig.log('x')", "sysdig.log: argument 2 must be a string, got no value"),
    ("init", "sysdig.push_metric()", "sysdig.push_metric: argument 1 must be a string, got no value"),
    ("init", "sysdig.push_metric('n', 'x', {})", "sysdig.push_metric: argument 2 must be a number, got string"),
    ("init", "sysdig.push_metric('n', 1)", "sysdig.push_metric: argument 3 must be a table of tags, got no value"),
    ("init", "sysdig.make_ts({}, 1)", "sysdig.make_ts: argument 1 must be a number, got table"),
    ("init", "sysdig.make_ts(1, 'x')", "sysdig.make_ts: argument 2 must be a number, got string"),
    ("init", "sysdig.add_ts('1', 'x')", "sysdig.add_ts: argument 2 must be a decimal number, got string"),
    ("init", "sysdig.subtract_ts(nil, '1')", "sysdig.subtract_ts: argument 1 must be a string, got nil"),
    ("init", "sysdig.udp_setpeername(5)", "sysdig.udp_setpeername: argument 2 must be a port, got no value"),
    ("init", "sysdig.udp_setpeername('nohost', 5)", "sysdig.udp_setpeername: argument 1: inet_pton error occurred"),
    ("init", "sysdig.udp_setpeername('127.0.0.1', 70000)", "sysdig.udp_setpeername: argument 2 must be a port from 0 to 65535"),
    ("init", "sysdig.udp_send({})", "sysdig.udp_send: argument 1 must be a string, got table"),
    ("init", "sysdig.udp_send('x')", "sysdig.udp_send: call sysdig.udp_setpeername first"),
    ("init", "evt.get_num()", "invalid call to evt.get_num()"),
    ("init", "evt.get_ts()", "invalid call to evt.get_ts()"),
    ("init", "evt.get_type()", "invalid call to evt.get_type()"),
    ("init", "evt.get_cpuid()", "invalid call to evt.get_cpuid()"),
    ("start", "sysdig.get_thread_table('evt.type=open')", "evt.type"),
    ("start", "sysdig.get_thread_table('((')", "invalid filter argument for get_thread_table in chisel"),
    ("start", "sysdig.get_thread_table_nofds('((')", "invalid filter argument for get_thread_table_nofds in chisel"),
    ("start", "sysdig.get_thread_table_barebone('((')", "invalid filter argument for get_thread_table_barebone in chisel"),
    ("start", "sysdig.get_thread_table_barebone_nofds('((')", "invalid filter argument for get_thread_table_barebone_nofds in chisel"),
    ("start", "sysdig.set_filter('')", "sysdig.set_filter: only possible in on_init"),
    ("event", "evt.field('fd.name')", "evt.field: argument 1 is a string"),
    ("event", "chisel.set_filter('')", "chisel.set_filter: only possible in on_init and on_capture_start"),
    ("event", "chisel.set_interval_s(1)", "chisel.set_interval_s: only possible in on_init and on_capture_start"),
    ("event", "chisel.set_event_formatter('')", "chisel.set_event_formatter: only possible in on_init and on_capture_start"),
    ("event", "chisel.aggregate{value = 'evt.count'}", "chisel.aggregate: only possible in on_init and on_capture_start"),
    ("event", "sysdig.set_filter('')", "sysdig.set_filter: only possible in on_init"),
    ("event", "agg:top()", "aggregate:top: aggregates are read in on_interval and on_capture_end"),
    ("event", "agg:pairs()", "aggregate:pairs: aggregates are read in"),
    ("event", "agg.top({})", "bad argument #1"),
]
ERROR_SCRIPT = """args = {}
function on_init() agg = chisel.aggregate{value = 'evt.count'} %s return true end
function on_capture_start() %s return true end
function on_event() %s return true end
function on_capture_end() print('end') end
"""


def errors(cwd):
    bad = []
    for phase, call, want in ERRORS:
        with open(os.path.join(cwd, "wrong.lua"), "w") as f:
            f.write(ERROR_SCRIPT % tuple(call if phase == p else "" for p in ("init", "start", "event")))
        code, out, err = run(OURS[1], cwd, ["-c", "wrong"])
        if code != 1 or want not in err or "wrong" not in err or "stack traceback:" not in err or out != "end\n":
            bad.append(call)
            print("%s: exit %d, %s" % (call, code, err[:200]))
    burin.report(not bad, "chisel-api-errors", "%d of %d as wanted" % (len(ERRORS) - len(bad), len(ERRORS)))


# ---- datagrams -----------------------------------------------------------------------------------------------------

def datagrams(cwd):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(10)
        with open(os.path.join(cwd, "udp.lua"), "w") as f:
            f.write("args = {}\nfunction on_init() sysdig.udp_setpeername('127.0.0.1', '%d') return true end\n"
                    "function on_event() sysdig.udp_send(evt.get_num() .. '\\0x') return true end\n" % s.getsockname()[1])
        code = run(OURS[0], cwd, ["-c", "udp", "-n", "3"])[0]
        try:
            got = [s.recv(100) for _ in range(3)]
        except socket.timeout:
            got = []
    burin.report(code == 0 and got == [b"2\0x", b"3\0x", b"4\0x"], "chisel-api-udp", repr(got))


def logs(cwd):
    with open(os.path.join(cwd, "logs.lua"), "w") as f:
        f.write("args = {}\nfunction on_init() for _, l in ipairs{'debug', 'info', 'warning', 'error', 'critical', 'odd'} do "
                "sysdig.log('as ' .. l, l) end return true end\n")

    def lines(options, words=OURS[0]):
        err = run(words, cwd, options + ["-c", "logs", "-n", "1"])[2]
        return re.findall(r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} as (\w+)$", err, re.M)

    everything = ["debug", "info", "warning", "error", "critical", "odd"]
    ok = lines(["-D"]) == everything and lines([]) == [] and lines(["-D", "--log-level=error"]) == ["error", "critical"]
    burin.report(ok and (not burin.have_peer() or lines(["-D"], PEER) == everything), "chisel-api-log")


def main():
    setting = "--set" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="burin-api-") as cwd:
        t = chisel_crafted.World()
        for part in (chisel_crafted.users, chisel_crafted.web, chisel_crafted.logs, chisel_crafted.cache, chisel_crafted.rest):
            part(t)
        Trace.write(t, os.path.join(cwd, "world.scap"))
        probes(cwd, setting)
        scenes(cwd, setting)
        if not setting:
            errors(cwd)
            datagrams(cwd)
            logs(cwd)
    burin.finish()


main()
