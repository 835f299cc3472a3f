#!/usr/bin/env python3
"""Default lines against --compat=0.29 lines (which other tests compare with sysdig itself): every line that
differs must be turned from one into the other by a rule of docs/differences.md, and every rule used here
must be listed there.

usage: default_rules.py [--show N]"""

import argparse
import itertools
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin     # noqa: E402
import scapgen   # noqa: E402
import scapread  # noqa: E402

# Each rule turns a compat line into a default line; applied in turn, each counted when it changed something.
SUBSTITUTIONS = [
    ("empty values", re.compile(rb"(?<= )(data|args|env|cgroups|msgcontrol)= "), rb"\1=NULL "),
    ("empty values", re.compile(rb"(?<= )addr=NULL "), rb"addr=<NA> "),
    ("newer flag bits", re.compile(rb"flags=(\d+)\((O_[A-Z_|]+)\)"), None),
    # The name of one socket: same protocol and source, another destination.
    # The name of a udp socket: the letter says so.
    ("datagram sockets", re.compile(rb"\(<[46]u>[^)]*\)"), rb"(*)"),
]
BOTH_SIDES = {"datagram sockets"}
NEW_BITS = [(0x4000, b"O_F_CREATED"), (0x8000, b"FD_UPPER_LAYER"), (0x10000, b"FD_LOWER_LAYER")]


def newer_flags(m):
    names = [m.group(2)] + [n for bit, n in NEW_BITS if int(m.group(1)) & bit]
    return b"flags=%s(%s)" % (m.group(1), b"|".join(names))


def explain(compat, default, used):
    """True if rules turn compat into default."""
    for name, pattern, to in SUBSTITUTIONS:
        if compat == default:
            return True
        a = pattern.sub(to or newer_flags, compat)
        b = pattern.sub(to, default) if name in BOTH_SIDES else default
        if a == compat or (name in BOTH_SIDES and a != b):
            continue
        used[name] = used.get(name, 0) + 1
        compat, default = a, b
    return compat == default


def unknown_to_029(trace):
    """evt.num (default) of the events that 0.29.3 does not know, ascending."""
    table = {ev.code: ev for ev in scapgen.load_events().values()}
    events = scapread.Events(trace, len(table), table)
    return [k + 1 for k in range(len(events)) if table[events.params(k + 1)[0]].params_029 is None]


def compat_numbers(lines, missing):
    """Default lines renumbered as if the events in `missing` did not exist, those events left out."""
    missing, gone = list(missing), 0
    for line in lines:
        num, _, rest = line.partition(b" ")
        n = int(num)
        while missing and missing[0] < n:
            missing.pop(0)
            gone += 1
        if missing and missing[0] == n:
            continue
        yield b"%d %s" % (n - gone, rest)


def check(name, trace, listed, show):
    compat = burin.run(["--compat=0.29", "-r", trace])[1].splitlines()
    default = burin.run(["-r", trace])[1].splitlines()
    missing, used = unknown_to_029(trace), {}
    if missing:
        used["later events"] = len(missing)
        default = list(compat_numbers(default, missing))
    bad = 0
    for a, b in itertools.zip_longest(compat, default, fillvalue=b""):
        if a != b and not explain(a, b, used):
            bad += 1
            if bad <= show:
                print("  compat:  %r\n  default: %r" % (a[:300], b[:300]))
    unlisted = [r for r in used if r not in listed]
    burin.report(not bad and not unlisted, "default_" + name, "%d lines, %s%s%s" % (
        len(default), ", ".join("%s: %d" % kv for kv in sorted(used.items())) or "no difference",
        ", unexplained: %d" % bad if bad else "", ", not listed: %s" % unlisted if unlisted else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--show", type=int, default=3)
    a = p.parse_args()
    text = open(os.path.join(burin.ROOT, "docs/differences.md")).read()
    listed = set(re.findall(r"^\| ([^|]+?) \|", text, re.M))
    for n in ("net", "churn", "files", "redis"):
        t = burin.trace("old", n)
        if t:
            check(n, t, listed, a.show)
    for n in burin.PUBLIC:
        t = burin.public(n)
        if t:
            check(n, t, listed, a.show)
        else:
            burin.skip("default_" + n, "the trace is not here")
    burin.finish()


if __name__ == "__main__":
    main()
