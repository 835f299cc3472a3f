#!/usr/bin/env python3
"""The face of Lua 5.1: every line of tests/golden/lua51.txt is an expression, what LuaJIT in sysdig makes of it and, where burin's Lua
5.4 differs (spec lua51-on-54.md, docs/chisels.md section 6), what it makes of it. burin must do what is written; where sysdig is
installed, so must sysdig.

  lua51.py [--set FILE]   makes the golden file anew from the expressions in FILE (sysdig needed)"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import burin
from scapgen import Trace

GOLDEN = os.path.join(HERE, "../golden/lua51.txt")


def results(words, cwd, cases):
    """case -> result"""
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    with open(os.path.join(cwd, "cases.txt"), "w", encoding="latin-1") as f:
        f.write("".join(c + "\n" for c in cases))
    p = subprocess.run(words + ["-r", "lua51.scap", "-c", "./lua51"], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60)
    return dict(line.rsplit("\t", 1) for line in p.stdout.decode("latin-1").splitlines() if "\t" in line)


def read_golden():
    rows = [line.rstrip("\n").split("\t") for line in open(GOLDEN, encoding="latin-1")]
    return [(r[0], r[1], r[2] if len(r) > 2 else r[1]) for r in rows if r[0]]


def set_golden(cwd, path):
    cases = [line.rstrip("\n") for line in open(path, encoding="latin-1") if line.strip()]
    want, got = results(["sysdig"], cwd, cases), results([burin.BURIN], cwd, cases)
    with open(GOLDEN, "w", encoding="latin-1") as f:
        for c in cases:
            f.write("\t".join([c, want[c]] + ([got[c]] if got[c] != want[c] else [])) + "\n")


def compare(name, got, rows):
    bad = ["%s: %s, wanted %s" % (c, got.get(c), w) for c, w in rows if got.get(c) != w]
    for line in bad:
        print("differs:", line)
    burin.report(not bad, name, "identical: %d of %d" % (len(rows) - len(bad), len(rows)))


def main():
    with tempfile.TemporaryDirectory(prefix="burin-lua-") as cwd:
        shutil.copy(os.path.join(HERE, "lua51.lua"), cwd)
        with open(os.path.join(cwd, "num.txt"), "w") as f:
            f.write("12 3.5 0x10\nline two\nthird")
        Trace().thread(1, comm="init").write(os.path.join(cwd, "lua51.scap"))
        if len(sys.argv) > 2:
            return set_golden(cwd, sys.argv[2])
        rows = read_golden()
        compare("lua51-burin", results([burin.BURIN], cwd, [r[0] for r in rows]), [(r[0], r[2]) for r in rows])
        if burin.have_peer():
            compare("lua51-sysdig", results(["sysdig"], cwd, [r[0] for r in rows]), [(r[0], r[1]) for r in rows])
        else:
            burin.skip("lua51-sysdig", "sysdig 0.29.3 is not installed")
    burin.finish()


main()
