#!/usr/bin/env python3
"""A file that is first read with less state prints what a pipe prints, which cannot be read twice.

usage: scout.py [--every N]     every Nth filter of filters.txt (default 6)"""

import argparse
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# Matches in the first batch, late, in the second section only, never; by header, thread, descriptor; with limits.
MORE = [["evt.num>20000"], ["evt.num=1"], ["evt.type=procexit"], ["proc.name=nosuchname"], ["proc.name!=nosuchname"],
        ["evt.type=execve and proc.name=true"], ["fd.name contains nosuchname"], ["fd.type=ipv4"],
        ["-n", "3", "fd.type=ipv4"], ["-n", "1", "evt.type=clone"], ["-M", "1", "evt.type=close"],
        ["-S", "evt.type=connect"], ["-v", "evt.type=connect"], ["-j", "evt.type=connect"],
        ["-p", "%evt.num %fd.name %proc.pname", "evt.type=read and evt.rawres=0"],
        ["-p", "%evt.num %evt.latency", "evt.type=read and evt.rawres=0"],
        ["-p", "%evt.num %thread.exectime", "evt.type=switch"], ["-t", "D", "evt.type=connect"],
        ["--compat=0.29", "evt.type=open and evt.failed=true"], ["-d", "evt.type=connect"],
        ["-U", "curl", "evt.type=connect"], ["evt.type=container"]]


def filters(every):
    lines = [l.strip() for l in open(os.path.join(HERE, "filters.txt"))]
    plain = [l.split(None, 2)[2] if l.startswith("! ") and len(l.split(None, 2)) > 2 else l
             for l in lines if l and not l.startswith(("#", "@"))]
    return [[f] for f in plain[::every]]


def by_pipe(path, args):
    cat = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    out = burin.run(["--workers=1", "-r", "-"] + args, stdin=cat.stdout)
    cat.stdout.close()
    cat.wait()
    return out


def compare(name, path, cases):
    wrong, matching = [], 0
    for i, args in enumerate(cases):
        want = by_pipe(path, args)
        # Batches of some hundred events: a section has many, and the first match lies in any of them.
        got = burin.run(["--workers=%d" % (1, 2, 5)[i % 3], "--batch-bytes=30000", "-r", path] + args)
        verbose = "-v" in args  # has the time taken on stderr
        if got[:2] != want[:2] or (not verbose and not want[0] and got[2] != want[2]):
            wrong.append(" ".join(args))
        matching += bool(want[1])
    burin.report(not wrong and matching > len(cases) // 4, name, "%d filters, %d match%s"
                 % (len(cases), matching, "; differ: " + "; ".join(wrong[:5]) if wrong else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--every", type=int, default=6)
    cases = MORE + filters(p.parse_args().every)
    with tempfile.TemporaryDirectory() as d:
        for name, parts in (("old", [("old", "churn"), ("old", "net")]), ("new", [("mid", "net"), ("new", "net")])):
            data = b"".join(open(burin.trace(*t), "rb").read() for t in parts)
            path = os.path.join(d, name)
            for label, end in (("sections", len(data)), ("cut", len(data) - 1000)):
                with open(path, "wb") as f:
                    f.write(data[:end])
                compare("%s_%s" % (name, label), path, cases if label == "sections" else cases[:40])
    burin.finish()


if __name__ == "__main__":
    main()
