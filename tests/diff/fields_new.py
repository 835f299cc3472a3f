#!/usr/bin/env python3
"""Fields that sysdig 0.29.3 does not have, and lists in filters: expected values derived by hand from the trace
that fields_trace.py makes (without --compat=0.29). Needs neither sysdig nor data beside the project."""
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
import burin         # noqa: E402
import fields_trace  # noqa: E402
import scapgen       # noqa: E402

NA = "<NA>"
# event number: {field: value}. Events 2, 4: reads of threads 100 and 101; then those of the other threads.
VALUES = {
    2: {"proc.pexe": "/bin/bash", "proc.aexe[0]": "/bin/app", "proc.aexe[1]": "/bin/bash", "proc.aexe[2]": "/sbin/init",
        "proc.aexe[3]": NA, "proc.pexepath": "/bin/bash", "proc.aexepath[0]": "/usr/bin/app", "proc.args[0]": "-x",
        "proc.args[1]": "two words", "proc.args[2]": "", "proc.args[3]": NA, "proc.env[HOME]": "/home/alice",
        "proc.env[EMPTY]": "", "proc.env[NO]": NA, "proc.env[0]": "HOME=/home/alice", "proc.aenv[1]": "HOME=/root A=b=c",
        "proc.aenv[A]": "b=c", "proc.aargs[0]": "-x two words ", "proc.acmdline[1]": "bash", "proc.cmdnargs": "3",
        "proc.cmdlenargs": "11", "proc.sid.exe": "/bin/bash", "proc.sid.exepath": "/bin/bash", "proc.vpgid.name": "app",
        "proc.vpgid.exe": "/bin/app", "proc.vpgid.exepath": "/usr/bin/app", "proc.pgid": "-1", "proc.pgid.name": NA,
        "proc.is_sid_leader": "false", "proc.is_vpgid_leader": "true", "proc.is_pgid_leader": "false",
        "proc.pvpid": "50", "proc.stdin.type": "file", "proc.stdin.name": "/dev/null", "proc.stdout.type": "pipe",
        "proc.stdout.name": "pipe:[12]", "proc.stderr.type": NA, "proc.stderr.name": NA, "fd.types[13]": "(ipv4)",
        "fd.types": "(directory,ipv4,ipv6,pipe,unix,event,signalfd,eventpoll,inotify,timerfd,netlink,file)",
        "fd.types[99]": NA, "fd.nameraw": "/dev/null", "fd.is_upper_layer": "false", "fd.ino": "0",
        "evt.hostname": "testhost", "evt.source": "syscall", "evt.is_async": "false", "evt.asynctype": NA,
        "proc.pid.ts": NA, "proc.ppid.ts": NA, "thread.cap_effective": "", "container.full_id": NA},
    4: {"proc.pname": "bash", "proc.aname[1]": "bash", "proc.args[0]": NA, "proc.env[HOME]": "/home/alice",
        "proc.cmdnargs": "0", "proc.nthreads": "2", "proc.nchilds": "0", "thread.ismain": "false"},
    13: {"proc.is_sid_leader": "true", "proc.is_vpgid_leader": "true", "proc.pexe": "/sbin/init", "fd.types": NA},
    21: {"container.full_id": "1" * 64, "container.ip": "172.17.0.2", "container.cni.json": "{}",
         "k8s.pod.uid": "1234-5678", "k8s.pod.sandbox_id": "a" * 12, "k8s.pod.full_sandbox_id": "a" * 64,
         "k8s.pod.ip": "10.1.2.3", "k8s.pod.cni.json": '{"a":1}', "mesos.task.id": "mt1", "container.start_ts": NA,
         "proc.is_container_healthcheck": "true", "proc.is_container_liveness_probe": "false", "proc.pexe": "nginx"},
    23: {"proc.is_container_healthcheck": "true", "proc.aargs[1]": "-a b", "proc.acmdline[1]": "hc -a b"},
    27: {"k8s.pod.label.tier": "front", "k8s.pod.labels": "app:shop, tier:front", "k8s.pod.label.none": NA},
}
# type of the first exit that shows it: values, in the order name, nameraw, source, sourceraw, target, targetraw
PATHS = {
    "openat": ("/home/alice/b", "a/../b", NA, NA, NA, NA),
    "unlinkat": ("/home/alice/b", "a/../b", NA, NA, NA, NA),
    "renameat": (NA, NA, "/home/alice/b", "a/../b", "/home/alice/new", "new"),
    "renameat2": (NA, NA, "/home/alice/b", "a/../b", "/srv/dir/new2", "new2"),
    "linkat": (NA, NA, "/home/alice/b", "a/../b", "/home/alice/new", "new"),
    "open": ("/home/alice/f", "f", NA, NA, NA, NA),
    "creat": ("/home/alice/g", "g", NA, NA, NA, NA),
    "mkdir": ("/home/alice/p", "p", NA, NA, NA, NA),
    "chmod": ("/home/alice/p", "p", NA, NA, NA, NA),
    "rename": (NA, NA, "/home/alice/p", "p", "/home/alice/n", "n"),
    "symlink": (NA, NA, "/n", "/n", "/home/alice/p", "p"),
    "read": (NA, NA, NA, NA, NA, NA),
}
# filter: threads (numbers of tids) whose first read exits match
LISTS = {
    "proc.aname=systemd": [50, 100, 101, 200, 201, 202, 300, 301, 302],
    "proc.aname=bash": [100, 101],
    "proc.aname=app": [],
    "proc.aname[0]=app": [100, 101],
    "proc.aname!=systemd": [100, 101, 201, 202],
    "proc.apid=1": [50, 100, 101, 200, 201, 202, 300, 301, 302],
    "proc.apid in (50,200)": [100, 101, 201, 202],
    "proc.aenv contains HOME=/root": [100, 101],
    "proc.acmdline='hc -a b'": [202],
    "fd.types intersects (netlink)": [100, 101],
}
FDS = {"fd.ip=10.0.0.5": [11, 15, 17], "fd.ip!=10.0.0.5": [12, 13, 14, 16], "fd.ip=::1": [12], "fd.port=22": [13, 14, 15],
       "fd.port in (2,443)": [11, 17], "fd.net=10.0.0.0/8": [11, 15, 17], "fd.snet=8.8.0.0/16": [11],
       "fd.cip=1.2.3.4": [15, 16], "fd.sport=22": [13, 14, 15], "fd.lip=10.0.0.5": [11, 15, 17], "fd.rport=443": [11]}


