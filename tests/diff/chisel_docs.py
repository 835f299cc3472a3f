#!/usr/bin/env python3
"""The scripts in docs/chisels.md do what the text says: they run, and --check-chisel finds exactly those wrong that are shown as
wrong (a comment "differs" in their second line)."""
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
            p = subprocess.run([burin.BURIN, "--check-chisel", "./" + name, "-r", trace], cwd=cwd, capture_output=True, timeout=120)
            wrong = "-- differs" in body
            ok = p.returncode == (1 if wrong else 0) and (wrong or b"agree, 0 bytes" not in p.stdout) and not p.stderr
            burin.report(ok, "chisel-docs-" + name, "" if ok else (p.stdout + p.stderr).decode()[-300:])
    burin.finish()


main()
