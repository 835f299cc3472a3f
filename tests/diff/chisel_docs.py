#!/usr/bin/env python3
"""The scripts in docs/chisels.md do what the text says: they run, and --check-chisel finds exactly those wrong that are shown as
wrong (a comment "differs" in their second line), each time in the same way, also when one worker gets all the time there is
and when the trace is small."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin


def scripts():
    text = open(os.path.join(burin.ROOT, "docs/chisels.md")).read()
    found = {}
    for body in re.findall(r"^```lua\n(.*?)^```", text, re.M | re.S):
        name = re.match(r"-- (\w+)\.lua\n", body).group(1)
        extends = re.search(r"^-- as (\w+)\.lua", body, re.M)
        found[name] = (found[extends.group(1)] if extends else "") + body
    return found


def check(name, trace, cwd, cpu=None):
    def pin():
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return subprocess.run([burin.BURIN, "--check-chisel", "./" + name, "-r", trace], cwd=cwd, capture_output=True, timeout=120,
                          preexec_fn=pin)


def check_steady(trace, cwd):
    """Who gets to a batch first makes no difference."""
    cpu = min(os.sched_getaffinity(0))
    runs = {(p.returncode, p.stdout) for p in [check("wrong_local", trace, cwd, cpu if k % 2 else None) for k in range(10)]}
    ok = len(runs) == 1 and runs.pop()[0] == 1
    burin.report(ok, "chisel-docs-steady")
    small = os.path.join(cwd, "small.scap")
    subprocess.run([burin.BURIN, "-r", trace, "-w", small, "-n", "4", "evt.type=openat and evt.dir=<"], check=True)
    p = check("wrong_local", small, cwd, cpu)
    burin.report(p.returncode == 1, "chisel-docs-small", "" if p.returncode == 1 else p.stdout.decode()[-300:])


def main():
    trace = burin.trace("old", "net")
    if not trace:
        burin.skip("chisel-docs", "no trace")
        burin.finish()
    trace = burin.unpacked(trace)
    with tempfile.TemporaryDirectory(prefix="burin-docs-") as cwd:
        for name, body in scripts().items():
            with open(os.path.join(cwd, name + ".lua"), "w") as f:
                f.write(body)
            p = check(name, trace, cwd)
            wrong = "-- differs" in body
            ok = p.returncode == (1 if wrong else 0) and (wrong or b"agree, 0 bytes" not in p.stdout) and not p.stderr
            burin.report(ok, "chisel-docs-" + name, "" if ok else (p.stdout + p.stderr).decode()[-300:])
        check_steady(trace, cwd)
    burin.finish()


main()
