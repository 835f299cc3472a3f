#!/usr/bin/env python3
"""A file that is first read with less state prints what a pipe prints, which cannot be read twice.

usage: scout.py [--every N] [--texts N]     every Nth filter of filters.txt (default 6), and N filters
                                            (default 40) made of texts that occur in the traces"""

import argparse
import os
import random
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
        ["-U", "curl", "evt.type=connect"], ["evt.type=container"],
        # calls that only generic events tell
        ["evt.type=set_tid_address"], ["evt.type in (mremap, getrandom, rseq) and evt.dir=>"], ["evt.type=kexec_load"]]


def filters(every):
    lines = [l.strip() for l in open(os.path.join(HERE, "filters.txt"))]
    plain = [l.split(None, 2)[2] if l.startswith("! ") and len(l.split(None, 2)) > 2 else l
             for l in lines if l and not l.startswith(("#", "@"))]
    return [[f] for f in plain[::every]]


TEXT_FIELDS = ["proc.name", "proc.pname", "proc.aname[1]", "proc.exe", "proc.exepath", "proc.args", "proc.cmdline",
               "proc.exeline", "proc.cwd", "fd.name", "fd.nameraw", "fd.filename", "fd.directory"]


def text_filters(path, count):
    """Filters that take some value of the trace, whole, a part of it, or together with others."""
    rnd = random.Random(1)
    values = []
    for field in TEXT_FIELDS:
        seen = set(burin.run(["-r", path, "-p", "%" + field])[1].decode("latin1").split("\n"))
        values += [(field, v) for v in sorted(seen) if len(v) > 2 and "'" not in v and v.isascii()]

    def one():
        field, v = rnd.choice(values)
        at = rnd.randrange(len(v) - 2)
        part = v[at:at + rnd.randrange(3, 15)]
        return rnd.choice(["%s = '%s'" % (field, v), "%s contains '%s'" % (field, part),
                           "%s startswith '%s'" % (field, v[:9]), "%s endswith '%s'" % (field, v[-9:]),
                           "%s in ('%s', nosuchtext)" % (field, v)])

    return [[rnd.choice(["%s", "%s", "evt.dir=< and %s", "not (%s)", "%s or fd.name contains nosuchtext",
                         "%s or proc.name=nosuchtext or " + one(), "evt.type=close and %s"]) % one()]
            for _ in range(count)]


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


def damaged(name, path, data, count):
    """Bytes changed somewhere: the same output and the same words about the damage."""
    rnd, wrong, found = random.Random(2), [], 0
    for i in range(count):
        bad = bytearray(data)
        at = rnd.randrange(len(bad))
        bad[at:at + 4] = rnd.randbytes(4)
        with open(path, "wb") as f:
            f.write(bad)
        args = [["evt.type=connect"], ["proc.name=curl"], ["fd.name contains nosuchname"]][i % 3]
        want = by_pipe(path, args)
        got = burin.run(["--workers=%d" % (1 + i % 2), "-r", path] + args)
        if got[:2] != want[:2] or got[2].replace(path.encode(), b"-") != want[2]:
            wrong.append("%d %s" % (at, args[0]))
        found += want[0] != 0
    burin.report(not wrong and found > 0, name, "%d files, %d damaged%s"
                 % (count, found, "; differ: " + "; ".join(wrong[:5]) if wrong else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--every", type=int, default=6)
    p.add_argument("--texts", type=int, default=40)
    a = p.parse_args()
    cases = MORE + filters(a.every)
    with tempfile.TemporaryDirectory() as d:
        for name, parts in (("old", [("old", "churn"), ("old", "net")]), ("new", [("mid", "net"), ("new", "net")])):
            data = b"".join(open(burin.trace(*t), "rb").read() for t in parts)
            path = os.path.join(d, name)
            for label, end in (("sections", len(data)), ("cut", len(data) - 1000)):
                with open(path, "wb") as f:
                    f.write(data[:end])
                compare("%s_%s" % (name, label), path, cases if label == "sections" else cases[:40])
            compare("%s_texts" % name, path, text_filters(path, a.texts))
            damaged("%s_damaged" % name, path, data, a.texts)
    burin.finish()


if __name__ == "__main__":
    main()
