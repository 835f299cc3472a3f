#!/usr/bin/env python3
"""Written traces (-w): what goes in comes out, for every generation, packing and number of workers.

usage: roundtrip.py [--burin PATH] [--small] [PART...]

Parts: copy, engines, compat, filters, fat, proclist, limits, faults, misc."""

import argparse
import filecmp
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin     # noqa: E402
import scapgen   # noqa: E402
import scapmeta  # noqa: E402
import scapread  # noqa: E402

NAMES = ("net", "churn", "files", "redis")
DIR = None


def path(name):
    """A file of this process: jobs run in several."""
    d = os.path.join(DIR, str(os.getpid()))
    os.makedirs(d, exist_ok=True)
    return os.path.join(d, name)


def traces(generations=("old", "mid", "new"), names=NAMES, public=True):
    """(label, generation, path, path without compression) of what is there."""
    out = [("%s_%s" % (g, n), g, burin.trace(g, n)) for g in generations for n in names]
    if public:
        out += [(n, "public", burin.public(n)) for n in burin.PUBLIC]
    return [x for x in out if x[2]]


def write(trace, out, *args):
    """Runs burin -w; true if it ended well."""
    r = burin.run(["-r", trace, "-w", out] + list(args))
    if r[0]:
        burin.say("  burin -r %s %s: exit %d %s" % (trace, " ".join(args), r[0], r[2].decode()[-200:]))
    return r[0] == 0


def sysdig(*args):
    r = subprocess.run(["sysdig"] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=dict(os.environ, TZ="UTC"), timeout=120)
    return r.returncode, r.stdout


def read(p):
    with open(p, "rb") as f:
        return f.read()


# ---- copies ------------------------------------------------------------------------------------------

