#!/usr/bin/env python3
"""Every field of sysdig 0.29.3 on every trace of its time: burin --compat=0.29 against sysdig.

Burin prints each field alone, `*%evt.num %FIELD`, with 1, 2 or 8 workers in turn (on the larger traces, and
where a trace has nothing for a field, in groups). sysdig prints them in groups, one process for many
fields; where a column is not what burin printed, and for fields whose value may depend on what else is
printed, the field alone is compared. A value that differs may only be masked by a rule of
docs/differences.md, under the condition below. Prints, per trace, `identical: N of M fields, K masked (rule: fields, ...)` and each field that differs with its first
place.

usage: fields.py [--only REGEX] [--show N] [--alone] [--workers N] [-n EVENTS] [TRACE...]
--alone: no groups. --workers: the same for every field. -n: the first events of each trace."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

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
# Fields that have a value in few traces; the made one has something for them.
# Fields with a memory, with a buffer of their own in the peer, on which it may fail, or whose argument swallows the
# rest of its format.
ALONE = re.compile(r"evt\.(deltatime|latency|rawarg|arg|info|type\.is|outputtime)|span\.(enter)?arg\.app|"
                   r"group\.gid|fd\.dev")
# Keys that are empty in its JSON.
EMPTY_KEY = re.compile(r"proc\.(aname|apid)$|evt\.type\.is\.")
GROUP = 40
LARGER = ("files", "redis")
SEPARATOR = b"\x01\x02"
WORKERS = ("1", "2", "8")
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


def columns(data, n):
    """What n fields printed with separators would print alone; None if a row does not have n values."""
    lines, last = [], 0
    for line in data[:-1].split(b"\n"):
        num, found, _ = line.partition(SEPARATOR)
        if found and num.isdigit() and int(num) > last:
            last = int(num)
            lines.append(line)
        elif lines:
            lines[-1] += b"\n" + line
    table = list(zip(*(line.split(SEPARATOR) for line in lines if line.count(SEPARATOR) == n)))
    if not table or len(table[0]) != len(lines):
        return None
    return [b"\n".join(map(b" ".join, zip(table[0], c))) + b"\n" for c in table[1:]]


class Peer:
    """What sysdig prints, and what the masks need of it."""

    def __init__(self, trace, workers, limit):
        self.trace, self.workers, self.limit = trace, workers, limit
        self.case = sysdig_lines.Case(trace)
        self.kept = {}

    def sysdig(self, fmt, *options):
        env = dict(os.environ, TZ="UTC")
        r = subprocess.run(["sysdig", "-r", self.trace, "-p", fmt, *options] + self.limit, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=env, timeout=600)
        return r.returncode, r.stdout

    def burin(self, fmt, *options):
        workers = self.workers or WORKERS[zlib.crc32((self.trace[-12:] + fmt).encode()) % 3]
        return burin.run(["--compat=0.29", "--workers=" + workers, "-r", self.trace, "-p", fmt,
                          *options] + self.limit)

    def theirs(self, field):
        code, out = self.sysdig("*%evt.num %" + field)
        return code, values(out)

    def ours(self, field):
        code, out, err = self.burin("*%evt.num %" + field)
        return code, values(out), err

    def columns(self, fields, program=None):
        """What sysdig (or burin) would print for each field, from one run for all; {} if that did not work."""
        code, out = (program or self.sysdig)(
            "*%evt.num" + "".join(SEPARATOR.decode() + "%" + f for f in fields))[:2]
        table = None if code else columns(out, len(fields))
        return dict(zip(fields, table)) if table else {}

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
    code, theirs = peer.sysdig("*%evt.num %" + field)
    if code:  # a signal, or a message like "wrong event type 30" in the middle of the trace
        return field, {"the peer fails"}, 0, None
    code, ours, err = peer.burin("*%evt.num %" + field)
    used, bad, first = set(), 0, None
    if theirs == ours and ours:
        return field, used, 0, None
    theirs, ours = values(theirs), values(ours)
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


_peers = {}


def compare_json(trace, fields, limit):
    """A job: (field, masks used, number that differ, first differing) of fields printed as JSON, one object for all."""
    peer = _peers.setdefault(trace, Peer(trace, "", limit))
    fmt = "*%evt.num %" + " %".join(fields)
    code, theirs = peer.sysdig(fmt, "-j")
    if code and len(fields) > 1:
        half = len(fields) // 2
        return compare_json(trace, fields[:half], limit) + compare_json(trace, fields[half:], limit)
    ours = peer.burin(fmt, "-j")[1]
    found = {f: [set(), 0, None] for f in fields}
    if code:
        found[fields[0]][0].add("the peer fails")
    elif theirs != ours:
        json_differences(peer, theirs, ours, found)
    return [("json " + f,) + tuple(v) for f, v in found.items()]


def json_differences(peer, theirs, ours, found):
    load = lambda line: json.loads(line.decode("utf-8", "surrogateescape"), parse_int=Number, parse_float=Number)  # noqa
    theirs, ours = theirs.splitlines(), ours.splitlines()
    unexplained = len(theirs) != len(ours)
    for a, b in zip(theirs, ours):
        if a == b:
            continue
        t, o = load(a), load(b)
        # Some fields have an empty key there (docs/differences.md, "keys in JSON").
        keys = [f for f in found if f in o and not (f not in t and "" in t and EMPTY_KEY.match(f))]
        differ = [f for f in keys if (type(t.get(f)), t.get(f)) != (type(o[f]), o[f])]
        for f in differ:
            as_text = lambda v: b"<NA>" if v is None else str(v).encode("utf-8", "surrogateescape")  # noqa: E731
            k, x, y = int(t["evt.num"]), as_text(t.get(f)), as_text(o[f])
            rule = next((n for n, p, cond in MASKS if re.match(p, f) and cond(peer, f, k, x, y)), None)
            if rule:
                found[f][0].add(rule)
            else:
                found[f][1] += 1
                found[f][2] = found[f][2] or (k, repr(t.get(f)).encode(), repr(o[f]).encode())
        unexplained = unexplained or not differ and keys == [f for f in found if f in o]
    if unexplained:
        f = next(iter(found))
        found[f][1:] = [1, (0, theirs[0], ours[0])]


class Number(str):
    """A number as it is spelled: differs from a text."""


def compare_all(trace, fields, workers, limit, grouped):
    """A job: the results of compare() for a few fields. The peer's tables are kept for the next job."""
    peer = _peers.setdefault(trace, Peer(trace, workers, limit))
    theirs = peer.columns(fields) if grouped else {}
    ours = peer.columns(fields, peer.burin) if grouped == "both" else {}

    def same(f):
        return f in theirs and theirs[f] == (ours.get(f) or peer.burin("*%evt.num %" + f)[1])

    return [(f, set(), 0, None) if same(f) else compare(peer, f) for f in fields]


