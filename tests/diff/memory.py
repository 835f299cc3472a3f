#!/usr/bin/env python3
"""Peak memory: a trace of 2 GB must need at most 1.3 times what one of 200 MB of the same kind needs, and
less than 200 MB; gzip members read by two workers less than 100 MB. The traces are repeated sections of a smaller one, fed through a pipe so that no disk is
needed; the peak is the kernel's own accounting of the process.

usage: memory.py [--mb SMALL LARGE]"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402


def peak_kb(section, times, args):
    """Peak RSS of burin reading `times` copies of the section from a pipe."""
    rd, wr = os.pipe()
    env = dict(os.environ, TZ="UTC")
    p = subprocess.Popen([burin.BURIN, "-r", "-"] + args, stdin=rd, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, env=env)
    os.close(rd)
    data = open(section, "rb").read()
    with os.fdopen(wr, "wb") as f:
        for _ in range(times):
            f.write(data)
    err = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    if status:
        sys.exit("burin failed: %s" % err.decode()[:300])
    return usage.ru_maxrss


def peak_packed_kb(section, times):
    """Peak RSS over a file of so many gzip members, which two workers decompress side by side."""
    with open(section, "rb") as f:
        member = gzip.compress(f.read(), 6)
    with tempfile.NamedTemporaryFile(suffix=".scap.gz") as f:
        for _ in range(times):
            f.write(member)
        f.flush()
        p = subprocess.Popen([burin.BURIN, "--workers=2", "-q", "-r", f.name], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(p.pid, 0)
    if status:
        sys.exit("burin failed on gzip members")
    return usage.ru_maxrss


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--mb", nargs=2, type=int, default=[200, 2000])
    a = p.parse_args()
    section = burin.trace("old", "files") or burin.trace("old", "churn")
    size = os.path.getsize(section) / 1e6
    for name, args in (("quiet", ["-q"]), ("lines", []), ("chisel", ["-c", "topfiles_bytes"])):
        small, large = (peak_kb(section, max(1, round(mb / size)), args) / 1024 for mb in a.mb)
        burin.report(large <= 1.3 * small and large < 200, "memory_" + name,
                     "%d MB of trace: peak %.0f MB; %d MB: peak %.0f MB (x%.2f)"
                     % (a.mb[0], small, a.mb[1], large, large / small))
    large = peak_packed_kb(section, max(1, round(600 / size))) / 1024
    burin.report(large < 100, "memory_members", "600 MB of trace in gzip members, 2 workers: peak %.0f MB" % large)
    burin.finish()


if __name__ == "__main__":
    main()
