#!/usr/bin/env python3
"""Every command of the manual's examples works; what is installed works elsewhere.

usage: install.py"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

BUILD = os.environ.get("BURIN_BUILD", os.path.join(burin.ROOT, "build/release"))
TRACE = os.path.join(burin.ROOT, "tests/golden/traces/old/net.scap.zst")


def shell(command, cwd=burin.ROOT, env=None):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          env=dict(os.environ, TZ="UTC", **(env or {})))


def label(command):
    return re.sub(r"\W+", "_", command)[:60].strip("_")


def examples(d):
    """tools/examples.txt, in a folder of its own. A capture is tried where there are the rights to."""
    with open(os.path.join(burin.ROOT, "tools/examples.txt")) as f:
        commands = [x.strip() for x in f if x.startswith("\t")]
    for c in commands:
        if " -- " in c:
            burin.skip("example_" + label(c), "captures live")
            continue
        r = shell(c.replace("TRACE", TRACE), d, {"PATH": os.path.dirname(burin.BURIN) + ":" + os.environ["PATH"]})
        ok = r.returncode == 0 and (r.stdout or " -w " in c)
        burin.report(ok, "example_" + label(c), "" if ok else "exit %d %s" % (r.returncode, r.stderr.decode()[-300:]))


def installed(d):
    prefix = os.path.join(d, "prefix")
    r = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    burin.report(r.returncode == 0, "install", r.stderr.decode()[-300:])
    wanted = ["bin/burin", "share/burin/chisels/topfiles_bytes.lua", "share/man/man1/burin.1",
              "share/bash-completion/completions/burin", "share/zsh/site-functions/_burin",
              "share/fish/vendor_completions.d/burin.fish", "share/doc/burin/differences.md"]
    missing = [w for w in wanted if not os.path.exists(os.path.join(prefix, w))]
    burin.report(not missing, "install_files", " ".join(missing))
    exe = os.path.join(prefix, "bin/burin")
    env = {"HOME": d}
    want = shell('"%s" -r "%s" -c topfiles_bytes' % (burin.BURIN, TRACE))
    got = shell('"%s" -r "%s" -c topfiles_bytes' % (exe, TRACE), d, env)
    burin.report(got.returncode == 0 and got.stdout == want.stdout and got.stdout, "install_chisel", got.stderr.decode())
    # It is the one beside the program, not the one where it was built.
    with open(os.path.join(prefix, wanted[1]), "a") as f:
        f.write('\nprint "the installed one"\n')
    got = shell('"%s" -r "%s" -c topfiles_bytes' % (exe, TRACE), d, env)
    burin.report(b"the installed one" in got.stdout, "install_chisel_from_there", got.stderr.decode())


def main():
    with tempfile.TemporaryDirectory() as d:
        examples(d)
        if shutil.which("cmake"):
            installed(d)
        else:
            burin.skip("install", "cmake is not here")
    burin.finish()


if __name__ == "__main__":
    main()
