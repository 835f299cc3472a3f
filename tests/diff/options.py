#!/usr/bin/env python3
"""Options of the command line: against sysdig 0.29.3 where it has them, else against what they promise.

usage: options.py [--burin PATH]"""

import argparse
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin     # noqa: E402
import scapgen   # noqa: E402
import scapread  # noqa: E402

NUM = "*%evt.num %proc.name %evt.type %evt.dir %thread.tid"


def sysdig(args):
    # It would find our chisels in the folder it runs in.
    r = subprocess.run(["sysdig"] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                       env=dict(os.environ, TZ="UTC"), timeout=120)
    noise = re.compile(rb"^\d\d-\d\d [0-9:.]+ (starting offline capture|Creating Mesos object.*)\n", re.M)
    return r.returncode, r.stdout, noise.sub(b"", r.stderr)


def on_terminal(cmd, env=None):
    """What a command prints when standard output is a terminal."""
    parent, child = pty.openpty()
    p = subprocess.Popen(cmd, cwd="/", stdout=child, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                         env=dict(os.environ, TZ="UTC", **(env or {})))
    os.close(child)
    out = b""
    while True:
        try:
            data = os.read(parent, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    p.wait(60)
    os.close(parent)
    return out.replace(b"\r\n", b"\n")


def peer(name, args, what=(0, 1)):
    """Exit code and output (or what is asked for) are those of sysdig."""
    if not burin.have_peer():
        burin.skip(name, "sysdig 0.29.3 is not installed")
        return
    a, b = sysdig(args), burin.run(["--compat=0.29"] + args)
    same = a[0] == b[0] and all(a[i] == b[i] for i in what)
    burin.report(same, name, "%d bytes" % len(a[1]) if same else "exit %d %d: %r %r" % (
        a[0], b[0], a[2][-200:], b[2][-200:]))


def statistics(err):
    """-v: the lines that do not hold times."""
    return re.sub(rb"Elapsed time: [0-9.]+", b"", re.sub(rb", [0-9.]+ eps", b"", err))


def part_suppress():
    for trace, comms in (("net", ("bash", "nc", "sleep", "python3", "net.sh")), ("churn", ("cat", "churn.sh")),
                         ("redis", ("redis-benchmark",))):
        t = burin.trace("old", trace)
        if not t:
            continue
        for comm in comms:
            peer("suppress_%s_%s" % (trace, comm), ["-r", t, "-U", comm, "-p", NUM])
            if burin.have_peer():
                a, b = (f(["-r", t, "-U", comm, "-v", "-q"] + x)[2] for f, x in
                        ((sysdig, []), (burin.run, ["--compat=0.29"])))
                burin.report(statistics(a) == statistics(b), "suppress_%s_%s_counts" % (trace, comm),
                             repr(statistics(b)) if a != b else "")
    t = burin.trace("old", "net")
    peer("suppress_two", ["-r", t, "-U", "nc", "-U", "sleep", "-p", NUM])
    peer("suppress_n", ["-r", t, "-U", "nc", "-n", "3000", "-p", NUM])
    peer("suppress_filter", ["-r", t, "-U", "nc", "-p", NUM, "proc.name=sleep"])
    want = burin.run(["--workers=1", "-r", t, "-U", "nc", "-v", "-n", "3333"])
    got = {(o, statistics(e)) for _, o, e in (burin.run(["--workers=%d" % w, b, "-r", t, "-U", "nc", "-v", "-n", "3333"])
                                              for w in (1, 2, 8) for b in ("--batch-events=7", "--batch-bytes=1M"))}
    burin.report(got == {(want[1], statistics(want[2]))}, "suppress_engines")


def processes(trace, *args):
    return {x.split(b" ")[0] for x in burin.run(["-r", trace, "-p", "*%thread.tid"] + list(args))[1].splitlines()}


def part_suppress_list(d):
    """Without --compat=0.29 the process list counts too, with threads and children."""
    s = scapgen.Trace()
    s.thread(10, comm="srv").thread(11, pid=10, comm="wrk").thread(20, comm="child", ptid=10).thread(30, comm="other")
    for tid in (10, 11, 20, 30):
        s.read(tid, 0)
    t = s.write(os.path.join(d, "t"))
    burin.report(processes(t, "-U", "srv") == {b"30"}, "suppress_list")
    burin.report(processes(t, "-U", "srv", "--compat=0.29") == {b"10", b"11", b"20", b"30"}, "suppress_list_compat")


def part_tables():
    t = burin.public("single_ipv6_conn")
    if t:
        peer("no_users", ["-E", "-r", t, "-p", "*%evt.num %user.name %user.uid %group.name"])
    for name in ("curl_google", "test_ipv6_client"):
        t = burin.public(name)
        if t:
            peer("ports_%s" % name, ["-R", "-r", t, "-n", "1500", "evt.type!=execve"])
            peer("ports_fields_%s" % name, ["-R", "-r", t, "-p", "*%fd.name %fd.sport %fd.sproto %fd.cproto %fd.lproto "
                                            "%fd.rproto", "evt.type!=execve"])
    # Its only named port is tcp 1.
    t = burin.trace("old", "net")
    out = burin.run(["-R", "-r", t, "evt.type=connect"])[1]
    burin.report(b"127.0.0.1:tcpmux" in out, "ports_net")
    burin.report(b"tcpmux" not in burin.run(["-r", t, "evt.type=connect"])[1], "ports_numbers")


def part_terminal():
    t = burin.trace("old", "net")
    for name, args in (("format", ["-r", t, "-n", "90"]), ("pp", ["-pp"]), ("chisel", ["-r", t, "-c", "stdin"]),
                       ("quiet", ["-r", t, "-q", "-n", "99"]), ("pc", ["-r", t, "-pc", "-n", "90"]),
                       ("pc_pp", ["-pc", "-pp"]), ("two_files", ["-r", t, "-r", t, "-q"]),
                       ("own_format", ["-r", t, "-n", "90", "-p", "%evt.num"]),
                       ("own_colour", ["-r", t, "-n", "90", "-p", "\\e[1m%evt.num"])):
        if not burin.have_peer():
            burin.skip("terminal_" + name, "sysdig 0.29.3 is not installed")
            continue
        a = on_terminal(["sysdig"] + args)
        b = on_terminal([burin.BURIN, "--compat=0.29"] + args)
        burin.report(a == b and a, "terminal_" + name, "%d bytes" % len(a))
    plain = burin.run(["-r", t, "-n", "90"])[1]
    burin.report(b"\033" not in plain and plain, "no_terminal_no_colour")
    burin.report(on_terminal([burin.BURIN, "-r", t, "-n", "90"], {"NO_COLOR": "1"}) == plain, "no_colour")
    burin.report(on_terminal([burin.BURIN, "-r", t, "-n", "90"], {"NO_COLOR": ""}) != plain, "no_colour_empty")
    json = on_terminal([burin.BURIN, "-j", "-r", t, "-n", "90"])
    burin.report(json == burin.run(["-j", "-r", t, "-n", "90"])[1], "terminal_json")


def part_progress():
    for name, args in (("small", ["net"]), ("large", ["churn"]), ("chisel", ["churn", "-c", "topprocs_file"])):
        t = burin.trace("old", args[0])
        args = ["-P", "-q", "-r", t] + args[1:]
        if not burin.have_peer():
            burin.skip("progress_" + name, "sysdig 0.29.3 is not installed")
            continue
        # It reads ahead: the figures differ by what that makes, the other bytes do not.
        a, b = sysdig(args)[2], burin.run(["--compat=0.29"] + args)[2]
        figure = re.compile(rb"\d+\.\d\d")
        close = len(figure.findall(a)) == len(figure.findall(b)) and all(
            abs(float(x) - float(y)) < 100.0 * 131072 / os.path.getsize(t) for x, y in
            zip(figure.findall(a), figure.findall(b)))
        shape = [figure.sub(lambda m: b"#" * len(m.group()), x) for x in (a, b)]
        burin.report(close and shape[0] == shape[1], "progress_" + name, repr(b))
    t = burin.trace("old", "churn")
    got = {burin.run(["-P", "-q", "--workers=%d" % w, b, "-r", t])[2] for w in (1, 3)
           for b in ("--batch-events=11", "--batch-bytes=5000", "--batch-bytes=1G")}
    burin.report(len(got) == 1, "progress_engines")
    at, _, n = [x for x in scapread.blocks(scapread.load(t)) if x[1] in scapread.EVENT_BLOCKS][99]
    want = b"\r\r\r%.2f\n" % (100.0 * (at + n) / os.path.getsize(t))
    burin.report(burin.run(["-P", "-q", "-n", "100", "-r", t])[2] == want, "progress_n")
    two = burin.run(["-P", "-q", "-r", t, "-r", t])[2]
    burin.report(two == 2 * burin.run(["-P", "-q", "-r", t])[2], "progress_two_files")


ERRORS = [
    ("n_zero", ["-n", "0"], b"invalid event count 0"),
    ("n_text", ["-n", "abc"], b"can't parse the -n argument, make sure it's a number"),
    ("n_tail", ["-n", "5x"], b"can't parse the -n argument, make sure it's a number"),
    ("M_zero", ["-M", "0"], b"invalid duration 0"),
    ("M_text", ["-M", "abc"], b"invalid duration abc"),
    ("M_negative", ["-M", "-1"], b"invalid duration -1"),
    ("t_letter", ["-t", "x"], b"invalid modifier for flag -t"),
    ("t_long", ["-t", "hh"], b"invalid modifier for flag -t"),
    ("t_empty", ["-t", ""], b"invalid modifier for flag -t"),
    ("buffers_xA", ["-x", "-A"], b"you cannot specify more than one output format"),
    ("buffers_Ab", ["-A", "-b"], b"you cannot specify more than one output format"),
    ("buffers_bX", ["-b", "-X"], b"you cannot specify more than one output format"),
    ("format_empty", ["-p", ""], b"empty formatting token"),
    ("format_percent", ["-p", "%"], b"formatting cannot end with a %"),
    ("format_number", ["-p", "%10"], b"formatting cannot end with a number"),
    ("format_field", ["-p", "%foo.bar"], b"unknown field 'foo.bar'"),
    ("filter_field", ["evt.foo=1"], b"filter:1: unknown field 'evt.foo'"),
    ("option", ["--nonsense"], b"unknown or ambiguous option '--nonsense'"),
    ("argument", ["-p"], b"option '-p' needs an argument"),
    ("log_level", ["--log-level", "loud"], b"invalid log level 'loud'"),
    ("rotation", ["-C", "5", "-w", "x"], b"rotation of written files"),
    ("gvisor", ["-g", "x"], b"gVisor sources do not exist here"),
    ("plugin", ["-H", "x"], b"plugins do not exist here"),
    ("compat", ["--compat=0.30"], b"'0.30' is not known"),
    ("chisel", ["-c", "no_such_chisel"], b"can't find chisel no_such_chisel"),
    ("help", ["--help=some"], b"'some' is not known"),
]


def part_errors():
    t = burin.trace("old", "net")
    for name, args, text in ERRORS:
        r = burin.run((["-r", t] if name != "argument" else []) + args)
        ok = r[0] == 1 and r[2].startswith(b"burin: ") and text in r[2].splitlines()[0] and not r[1]
        burin.report(ok, "error_" + name, "" if ok else "exit %d %r" % (r[0], r[2][:200]))
    r = burin.run(["-P", "evt.type=open"])
    burin.report(r[0] == 1 and b"-P flag cannot be used with live captures" in r[2], "error_progress_live")
    for name, path, text in (("missing", "/nonexistent/x", b"can't open file /nonexistent/x"),
                             ("not_a_trace", "/etc/passwd", b"invalid block type"),
                             ("empty", "/dev/null", b"expected 28 bytes, got 0")):
        r = burin.run(["-r", path])
        burin.report(r[0] == 1 and text in r[2], "error_file_" + name, repr(r[2][:200]))
    # The second file is wrong: the first one is shown.
    r = burin.run(["-r", t, "-r", "/nonexistent/x"])
    burin.report(r[0] == 1 and r[1] == burin.run(["-r", t])[1], "error_second_file")


def part_accepted():
    """Options that mean nothing for a trace file change nothing."""
    t = burin.trace("old", "net")
    want = burin.run(["-r", t])
    for args in (["--large-environment"], ["--page-faults"], ["--cri", "/x"], ["--cri-timeout", "5"], ["-s", "100"],
                 ["--log-level", "debug"], ["-F"], ["--no-fatfile"], ["-z"], ["--unbuffered"], ["--read", t, "-n", "9999"][2:]):
        burin.report(burin.run(["-r", t] + args) == want, "accepted_" + "_".join(args).replace("/", ""))
    for args in (["--readfile", t], ["--read=" + t], ["-r" + t]):
        burin.report(burin.run(args) == want, "spelled_" + args[0][:6])
    burin.report(burin.run(["evt.type=open", "-r", t, "or", "evt.type=close"]) ==
                 burin.run(["-r", t, "evt.type=open or evt.type=close"]), "words_anywhere")


def part_display():
    """-d: only the printing is filtered."""
    for trace in ("churn", "redis"):
        t = burin.trace("old", trace)
        if not t:
            continue
        flt = "evt.type in (read,write)"
        for name, args in (("lines", [flt]), ("n", ["-n", "300", flt]), ("M", ["-M", "2", flt]),
                           ("chisel", ["-c", "stdout", flt])):
            peer("display_%s_%s" % (trace, name), ["-r", t, "-d"] + args)
        # Distances are those to the last event that could be shown, printed or not.
        for name, args in (("delta_time", ["-t", "D"]), ("delta", ["-p", "%evt.num %evt.deltatime %fd.name"])):
            peer("display_%s_%s" % (trace, name), ["-r", t, "-d"] + args + ["evt.type=close"])
        counts = [sorted(burin.run(["-r", t, "-q", "-S"] + x)[1].splitlines()) for x in ([], ["-d", flt])]
        burin.report(counts[0] == counts[1], "display_%s_summary" % trace)
        for m in ("1", "2"):
            peer("seconds_%s_%s" % (trace, m), ["-r", t, "-M", m, "-p", NUM])


SINGLE = [["-t", "a"], ["-t", "r"], ["-t", "d"], ["-t", "D"], ["-j"], ["-v"], ["-A"], ["-b"], ["-x"], ["-X"], ["-D"], ["-d"],
          ["--unbuffered"], ["-R"], ["-S"], ["-q"], ["-P"], ["-pc"], ["-pk"], ["-pm"], ["-E"], ["-n", "900"],
          ["-p", "*%evt.num %evt.outputtime %fd.name %evt.args"]]
BUFFERS = {"-A", "-b", "-x", "-X"}
# Every form of a format; what is wrong with one is an error in both.
FORMATS = ["%evt.num", "%5evt.num|", "%1proc.name|", "%0evt.num|", "*%20fd.name|%3evt.type|", "%evt.num%evt.type",
           "%evt.num\\n%evt.type\\t|\\\\ \\q", "%evt.num %%", "%%evt.num", "*%fd.name", "%fd.name", "%-20evt.num",
           "%evt.num text only", "just text", "*", "* %evt.num", "**%evt.num", "%evt.arg.fd", "*%evt.arg[1]",
           "%proc.aname[2]", "*%proc.aname[50]", "%evt.arg[100]", "%evt.arg", "%fd.ip", "%fd.net", "%thread.cgroup.cpu",
           "*%thread.cgroup", "%evt.numx", "%evt.nu", "%EVT.NUM", "%evt.num.", "%200evt.num|", "%65000evt.num|",
           "%evt.deltatime", "%evt.count %evt.num", "*%evt.latency.quantized",
           "%evt.latency.s.%evt.latency.ns", "%evt.time.iso8601", "%evt.datetime", "%evt.datetime.s",
           "%evt.rawtime.s %evt.rawtime.ns %evt.reltime.s", "%evt.abstime", "*%evt.buffer", "%\u00e9%evt.num",
           "%evt.num \"q\" 'x'", "%2", "%", "%evt.num%", "%evt.num %5", "*%evt.info|%evt.args", "%proc.env",
           "*%user.name[0]", "%evt.num[0]", "%fd.name[1]"]


def same_of(trace, cases):
    """A job: how many of the option lists print the same, and those that do not."""
    bad = []
    for args in cases:
        a, b = sysdig(["-r", trace] + args), burin.run(["--compat=0.29", "-r", trace] + args)
        a, b = ([x[0], x[1]] for x in (a, b))
        if "-S" in args:  # rows of equal count change places there
            a[1], b[1] = (sorted(x.splitlines()) for x in (a[1], b[1]))
        if a != b:
            bad.append(" ".join(args))
    return len(cases) - len(bad), bad


def all_same(name, trace, cases):
    if not trace or not burin.have_peer():
        burin.skip(name, "sysdig 0.29.3 is not installed, or the trace is not here")
        return
    done = [r or (0, ["a job failed"]) for r in burin.parallel(
        [(same_of, (trace, cases[i:i + 16])) for i in range(0, len(cases), 16)])]
    bad = sum((b for _, b in done), [])
    burin.report(not bad, name, "identical: %d of %d %s" % (sum(n for n, _ in done), len(cases), "; ".join(bad[:5])))


def part_pairs():
    t = burin.public("curl_google") or burin.trace("old", "net")
    pairs = [a + b for a, b in itertools.combinations(SINGLE, 2) if a[0] != b[0] and not {a[0], b[0]} <= BUFFERS]
    all_same("options_alone", t, SINGLE)
    all_same("options_pairs", t, pairs)
    # Without a colour: JSON is not followed by a reset of it.
    all_same("formats", t, [["-n", "300", "-p", f] for f in FORMATS])
    all_same("formats_json", t, [["-n", "300", "-j", "-p", f] for f in FORMATS])


def part_help():
    r = burin.run(["--help"])
    lines = r[1].decode().splitlines()
    burin.report(r[0] == 0 and len(lines) <= 24 and max(map(len, lines)) < 80, "help_screen",
                 "%d lines of at most %d" % (len(lines), max(map(len, lines))))
    everything = burin.run(["--help=all"])[1].decode()
    missing = [o for o in re.findall(r"(?<![\w-])-{1,2}[a-zA-Z][\w-]*", r[1].decode()) if not re.search(
        r"(?m)(^|[ ,])" + re.escape(o) + r"\b", everything) and o not in ("-pc", "-lv", "-cl")]
    burin.report(not missing, "help_agrees", " ".join(missing))
    burin.report(burin.run(["-h"]) == r and burin.run(["--version"])[1].startswith(b"burin version "), "help_short")
    burin.report(burin.run(["--libs-version"])[1].startswith(b"libburin version "), "libs_version")


def part_lists():
    """-L: byte for byte as sysdig prints it; as JSON the same events."""
    peer("events", ["-L"])
    for args in ([], ["--compat=0.29"]):
        text = burin.run(["-L"] + args)[1].decode().splitlines()
        rows = json.loads(burin.run(["-L", "-j"] + args)[1])
        same = ["%s %s(%s)" % (r["dir"], r["name"], ", ".join("%s %s" % (p["type"], p["name"]) for p in r["params"]))
                for r in rows]
        burin.report(same == text and text, "events_json" + "".join(args)[2:8], "%d events" % len(text))
    table = scapgen.load_events()
    rows = json.loads(burin.run(["-L", "-j"])[1])
    bad = [r for r in rows if table[r["enum"]].code != r["code"]]
    burin.report(rows and not bad, "events_codes", repr(bad[:2]) if bad else "")
    options = json.loads(burin.run(["--help=all", "-j"])[1])
    burin.report(any(o["long"] == "readfile" and o["short"] == "r" and o["arg"] == 1 for o in options), "options_json")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--burin")
    a = p.parse_args()
    if a.burin:
        burin.BURIN = a.burin
    part_suppress()
    with tempfile.TemporaryDirectory() as d:
        part_suppress_list(d)
    part_tables()
    part_terminal()
    part_progress()
    part_errors()
    part_accepted()
    part_display()
    part_pairs()
    part_help()
    part_lists()
    burin.finish()


if __name__ == "__main__":
    main()