def tshark_frames(p):
    r = subprocess.run(["tshark", "-r", p], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    return r.returncode, r.stdout.count(b"\n"), r.stderr.decode()[-200:]


def copy_of(label, generation, trace):
    u, v = path("u"), path("v")
    if not write(trace, u) or not write(u, v):
        burin.report(False, "copy_" + label)
        return
    a, b = burin.run(["-r", trace])[1], burin.run(["-r", u])[1]
    burin.report(a == b and a, "copy_" + label, "%d bytes of lines" % len(a))
    burin.report(read(u) == read(v), "again_" + label, "%d bytes" % os.path.getsize(u))
    if generation != "public":
        # These hold nothing that would be written otherwise.
        burin.report(read(u) == read(trace), "same_bytes_" + label)
    if generation in ("old", "public"):
        if burin.have_peer():
            burin.report(sysdig("-r", trace) == sysdig("-r", u), "peer_" + label)
        else:
            burin.skip("peer_" + label, "sysdig 0.29.3 is not installed")
    if shutil.which("tshark"):
        n = len(scapmeta.load(u)[3])
        code, frames, err = tshark_frames(u)
        burin.report(code == 0 and frames == n, "tshark_" + label, "%d frames of %d %s"
                     % (frames, n, err if code else ""))
    else:
        burin.skip("tshark_" + label, "tshark is not installed")


def part_copy():
    return [(copy_of, t) for t in traces()]


# ---- the same bytes, however they were made ---------------------------------------------------------------

ENGINES = [["--workers=%d" % w] + b for w in (1, 2, 3, 8)
           for b in ([], ["--batch-events=13"], ["--batch-bytes=5000"], ["--batch-bytes=1G"])]
WRITES = [("plain", []), ("gzip", ["-z"]), ("zstd", ["--zstd"]), ("filter", ["fd.name contains lib"]),
          ("fat", ["-F", "evt.type=read or evt.latency>1000"]), ("fatgzip", ["-z", "-F", "proc.name=bash"]),
          ("n", ["-n", "1500"]), ("nfat", ["-n", "150", "-F", "evt.dir=<"]), ("M", ["-M", "1"]),
          ("delta", ["-F", "evt.deltatime>100000"]), ("compat", ["--compat=0.29"]),
          ("proclist", ["--filter-proclist", "fd.num=1"]), ("chisel", ["-c", "topfiles_bytes", "evt.dir=<"])]


def engines_of(label, trace, name, args, engines):
    want, wrong = None, []
    for engine in engines:
        ok = write(trace, path("u"), *(engine + args))
        got = read(path("u")) if ok else None
        want = want or got
        if not ok or got != want:
            wrong.append(" ".join(engine))
    burin.report(not wrong and want, "engines_%s_%s" % (label, name), "%d engines, %d bytes %s"
                 % (len(engines), len(want or b""), "; ".join(wrong[:3])))


def part_engines(small):
    return [(engines_of, (label, trace, name, args, ENGINES[:4] if small else ENGINES))
            for label, _, trace in traces(("old", "new"), ("churn",) if small else ("net", "churn"), False)
            for name, args in WRITES]


def packed(label, trace, kind, arg, unpack):
    ok = write(trace, path("u"), arg)
    with open(path("u"), "rb") as f, open(path("v"), "wb") as g:
        code = subprocess.run(unpack, stdin=f, stdout=g).returncode
    same = filecmp.cmp(path("v"), trace, shallow=False)
    burin.report(ok and code == 0 and same, "packed_%s_%s" % (label, kind),
                 "%d of %d bytes" % (os.path.getsize(path("u")), os.path.getsize(trace)))


def part_packing(large):
    """Members and frames: what another program makes of them, and cut where they should be."""
    kinds = (("gzip", "-z", ["gzip", "-dc"]), ("zstd", "--zstd", ["zstd", "-dqc"]))
    return [(packed, (label, trace) + kind) for label, _, trace in
            traces(("old",), (("mix",) if large else ()) + ("net", "churn"), False) for kind in kinds] + [(members, ())]


def members():
    small = burin.trace("old", "churn")
    write(small, path("u"), "-z")
    parts, rest = [], read(path("u"))
    while rest:
        z = zlib.decompressobj(31)
        parts.append(len(z.decompress(rest)))
        rest = z.unused_data
    burin.report(len(parts) > 2 and set(parts[:-1]) == {1 << 20}, "members", "%d members" % len(parts))


# ---- what 0.29.3 would write ---------------------------------------------------------------------------------

def known_differences(ours, theirs):
    """Differences between two written traces that have a rule; None if one has none."""
    rules = {}

    def count(rule):
        rules[rule] = rules.get(rule, 0) + 1

    a, b = scapmeta.load(ours), scapmeta.load(theirs)
    if a[3] != b[3] or a[1] != b[1] or len(a[0]) != len(b[0]):
        return None
    for x, y in zip(a[0], b[0]):
        tail = x.pop("tail"), y.pop("tail")
        if x != y:
            return None
        # 0.29.3 reads the tail of later writers with its own layout.
        if tail[0] != tail[1]:
            if len(tail[0]) != 5 or len(tail[1]) != 5:
                return None
            count("process-list tail")
    if a[2] != b[2]:
        return None
    return rules


def iface_fix(data):
    """0.29.3 forgets 20 bytes in the length of a list of interfaces that was version 1: what it should be."""
    at = 28 + 192
    kind, n = struct.unpack_from("<II", data, at)
    if kind != 0x219 or struct.unpack_from("<I", data, at + n - 4)[0] == n:
        return data
    for right in range(n + 4, n + 4096, 4):
        if struct.unpack_from("<I", data, at + right)[0] in (0x220, 0x215) and \
                struct.unpack_from("<I", data, at + right - 4)[0] == n:
            fixed = struct.pack("<I", right)
            return data[:at + 4] + fixed + data[at + 8:at + right - 4] + fixed + data[at + right:]
    return data


def compat_of(label, trace):
    u, v = path("u"), path("v")
    code, _ = sysdig("-r", trace, "-w", v)
    ok = write(trace, u, "--compat=0.29") and code == 0
    theirs = read(v)
    fixed = iface_fix(theirs)
    with open(v, "wb") as f:
        f.write(fixed)
    rules = known_differences(u, v) if ok else None
    if rules is not None and fixed != theirs:
        rules["list of interfaces"] = 1
    same = rules is not None and (rules or read(u) == fixed)
    burin.report(ok and same, "compat_" + label, "%d bytes, masked (%s)"
                 % (len(fixed), ", ".join("%s: %d" % kv for kv in (rules or {}).items()) or "none"))


def part_compat():
    if not burin.have_peer():
        burin.skip("compat", "sysdig 0.29.3 is not installed")
        return []
    return [(compat_of, (label, trace)) for label, _, trace in traces(("old",))] + [
        (opens, (label, trace)) for label, _, trace in traces(("mid", "new"), public=False)]


def opens(label, trace):
    """Later generations crash 0.29.3 as they are: written for it, they open, and show what --compat=0.29 shows."""
    ok = write(trace, path("u"), "--compat=0.29")
    code, out = sysdig("-r", path("u"), "-p", "*%evt.num %evt.type %evt.dir %proc.name %thread.tid")
    want = burin.run(["--compat=0.29", "-r", trace, "-p", "*%evt.num %evt.type %evt.dir %proc.name %thread.tid"])
    again = burin.run(["--compat=0.29", "-r", path("u")])[1] == burin.run(["--compat=0.29", "-r", trace])[1]
    same = sum(x == y for x, y in zip(out.splitlines(), want[1].splitlines()))
    n = want[1].count(b"\n")
    burin.report(ok and code == 0 and again and n == out.count(b"\n"), "opens_" + label,
                 "identical: %d of %d lines" % (same, n))


# ---- filters ----------------------------------------------------------------------------------------------------

FILTERS = [
    "evt.type=open", "evt.type=read", "evt.type=openat and evt.dir=<", "proc.name=bash", "proc.name!=bash",
    "proc.pid=1", "evt.dir=>", "evt.dir=<", "fd.num=3", "fd.name contains lib", "evt.is_io=true",
    "evt.category=file", "evt.failed=true", "proc.name in (sleep,nc,cat) and evt.type in (read,write)", "evt.cpu=0",
    "evt.rawres<0", "evt.type=execve", "fd.type=file", "evt.buflen>100", "not evt.type in (read,write,mmap)",
    "user.uid=0", "evt.type=clone or evt.type=procexit", "proc.name startswith py", "evt.arg.name contains etc",
    "fd.name=/dev/null", "evt.latency>100000", "evt.type=futex", "evt.type=switch", "proc.exe contains bin",
    "evt.deltatime>100000", "container.id=host", "proc.aname=bash and fd.type in (file,unix)",
    "not (fd.name contains lib or proc.name=cat) and evt.dir=<",
]


class Numbered:
    """Event blocks of a trace by number, and numbers of what a file kept of them."""

    def __init__(self, trace):
        self.evs = scapmeta.load(trace)[3]
        self.at = {}
        for i, b in enumerate(self.evs):
            self.at.setdefault(b, []).append(i + 1)

    def numbers(self, blocks):
        """Numbers of blocks that are a part of the trace in its order; None if they are not."""
        out, last = [], 0
        for b in blocks:
            n = next((i for i in self.at.get(b, ()) if i > last), None)
            if n is None:
                return None
            out.append(n)
            last = n
        return out


def peer_selects(trace, flt):
    """Numbers of the events that sysdig's filter lets through when all events are there (-d)."""
    code, out = sysdig("-r", trace, "-d", "-D", "-p", "@%evt.num", flt)
    return {int(x[1:]) for x in out.split() if x[:1] == b"@" and x[1:].isdigit()}


def filter_of(label, case, trace, flt):
    """Against sysdig -w with the same filter. What only one of us keeps needs a reason: the pairing that
    sysdig's capture filter loses (then sysdig -d has it), or a text of zero length."""
    ok = write(trace, path("u"), "--compat=0.29", flt)
    sysdig("-r", trace, "-w", path("v"), flt)
    a, b = (case.n.numbers(scapmeta.load(path(p))[3]) for p in ("u", "v"))
    if not ok or a is None or b is None:
        return False, {}, 0
    rules = {}
    a, b = set(a), set(b)
    if a != b:
        full = peer_selects(trace, flt)
        for n in a ^ b:
            if (n in a) == (n in full):
                rule = "filters and pairing"
            elif case.empty_text(n):
                rule = "zero-length text"
            else:
                burin.say("  %s: %s: event %d is in %s only" % (label, flt, n, "ours" if n in a else "theirs"))
                return False, rules, len(a)
            rules[rule] = rules.get(rule, 0) + 1
    return True, rules, len(a)


class FilterCase:
    def __init__(self, trace):
        self.n = Numbered(trace)
        self.types = {ev.code: ev for ev in scapgen.load_events().values()}
        self.events = scapread.Events(trace, len(self.types), self.types)

    def empty_text(self, num):
        code, params = self.events.params(num)
        kinds = [p[1] for p in self.types[code].params_029 or []]
        return any(not raw and kind in ("CHARBUF", "FSPATH", "FSRELPATH") for kind, raw in zip(kinds, params))


def part_filters(small):
    if not burin.have_peer():
        burin.skip("filters", "sysdig 0.29.3 is not installed")
        return []
    return [(filter_report, (label, case, trace, flt))
            for label, _, trace in traces(("old",), ("net",) if small else ("net", "churn"), False)
            for case in [FilterCase(trace)] for flt in FILTERS]


def filter_report(label, case, trace, flt):
    ok, rules, n = filter_of(label, case, trace, flt)
    burin.report(ok, "filter_%s_%s" % (label, flt.replace(" ", "_")), "%d events, masked (%s)"
                 % (n, ", ".join("%s: %d" % kv for kv in rules.items()) or "none"))


# ---- fat files ------------------------------------------------------------------------------------------------------

def unnumbered(out):
    return [x.split(b" ", 1)[-1] for x in out.split(b"\n")]


# Latency of a switch is that of the thread's call before it, whatever that was: not kept.
RICH = ("*%evt.num %evt.type %evt.dir %evt.cpu %proc.name %proc.pname %proc.cwd %fd.name %fd.num %fd.type %evt.failed "
        "%evt.args %proc.nchilds %proc.cmdline %user.name %proc.fdopencount")


def fat_of(label, trace, flt):
    ok = write(trace, path("u"), "-F", flt)
    same = []
    for fmt in ([], ["-p", RICH]):
        a = unnumbered(burin.run(["-r", trace] + fmt + [flt])[1])
        b = unnumbered(burin.run(["-r", path("u")] + fmt)[1])
        same.append(a == b)
        if a != b and ok:
            bad = [(x, y) for x, y in zip(a, b) if x != y][:2] or [(len(a), len(b))]
            burin.say("  %s: %s\n    %s" % (label, flt, "\n    ".join(map(repr, sum(map(list, bad), [])))))
    burin.report(ok and all(same), "fat_%s_%s" % (label, flt.replace(" ", "_")), "%d lines, %d of %d bytes"
                 % (len(a), os.path.getsize(path("u")), os.path.getsize(trace)))


def part_fat(small):
    return [(fat_of, (label, trace, flt)) for label, _, trace in
            traces(names=("net",) if small else ("net", "churn"), public=not small) for flt in FILTERS]


def wider(label, trace):
    """What sysdig -F keeps hidden is kept here too."""
    flt = "evt.type=procexit"
    write(trace, path("u"), "-F", flt)
    sysdig("-r", trace, "-F", "-w", path("v"), flt)
    a, b = ([x for x in scapmeta.load(path(p))[3] if scapmeta.hidden(x)] for p in ("u", "v"))
    burin.report(set(b) <= set(a) and b, "fat_wider_" + label, "%d hidden, sysdig hides %d" % (len(a), len(b)))


def part_fatmore():
    return [(fat_again, (label, trace)) for label, _, trace in traces(("old",), ("net", "churn"), False)]


def fat_again(label, trace):
    if burin.have_peer():
        wider(label, trace)
    else:
        burin.skip("fat_wider_" + label, "sysdig 0.29.3 is not installed")
    # Hidden events stay hidden: copied, and filtered again.
    write(trace, path("u"), "-F", "evt.type in (read,write)")
    write(path("u"), path("v"))
    burin.report(read(path("u")) == read(path("v")), "fat_copied_" + label)
    write(path("u"), path("v"), "-F", "evt.type=read")
    a = unnumbered(burin.run(["-r", trace, "evt.type=read"])[1])
    b = unnumbered(burin.run(["-r", path("v")])[1])
    burin.report(a == b, "fat_twice_" + label)
    write(path("u"), path("v"), "evt.type=read")
    burin.report(not any(map(scapmeta.hidden, scapmeta.load(path("v"))[3])), "fat_dropped_" + label)


# ---- the process list -------------------------------------------------------------------------------------------------

PROCLIST = ["proc.name contains ssh", "fd.num=3", "proc.pid=1", "user.uid=0", "proc.pid!=1", "not proc.name=systemd",
            "proc.aname=systemd", "evt.type!=open", "evt.dir=>", "proc.name exists", "fd.name contains null",
            "evt.num=0", "not fd.name exists", "proc.pname=systemd", "fd.num=3 and proc.pid=1", "evt.cpu=0",
            "proc.name=redis-server", "fd.type=unix", "thread.tid=17830"]


def proclist_of(label, trace, flt):
    name = "proclist_%s_%s" % (label, flt.replace(" ", "_"))
    if not burin.have_peer():
        burin.skip(name, "sysdig 0.29.3 is not installed")
        return
    ok = write(trace, path("u"), "--filter-proclist", "--compat=0.29", flt)
    ours = scapmeta.load(path("u"))
    sysdig("-r", trace, "--filter-proclist", "-w", path("v"), flt)
    theirs = scapmeta.load(path("v"))
    same = [t["tid"] for t in ours[0]] == [t["tid"] for t in theirs[0]] and ours[1] == theirs[1]
    burin.report(ok and same, name, "%d threads, %d descriptors" % (len(ours[0]), sum(len(f) for _, f in ours[1])))


def part_proclist():
    return [(proclist_made, ())] + [(proclist_of, (os.path.basename(t)[:10], t, flt)) for t in
                                    (burin.public("single_ipv6_conn"), burin.trace("old", "redis")) if t
                                    for flt in PROCLIST]


def proclist_made():
    t = scapgen.Trace().thread(10, comm="kworker").thread(11, comm="app", fds={0: scapgen.file_fd("/dev/null"), 1:
                                                                              scapgen.file_fd("/tmp/x")})
    t.open(11, 3, "/etc/passwd").write(path("t"))
    for args, want in (([], [10]), (["--compat=0.29"], [])):
        write(path("t"), path("u"), "--filter-proclist", "proc.name=kworker", *args)
        burin.report([x["tid"] for x in scapmeta.load(path("u"))[0]] == want, "proclist_bare" + "".join(args)[2:8])
    write(path("t"), path("u"), "--filter-proclist", "fd.name=/tmp/x")
    got = scapmeta.load(path("u"))
    burin.report([x["tid"] for x in got[0]] == [11] and [len(f) for _, f in got[1]] == [1], "proclist_one_fd")


# ---- limits, sections, several files, faults ------------------------------------------------------------------------------

def part_limits():
    trace = burin.trace("old", "net")
    for args in (["-n", "300"], ["-n", "5", "evt.type=read"], ["-n", "1"], ["-d", "evt.type=read"],
                 ["-d", "-n", "400", "proc.name=nc"], ["-n", "100000"], ["-n", "40", "-F", "evt.type=connect"]):
        name = "limits_" + "".join(args).replace("-", "").replace(" ", "")
        if not burin.have_peer():
            burin.skip(name, "sysdig 0.29.3 is not installed")
            continue
        ok = write(trace, path("u"), "--compat=0.29", *args)
        sysdig("-r", trace, "-w", path("v"), *args)
        a, b = (scapmeta.load(path(p))[3] for p in ("u", "v"))
        if "-F" in args:
            a, b = ([x for x in blocks if not scapmeta.hidden(x)] for blocks in (a, b))
        burin.report(ok and a == b and a, name, "%d events" % len(a))


def part_sections():
    a, b = burin.trace("old", "net"), burin.trace("old", "churn")
    both = read(a) + read(b)
    with open(path("t"), "wb") as f:
        f.write(both)
    ok = write(path("t"), path("u"), "--workers=3")
    burin.report(ok and read(path("u")) == both, "sections")
    r = burin.run(["-r", a, "-r", b, "-w", path("u")])
    burin.report(r[0] == 0 and read(path("u")) == both, "several_files")
    # A filter that needs the state of the second section.
    write(path("t"), path("u"), "-F", "proc.name=churn.sh")
    x = unnumbered(burin.run(["-r", path("t"), "proc.name=churn.sh"])[1])
    burin.report(x == unnumbered(burin.run(["-r", path("u")])[1]) and len(x) > 10, "sections_fat")


def fails(name, args, code, text, **kw):
    r = burin.run(args, **kw)
    burin.report(r[0] == code and text in r[2], name, "" if r[0] == code else "exit %d %s" % (r[0], r[2].decode()))


def part_faults():
    t = burin.trace("old", "net")
    for w in ("1", "3"):
        for z in ([], ["-z"], ["--zstd"]):
            tag = "_%s%s" % (w, "".join(z))
            fails("full" + tag, ["--workers=" + w, "-r", t, "-w", "/dev/full"] + z, 1, b"can't write /dev/full: No space")
            p = subprocess.run("%s --workers=%s -r %s -w - %s | head -c 100 | wc -c; echo ${PIPESTATUS[0]}"
                               % (burin.BURIN, w, t, " ".join(z)), shell=True, executable="/bin/bash",
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
            burin.report(p.stdout.split() == [b"100", b"0"], "closed_pipe" + tag)
    fails("no_folder", ["-r", t, "-w", path("nowhere/x")], 1, b"can't open " + path("nowhere/x").encode())
    shutil.copy(t, path("same"))
    fails("same_file", ["-r", path("same"), "-w", path("same")], 1, b"cannot be written as well")
    os.symlink(path("same"), path("link"))
    fails("same_file_link", ["-r", path("same"), "-w", path("link")], 1, b"cannot be written as well")
    burin.report(read(path("same")) == read(t), "same_file_unharmed")
    fails("unreadable_input", ["-r", path("nothing"), "-w", path("same")], 1, b"can't open")
    burin.report(read(path("same")) == read(t), "unreadable_input_unharmed")
    fails("proclist_without_filter", ["-r", t, "--filter-proclist", "-w", path("u")], 1, b"needs a filter")
    fails("two_packings", ["-r", t, "-z", "--zstd", "-w", path("u")], 1, b"only one of")
    with open(path("cut"), "wb") as f:
        f.write(read(t)[:200001])
    for z in ([], ["-z"]):
        fails("damaged_input" + "".join(z), ["-r", path("cut"), "-w", path("u")] + z, 1, b"the file ends inside a block")
        whole = scapread.load(path("u"))
        burin.report(read(t).startswith(whole) and len(whole) > 199000, "damaged_input_kept" + "".join(z))


def part_misc():
    t = burin.trace("old", "net")
    r = burin.run(["-r", t, "-w", "-"])
    burin.report(r[0] == 0 and r[1] == read(t), "standard_output")
    burin.report(r[2].endswith(b"100.00\n"), "progress_is_implied")
    want = burin.run(["-r", t, "-c", "topprocs_file"])[1]
    got = burin.run(["-r", t, "-c", "topprocs_file", "-w", path("u")])
    burin.report(got[1] == want and read(path("u")) == read(t), "with_chisel")
    # A chisel that needs few event types does not decide what is written.
    burin.run(["-r", t, "-c", "topprocs_file", "-w", path("u"), "evt.type!=read"])
    burin.run(["-r", t, "-w", path("v"), "evt.type!=read"])
    burin.report(read(path("u")) == read(path("v")), "chisel_and_filter")
    r = burin.run(["-r", t, "-w", path("u"), "-S", "evt.type=read"])
    burin.report(b"> read" in r[1] and r[1] == burin.run(["-r", t, "-q", "-S", "evt.type=read"])[1], "with_summary")
    # Version 1 becomes version 2, bad trailers are put right, unknown types are left out, dump flags stay.
    s = scapgen.Trace().thread(7).open(7, 3, "/x")
    body = struct.pack("<HQqIH", 0, scapgen.T0 + 5000, 7, 22 + 2 + 8, 5) + struct.pack("<H", 8) + struct.pack("<q", -9)
    s.block(scapgen.EV1, body)
    s.block(scapgen.EV2, struct.pack("<HQqIHI", 0, scapgen.T0 + 6000, 7, 26 + 2 + 8, 5, 1) + struct.pack("<Hq", 8, 0),
            trailer=False)
    s.raw(4000, 7, [b"abc"])
    s.ev("SYSCALL_CLOSE_X", 7, 0, dump=2)
    s.ev("SYSCALL_CLOSE_X", 7, 0, dump=0)
    s.write(path("t"))
    write(path("t"), path("u"))
    evs = scapmeta.load(path("u"))[3]
    kinds = [struct.unpack_from("<I", b)[0] for b in evs]
    burin.report(kinds == [0x216] * 4 + [0x217, 0x216] and all(b[4:8] == b[-4:] for b in evs), "block_versions",
                 " ".join("%x" % k for k in kinds))
    burin.report(burin.run(["-r", path("u")])[1] == burin.run(["-r", path("t")])[1], "block_versions_lines")
    compat_values()


def compat_values():
    """--compat=0.29: what 0.29.3 cannot read is written as what it can."""
    s = scapgen.Trace()
    s.thread(7, fds={0: scapgen.named_fd(20, "memfd:x"), 1: scapgen.named_fd(7, "pipe:[1]"), 2: scapgen.named_fd(21, "[pidfd]")})
    for code in (0, 1):
        s.raw(code, 7, [struct.pack("<H", 450), struct.pack("<H", 462)])
        s.raw(code, 7, [struct.pack("<H", 14), struct.pack("<H", 39)])
    s.ev("SYSCALL_MEMFD_CREATE_X", 7, 5, "x", 0)
    s.open(7, 3, "/x").write(path("t"))
    ids = []
    for args in ([], ["--compat=0.29"]):
        write(path("t"), path("u"), *args)
        got = scapmeta.load(path("u"))
        ids.append([struct.unpack_from("<HH", b, 40) for b in got[3] if struct.unpack_from("<H", b, 30)[0] < 2])
        ids.append([e[20] for _, f in got[1] for e in f])
        ids.append(len(got[3]))
    burin.report(ids == [[(450, 462), (14, 39)] * 2, [20, 7, 21], 7, [(0, 462), (14, 39)] * 2, [10, 7, 10], 6],
                 "compat_values", repr(ids))
    if burin.have_peer():
        burin.report(sysdig("-r", path("u"))[0] == 0, "compat_values_open")


def main():
    global DIR
    p = argparse.ArgumentParser()
    p.add_argument("--burin")
    p.add_argument("--small", action="store_true", help="fewer traces and engines (sanitizer runs)")
    p.add_argument("--large", action="store_true", help="the large trace too")
    p.add_argument("part", nargs="*")
    a = p.parse_args()
    if a.burin:
        burin.BURIN = a.burin
    parts = {"packing": lambda: part_packing(a.large), "copy": part_copy, "engines": lambda: part_engines(a.small),
             "compat": part_compat, "filters": lambda: part_filters(a.small), "fat": lambda: part_fat(a.small),
             "fatmore": part_fatmore, "proclist": part_proclist}
    for fn in (part_limits, part_sections, part_faults, part_misc):
        parts[fn.__name__[5:]] = lambda fn=fn: [(fn, ())]
    with tempfile.TemporaryDirectory() as d:
        DIR = d
        burin.parallel([job for name in a.part or parts for job in parts[name]()])
    burin.finish()


if __name__ == "__main__":
    main()
