#!/usr/bin/env python3
"""Every field of sysdig 0.29.3, alone in a format, on every trace: burin --compat=0.29 against sysdig.

Both programs print `*%evt.num %FIELD`; the values of each event are compared. A value that differs may only
be masked by a rule of docs/differences.md, under the condition below. Prints, per trace,
`identical: N of M fields, K masked (rule: fields, ...)` and each field that differs with its first place.

usage: fields.py [--only REGEX] [--show N] [--all] [--workers N] [TRACE...]
--all takes the larger traces too."""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
import burin         # noqa: E402
import fields_trace  # noqa: E402
import sysdig_lines  # noqa: E402

# Fields that take an argument: what to try. None: not at all (printing is refused, or the peer crashes).
VARIANTS = {
    "evt.type.is": [".open", ".openat", ".read"],
    "evt.arg": [".fd", ".res", ".data", ".name", ".flags", ".mode", ".size", ".path", ".addr", ".uid", "[0]", "[1]",
                "[2]", "[3]", "[4]", "[5]", "[31]"],
    "evt.rawarg": [".res", ".size", ".name", ".data", ".comm", ".args", ".path", ".pid", ".tid", ".status", ".env",
                   ".mode", ".flags", ".exe", ".cgroups", ".next", ".timeout", ".dev"],
    "evt.abspath": ["", ".src", ".dst"],
    "evt.around": [],
    "proc.aname": ["", "[0]", "[1]", "[2]", "[99]"],
    "proc.apid": ["", "[0]", "[1]", "[2]"],
    "thread.cgroup": [".cpu", ".memory", ".blkio", ".none"],
    "thread.exectime": [], "thread.totexectime": [],
    # They ask the resolver of the machine that reads.
    "fd.cip.name": [], "fd.sip.name": [], "fd.lip.name": [], "fd.rip.name": [],
}
# Fields that have a value in few traces: tried together, in one format.
RARE = re.compile(r"(k8s|mesos|marathon|span|evtin|container\.mount|syslog|evt\.infra|evt\.plugin)")
BY_FORM = {"index": ["[0]", "[1]", "[-1]"], "name_or_index": ["[0]", ".app"], "key": [".app", ".none"],
           "text": ["[0]", "[1]", "[/etc/*]", "[/var/data]"]}


def field_list():
    code, out, err = burin.run(["-l", "-j"])
    names = []
    for f in json.loads(out):
        if not f["sysdig_0_29"] or "filter_only" in f["flags"]:
            continue
        forms = VARIANTS.get(f["name"])
        if forms is None:
            forms = BY_FORM.get(f["argument"], [""])
        names += [f["name"] + x for x in forms]
    return [n for n in names if not re.match(r"evtin.*\.app$", n)] + ["util.cnt"]  # names are refused there


def values(data):
    """{event number: text}; a value may span lines."""
    out, last = {}, None
    for line in data[:-1].split(b"\n"):
        m = re.match(rb"(\d+) ", line)
        if m and (last is None or int(m.group(1)) > last):
            last = int(m.group(1))
            out[last] = line[m.end():]
        elif last is not None:
            out[last] += b"\n" + line
    return out


class Peer:
    """What sysdig prints, and what the masks need of it."""

    def __init__(self, trace, workers):
        self.trace, self.workers = trace, workers
        self.case = sysdig_lines.Case(trace)
        self.kept = {}

    def theirs(self, field):
        env = dict(os.environ, TZ="UTC")
        r = subprocess.run(["sysdig", "-r", self.trace, "-p", "*%evt.num %" + field], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=env, timeout=300)
        return r.returncode, values(r.stdout)

    def ours(self, field):
        code, out, err = burin.run(["--compat=0.29", "--workers=" + self.workers, "-r", self.trace, "-p",
                                    "*%evt.num %" + field])
        return code, values(out), err

    def both(self, field):
        if field not in self.kept:
            self.kept[field] = (self.theirs(field)[1], self.ours(field)[1])
        return self.kept[field]

    def overlay_events(self):
        """Events whose descriptor the peer reads through an overlay: its name is made of port bytes, or of
        another family than its type, or has two ends although the peer takes it for a server."""
        if "overlay" not in self.kept:
            name, ours = self.both("fd.name")
            kind, lport = self.both("fd.type")[0], self.both("fd.lport")[0]
            self.kept["overlay"] = {
                k for k, n in name.items() if self.overlay_name(n, ours.get(k, b"")) or (b"->" in n and (
                    (kind.get(k) == b"ipv6") == (re.match(rb"\d+\.\d+\.\d+\.\d+:", n) is not None) and
                    kind.get(k) in (b"ipv4", b"ipv6") or
                    kind.get(k) in (b"ipv4", b"ipv6") and lport.get(k) == b"<NA>" and self.has_role(k)))}
        return self.kept["overlay"]

    def has_role(self, k):
        return self.both("fd.l4proto")[0].get(k) not in (None, b"<NA>")

    @staticmethod
    def overlay_name(theirs, ours):
        if theirs == ours:
            return False
        ports = {int(x) for x in re.findall(rb":(\d+)", ours)}
        if any(int(a) + 256 * int(b) in ports for a, b in re.findall(rb"\b(\d+)\.(\d+)\.[23]\.0:", theirs)):
            return True
        return b"::" in ours and re.fullmatch(rb"[0-9.]+:0->0\.0\.0\.0:0", theirs) is not None


