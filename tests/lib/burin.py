"""What the comparison scripts share: the program, the traces, running and reporting."""

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BURIN = os.environ.get("BURIN", os.path.join(ROOT, "build/release/burin"))
DATA = os.environ.get("BURIN_DATA")
if DATA is None:
    DATA = os.path.join(ROOT, "..", "shared")
    DATA = os.path.abspath(DATA) if os.path.isdir(DATA) else ""
CACHE = os.path.join(os.environ.get("BURIN_BUILD", os.path.join(ROOT, "build/release")), "test-traces")
PUBLIC = ["curl_google", "single_ipv6_conn", "test_ipv6_client", "sample"]

failures = 0


def report(ok, name, text=""):
    global failures
    failures += not ok
    print("%s %s%s" % ("PASS" if ok else "FAIL", name, " " + text if text else ""), flush=True)


def skip(name, why):
    print("SKIP %s %s" % (name, why), flush=True)


def finish():
    sys.exit(1 if failures else 0)


def have_peer():
    try:
        out = subprocess.run(["sysdig", "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return False
    return b"0.29.3" in out.stdout


def unpacked(path):
    """The plain form of a trace (zstd files are unpacked once into the build folder)."""
    if not path.endswith(".zst"):
        return path
    name = os.path.relpath(path, os.path.dirname(os.path.dirname(path))).replace("/", "-")[:-4]
    out = os.path.join(CACHE, name)
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(path):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(["zstd", "-dqf", path, "-o", out + ".tmp"], check=True)
        os.rename(out + ".tmp", out)
    return out


def trace(generation, name):
    """A trace by generation (old, mid, new) and name: from the data beside the project, else the bundled
    one; None if neither is there. Plain form."""
    for base in ([os.path.join(DATA, "traces")] if DATA else []) + [os.path.join(ROOT, "tests/golden/traces")]:
        p = os.path.join(base, generation, name + ".scap.zst")
        if os.path.exists(p):
            return unpacked(p)
    return None


def public(name):
    p = os.path.join(DATA, "traces", name + ".scap") if DATA else ""
    return p if p and os.path.exists(p) else None


def run(args, stdin=None, timeout=300, binary=None):
    """(exit code, stdout, stderr) of burin."""
    env = dict(os.environ, TZ="UTC")
    r = subprocess.run([binary or BURIN] + args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=env, timeout=timeout)
    return r.returncode, r.stdout, r.stderr


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]