def lines(trace, flt, fmt):
    code, out, err = burin.run(["-r", trace, "-p", fmt] + ([flt] if flt else []))
    if code:
        return ["exit %d %s" % (code, err.decode()[:200])]
    return out.decode("utf-8", "replace").splitlines()


def check(name, wrong):
    burin.report(not wrong, name, "; ".join(wrong)[:500])


def values(trace):
    wrong = []
    for num, fields in VALUES.items():
        got = lines(trace, "evt.num=%d" % num, "*" + "\x01".join("%" + f for f in fields))[0].split("\x01")
        wrong += ["%d %s is %r not %r" % (num, f, g, w) for (f, w), g in zip(fields.items(), got) if g != w]
        wrong += ["%d: %r" % (num, got)] if len(got) != len(fields) else []
    check("values", wrong)


def paths(trace):
    fmt = "*%evt.type|" + "|".join("%fs.path." + f for f in ("name", "nameraw", "source", "sourceraw", "target", "targetraw"))
    first = {}
    for line in lines(trace, "evt.dir=<", fmt):
        w = line.split("|")
        first.setdefault(w[0], tuple(w[1:]))
    check("paths", ["%s is %r not %r" % (t, first.get(t), w) for t, w in PATHS.items() if first.get(t) != w])


def filters(trace):
    wrong = []
    for flt, tids in LISTS.items():
        got = lines(trace, "evt.type=read and evt.dir=< and evt.num<32 and (%s)" % flt, "%thread.tid")
        got = sorted({int(x) if re.fullmatch("-?[0-9]+", x) else x for x in got})
        wrong += ["%s: %r not %r" % (flt, got, tids)] if got != tids else []
    for flt, fds in FDS.items():
        got = lines(trace, "evt.type=read and evt.dir=> and evt.num>=32 and evt.num<125 and (%s)" % flt, "%fd.num")
        got = sorted(int(x) if re.fullmatch("-?[0-9]+", x) else x for x in got)
        wrong += ["%s: %r not %r" % (flt, got, fds)] if got != fds else []
    check("lists", wrong)


def tracers(path):
    """User tracers (docs/differences.md): writes stay what they are, events of tracers in a file open no span."""
    t = scapgen.Trace().thread(100, comm="app", fds={1: scapgen.file_fd("/dev/null")})
    for data in (b">:7:web.get:k=v:", b"<:7:web.get:r=1:"):
        t.ev("SYSCALL_WRITE_E", 100, 1, len(data)).ev("SYSCALL_WRITE_X", 100, len(data), data)
    for enum in ("TRACER_E", "TRACER_X"):
        t.ev(enum, 100, 7, b"web\0get\0", b"k\0v\0")
    t.write(path)
    for mode in ([], ["--compat=0.29"]):
        code, out, err = burin.run(["-r", path, "-p", "*%evt.type %span.id %span.tags %evtin.span.id %evt.buffer"] + mode)
        got = [tuple(x.split(" ")[:4]) for x in out.decode().splitlines()]
        want = [(n, NA, NA, NA) for n in ["write"] * 4 + ["tracer"] * 2]
        check("tracers" + "".join(mode)[2:8], [] if code == 0 and got == want else ["exit %d %r" % (code, got)])


def main():
    with tempfile.TemporaryDirectory() as d:
        trace = os.path.join(d, "made.scap")
        fields_trace.make().write(trace)
        values(trace)
        paths(trace)
        filters(trace)
        tracers(os.path.join(d, "tracers.scap"))
    burin.finish()


if __name__ == "__main__":
    main()
