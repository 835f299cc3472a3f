#!/usr/bin/env python3
"""Commands made at random, each run by one worker and again by several with other batch sizes: exit code, stdout, stderr and
written files are the same. Inputs are windows of the bundled traces and mangled copies of those.

usage: twins.py [--seed N] [--count N] [CLASS...]

One PASS line per class of commands. A failure prints the command lines and keeps the traces they read."""
import argparse
import gzip
import json
import os
import random
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402
import scapread  # noqa: E402

BUNDLED = ("old/net", "old/churn", "mid/net", "new/net")
WINDOW = 2500  # events of one input
CHISELS = os.path.join(burin.ROOT, "chisels")
LIBRARIES = {"ansiterminal", "common", "dkjson", "http", "statsd"}
NOT_RUN = {"around", "wsysdig_summary", "udp_extract", "tracers_2_statsd"}  # restart the program, write files, send datagrams
CHISEL_ARGS = {
    "fdbytes_by": ["fd.name"], "fdcount_by": ["fd.type"], "fdtime_by": ["proc.name"], "fileslower": ["0"], "netlower": ["0"],
    "scallslower": ["0"], "spy_ip": ["127.0.0.1"], "spy_port": ["46001"],
    "table_generator": ["evt.type,proc.name Syscall,Process evt.latency Time '' 0 time"],
}
ARGUMENTS = {"index": ["[1]", "[2]"], "opt_index": ["", "[1]"], "name_or_index": ["", "[1]", "[3]"], "param": [".fd", ".res", "[0]"],
             "param_name": [".res", ".size", ".name"], "cgroup": [".cpu"], "src_dst": ["", ".src"], "none": [""], "opt_text": [""]}
NOT_ASKED = re.compile(r"k8s|mesos|marathon|span|evtin|plugin|ip\.name")  # never hold anything here, or ask a name server
CLOCK = re.compile(rb"Elapsed time: [0-9.]+|, [0-9.]+ eps")


# Inputs

def split(path):
    """The blocks in front of the first events, and those of events."""
    data, state, events = scapread.load(path), [], []
    for at, kind, n in scapread.blocks(data):
        (events if kind in scapread.EVENT_BLOCKS else state).append(data[at:at + n])
    return state, events


def tid_at(event):
    return scapread.EVENT_BLOCKS[struct.unpack_from("<I", event)[0]][0] + 8


def reuse_tids(events, r):
    """Many events tell of another thread of the trace than their own."""
    tids = sorted({e[tid_at(e):tid_at(e) + 8] for e in events})
    other = {t: r.choice(tids) for t in tids if r.random() < .5}
    out = []
    for e in events:
        at = tid_at(e)
        out.append(e[:at] + other[e[at:at + 8]] + e[at + 8:] if e[at:at + 8] in other and r.random() < .7 else e)
    return out


