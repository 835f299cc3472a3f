#!/usr/bin/env python3
"""Every chisel prints the same for every number of workers and batch size, and from run to run; and in parallel what it prints in
order (--check-chisel). Ours and, where they are installed, sysdig's, on bundled traces."""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin

SYSDIG = "/usr/share/sysdig/chisels"
HELPERS = {"ansiterminal", "common", "dkjson", "http", "statsd"}
ARGS = {
    "fdbytes_by": "fd.type", "fdcount_by": "proc.name", "fdtime_by": "fd.name", "fileslower": "0", "netlower": "0",
    "scallslower": "0", "spy_ip": "127.0.0.1", "spy_port": "46001", "around": "out.scap",
    "table_generator": "evt.type,proc.name Syscall,Process evt.latency Time '' 0 time",
}
SETTINGS = [(1, None), (2, None), (3, 100), (8, 7), (2, 1), (8, 1000000)]
NOT_RUN = {
    "around": "restarts the program", "wsysdig_summary": "restarts the program", "udp_extract": "writes files",
    "tracers_2_statsd": "sends datagrams",
}


def command(chisel, trace, workers, batch, extra=()):
    words = [burin.BURIN, "-r", trace, "--workers=%d" % workers, *extra]
    if batch:
        words.append("--batch-events=%d" % batch)
    words += ["-c", chisel]
    name = os.path.splitext(os.path.basename(chisel))[0]
    if name in ARGS:
        words.append(ARGS[name])
    return words


def run(words, cwd):
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    p = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def check(kind, path, traces, cwd, full):
    """The first trace in runs of their own; the others by --check-chisel, which also has the run in order, in one state."""
    name = os.path.splitext(os.path.basename(path))[0]
    bad = []
    for trace in traces:
        title = os.path.basename(trace)
        if trace != traces[0]:
            words = [burin.BURIN, "--check-chisel", path, "-r", trace] + ([ARGS[name]] if name in ARGS else [])
            code, out, err = run(words, cwd)
            if code or b"runs agree" not in out:
                bad.append("%s: %s" % (title, (out + err).decode("latin-1")[:200]))
        if trace != traces[0] and not full:
            continue
        want = None
        for workers, batch in SETTINGS if full else SETTINGS[:4]:
            got = run(command(path, trace, workers, batch), cwd)[:2]
            if want is None:
                want = got
            elif got != want:
                bad.append("%s: %d workers, batches of %s events" % (title, workers, batch))
    burin.report(not bad, "chisel-workers-%s-%s" % (kind, name), "; ".join(bad[:3]))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--full", action="store_true", help="more settings and traces")
    ap.add_argument("--only")
    args = ap.parse_args()
    names = ["net", "redis", "files", "churn"] if args.full else ["net", "redis"]
    traces = [burin.unpacked(t) for t in (burin.trace("old", n) for n in names) if t]
    if not traces:
        burin.skip("chisel-workers", "no trace")
        burin.finish()
    sets = [("ours", os.path.join(burin.ROOT, "chisels"))]
    if os.path.isdir(SYSDIG):
        sets.append(("sysdig", SYSDIG))
    else:
        burin.skip("chisel-workers-sysdig", "sysdig's own chisels are not installed")
    with tempfile.TemporaryDirectory(prefix="burin-chisels-") as cwd:
        for kind, folder in sets:
            for path in sorted(glob.glob(os.path.join(folder, "*.lua"))):
                name = os.path.splitext(os.path.basename(path))[0]
                if name in HELPERS or name.startswith("v_") or (args.only and args.only != name):
                    continue
                if NOT_RUN.get(name):
                    continue
                check(kind, path, traces, cwd, args.full)
    burin.finish()


main()