# ---- masks: rule name, fields, condition(peer, field, event, theirs, ours) --------------------------------

def zero_length(p, field, k, theirs, ours):
    if field in ("evt.args", "evt.info"):
        return p.case.mask_zero_length(b"%d x " % k + ours, b"%d x " % k + theirs)
    empty = p.case.empty_text_params(k)
    m = re.search(r"\[(\d+)\]$", field)
    if m:
        code, params = p.case.event(k)
        names = [n for n, t in p.case.by_code[code].params_029 or []]
        return int(m.group(1)) < len(names) and names[int(m.group(1))] in empty
    return field.split(".")[-1] in empty


def overlay(p, field, k, theirs, ours):
    if field in ("evt.args", "evt.info"):
        return sysdig_lines.Case.mask_overlay(p.case, ours, theirs)
    if field.startswith("evt.arg"):
        return Peer.overlay_name(re.sub(rb"<.*?>", b"", theirs), re.sub(rb"<.*?>", b"", ours))
    return k in p.overlay_events()


def container_event(p, field, k, theirs, ours):
    return p.both("evt.type")[0].get(k) == b"container"


def unprintable(p, field, k, theirs, ours):
    return theirs == b"<NA>" and re.fullmatch(rb"-?[0-9A-F]+", ours) is not None


MASKS = [
    ("unprintable fields", r"evt\.type\.is\.|evt\.rawarg\.", unprintable),
    ("zero-length text", r"evt\.(args|info|arg|rawarg|buffer)", zero_length),
    ("socket overlay", r"fd\.(?!dev|num|uid)|evt\.(args|info|arg)", overlay),
    ("device numbers", r"fd\.dev", lambda p, f, k, t, o: o == b"0"),
    ("group ids", r"group\.gid", lambda p, f, k, t, o: t.isdigit() and int(t) & 0xffffffff == int(o)),
    ("process-list tail", r"user\.login|proc\.tty|proc\.is_exe_writable", lambda *a: True),
    ("stale latency text", r"evt\.latency\.human", lambda p, f, k, t, o: o == b"0ns" and
     p.both("evt.latency")[0].get(k) == b"0"),
    ("container events", r"user\.|group\.|proc\.ppid|proc\.is_exe_writable", container_event),
]


def compare(peer, field):
    """(field, masks used, number that differ, first differing)"""
    code, theirs = peer.theirs(field)
    if code:  # a signal, or a message like "wrong event type 30" in the middle of the trace
        return field, {"the peer fails"}, 0, None
    code, ours, err = peer.ours(field)
    used, bad, first = set(), 0, None
    if not theirs and not ours:
        return field, used, 1, (0, b"", err)
    for k in sorted(set(theirs) | set(ours)):
        t, o = theirs.get(k, b"(no line)"), ours.get(k, b"(no line)")
        if t == o:
            continue
        for name, pattern, condition in MASKS:
            if re.match(pattern, field) and condition(peer, field, k, t, o):
                used.add(name)
                break
        else:
            bad += 1
            first = first or (k, t, o)
    return field, used, bad, first


def check(name, trace, fields, workers, show):
    peer = Peer(trace, workers)
    rare = [f for f in fields if RARE.match(f)]
    total = len(fields)
    if name != "made" and len(rare) > 1 and compare(peer, "|%".join(rare))[1:3] == (set(), 0):
        fields = [f for f in fields if not RARE.match(f)]  # one by one only to show where they differ
    for f in ("fd.name", "fd.type", "fd.lport", "fd.l4proto", "evt.type", "evt.latency"):
        peer.both(f)
    peer.overlay_events()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda f: compare(peer, f), fields))
    rules, masked, same, bad = {}, 0, 0, []
    for field, used, n, first in results:
        for u in used:
            rules[u] = rules.get(u, 0) + 1
        if n:
            bad.append((field, n, first))
        elif used:
            masked += 1
        else:
            same += 1
    for field, n, first in bad[:show]:
        print("  %s: %d events, first %d: sysdig %r burin %r" % ((field, n) + (first[0], first[1][:150], first[2][:150])))
    burin.report(not bad, "fields_" + name, "identical: %d of %d fields, %d masked (%s)%s" % (
        same + total - len(fields), total, masked, ", ".join("%s: %d" % r for r in sorted(rules.items())) or "none",
        ", %d differ" % len(bad) if bad else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    p.add_argument("--show", type=int, default=20)
    p.add_argument("--all", action="store_true")
    p.add_argument("--workers", default="1")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    if not burin.have_peer():
        burin.skip("fields", "sysdig 0.29.3 is not installed")
        burin.finish()
    fields = [f for f in field_list() if re.search(a.only, f)]
    with tempfile.TemporaryDirectory() as d:
        made = os.path.join(d, "made.scap")
        fields_trace.make().write(made)
        traces = [(os.path.basename(t), t) for t in a.traces]
        if not traces:
            traces = [("made", made)] + [(n, burin.public(n)) for n in burin.PUBLIC]
            traces += [(n, burin.trace("old", n)) for n in ("net", "churn") + (("files", "redis") if a.all else ())]
        for name, trace in traces:
            if trace:
                check(name, trace, fields, a.workers, a.show)
            else:
                burin.skip("fields_" + name, "the trace is not here")
    burin.finish()


if __name__ == "__main__":
    main()