def shuffled(events, r):
    events = list(events)
    for _ in range(len(events) // 5):
        a = r.randrange(len(events))
        b = min(len(events) - 1, a + r.randrange(1, 30))
        events[a], events[b] = events[b], events[a]
    return events


MANGLED = {
    "dropped": lambda events, r: [e for e in events if r.random() > .15],
    "shuffled": shuffled,
    "duplicated": lambda events, r: [e for e in events for _ in range(2 if r.random() < .1 else 1)],
    "tids": reuse_tids,
    "sections": lambda events, r: events,
}


class Inputs:
    def __init__(self, folder, r):
        self.folder, self.plain, self.mangled = folder, [], []
        for name in BUNDLED:
            state, events = split(os.path.join(burin.ROOT, "tests/golden/traces", name + ".scap.zst"))
            for k in range(2):
                start = r.randrange(max(1, len(events) - WINDOW)) if k else 0
                part = events[start:start + WINDOW]
                label = "%s_%d" % (name.replace("/", "_"), k)
                self.plain.append(self.write(label, state + part))
                for way in r.sample(sorted(MANGLED), 2):
                    again = state + part[len(part) // 2:] if way == "sections" else []
                    self.mangled.append(self.write("%s_%s" % (label, way), state + MANGLED[way](part, r) + again))
        self.all = self.plain + self.mangled

    def write(self, label, blocks):
        path = os.path.join(self.folder, label + ".scap")
        with open(path, "wb") as f:
            f.write(b"".join(blocks))
        return path


# Commands

class Maker:
    """Words of command lines, from the fields burin lists and the values they have in a trace."""

    def __init__(self):
        self.fields, self.seen = [], {}
        for f in json.loads(burin.run(["-l", "-j"])[1]):
            ways = ARGUMENTS.get(f["argument"])
            if ways and not NOT_ASKED.search(f["name"]):
                self.fields.append((f["name"], ways, f["type"], set(f["flags"])))

    def pick(self, r, without):
        while True:
            name, ways, kind, flags = r.choice(self.fields)
            if not flags & without:
                return name + r.choice(ways), kind

    def format(self, r, most):
        words = ["%" + self.pick(r, {"filter_only"})[0] for _ in range(r.randrange(most))]
        return r.choice(["*", "*", ""]) + r.choice([" ", "|", "\\t"]).join(["%evt.num"] + words)

    def value(self, r, trace, field):
        if (trace, field) not in self.seen:
            out = burin.run(["-r", trace, "-n", "800", "-p", "%" + field])[1].decode("latin-1")
            found = {v for v in out.split("\n") if re.fullmatch(r"[\x21-\x7e]{1,60}", v) and not re.search(r"[()\"'=,\\<>]", v)}
            self.seen[trace, field] = sorted(found)
        return r.choice(self.seen[trace, field] or ["0", "1", "a"])

    def atom(self, r, trace):
        field, kind = self.pick(r, {"print_only", "table_only", "filter_only"})
        v = self.value(r, trace, field)
        if kind == "CHARBUF":
            v = v[r.randrange(len(v)):][:r.randrange(1, 12)] if r.random() < .4 else v
            op = r.choice(["=", "!=", "contains", "startswith", "endswith", "glob", "in", "exists"])
        else:
            op = r.choice(["=", "!=", "exists"] if kind in ("BOOL", "IPADDR", "IPNET") else ["=", "!=", "<", ">=", "in", "exists"])
        return field + {"exists": " exists", "in": " in (%s, %s)" % (v, self.value(r, trace, field))}.get(op, " %s %s" % (op, v))

    def filter(self, r, trace, depth=0):
        if depth > 1 or r.random() < .5:
            text = self.atom(r, trace)
        else:
            parts = ["(%s)" % self.filter(r, trace, depth + 1) for _ in range(r.randrange(2, 4))]
            text = r.choice([" and ", " or "]).join(parts)
        return "not (%s)" % text if r.random() < .2 else text

    @staticmethod
    def options(r):
        some = [(.3, ["--compat=0.29"]), (.15, [r.choice(["-x", "-X", "-A", "-b"])]), (.2, ["-v"]), (.15, ["-j"]), (.15, ["-S"]),
                (.1, ["-d"]), (.1, ["-D"]), (.1, ["-R"]), (.2, ["-t", r.choice("hardD")]), (.1, ["-pc"]), (.1, ["-E"]),
                (.15, ["-n", str(r.randrange(1, 2000))]), (.05, ["-M", "1"])]
        return [w for chance, words in some if r.random() < chance for w in words]

    @staticmethod
    def chisel(r):
        name = r.choice(chisels())
        return ["-c", os.path.join(CHISELS, name + ".lua")] + CHISEL_ARGS.get(name, [])


def chisels():
    names = sorted(n[:-4] for n in os.listdir(CHISELS) if n.endswith(".lua"))
    return [n for n in names if n not in LIBRARIES | NOT_RUN]


def engine(r):
    size = r.choice([[], ["--batch-events=%d" % r.choice([1, 2, 3, 7, 17, 100])], ["--batch-events=%d" % r.choice([1, 7, 50])],
                     ["--batch-bytes=%d" % r.choice([100, 1000, 5000, 100000])]])
    return ["--workers=%d" % r.choice([2, 3, 5, 8, 13])] + size


def lines(m, r, inputs):
    words = m.options(r) + (["-p", m.format(r, 8)] if r.random() < .7 else [])
    return ["-r", r.choice(inputs.plain)] + words


def filters(m, r, inputs):
    trace = r.choice(inputs.plain)
    return ["-r", trace] + m.options(r) + ["-p", m.format(r, 3), m.filter(r, trace)]


def mangled(m, r, inputs):
    trace = r.choice(inputs.mangled)
    return ["-r", trace] + m.options(r) + ["-p", m.format(r, 8)] + ([m.filter(r, trace)] if r.random() < .5 else [])


def one_chisel(m, r, inputs):
    trace = r.choice(inputs.all)
    more = m.chisel(r) if r.random() < .25 else []
    return ["-r", trace] + m.options(r) + m.chisel(r) + more + ([m.filter(r, trace)] if r.random() < .4 else [])


def two_files(m, r, inputs):
    a, b = r.choice(inputs.all), r.choice(inputs.all)
    what = m.chisel(r) if r.random() < .7 else ["-p", m.format(r, 6)]
    return ["-r", a, "-r", b] + m.options(r) + what + ([m.filter(r, a)] if r.random() < .4 else [])


def written(m, r, inputs):
    trace = r.choice(inputs.all)
    words = ["-r", trace] + (["-r", r.choice(inputs.all)] if r.random() < .2 else [])
    words += ["-w", os.path.join(inputs.folder, "written")] + r.choice([[], ["-z"], ["--zstd"]]) + r.choice([[], ["-F"]])
    words += ["-n", str(r.randrange(1, 2000))] if r.random() < .2 else []
    return words + (r.choice([[], ["--filter-proclist"]]) + [m.filter(r, trace)] if r.random() < .7 else [])


def truncated(m, r, inputs):
    """The end of a plain or packed trace is cut off."""
    with open(r.choice(inputs.all), "rb") as f:
        data = r.choice([bytes, gzip.compress, members])(f.read())
    path = os.path.join(inputs.folder, "cut_%08x" % r.getrandbits(32))
    with open(path, "wb") as f:
        f.write(data[:r.randrange(len(data) // 3, len(data))])
    return ["-r", path] + m.options(r) + (m.chisel(r) if r.random() < .4 else ["-p", m.format(r, 4)])


def members(data):
    return b"".join(gzip.compress(data[k:k + 60000], 1) for k in range(0, len(data), 60000))


def every_chisel(m, r, inputs):
    """Two files and each chisel in turn: on_init runs again for the second one."""
    a, b = r.choice(inputs.all), r.choice(inputs.all)
    name = inputs.turn.pop()
    return ["-r", a, "-r", b, "-c", os.path.join(CHISELS, name + ".lua")] + CHISEL_ARGS.get(name, [])


# Runs

def outcome(words, stdin=None):
    """Exit code, stdout, stderr without the clock, and what was written."""
    file = words[words.index("-w") + 1] if "-w" in words else None
    if file and os.path.exists(file):
        os.unlink(file)
    try:
        code, out, err = burin.run(words, stdin=stdin, timeout=60)
    except subprocess.TimeoutExpired:
        return "timeout", b"", b"", b""
    data = b""
    if file and os.path.exists(file):
        with open(file, "rb") as f:
            data = f.read()
    return code, out, CLOCK.sub(b"", err), data


class Tally:
    def __init__(self):
        self.commands = self.good = 0
        self.wrong = []

    def reference(self, words):
        got = outcome(words)
        self.commands += 1
        self.good += got[0] == 0 and bool(got[1] or got[3])
        if got[0] not in (0, 1):
            self.fail("exit %s" % got[0], words, got)
        return got

    def fail(self, why, words, got):
        self.wrong.append(why)
        burin.say("  %s: %s\n    %s" % (why, shlex.join([burin.BURIN] + words), got[2].decode("latin-1")[-1500:]))

    def compare(self, want, words, got, first):
        for k, part in enumerate(("exit code", "stdout", "stderr", "file")):
            if want[k] != got[k]:
                self.fail("%s differs from that of %s" % (part, shlex.join([burin.BURIN] + first)), words, got)
                return False
        return True


def twins(make, count):
    def run(m, r, inputs):
        t = Tally()
        for _ in range(count):
            words = make(m, r, inputs)
            first = ["--workers=1"] + words
            want = t.reference(first)
            for _ in range(2):
                other = engine(r) + words
                if not t.compare(want, other, outcome(other), first):
                    break
        return t
    return run


def unnamed(got, name):
    """The outcome with errors that do not name the input, as it has another name in each packing."""
    return got[0], got[1], got[2].replace(b"burin: %s:" % name.encode(), b"burin: INPUT:"), got[3]


def packed(count):
    """A plain file by one worker; the same packed, by name and through a pipe, by several."""
    zst = lambda data: subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout  # noqa: E731

    def run(m, r, inputs):
        t = Tally()
        for _ in range(count):
            trace = r.choice(inputs.all)
            with open(trace, "rb") as f:
                data = f.read()
            half = len(data) // 2
            way, pack = r.choice([("gzip", gzip.compress), ("members", members), ("zstd", zst),
                                  ("frames", lambda d: zst(d[:half]) + zst(d[half:])), ("plain", bytes)])
            path = "%s.%s" % (trace, way)
            with open(path, "wb") as f:
                f.write(pack(data))
            words = m.options(r) + (m.chisel(r) if r.random() < .3 else ["-p", m.format(r, 5)])
            first = ["--workers=1", "-r", trace] + words
            want = unnamed(t.reference(first), trace)
            other = engine(r) + ["-r", path] + words
            t.compare(want, other, unnamed(outcome(other), path), first)
            cat = subprocess.Popen(["cat", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            other = engine(r) + ["-r", "-"] + words
            t.compare(want, other, unnamed(outcome(other, cat.stdout), "-"), first)
            cat.stdout.close()
            cat.wait()
        return t
    return run


def run_class(name, run, least, seed):
    """One class in a folder of its own; it fails, too, when too few of its commands printed anything."""
    folder = tempfile.mkdtemp(prefix="burin-twins-%s-" % name)
    r = random.Random(zlib.crc32(("%d %s" % (seed, name)).encode()))
    inputs = Inputs(folder, r)
    inputs.turn = chisels()
    t = run(Maker(), r, inputs)
    enough = t.good >= t.commands * least
    burin.report(not t.wrong and enough, "twins_" + name, "%d commands, %d of them printed something%s" % (
        t.commands, t.good, "; %d wrong, seed %d, traces kept in %s" % (len(t.wrong), seed, folder) if t.wrong else ""))
    if not t.wrong:
        shutil.rmtree(folder)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--count", type=int, default=40, help="commands of each class")
    p.add_argument("classes", nargs="*", metavar="CLASS")
    a = p.parse_args()
    # The share of commands that must end well and print: many filters let nothing through, and cut files end in an error.
    classes = {"lines": (twins(lines, a.count), .5), "filters": (twins(filters, a.count), .3),
               "mangled": (twins(mangled, a.count), .4), "chisel": (twins(one_chisel, a.count), .4),
               "two_files": (twins(two_files, a.count), .4), "written": (twins(written, a.count), .6),
               "truncated": (twins(truncated, a.count), 0), "packed": (packed(a.count), .6),
               "every_chisel": (twins(every_chisel, len(chisels())), .6)}
    unknown = set(a.classes) - set(classes)
    if unknown:
        p.error("no such class: %s (there are %s)" % (", ".join(sorted(unknown)), ", ".join(classes)))
    os.environ.pop("SYSDIG_CHISEL_DIR", None)
    burin.parallel((run_class, (n,) + classes[n] + (a.seed,)) for n in classes if n in a.classes or not a.classes)
    burin.finish()


if __name__ == "__main__":
    main()
