#!/usr/bin/env python3
"""Filters against sysdig 0.29.3: the numbers of the events that match must be the same.

The oracle is `sysdig -d` (the filter applied when printing): a capture filter of 0.29.3 breaks the pairing
of enter and exit events. Only event numbers are compared, so that texts do not matter here. Reads
tests/diff/filters.txt; prints `identical: N of M` per trace and every difference that is not listed there as
wanted, then PASS or FAIL. Events on which a field of the filter prints differently in the two programs are
masked: what fields show is another test.

Burin runs once for each filter, with 1, 2 or 8 workers in turn. One sysdig answers for many filters: a chisel
for each, whose filter is also applied after the state. Where it does not answer the same, `sysdig -d` runs
for the filter alone, and its answer counts.

usage: filters.py [--workers N] [--alone] [--file FILE] [--filter TEXT] [TRACE...]
--alone: `sysdig -d` for every filter. --workers: the same for every filter.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FORMAT = "%evt.num"
GROUP = 30  # burin runs up to 32 chisels
WORKERS = ("1", "2", "8")
# With chisels texts of parameters have no limit.
ALONE = re.compile(r"evt\.(args?|info|res|buffer)\b")
PICK = """
description, short_description, category = "numbers of selected events", "numbers of selected events", "test"
args = {{name = "line", description = "line of the list of filters", argtype = "int"}}
local text, line, nums, n
function on_set_arg(_, value)
	line = value
	local k = 0
	for l in io.lines("filters") do
		k = k + 1
		if k == tonumber(value) then text = l end
	end
	return true
end
function on_init()
	nums, n = {}, 0
	chisel.request_field("evt.num")
	chisel.set_filter(text)
	return true
end
function on_event()
	n = n + 1
	nums[n] = evt.get_num()
	return true
end
function on_capture_end()
	print("line " .. line .. ":" .. table.concat(nums, " "))
	return true
end
"""


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


def ask(cmd, texts):
    """{text: event numbers} from one run for all; halves where that fails, without those that fail alone."""
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(os.path.join(d, "chisels"))
        for name, what in (("chisels/pick.lua", PICK), ("filters", "\n".join(texts) + "\n")):
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write(what)
        chisels = [x for k in range(len(texts)) for x in ("-c", "pick", str(k + 1))]
        r = subprocess.run(cmd + chisels, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=d,
                           env=dict(os.environ, TZ="UTC"), timeout=300)
    answers = re.findall(rb"^line (\d+):(.*)$", r.stdout, re.M)
    if r.returncode == 0 and len(answers) == len(texts):
        return {texts[int(k) - 1]: nums.split() for k, nums in answers}
    half, out = len(texts) // 2, {}
    for part in (texts[:half], texts[half:]) if half else ():
        out.update(ask(cmd, part))
    return out


class Shown:
    """Chisels see internal events too: which numbers are printed."""

    def __init__(self, cmd):
        self.numbers = set(numbers(cmd + ["-p", FORMAT]))

    def of(self, answers):
        return {text: [n for n in nums if n in self.numbers] for text, nums in answers.items()}


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
        self.trace, self.known = trace, {}

    def column(self, cmd, field):
        r = subprocess.run(cmd + ["-r", self.trace, "-p", "*%evt.num %" + field], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=dict(os.environ, TZ="UTC"), timeout=120)
        return dict(line.split(b" ", 1) for line in r.stdout.split(b"\n") if re.match(rb"\d+ ", line))

    def differing(self, field):
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


def compare(fields, flt, ours):
    """(what differs or None, number of events masked)."""
    theirs = numbers(["sysdig"] + ([] if flt.capture else ["-d"]) + ["-r", fields.trace, "-p", FORMAT, flt.text])
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


def literal(text):
    """The filter as one that looks back, which is evaluated for every event as it stands."""
    return "evt.deltatime>=0 and (%s)" % text


class Case:
    """What the jobs of one trace share."""

    def __init__(self, trace, workers, alone):
        self.trace, self.workers, self.alone = trace, workers, alone
        self.fields = Fields(trace)
        self.sysdig = ["sysdig", "-r", trace]
        self.burin = [burin.BURIN, "--compat=0.29", "-r", trace]
        self.shown = Shown(self.sysdig)

    def ours(self, text):
        workers = self.workers or WORKERS[zlib.crc32((text + self.trace[-12:]).encode()) % 3]
        return numbers(self.burin + ["--workers=" + workers, "-p", FORMAT, text])


def compare_some(case, filters):
    """A job: [(differs, masked, burin as it stands differs)] for a few filters."""
    texts = [f.text for f in filters if not (case.alone or f.capture or ALONE.search(f.text))]
    theirs = case.shown.of(ask(case.sysdig, texts))
    ours = {f.text: case.ours(f.text) for f in filters}
    foldable = [t for t, n in ours.items() if isinstance(n, list) and "deltatime" not in t]
    unfolded = case.shown.of(ask(case.burin, [literal(t) for t in foldable]))
    return [((None, 0) if ours[f.text] == theirs.get(f.text) else compare(case.fields, f, ours[f.text])) +
            (f.text in foldable, unfolded.get(literal(f.text)) == ours[f.text]) for f in filters]


def summary(name, filters, results):
    same = masked = 0
    reasons, bad = {}, []
    for flt, (diff, n, _, _) in zip(filters, results):
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
    bad = [f.text for f, r in zip(filters, results) if r[2] and not r[3]]
    for text in bad[:20]:
        print("  not as it stands: " + text)
    burin.report(not bad, "fold_compat_" + name, "identical: %d of %d" % (
        sum(r[2] and r[3] for r in results), sum(r[2] for r in results)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--workers", default="")
    p.add_argument("--alone", action="store_true")
    p.add_argument("--file", default=os.path.join(HERE, "filters.txt"))
    p.add_argument("--filter", action="append", help="this filter instead of those of the file")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    if not burin.have_peer():
        burin.skip("filters", "sysdig 0.29.3 is not installed")
        burin.finish()
    filters = [Filter(f) for f in a.filter] if a.filter else list(read_filters(a.file))
    traces = [(os.path.basename(t), t) for t in a.traces] or [(n, burin.trace("old", n)) for n in ("net", "churn")]
    jobs = []
    for name, trace in traces:
        if trace:
            case = Case(trace, a.workers, a.alone)
            jobs += [(compare_some, (case, filters[i:i + GROUP])) for i in range(0, len(filters), GROUP)]
        else:
            burin.skip("filters_" + name, "the trace is not here")
    results = [r for some in burin.parallel(jobs) for r in some or [("job failed", 0, False, False)] * GROUP]
    for name, trace in traces:
        if trace:
            summary(name, filters, results[:len(filters)])
            results = results[len(filters):]
    burin.finish()


if __name__ == "__main__":
    main()
