#!/usr/bin/env python3
"""Random calls of the chisel API (fuzz_chisel.lua) in many runs, each with its own seed. No run may crash, hang, or end otherwise than with
0 or a Lua error; the same seed gives the same output twice. Under the sanitizers when BURIN is such a build.

  fuzz_chisel.py [SECONDS [FIRST-SEED]]"""
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../diff")]
import burin
import chisel_crafted
from scapgen import Trace


def run(cwd, seed, mode, workers):
    env = dict(os.environ, TZ="UTC", LC_ALL="C", SEED=str(seed), CALLS="40", MODE=mode)
    env["ASAN_OPTIONS"] = "allocator_may_return_null=1:" + env.get("ASAN_OPTIONS", "")
    words = [burin.BURIN, "-r", "world.scap", "--workers=%d" % workers, "--batch-events=16", "--lua-memory=256M", "--lua-seconds=20",
             "--lua-instructions=200", "-c", os.path.join(HERE, "fuzz_chisel.lua")]
    p = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    seed = first = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()) % 1000000
    bad = []
    with tempfile.TemporaryDirectory(prefix="burin-fuzz-") as cwd:
        t = chisel_crafted.World()
        for part in (chisel_crafted.users, chisel_crafted.web, chisel_crafted.logs, chisel_crafted.rest):
            part(t)
        Trace.write(t, os.path.join(cwd, "world.scap"))
        end = time.time() + seconds
        while time.time() < end or seed == first:
            mode = ("ordered", "parallel")[seed % 2]
            try:
                code, out, err = run(cwd, seed, mode, 1 + seed % 3)
            except subprocess.TimeoutExpired:
                code, out, err = -1, b"", b"does not end"
            if code not in (0, 1) or b"Sanitizer" in err or b"runtime error" in err:
                bad.append(seed)
                print("seed %d (%s): exit %d\n%s" % (seed, mode, code, err.decode("latin-1")[-3000:]))
            seed += 1
    burin.report(not bad, "fuzz-chisel-api", "seeds %d to %d%s" % (first, seed - 1, ", bad: %s" % bad[:10] if bad else ""))
    burin.finish()


main()