def jobs_of(name, fields, alone):
    """[(fields, how they are grouped)]"""
    kinds = {"": [], "both": [], "sysdig": []}
    for f in fields:
        both = name in LARGER or RARE.match(f) and name != "made"
        kinds["" if alone or ALONE.match(f) else "both" if both else "sysdig"].append(f)
    return [(some[i:i + n], kind) for kind, some in kinds.items()
            for n in [GROUP if kind else 8] for i in range(0, len(some), n)]


def summary(name, total, results, show):
    rules, masked, bad = {}, 0, []
    for field, used, n, first in results:
        for u in used:
            rules[u] = rules.get(u, 0) + 1
        if n:
            bad.append((field, n, first))
        elif used:
            masked += 1
    for field, n, first in bad[:show]:
        print("  %s: %d events, first %d: sysdig %r burin %r" % ((field, n) + (first[0], first[1][:150], first[2][:150])))
    burin.report(not bad, "fields_" + name, "identical: %d of %d fields, %d masked (%s)%s" % (
        total - masked - len(bad), total, masked, ", ".join("%s: %d" % r for r in sorted(rules.items())) or "none",
        ", %d differ" % len(bad) if bad else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    p.add_argument("--show", type=int, default=20)
    p.add_argument("--alone", action="store_true")
    p.add_argument("--workers", default="")
    p.add_argument("-n", default="")
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
            traces += [(n, burin.trace("old", n)) for n in ("net", "churn", "files", "redis")]
        for name, _ in (t for t in traces if not t[1]):
            burin.skip("fields_" + name, "the trace is not here")
        limit, jobs = ["-n", a.n] if a.n else [], []
        for name, trace in (t for t in traces if t[1]):
            jobs += [(name, (trace, some, a.workers, limit, grouped))
                     for some, grouped in jobs_of(name, fields, a.alone)]
        jobs = [(name, compare_all, args) for name, args in jobs]
        printed = [f for f in fields if f != "evt.num" and not re.match(r"evt\.deltatime|span\..*arg\.app", f)]
        jobs += [("json_" + name, compare_json, (trace, printed[i:i + GROUP], limit)) for name, trace in traces
                 if trace and name in ("made", "curl_google", "net") for i in range(0, len(printed), GROUP)]
        results = {}
        for (name, _, _), some in zip(jobs, burin.parallel([job[1:] for job in jobs])):
            results.setdefault(name, []).extend(some or [])
        for name, some in results.items():
            summary(name, len(some), some, a.show)
    burin.finish()


if __name__ == "__main__":
    main()
