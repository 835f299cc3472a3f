#!/usr/bin/env python3
"""One made event of every type that sysdig 0.29.3 knows, as enter and exit and as an exit alone, each pair on a
thread of its own: who it belongs to, what it works on, how it prints. Internal ones too (-D).

usage: every_event.py"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin            # noqa: E402
import scapgen as sg    # noqa: E402

# Parameters that 0.29.3 wants as they were written by its own kind, or on which it ends; exits that nobody writes.
LEFT_OUT = ("TRACER", "K8S", "CONTAINER_JSON", "CONTAINER_E", "PLUGINEVENT", "USER_", "GROUP_", "SCAPEVENT_X",
            "PROCINFO_X")
# An exit of these alone has nothing to resolve its path against, or descriptors from uninitialised memory.
NEVER_ALONE = ("SYSCALL_OPENAT_X", "SYSCALL_COPY_FILE_RANGE_X", "SYSCALL_OPENAT2_X")
FORMATS = ("*%evt.num %evt.type %evt.dir|%evt.category|%syscall.type|%proc.name|%thread.tid|%fd.num|%fd.type|%evt.is_io|"
           "%evt.failed|%evt.rawres|%evt.buflen.file|%evt.buflen|%evt.is_wait|%evt.cpu", "*%evt.num %evt.info")


def value(name, kind):
    if kind in sg.FIXED:
        return sg.encode(kind, 0 if name in ("fd", "res", "oldfd", "newfd") else 3)
    return {"CHARBUF": b"/a/b\0", "FSPATH": b"/a/b\0", "FSRELPATH": b"/a/b\0", "BYTEBUF": b"ab",
            "SOCKTUPLE": sg.tuple4("1.2.3.4", 5, "6.7.8.9", 80), "SOCKADDR": sg.addr4("1.2.3.4", 5),
            "FDLIST": b"\1\0" + bytes(8) + b"\1\0"}.get(kind, b"")


def make(path):
    """The trace; returns how many types it has."""
    t, tid, done = sg.Trace(), 1000, set()
    types = [e for n, e in sg.events().items() if e.params_029 is not None and not n.startswith(LEFT_OUT)]
    by_code = {e.code: e for e in types}
    t.thread(1, comm="init")

    def put(et):
        done.add(et.code)
        t.raw(et.code, tid, [value(*p) for p in et.params_029], large=et.large)

    for et in types:
        partner = by_code.get(et.code - 1)
        runs = [[et]] if not et.is_exit else [[partner, et]] if partner else []
        if et.is_exit and et.enum not in NEVER_ALONE and "UNUSED" not in et.flags_029:
            runs.append([et])
        for run in runs:
            tid += 1
            t.thread(tid, comm="t%d" % tid, ptid=1, fds={0: sg.file_fd("/dev/null")})
            t.read(tid, 0)
            for e in run:
                put(e)
            t.read(tid, 0)
    t.write(path)
    return len(done)


def main():
    if not burin.have_peer():
        burin.skip("every_event", "sysdig 0.29.3 is not installed")
        burin.finish()
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "all.scap")
        n = make(path)
        for k, fmt in enumerate(FORMATS):
            r = subprocess.run(["sysdig", "-D", "-r", path, "-p", fmt], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               cwd="/", env=dict(os.environ, TZ="UTC"), timeout=60)
            a, b = r.stdout.split(b"\n"), burin.run(["--compat=0.29", "-D", "-r", path, "-p", fmt])[1].split(b"\n")
            bad = [(x, y) for x, y in zip(a, b) if x != y]
            for x, y in bad[:12]:
                print("  sysdig %r\n  burin  %r" % (x[:300], y[:300]))
            burin.report(not bad and len(a) == len(b) and r.returncode == 0, "every_event_%d" % k,
                         "identical: %d of %d lines, %d types, exit %d" % (len(a) - len(bad), len(a), n, r.returncode))
    burin.finish()


if __name__ == "__main__":
    main()
