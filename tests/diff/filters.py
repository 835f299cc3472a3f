#!/usr/bin/env python3
"""Filters against sysdig 0.29.3: the numbers of the events that match must be the same.

The oracle is `sysdig -d` (the filter applied when printing): a capture filter of 0.29.3 breaks the pairing
of enter and exit events. Only event numbers are compared, so that texts do not matter here. Reads
tests/diff/filters.txt; prints `identical: N of M` per trace and every difference that is not listed there as
wanted, then PASS or FAIL. Events on which a field of the filter prints differently in the two programs are
masked: what fields show is another test.

usage: filters.py [--workers N] [--file FILE] [--filter TEXT] [TRACE...]
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FORMAT = "%evt.num"


class Filter:
    """One filter of the file with what is said about it in the lines before."""

    def __init__(self, text, reason=None, capture=False):
        self.text, self.reason, self.capture = text, reason, capture


def read_filters(path):
    reason, capture = None, False
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("! "):
                reason = line[2:]
            elif line == "@capture":
                capture = True
            elif line and not line.startswith("#"):
                yield Filter(line, reason, capture)
                reason, capture = None, False


def numbers(cmd):
    """Event numbers printed, or the error text."""
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, TZ="UTC"), timeout=120)
    if r.stderr.strip() or r.returncode:
        return "error: " + r.stderr.decode(errors="replace").strip().split("\n")[0]
    return r.stdout.split()


# Fields that cannot be printed: those they are made of.
ENDS = ["fd.type", "fd.name", "fd.cip", "fd.sip", "fd.cport", "fd.sport"]
MADE_OF = {"evt.around": []}
MADE_OF.update({f: ENDS for f in ("fd.ip", "fd.net", "fd.cnet", "fd.snet", "fd.port", "fd.proto")})
MADE_OF.update({f: ENDS + ["fd.lip", "fd.rip"] for f in ("fd.lnet", "fd.rnet")})
FIELD = re.compile(r"\b(?:evt|proc|fd|thread|user|group|container|syscall)\.[a-z0-9_.]+(?:\[[^]]*\])?")


class Fields:
    """Events on which a field itself differs: there a filter on it cannot be expected to agree. What fields
    show is compared elsewhere (fields_trace.py)."""

    def __init__(self, trace):
        self.trace, self.known, self.lock = trace, {}, threading.Lock()

    def column(self, cmd, field):
        r = subprocess.run(cmd + ["-r", self.trace, "-p", "*%evt.num %" + field], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=dict(os.environ, TZ="UTC"), timeout=120)
        return dict(line.split(b" ", 1) for line in r.stdout.split(b"\n") if re.match(rb"\d+ ", line))

    def differing(self, field):
        with self.lock:
            if field not in self.known:
                a = self.column(["sysdig"], field)
                b = self.column([burin.BURIN, "--compat=0.29"], field)
                self.known[field] = {n for n in a.keys() | b.keys() if a.get(n) != b.get(n)}
            return self.known[field]

    def masked(self, text):
        out = set()
        for f in FIELD.findall(text):
            for part in MADE_OF.get(f, [f]):
                out |= self.differing(part)
        return out


def compare(fields, flt, workers):
    """(what differs or None, number of events masked)."""
    theirs = numbers(["sysdig"] + ([] if flt.capture else ["-d"]) + ["-r", fields.trace, "-p", FORMAT, flt.text])
    ours = numbers([burin.BURIN, "--compat=0.29", "--workers=" + workers, "-r", fields.trace, "-p", FORMAT, flt.text])
    if theirs == ours:
        return None, 0
    if isinstance(theirs, str) or isinstance(ours, str):
        return "sysdig %s, burin %s" % tuple(x if isinstance(x, str) else "%d events" % len(x)
                                             for x in (theirs, ours)), 0
    differ = set(theirs) ^ set(ours)
    masked = differ & fields.masked(flt.text)
    if masked == differ:
        return None, len(masked)
    sample = lambda s: [int(n) for n in sorted(s, key=int)][:4]  # noqa: E731
    missing, extra = set(theirs) - set(ours) - masked, set(ours) - set(theirs) - masked
    return "sysdig %d events, burin %d; missing %d %s, too many %d %s, masked %d" % (
        len(theirs), len(ours), len(missing), sample(missing), len(extra), sample(extra), len(masked)), len(masked)


def check(name, trace, filters, workers):
    same = masked = 0
    reasons = {}
    bad = []
    fields = Fields(trace)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda f: compare(fields, f, workers), filters)
        for flt, (diff, n) in zip(filters, results):
            if diff is None:
                same += not n
                masked += n > 0
            elif flt.reason:
                reasons[flt.reason] = reasons.get(flt.reason, 0) + 1
            else:
                bad.append((flt.text, diff))
    for text, diff in bad:
        print("  %s: %s" % (text, diff))
    listed = ", ".join("%s: %d" % kv for kv in sorted(reasons.items()))
    burin.report(not bad, "filters_" + name, "identical: %d of %d, %d more but for events on which the field itself "
                 "differs, %d listed (%s), %d differ"
                 % (same, len(filters), masked, sum(reasons.values()), listed or "none", len(bad)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--workers", default="2")
    p.add_argument("--file", default=os.path.join(HERE, "filters.txt"))
    p.add_argument("--filter", action="append", help="this filter instead of those of the file")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    if not burin.have_peer():
        burin.skip("filters", "sysdig 0.29.3 is not installed")
        burin.finish()
    filters = [Filter(f) for f in a.filter] if a.filter else list(read_filters(a.file))
    traces = [(os.path.basename(t), t) for t in a.traces] or [(n, burin.trace("old", n)) for n in ("net", "churn")]
    for name, trace in traces:
        if trace:
            check(name, trace, filters, a.workers)
        else:
            burin.skip("filters_" + name, "the trace is not here")
    burin.finish()


if __name__ == "__main__":
    main()
