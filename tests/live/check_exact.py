#!/usr/bin/env python3
"""Compares what a program did (workload.c, mode exact) with what its capture shows.

usage: check_exact.py LOG < LINES

LINES: "TID<tab>TYPE<tab>DIR<tab>FD_NAME<tab>ARGS" of every event, in order, as printed by
    -p '%thread.tid<tab>%evt.type<tab>%evt.dir<tab>%fd.name<tab>%evt.args'
Every logged call must be there, in its thread's order, with its result, its descriptor's name and its
parameters, and no other call of the scripted types may be. Prints "exact: N calls of N threads".
"""
import collections
import re
import sys

# Types that are no calls: they have their own place in the order.
ASYNC = ("procexit", "signaldeliver", "switch")
RES = re.compile(r"^(?:res|fd)=(-?\d+)")


def arg(args, key):
    m = re.search(r"(?:^| )%s=(.*?)(?= [a-z_0-9]+=|$)" % re.escape(key), args)
    return m.group(1).rstrip() if m else None


def read_log(path):
    want = collections.defaultdict(list)
    for line in open(path):
        tid, kind, res, fd, *keys = line.rstrip("\n").split("\t")
        want[int(tid)].append((kind, int(res), fd, [k.split("=", 1) for k in keys if k]))
    return want


def read_events(stream, want):
    got, enter = collections.defaultdict(list), {}
    for line in stream:
        part = line.rstrip("\n").split("\t", 4)
        if len(part) != 5 or not part[0].isdigit() or int(part[0]) not in want:
            continue
        tid, kind, way, fd, args = int(part[0]), *part[1:]
        if kind in ASYNC:
            got[tid].append((kind, 0, fd, "", args))
        elif way == ">":
            enter[tid] = (kind, args, fd)
        else:
            m = RES.match(args)
            before = enter.get(tid, ("", "", ""))
            # while a thread is inside close another one may get the same number
            fd = before[2] if kind == "close" and before[0] == kind else fd
            got[tid].append((kind, int(m.group(1)) if m else 0, fd, before[1] if before[0] == kind else "",
                             args))
    return got


def fits(w, g):
    if w[0] != g[0] or w[1] != g[1]:
        return "call or result"
    # names of no interest: "-", and "*" where only the kernel knows addresses
    if w[2] not in ("-", "*") and w[2] != g[2]:
        return "fd.name %r, not %r" % (g[2], w[2])
    for key, value in w[3]:
        found = [arg(a, key) for a in (g[4], g[3])]
        # numbers may be followed by a text in parentheses, long lists are cut
        if not any(f is not None and (f == value or f.split("(")[0] == value or f.startswith(value + "("))
                   for f in found):
            return "%s=%s, not %s" % (key, found, value)
    return None


def main():
    want = read_log(sys.argv[1])
    got = read_events(sys.stdin, want)
    calls = 0
    for tid, script in want.items():
        types = {w[0] for w in script}
        seen = [g for g in got[tid] if g[0] in types]
        if types <= {"procexit", "execve"}:
            script = sorted(script)
            seen = sorted(g for g in seen if g[0] != "execve" or g[1] == 0)
        elif "signaldeliver" in types:
            # where a signal arrives among the calls is the kernel's choice
            for kind in ASYNC:
                a, b = [[x for x in s if x[0] == kind] for s in (script, seen)]
                if len(a) != len(b) or any(fits(x, y) for x, y in zip(a, b)):
                    sys.exit("thread %d: %s %s, captured %s" % (tid, kind, a, b))
            script = [x for x in script if x[0] not in ASYNC]
            seen = [x for x in seen if x[0] not in ASYNC]
        for i, w in enumerate(script):
            why = "nothing more captured" if i >= len(seen) else fits(w, seen[i])
            if why:
                sys.exit("thread %d, call %d: did %s\n captured %s\n %s" %
                         (tid, i, w, seen[i] if i < len(seen) else None, why))
            calls += 1
        if len(seen) > len(script):
            sys.exit("thread %d: captured %s too many" % (tid, seen[len(script):][:2]))
    if not calls:
        sys.exit("nothing to compare")
    print("exact: %d calls of %d threads" % (calls, len(want)))


if __name__ == "__main__":
    main()
