#!/usr/bin/env python3
"""Default lines (and options that change them) against sysdig 0.29.3, byte for byte.

For each trace and option set both programs run and their outputs are compared line by line. A line that
differs may only be masked by one of the rules below, and only if the rule's condition is verified on
the trace itself by an independent reader. Prints `identical: N of M lines, K masked (rule: count, ...)`
per case, then PASS or FAIL.

usage: sysdig_lines.py [--args 'OPTIONS'] [--workers N] [--large] [TRACE...]
"""

import argparse
import itertools
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin     # noqa: E402
import scapgen   # noqa: E402
import scapread  # noqa: E402

TEXT_TYPES = {"CHARBUF", "FSPATH", "FSRELPATH", "BYTEBUF"}


def tables():
    by_code = {}
    count029 = 0
    for ev in scapgen.load_events().values():
        by_code[ev.code] = ev
        if ev.params_029 is not None:
            count029 = max(count029, ev.code + 1)
    return by_code, count029


class Case:
    def __init__(self, trace):
        self.trace, self.events = trace, None
        self.by_code, self.count029 = tables()

    def event(self, num):
        if self.events is None:
            self.events = scapread.Events(self.trace, self.count029, self.by_code)
        return self.events.params(num)

    def empty_text_params(self, num):
        """Names of the zero-length text parameters that event num carries."""
        code, params = self.event(num)
        names = []
        for (name, kind), raw in zip(self.by_code[code].params_029 or [], params):
            if kind in TEXT_TYPES and not raw:
                names.append(name)
        return names

    def mask_zero_length(self, ours, theirs):
        """decisions 2: zero-length texts print stale bytes in 0.29.3."""
        m = re.match(rb"(\d+) ", ours)
        if not m or not theirs.startswith(m.group(0)):
            return False
        pattern = re.escape(ours)
        for name in self.empty_text_params(int(m.group(1))):
            n = re.escape(name.encode())
            pattern = re.sub(rb"(?<=\\ )" + n + rb"=(<NA>|NULL|)(?=\\ )", lambda _: n + rb"=.*?", pattern, count=1)
        return pattern != re.escape(ours) and re.fullmatch(pattern, theirs, re.S) is not None

    def mask_overlay(self, ours, theirs):
        """decisions 2: the name of a datagram socket read through the uncleared overlay. Evidence: the peer
        shows an address made of a server socket's port and protocol bytes (port 46004, udp: 180.179.3.0), or an
        ipv6 socket read as an ipv4 one (all zero, the source patched to an interface's address)."""
        name = rb"\(<[46]u>[^)]*\)"
        if re.sub(name, b"()", ours) != re.sub(name, b"()", theirs):
            return False
        ports = {int(x) for x in re.findall(rb":(\d+)", b" ".join(re.findall(name, ours)))}
        for a, b, proto in re.findall(rb"\b(\d+)\.(\d+)\.([23])\.0:", theirs):
            if int(a) + 256 * int(b) in ports:
                return True
        return b"(<6u>" in ours and re.search(rb"\(<4u>[0-9.]+:0->0\.0\.0\.0:0\)", theirs) is not None


RULES = [("zero-length text", Case.mask_zero_length), ("socket overlay", Case.mask_overlay)]


def run(cmd, out):
    env = dict(os.environ, TZ="UTC")
    return subprocess.run(cmd, stdout=out, stderr=subprocess.PIPE, env=env, timeout=900)


START = re.compile(rb"\d+ [0-9:.]+ \d+ ")


def records(f):
    """Printed events: a line that does not start like one belongs to the one before it (-x, -A)."""
    rec = b""
    for line in f:
        if rec and START.match(line):
            yield rec
            rec = b""
        rec += line
    if rec:
        yield rec


def summary_groups(f):
    """Rows of -S: sets of equal count; of the last group of a full table only the size, since the peer
    cuts it in no stated order."""
    rows = [line for line in f if not line.startswith((b"---", b"Event"))]
    groups = {}
    for r in rows:
        groups.setdefault(r[18:].strip(), set()).add(r[:18].rstrip())
    out = [(k, v) for k, v in groups.items()]
    if len(rows) >= 100 and out:
        out[-1] = (out[-1][0], len(out[-1][1]))
    return [repr((k, sorted(v) if isinstance(v, set) else v)).encode() for k, v in out]


def compare(case, theirs_path, ours_path, show, split=records):
    same = masked = total = bad = 0
    counts = {}
    with open(theirs_path, "rb") as a, open(ours_path, "rb") as b:
        for la, lb in itertools.zip_longest(split(a), split(b), fillvalue=b""):
            total += 1
            if la == lb:
                same += 1
                continue
            for name, rule in RULES:
                if la and lb and rule(case, lb.rstrip(b"\n"), la.rstrip(b"\n")):
                    counts[name] = counts.get(name, 0) + 1
                    masked += 1
                    break
            else:
                bad += 1
                if bad <= show:
                    print("  sysdig: %r\n  burin:  %r" % (la[:400], lb[:400]))
                if bad > 2000:
                    break
    rules = ", ".join("%s: %d" % kv for kv in sorted(counts.items()))
    return same, total, masked, rules, bad


OPTIONS = ["", "-t a", "-t r", "-t d", "-t D", "-v", "-A", "-x", "-X", "-b", "-n 500", "-q -S"]


def both(trace, extra, workers):
    """Output files of the peer and ours in a folder that the caller removes, and how ours ended."""
    d = tempfile.TemporaryDirectory()
    ref, got = os.path.join(d.name, "ref"), os.path.join(d.name, "got")
    with open(ref, "wb") as f:
        run(["sysdig", "-r", trace] + extra, f)
    with open(got, "wb") as f:
        r = run([burin.BURIN, "--compat=0.29", "--workers=" + workers, "-r", trace] + extra, f)
    return d, ref, got, r


def check(name, trace, extra, workers, show):
    d, ref, got, r = both(trace, extra, workers)
    with d:
        if r.returncode not in (0, 1):
            burin.report(False, name, "exit %d %s" % (r.returncode, r.stderr.decode()[:200]))
            return
        same, total, masked, rules, bad = compare(Case(trace), ref, got, show,
                                                   summary_groups if "-S" in extra else records)
    burin.report(not bad, name, "identical: %d of %d lines, %d masked (%s)%s"
                 % (same, total, masked, rules or "none", ", %d differ" % bad if bad else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--workers", default="2")
    p.add_argument("--show", type=int, default=4)
    p.add_argument("--args", action="append", help="one option set instead of the built-in ones")
    p.add_argument("--large", action="store_true", help="the large trace too, default lines only")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    if not burin.have_peer():
        burin.skip("sysdig_lines", "sysdig 0.29.3 is not installed")
        burin.finish()
    traces = [(os.path.basename(t), t) for t in a.traces]
    if not traces:
        traces = [(n, burin.trace("old", n)) for n in ("net", "churn", "files", "redis")]
        traces += [(n, burin.public(n)) for n in burin.PUBLIC]
    for name, trace in traces:
        if not trace:
            burin.skip(name, "the trace is not here")
            continue
        for extra in OPTIONS if a.args is None else a.args:
            check("%s%s" % (name, extra.replace(" ", "")), trace, extra.split(), a.workers, a.show)
    if a.large and burin.trace("old", "mix"):
        check("mix", burin.trace("old", "mix"), [], a.workers, a.show)
    burin.finish()


if __name__ == "__main__":
    main()
