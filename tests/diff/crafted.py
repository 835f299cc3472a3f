#!/usr/bin/env python3
"""Made-up traces against sysdig 0.29.3: every rule of the thread, descriptor, socket, path and container state.

Two kinds. Scenarios: one thread each, many to a trace; what a thread prints is compared as a whole, so
that a failure names its scenario. Random runs: traces of a fixed seed, calls in any order and with any
arguments, over few threads and few numbers so that they meet.

What 0.29.3 makes of its uncleared socket overlay and of zero-length texts is left out (decisions:
never reproduced): no scenario and no random run leads there.

usage: crafted.py [--seeds N] [--first N] [NAME...]     (NAME: only traces whose name has it)
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin            # noqa: E402
from scapgen import *   # noqa: E402,F403

LINES = None  # the default format
FD = ("*%thread.tid %evt.num %evt.type%evt.dir|%fd.num|%fd.type|%fd.typechar|%fd.name|%fd.l4proto|"
      "%fd.sockfamily|%fd.uid|%proc.cwd|%evt.abspath")
SOCK = ("*%thread.tid %evt.num %evt.type%evt.dir|%fd.num|%fd.name|%fd.typechar|%fd.cip:%fd.cport|%fd.sip:%fd.sport|"
        "%fd.connected|%fd.name_changed|%fd.l4proto")
CONTAINER = ("*%thread.tid %evt.num %evt.type|%container.id|%container.name|%container.type|%container.image|"
             "%container.image.id|%container.image.tag|%container.privileged|%container.mounts|"
             "%container.mount.dest[0]|%container.mount.source[/d*]|%container.healthcheck|%k8s.pod.name|%proc.name")
# The container of a cri id has no type: 0.29.3 prints nothing or the text of the field before.
IDS = "*%thread.tid %container.id|%container.name"

PROC = ("*%thread.tid %evt.num %evt.type%evt.dir|%proc.pid|%proc.ppid|%proc.name|%proc.exe|%proc.exepath|%proc.cmdline|"
        "%proc.cwd|%proc.sid|%proc.vpid|%proc.vpgid|%thread.vtid|%user.uid|%proc.aname[1]|%proc.aname[2]|%proc.apid[1]|"
        "%proc.pname|%proc.nchilds|%proc.fdopencount|%proc.fdlimit|%proc.tty|%thread.ismain|%proc.env|%proc.vmsize|"
        "%thread.vmsize")

OWN, NEAR, FAR = "10.0.0.5", "10.0.0.9", "8.8.8.8"
CLONE_FILES = 1


def net(t):
    t.iface("lo", "127.0.0.1", "255.0.0.0").iface("eth0", OWN, "255.255.255.0")
    t.iface("lo", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").iface("eth0", "fd00::2", "ffff:ffff:ffff:ffff::")
    return t


# ---- scenarios: functions of (trace, tid); "thread" holds the arguments of the thread -----------------

SCENARIOS = {"files": [], "sockets": [], "listening": []}


def scenario(group, **thread):
    def add(fn):
        SCENARIOS[group].append((fn.__name__ if fn.__name__ != "_" else str(len(SCENARIOS[group])), fn, thread))
        return fn
    return add


FILES = {4: file_fd("/dir"), 5: named_fd(2, "/"), 6: named_fd(2, "rel"), 7: unix_fd(1, 2, ""), 8: named_fd(2, "/tr/")}
NAMES = ["a", "./a", "../a", "../../../a", "..", ".", "", "/", "//", "/..", "a/", "a//b", "a/..", "...", ".../a", "..a",
         "a..", "a/...", "x./y", ".h", "a/b/..//c", "<NA>", "(NULL)", "a/\x01/b", "\x7f\u00e9", "c" * 1008, "c" * 1009]


@scenario("files", cwd="/home/alice")
def names(t, n):
    for nm in NAMES:
        t.open(n, 3, nm)
        t.ev("SYSCALL_OPEN_X", n, 3, nm, 1, 0, 5)


@scenario("files", cwd="relative/cwd")
def names_without_root(t, n):
    for nm in NAMES:
        t.open(n, 3, nm)


@scenario("files", cwd="/home/alice", fds=FILES)
def directories(t, n):
    for fd in (-100, 4, 5, 6, 7, 8, 9, -1, -200):
        for nm in ("a", "../a", "", "/abs"):
            t.ev("SYSCALL_OPENAT_2_E", n, fd, nm, 1, 0)
            t.ev("SYSCALL_OPENAT_2_X", n, 20, fd, nm, 1, 0, 5)
            t.read(n, 20)


@scenario("files", cwd="/home/alice", fds=FILES)
def enter_or_exit(t, n):
    for ent in ("ent", "(NULL)", "<NA>", ""):
        for ed, xd in ((4, 8), (-100, 4), (4, -100)):
            for res in (20, -2):
                t.ev("SYSCALL_OPENAT_2_E", n, ed, ent, 1, 0)
                t.ev("SYSCALL_OPENAT_2_X", n, res, xd, "exi", 1 | 1024, 0, 5)
                t.ev("SYSCALL_OPENAT2_E", n, ed, ent, 1024, 0, 0)
                t.ev("SYSCALL_OPENAT2_X", n, res, xd, "exi", 1, 0, 0)
                t.ev("SYSCALL_OPENAT_E", n, ed, ent, 1, 0)
                t.ev("SYSCALL_OPENAT_X", n, res)
        for res in (20, -2):
            t.ev("SYSCALL_OPEN_E", n, ent, 1, 0)
            t.ev("SYSCALL_OPEN_X", n, res, "exi", 3, 0, 5)
            t.ev("SYSCALL_CREAT_E", n, ent, 0)
            t.ev("SYSCALL_CREAT_X", n, res, "exi", 0, 5)


@scenario("files", cwd="/home/alice", fds=FILES)
def failed_opens(t, n):
    for enter in (True, False):
        for ed, en, xd, xn in ((4, "ent", 5, "exi"), (4, "/ent", 5, "exi"), (4, "ent", 5, "/exi"), (-100, "e", 5, "x"),
                               (77, "ent", 78, "exi"), (4, "(NULL)", 78, "/exi"), (-100, "e", -100, "../x")):
            if enter:
                t.ev("SYSCALL_OPENAT_2_E", n, ed, en, 1, 0)
            else:
                t.ev("SYSCALL_GETCWD_E", n)
            t.ev("SYSCALL_OPENAT_2_X", n, -2, xd, xn, 1, 0, 0)
        for nm in ("x", "/y/../z", "<NA>", "(NULL)", ".."):
            t.ev("SYSCALL_OPEN_E", n, nm, 1, 0)
            t.ev("SYSCALL_OPEN_X", n, -13, nm, 1, 0, 0)


@scenario("files", fds={4: file_fd("/four"), 5: file_fd("/five")})
def close(t, n):
    t.close(n, 5).read(n, 5).close(n, 5).close(n, 4, -9).read(n, 4)
    t.ev("SYSCALL_CLOSE_X", n, 0)
    t.ev("SYSCALL_CLOSE_E", n, 4).ev("SYSCALL_GETCWD_E", n).ev("SYSCALL_CLOSE_X", n, 0).read(n, 4)


@scenario("files", fds={4: file_fd("/four")})
def close_races_with_open(t, n):
    t.ev("SYSCALL_CLOSE_E", n, 4).open(n + 1, 4, "/new").ev("SYSCALL_CLOSE_X", n, 0).read(n, 4)
    t.ev("SYSCALL_CLOSE_E", n, 7).open(n + 1, 7, "/new7").ev("SYSCALL_CLOSE_X", n, 0).read(n, 7)
    t.ev("SYSCALL_CLOSE_E", n, 7).open(n + 1, 7, "/new7").ev("SYSCALL_CLOSE_X", n, -4).read(n, 7)


@scenario("files", fds={4: file_fd("/four"), 6: sock4_fd("1.2.3.4", 5, "6.7.8.9", 80)})
def dup(t, n):
    for old, new in ((4, 9), (4, -9), (99, 10), (6, 11), (99, 4), (4, 4), (6, 4)):
        t.ev("SYSCALL_DUP_E", n, old).ev("SYSCALL_DUP_X", n, new).read(n, 4).read(n, abs(new))
    t.ev("SYSCALL_DUP_X", n, 12).read(n, 12)
    t.ev("SYSCALL_DUP_E", n, 6).ev("SYSCALL_DUP_X", n, -9).ev("SYSCALL_DUP_X", n, 13).read(n, 13)
    for cmd in (0, 1, 2, 3, 4, 13, 26):
        t.ev("SYSCALL_FCNTL_E", n, 6, cmd).ev("SYSCALL_FCNTL_X", n, 20 + cmd).read(n, 20 + cmd)


@scenario("files")
def pipes_and_anonymous(t, n):
    for res in (0, -24):
        t.ev("SYSCALL_PIPE_E", n).ev("SYSCALL_PIPE_X", n, res, 10, 11, 77).read(n, 10).read(n, 11)
        t.ev("SOCKET_SOCKETPAIR_E", n, 1, 1, 0).ev("SOCKET_SOCKETPAIR_X", n, res, 12, 13, 0xab, 0xcd).read(n, 12)
    for name, args, fd in (("EVENTFD", (0, 0), 14), ("SIGNALFD", (-1, 0, 0), 15), ("TIMERFD_CREATE", (0, 0), 16),
                           ("INOTIFY_INIT", (0,), 17)):
        t.ev("SYSCALL_%s_E" % name, n, *args).ev("SYSCALL_%s_X" % name, n, fd).read(n, fd)
        t.ev("SYSCALL_%s_E" % name, n, *args).ev("SYSCALL_%s_X" % name, n, -24)
        t.ev("SYSCALL_%s_X" % name, n, fd + 20).read(n, fd + 20)
    t.ev("SYSCALL_USERFAULTFD_E", n).ev("SYSCALL_USERFAULTFD_X", n, 18, 0).read(n, 18)
    t.ev("SYSCALL_BPF_E", n, 0).ev("SYSCALL_BPF_X", n, b"\1" + (19).to_bytes(8, "little")).read(n, 19)


@scenario("files", fds={0: file_fd("/zero"), 5: file_fd("/five")})
def exits_alone(t, n):
    t.ev("SYSCALL_READ_X", n, 1, b"x").ev("SYSCALL_OPEN_X", n, -2, "exi", 1, 0, 0)
    t.ev("SYSCALL_OPEN_E", n, "ent", 1, 0).ev("SYSCALL_OPEN_X", n, 3, "exi", 1, 0, 0)
    t.ev("SYSCALL_OPEN_X", n, 4, "exi", 1, 0, 0)
    t.ev("SYSCALL_OPEN_E", n, "ent", 1, 0).ev("SYSCALL_READ_X", n, 1, b"x").ev("SYSCALL_OPEN_X", n, 4, "exi", 1, 0, 0)
    t.ev("SYSCALL_READ_E", n, 5, 1).ev("SYSCALL_WRITE_X", n, -5, b"x").ev("SYSCALL_READ_X", n, -5, b"x")
    t.ev("SYSCALL_CLOSE_E", n, 5).ev("SYSCALL_CLOSE_X", n, -9).ev("SYSCALL_CLOSE_X", n, 0).read(n, 5)


@scenario("files", cwd="/home/al", fds={3: named_fd(2, ""), 4: named_fd(2, "rel"), 5: named_fd(2, "/d/"),
                                        6: named_fd(2, "/a/../b")})
def directories_change(t, n):
    for fd in (4, 5, 6, 3, 9):
        t.ev("SYSCALL_FCHDIR_E", n, fd).ev("SYSCALL_FCHDIR_X", n, 0).open(n, 20, "x")
    for nm in ("", "rel", "/dir/", "../z", ".", "/x\x01"):
        t.ev("SYSCALL_CHDIR_E", n).ev("SYSCALL_CHDIR_X", n, 0, nm).open(n, 20, "x")
        t.ev("SYSCALL_CHDIR_E", n).ev("SYSCALL_CHDIR_X", n, -2, nm).open(n, 20, "x")


for _domain in (0, 1, 2, 3, 10, 16, 17):
    for _type in (1, 2, 3, 5, 0x80001, 0x103):
        @scenario("sockets")
        def _(t, n, domain=_domain, stype=_type):
            tup = {2: tuple4(OWN, 1000, FAR, 80), 10: tuple6("fd00::2", 1000, "2001::9", 80)}.get(domain)
            for proto in (0, 1, 6, 17, 255, 58):
                t.socket(n, 3, domain, stype, proto).read(n, 3)
                if tup:
                    t.connect(n, 3, tup)


@scenario("sockets")
def connect(t, n):
    tup = tuple4(OWN, 1000, FAR, 80)
    for stype in (1, 2):
        for res in (0, -115, -111):
            for x in (tup, None):
                for addr in (False, addr4(FAR, 80), addr4(NEAR, 81), None):
                    t.socket(n, 3, 2, stype).connect(n, 3, x, res, addr).read(n, 3)
                    t.connect(n, 3, tuple4(OWN, 1000, NEAR, 81), res, addr).read(n, 3)
    t.connect(n, 9, tup).connect(n, 9, tup, -111)
    t.socket(n, 3, 2, 1).ev("SOCKET_CONNECT_X", n, 0, tup).read(n, 3)


@scenario("sockets")
def unix_sockets(t, n):
    t.socket(n, 3, 1, 1).bind(n, 3, addr_un("/run/s")).read(n, 3)
    t.accept(n, 4, tuple_un(1, 2, "/run/s")).read(n, 4)
    for res in (0, -115, -111):
        for addr in (False, addr_un("/qq")):
            t.socket(n, 5, 1, 1).connect(n, 5, tuple_un(0xab, 0xcd, "/run/t"), res, addr).read(n, 5)
            t.connect(n, 5, tuple_un(0xab, 0xcd, "/run/u"), res, addr).read(n, 5)
    t.socket(n, 6, 1, 2).sendto(n, 6, tuple_un(1, 2, "/x")).recvfrom(n, 6, tuple_un(3, 4, "/y"))
    t.recvmsg(n, 6, tuple_un(3, 4, "")).sendmsg(n, 6, tuple_un(5, 6, "/z")).recvfrom(n, 6, None).read(n, 6)


@scenario("sockets")
def bind(t, n):
    for dom, addrs in ((2, (addr4("0.0.0.0", 80), addr4(OWN, 0), addr4(OWN, 99))),
                       (10, (addr6("::", 80), addr6("::1", 80), addr6("::1.2.3.4", 80), addr6("::ffff:1.2.3.4", 80),
                             addr6("::ffff:0:1.2.3.4", 80), addr6("fe80::1", 0)))):
        for a in addrs:
            for res in (0, -98):
                t.socket(n, 3, dom, 1).bind(n, 3, a, res).read(n, 3)
    t.socket(n, 3, 2, 1).bind(n, 3, None).read(n, 3).bind(n, 3, b"\x11").read(n, 3).bind(n, 9, addr4(OWN, 9))


@scenario("sockets")
def accept(t, n):
    for tup in (tuple4("1.2.3.4", 5555, OWN, 80), tuple6("::ffff:1.2.3.4", 5555, "::ffff:10.0.0.5", 80),
                tuple6("::1", 5555, "::1", 80), tuple6("::", 5, "::ffff:1.2.3.4", 6), None):
        for code in ("ACCEPT_5", "ACCEPT4_5", "ACCEPT", "ACCEPT4"):
            for fd in (4, -11):
                flags = (0,) if "4" in code else ()
                t.ev("SOCKET_%s_E" % code, n, *flags)
                t.ev("SOCKET_%s_X" % code, n, fd, tup, 0, *((0, 0) if "5" in code else ()))
                t.read(n, 4).close(n, 4)


@scenario("sockets")
def udp_client(t, n):
    t.socket(n, 3, 2, 2).sendto(n, 3, tuple4(OWN, 1000, FAR, 53)).recvfrom(n, 3, tuple4(FAR, 53, OWN, 1000))
    t.sendto(n, 3, tuple4(OWN, 1000, NEAR, 53)).read(n, 3)
    t.socket(n, 3, 2, 2).sendto(n, 3, tuple4("0.0.0.0", 0, FAR, 53)).recvfrom(n, 3, tuple4(FAR, 53, OWN, 3333))
    t.sendto(n, 3, tuple4("0.0.0.0", 3333, FAR, 53)).recvfrom(n, 3, tuple4(FAR, 53, "0.0.0.0", 3333)).read(n, 3)


@scenario("sockets")
def udp_server(t, n):
    t.socket(n, 3, 2, 2).recvfrom(n, 3, tuple4(FAR, 53, OWN, 3333)).sendto(n, 3, tuple4(OWN, 3333, FAR, 53))
    t.sendto(n, 3, tuple4(OWN, 3333, FAR, 54)).recvfrom(n, 3, tuple4(FAR, 55, OWN, 3333)).read(n, 3)
    t.connect(n, 3, tuple4(OWN, 3333, FAR, 55)).connect(n, 3, tuple4(OWN, 3334, FAR, 55)).read(n, 3)


@scenario("listening")
def ipv6_server_keeps_its_kind(t, n):
    t.socket(n, 3, 10, 2).bind(n, 3, addr6("::1", 53))
    for send, recv in ((tuple6("::1", 53, "::5", 46004), tuple6("::5", 46004, "::1", 53)),
                       (tuple6("::1", 53, "::6", 46004), tuple6("::6", 46004, "::1", 53))):
        t.recvfrom(n, 3, recv)
        t.sendto(n, 3, send)
        t.recvmsg(n, 3, recv)


@scenario("sockets")
def send_on_unknown(t, n):
    t.sendto(n, 3, tuple4(OWN, 1000, FAR, 53)).read(n, 3).sendto(n, 4, tuple6("::1", 1, "::1", 53)).read(n, 4)
    t.sendto(n, 5, tuple_un(1, 2, "/x")).read(n, 5).sendto(n, 6, None).read(n, 6)
    t.sendto(n, 7, tuple4(OWN, 1000, FAR, 53), res=-1).read(n, 7)
    t.recvfrom(n, 8, tuple4(OWN, 1000, FAR, 53)).sendmsg(n, 8, tuple4(OWN, 1000, FAR, 53)).read(n, 8)


@scenario("sockets")
def missing_parts(t, n):
    """The name is spelled anew when a part of the destination is missing, changed or not."""
    for dst, dport in ((NEAR, 0), (NEAR, 53), ("0.0.0.0", 0), ("0.0.0.0", 53)):
        for edst in (NEAR, FAR, "0.0.0.0"):
            for eport in (0, 53, 54):
                t.socket(n, 3, 2, 2).ev("SOCKET_CONNECT_E", n, 3, addr4(dst, dport))
                t.sendto(n, 3, tuple4("0.0.0.0", 0, edst, eport)).read(n, 3)


@scenario("sockets")
def data_connects(t, n):
    for dom in (2, 10, 1, 16):
        t.socket(n, 3, dom, 1).read(n, 3, b"", -11).read(n, 3, b"", 0).read(n, 3)
        t.socket(n, 3, dom, 1)
        t.ev("SOCKET_RECVFROM_E", n, 3, 5).ev("SOCKET_RECVFROM_X", n, 0, b"", None).read(n, 3)


@scenario("sockets")
def odd_families(t, n):
    t.socket(n, 3, 16, 3).sendto(n, 3, b"\x10abc").socket(n, 4, 16, 3).sendto(n, 4, tuple4(OWN, 0, FAR, 0)).read(n, 4)
    t.socket(n, 5, 2, 2).sendto(n, 5, b"\x10").socket(n, 6, 16, 3).connect(n, 6, b"\x10").read(n, 6)


@scenario("sockets", fds={
    **{10 + k: sock4_fd("1.2.3.4", 5, OWN, 80, k) for k in range(6)},
    **{20 + k: sock6_fd("::1", 5, "::2", 80, k) for k in range(6)},
    **{30 + k: serv4_fd(OWN, 70 + k, k) for k in range(6)}, **{40 + k: serv6_fd("::", 80, k) for k in range(6)},
    50: sock6_fd("::ffff:1.2.3.4", 5, "::ffff:6.7.8.9", 80), 51: sock4_fd(OWN, 70, "9.9.9.9", 99),
    52: serv6_fd("::ffff:1.2.3.4", 5), 53: unix_fd(0xab, 0xcd, "/run/x"), 54: named_fd(10, "uns"),
    55: named_fd(15, "nl"), 56: named_fd(14, "anon"), 57: named_fd(7, "pi\x01pe"), 58: file_fd("/a/../b//c/")})
def of_the_process_list(t, n):
    for fd in list(range(10, 16)) + list(range(20, 26)) + list(range(30, 36)) + list(range(40, 46)) + \
            list(range(50, 59)):
        t.read(n, fd)
    t.sendto(n, 13, tuple4(OWN, 80, FAR, 5)).recvfrom(n, 51, tuple4("9.9.9.9", 99, OWN, 70)).read(n, 13)


def build_scenarios(group):
    t, names = net(Trace()), {}
    n = 100
    for name, fn, thread in SCENARIOS[group]:
        t.thread(n, **thread)
        t.thread(n + 1, pid=n, flags=CLONE_FILES)
        names[str(n)] = names[str(n + 1)] = name
        n += 10
    n = 100
    for _, fn, _ in SCENARIOS[group]:
        fn(t, n)
        n += 10
    return t, names


# ---- latencies ------------------------------------------------------------------------------------------

LATENCY = ("%thread.tid %evt.num %evt.type %evt.dir %evt.latency", "*%evt.num %evt.latency")


def build_latencies():
    """Threads of the list and others that clone: 0.29.3 makes those it knows nothing of anew, and forgets the call."""
    t = Trace().thread(100).thread(110)
    for n, gap in ((100, 0), (200, 0), (210, 40), (110, 0)):
        r = RandomThreads(n, 0)
        r.t = t
        t.read(n, 3)
        t.ev("SYSCALL_CLONE_20_E", n)
        for _ in range(gap):
            t.read(100, 3)
        r.exit("CLONE_20", n, n + 1, n, n, 1, "bash", 0)
        t.ev("PROCINFO_E", n, 1, 2)
        r.exit("CLONE_20", n + 1, 0, n + 1, n + 1, n, "bash", 0)
        t.read(n, 3).ev("SYSCALL_CLONE_20_E", n)
        r.exit("CLONE_20", n, n + 2, n, n, 1, "bash", 0)
        t.read(n, 3).read(n + 1, 3)
    return t


# ---- containers ---------------------------------------------------------------------------------------

ID = "0123456789abcdef" * 4
CGROUPS = ["/", "/docker/ID", "/system.slice/docker-ID.scope", "/kubepods/burstable/podabc/ID",
           "/kubepods.slice/cri-containerd-ID.scope", "/x/crio-ID.scope", "/x/crio-ID", "/a:cri-containerd:ID",
           "/x/crio-conmon-ID.scope", "/lxc/foo", "/lxc/foo/bar", "/lxc.payload/foo", "/lxc/", "/machine/x.libvirt-lxc",
           "/machine.slice/machine-lxc\\x2dfoo.scope", "/libvirt/lxc/foo", "/machine.slice/libpod-ID.scope",
           "/machine.slice/libpod-ID.scope/container", "/libpod_parent/libpod-ID",
           "/user.slice/user-1000.slice/podman-1.scope/ID", "/docker/ID0", "/docker/ID/x", "/docker/xID"]


def container(**kw):
    c = dict(id=ID[:12], type=0, name="web", image="repo/img:1.2", imageid="aabbccddeeff", imagerepo="repo/img",
             imagetag="1.2", imagedigest="sha256:dd", privileged=True, lookup_state=1,
             Mounts=[dict(Source="/src", Destination="/dst", Mode="rw", RW=True, Propagation="rprivate"),
                     dict(Source="/s2", Destination="/d2", Mode="", RW=False, Propagation="")],
             labels={"io.kubernetes.pod.name": "pod1", "a": "b"}, env=["A=1"], Healthcheck=dict(exe="/hc", args=["a"]))
    c.update(kw)
    return json.dumps(dict(container={k: v for k, v in c.items() if v is not None}))


def build_cgroups(cgroup):
    # One thread per trace: 0.29.3 reads beyond the end of a cgroups text.
    return Trace().thread(100, cgroups="cpu=" + cgroup.replace("ID", ID) + "\0").ev("SYSCALL_GETCWD_E", 100)


def build_containers():
    t = Trace().thread(100, cgroups="cpu=/docker/" + ID + "\0").thread(200, cgroups="cpu=/docker/" + "f" * 64 + "\0")

    def look():
        t.ev("SYSCALL_GETCWD_E", 100).ev("SYSCALL_GETCWD_E", 200)
    t.ev("CONTAINER_JSON_E", -1, container(name="leading")).ev("CONTAINER_JSON_2_E", -1, container(name="leading2"))
    look()
    for kw in (dict(), dict(lookup_state=2), dict(lookup_state=0), dict(lookup_state=None), dict(type=6, name="cri"),
               dict(type=1), dict(Mounts=[], Healthcheck=None, imagetag=None), dict(name=5), dict(id="f" * 12), {}):
        for code in ("CONTAINER_JSON_E", "CONTAINER_JSON_2_E"):
            t.ev(code, -1, container(**kw))
            look()
    t.ev("CONTAINER_E", -1, ID[:12], 0, "nm", "im:2")
    look()
    t.ev("CONTAINER_JSON_E", 100, container(name="viatid")).ev("CONTAINER_JSON_E", 999, container(name="viatid"))
    t.ev("CONTAINER_JSON_E", -1, '{"containe":{}}').ev("CONTAINER_JSON_E", -1, '{"container":{}}')
    look()
    return t


# ---- random runs ----------------------------------------------------------------------------------------

V4 = ["0.0.0.0", OWN, NEAR, FAR, "127.0.0.1", "127.0.0.2", "192.168.7.7"]
V6 = ["::1", "fd00::2", "fd00::9", "2001::9", "fe80::3"]
PORTS = [0, 53, 1000, 2000]


class RandomSockets:
    """A descriptor stays in its family and never listens on a port: the overlay would show."""

    def __init__(self, seed, n):
        self.r, self.t, self.family = random.Random(seed), Trace(), {}
        ifs = [("lo", "127.0.0.1", "255.0.0.0"), ("eth0", OWN, "255.255.255.0"), ("eth1", "192.168.1.1", "255.255.0.0")]
        self.r.shuffle(ifs)
        for i in ifs:
            self.t.iface(*i)
        self.t.iface("lo", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        self.t.iface("eth0", "fd00::2", "ffff:ffff:ffff:ffff::")
        self.t.thread(100).thread(101, pid=100, flags=CLONE_FILES)
        for _ in range(n):
            self.step()

    def tuple(self, f):
        c = self.r.choice
        if f == 2:
            return tuple4(c(V4), c(PORTS), c(V4), c(PORTS))
        if f == 1:
            return tuple_un(c([0, 1]), c([1, 2]), c(["", "/a", "/b"]))
        a = c(V6 + ["::"])
        return tuple6(a, c(PORTS), c(V6) if a == "::" else c(V6 + ["::"]), c(PORTS))

    def addr(self, f, port=0):
        c = self.r.choice
        return {2: addr4(c(V4), port), 10: addr6(c(V6), port), 1: addr_un(c(["/a", "/b"]))}[f]

    def step(self):
        r, t = self.r, self.t
        tid, fd = r.choice([100, 100, 101]), r.randrange(3, 7)
        op = r.choice(["socket", "socket", "pair", "close", "dup", "accept", "bind", "connect", "connect_to", "enter",
                       "read"] + 2 * ["sendto", "recvfrom", "sendmsg", "recvmsg"])
        f = self.family.get(fd)
        if op == "socket":
            f = self.family[fd] = r.choice([2, 2, 2, 10, 10, 1])
            t.socket(tid, fd, f, r.choice([1, 2, 2, 2, 3, 5, 0x80002]), r.choice([0, 0, 0, 17, 1]))
        elif op == "pair":
            self.family[fd] = self.family[10 - fd] = 1
            t.ev("SOCKET_SOCKETPAIR_E", tid, 1, 1, 0).ev("SOCKET_SOCKETPAIR_X", tid, 0, fd, 10 - fd, 1, 2)
        elif op == "close":
            res = r.choice([0, 0, -9])
            t.close(tid, fd, res)
            if res == 0:
                self.family.pop(fd, None)
        elif op == "dup":
            self.dup(tid, fd, r.randrange(3, 7))
        elif op == "accept":
            f = self.family[fd] = r.choice([2, 10, 1])
            t.accept(tid, fd, self.tuple(f))
        elif f is None:
            t.read(tid, fd)
        elif op == "bind":
            t.bind(tid, fd, self.addr(f), r.choice([0, 0, -1]))
        elif op in ("connect", "connect_to"):
            x, res = r.choice([self.tuple(f)] * 5 + [None]), r.choice([0, 0, -115, -111])
            t.connect(tid, fd, x, res, self.addr(f, r.choice(PORTS)) if op == "connect_to" else False)
        elif op == "enter":
            t.ev("SOCKET_CONNECT_E", tid, fd, self.addr(f))
        elif op == "read":
            t.read(tid, fd, res=r.choice([1, 0, -11]))
        else:
            getattr(t, op)(tid, fd, r.choice([self.tuple(f)] * 6 + [None]), res=r.choice([1, 1, 1, 0, -11]))

    def dup(self, tid, fd, to):
        self.t.ev("SYSCALL_DUP_E", tid, fd).ev("SYSCALL_DUP_X", tid, to)
        if fd in self.family:
            self.family[to] = self.family[fd]
        elif to in self.family:
            self.t.close(tid, to)
            del self.family[to]


class RandomFiles:
    NAMES = ["a", "../b", "/abs/x", "./c/", "..", "", "/", "d..", "/p/../q", "e\x01f", "(NULL)", "<NA>", "x/y/z"]

    def __init__(self, seed, n):
        self.r, self.t = random.Random(seed), Trace()
        self.t.thread(100, cwd="/home/al", fds={0: file_fd("/dev/null"), 3: named_fd(2, "/dir"), 4: named_fd(2, "/"),
                                                5: unix_fd(1, 2, "")})
        self.t.thread(101, pid=100, flags=CLONE_FILES, cwd="/x")
        self.t.thread(102, pid=100, cwd="/y", fds={3: file_fd("/own102")})
        self.t.thread(103, cwd="relative/w").thread(104, pid=103, flags=CLONE_FILES).thread(105, pid=103)
        self.tids = [100, 100, 101, 102, 103, 104, 105, 200]
        for _ in range(n):
            self.step()

    def open(self, tid, res, name, name2):
        r, t = self.r, self.t
        fl = r.choice([1, 3, 1 | 1024, 4097, 0])
        d = r.choice([-100, -100, 3, 4, 0, 5, 7, 9, -1])
        d2 = r.choice([d, d, -100, 3, 4, 7])
        kind = r.choice(["open", "exit", "creat", "openat", "openat2", "old"])
        if kind == "open":
            t.ev("SYSCALL_OPEN_E", tid, name, fl, 0).ev("SYSCALL_OPEN_X", tid, res, name2, fl, 0, 5)
        elif kind == "exit":
            t.ev("SYSCALL_OPEN_X", tid, res, name2, fl, 0, 5)
        elif kind == "creat":
            t.ev("SYSCALL_CREAT_E", tid, name, 0).ev("SYSCALL_CREAT_X", tid, res, name2, 0, 5)
        elif kind == "openat":
            t.ev("SYSCALL_OPENAT_2_E", tid, d, name, fl, 0).ev("SYSCALL_OPENAT_2_X", tid, res, d2, name2, fl, 0, 6)
        elif kind == "openat2":
            t.ev("SYSCALL_OPENAT2_E", tid, d, name, fl, 0, 0).ev("SYSCALL_OPENAT2_X", tid, res, d2, name2, fl, 0, 0)
        else:
            t.ev("SYSCALL_OPENAT_E", tid, d, name, fl, 0).ev("SYSCALL_OPENAT_X", tid, res)

    def step(self):
        r, t = self.r, self.t
        tid, fd = r.choice(self.tids), r.randrange(0, 8)
        res, name = r.choice([fd, fd, fd, -2]), r.choice(self.NAMES)
        name2 = r.choice([name, name, r.choice(self.NAMES)])
        number = r.choice([r.randrange(0, 9), -9])
        op = r.choice(4 * ["open"] + ["dup", "fcntl", "pipe", "close", "race", "read", "anon", "chdir", "fchdir", "getcwd",
                                      "chroot", "alone", "switch"])
        if op == "open":
            self.open(tid, res, name, name2)
        elif op == "dup":
            t.ev("SYSCALL_DUP_E", tid, fd).ev("SYSCALL_DUP_X", tid, number)
        elif op == "fcntl":
            t.ev("SYSCALL_FCNTL_E", tid, fd, r.choice([1, 26, 2, 3])).ev("SYSCALL_FCNTL_X", tid, number)
        elif op == "pipe":
            t.ev("SYSCALL_PIPE_E", tid).ev("SYSCALL_PIPE_X", tid, r.choice([0, 0, -24]), fd, fd + 1, 77)
        elif op == "close":
            t.close(tid, fd, r.choice([0, 0, -9]))
        elif op == "race":
            other = r.choice(self.tids)
            t.ev("SYSCALL_CLOSE_E", tid, fd)
            if other != tid:
                t.open(other, fd, "/race")
            t.ev("SYSCALL_CLOSE_X", tid, r.choice([0, 0, -4]))
        elif op == "read":
            t.read(tid, fd)
        elif op == "anon":
            call, args = r.choice([("EVENTFD", (0, 0)), ("SIGNALFD", (-1, 0, 0)), ("TIMERFD_CREATE", (0, 0)),
                                   ("INOTIFY_INIT", (0,))])
            t.ev("SYSCALL_%s_E" % call, tid, *args).ev("SYSCALL_%s_X" % call, tid, res)
        elif op == "chdir":
            t.ev("SYSCALL_CHDIR_E", tid).ev("SYSCALL_CHDIR_X", tid, r.choice([0, 0, -2]), name2)
        elif op == "fchdir":
            t.ev("SYSCALL_FCHDIR_E", tid, fd).ev("SYSCALL_FCHDIR_X", tid, r.choice([0, 0, -2]))
        elif op == "getcwd":
            t.ev("SYSCALL_GETCWD_E", tid).ev("SYSCALL_GETCWD_X", tid, r.choice([0, 0, -2]), "/got/cwd")
        elif op == "chroot":
            t.ev("SYSCALL_CHROOT_E", tid).ev("SYSCALL_CHROOT_X", tid, 0, name2)
        elif op == "switch":
            t.ev("SCHEDSWITCH_6_E", tid, r.choice(self.tids), 1, 2, 3, 4, 5)
        else:
            t.ev("SYSCALL_GETCWD_E", tid)
            t.ev(r.choice(["SYSCALL_CLOSE_X", "SYSCALL_DUP_X", "SYSCALL_FCNTL_X"]), tid, r.choice([0, 5]))


class RandomThreads:
    """Births in either order and half-seen, execs, ends. A tid is used again only after its end; the fields of
    0.29.3 that show memory of an earlier entry are not asked for."""

    THREAD, FILES, VFORK = 0x2000, CLONE_FILES, 0x8000000

    def __init__(self, seed, n):
        self.r, self.t = random.Random(seed), Trace()
        self.t.user(0, 0, "root").user(1000, 1000, "al")
        self.t.thread(1, ptid=0, comm="init")
        self.t.thread(100, comm="bash", cwd="/home/al", args="-l\0", sid=100, vpgid=100, uid=1000, gid=1000,
                      fds={0: file_fd("/dev/null"), 3: named_fd(2, "/dir")})
        self.t.thread(101, pid=100, flags=self.FILES | self.THREAD, comm="thr")
        self.t.thread(110, ptid=100, comm="kid", cwd="/k", fds={5: file_fd("/five")})
        self.live, self.pid = {1, 100, 101, 110}, {1: 1, 100: 100, 101: 100, 110: 110}
        for _ in range(n):
            self.step()

    def exit(self, call, tid, res, who, pid, ptid, comm, flags):
        c = self.r.choice
        self.t.ev("SYSCALL_%s_X" % call, tid, res=res, exe="/bin/" + comm, args=b"-a\0b\0", tid=who, pid=pid, ptid=ptid,
                  cwd="", fdlimit=c([10, 20]), pgft_maj=1, pgft_min=2, vm_size=3, vm_rss=4, vm_swap=5, comm=comm,
                  cgroups=b"cpu=/\0", flags=flags, uid=c([0, 1000]), gid=0, vtid=who, vpid=pid)

    def clone(self, tid):
        c = self.r.choice
        dead = [x for x in range(110, 140) if x not in self.live]
        if not dead or tid not in self.live:
            return
        call, order = c(["CLONE_20", "FORK_20", "VFORK_20", "CLONE3"]), c(["pc", "pc", "pc", "cp", "cp", "p", "c", ""])
        flags = c([0, 0, self.FILES, self.VFORK] + 3 * [self.THREAD | self.FILES])
        child, comm, mine = c(dead), c(["cl", "bash"]), self.pid.get(tid, tid)
        thread = flags & self.THREAD
        self.t.ev("SYSCALL_%s_E" % call, tid)
        for side in order:
            if side == "p":
                self.exit(call, tid, child, tid, mine, c([1, 100]), comm, flags)
            else:
                self.exit(call, child, 0, child, mine if thread else child, 1 if thread else tid, c([comm, "kid2"]), flags)
        if not order:
            self.exit(call, tid, -11, tid, mine, 1, comm, flags)
            return
        self.live.add(child)
        self.pid[child] = mine if thread else child

    def exec(self):
        c = self.r.choice
        tid = c([x for x in sorted(self.live) if self.pid.get(x, x) == x] + [200])
        comm = c(["ls", "cat"])
        self.t.ev("SYSCALL_EXECVE_19_E", tid, c(["/bin/ls", "ls", "./x/../y", "<NA>", ""]))
        self.t.ev("SYSCALL_EXECVE_19_X", tid, res=c([0, 0, 0, -2]), exe=comm, args=b"a\0b\0", tid=tid, pid=tid,
                  ptid=c([1, 100]), cwd="", fdlimit=c([7, 8]), pgft_maj=1, pgft_min=2, vm_size=30, vm_rss=4, vm_swap=5,
                  comm=comm, cgroups=b"cpu=/\0", env=b"E=1\0", tty=c([0, 34816]), pgid=tid, loginuid=c([1000, -1]),
                  flags=c([0, 1]))

    def ids(self, tid):
        t, c = self.t, self.r.choice
        kind = c(["SETUID", "SETGID", "SETRESUID", "SETRESGID", "SETSID"])
        args = {"SETU": (c([0, 1000, 5]),), "SETG": (c([0, 1000, 5]),), "SETR": (c([0, -1]), c([7, -1]), c([0, -1])),
                "SETS": ()}[kind[:4]]
        t.ev("SYSCALL_%s_E" % kind, tid, *args)
        t.ev("SYSCALL_%s_X" % kind, tid, c([self.pid.get(tid, tid) if kind == "SETSID" else 0, -1]))

    def step(self):
        r, t, c = self.r, self.t, self.r.choice
        tid = c(sorted(self.live) + [200])
        op = c(["clone", "clone", "clone", "exec", "exec", "exit", "open", "close", "chdir", "ids", "ids", "limit", "vm",
                "switch", "read", "wait"])
        if r.random() < 0.1:
            t.ts += c([1, 2, 3]) * 10**9
        if op == "clone":
            self.clone(tid)
        elif op == "exec":
            self.exec()
        elif op == "exit" and tid != 1:
            t.ev("PROCEXIT_1_E", tid, c([0, 256]), 0, 0, 0)
            self.live.discard(tid)
        elif op == "open":
            t.open(tid, c([3, 4, 5]), c(["a", "/b"]))
        elif op == "close":
            t.close(tid, c([3, 4, 5]))
        elif op == "read":
            t.read(tid, c([0, 3, 4, 5]))
        elif op == "chdir":
            t.ev("SYSCALL_CHDIR_E", tid).ev("SYSCALL_CHDIR_X", tid, c([0, 0, -2]), c(["x", "/y", ".."]))
        elif op == "ids":
            self.ids(tid)
        elif op == "limit":
            kind = c(["GETRLIMIT", "SETRLIMIT"])
            t.ev("SYSCALL_%s_E" % kind, tid, c([7, 6])).ev("SYSCALL_%s_X" % kind, tid, c([0, -1]), c([11, 12]), 13)
        elif op == "vm":
            t.ev("SYSCALL_BRK_4_E", tid, 0).ev("SYSCALL_BRK_4_X", tid, 1, c([50, 60]), 51, 52)
        elif op == "switch":
            t.ev("SCHEDSWITCH_6_E", tid, c(sorted(self.live)), 1, 2, c([33, 44]), 4, 5)
        else:
            t.ev("SYSCALL_NANOSLEEP_E", tid, 5).ev("SYSCALL_NANOSLEEP_X", tid, 0)


# ---- comparing --------------------------------------------------------------------------------------------

def output(cmd, trace, fmt):
    env = dict(os.environ, TZ="UTC")
    r = subprocess.run(cmd + ["-r", trace] + (["-p", fmt] if fmt else []), stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=env, timeout=120)
    return r.stdout.decode("latin1").split("\n")


def tid_of(line, fmt):
    words = line.split(" ")
    return words[0] if fmt else next((w[1:-1] for w in words if w.startswith("(") and w.endswith(")")), "?")


def compare(name, trace, formats, names=None, batch=()):
    """Names of the scenarios that differ; the first difference of each is printed."""
    with tempfile.TemporaryDirectory() as d:
        path = trace.write(os.path.join(d, "x.scap"))
        lines, bad = 0, {}
        for fmt in formats:
            theirs = output(["sysdig"], path, fmt)
            ours = output([burin.BURIN, "--compat=0.29"] + list(batch), path, fmt)
            lines += len(theirs) - 1
            for a, b in zip(theirs, ours):
                if a != b:
                    tid = tid_of(a, fmt)
                    bad.setdefault(names.get(tid, tid) if names else "", (a, b))
            if len(theirs) != len(ours):
                bad.setdefault("number of lines", ("%d" % len(theirs), "%d" % len(ours)))
    for who, (a, b) in list(bad.items())[:6]:
        print("  %s\n    sysdig: %s\n    burin:  %s" % (who, a[:300], b[:300]))
    burin.report(not bad, name, "%d lines%s" % (lines, ", differ: " + ", ".join(bad) if bad else ""))
    return not bad


def later_parameters():
    """docs/differences.md, "parameters of later events"."""
    bad = []
    with tempfile.TemporaryDirectory() as d:
        path = Trace().thread(100).read(100, 3).write(os.path.join(d, "x.scap"))
        for field in ("arg.newfd", "rawarg.newfd", "arg.sq_entries"):
            fmt = "*%evt." + field
            if output(["sysdig"], path, fmt)[0] or any(line not in ("", "<NA>") for line in output(
                    [burin.BURIN, "--compat=0.29"], path, fmt)) or not output([burin.BURIN, "--compat=0.29"], path, fmt)[0]:
                bad.append(field)
        bad += [f for f in ("arg.nonesuch", "arg.req") if output([burin.BURIN, "--compat=0.29"], path, "*%evt." + f)[0]]
    burin.report(not bad, "later-parameters", ", ".join(bad))


def random_runs(name, make, formats, first, seeds):
    bad = []
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory() as d:
            path = make(seed, 60).t.write(os.path.join(d, "x.scap"))
            for fmt in formats:
                theirs, ours = output(["sysdig"], path, fmt), output([burin.BURIN, "--compat=0.29"], path, fmt)
                diff = next(((a, b) for a, b in zip(theirs, ours) if a != b), None)
                if diff or len(theirs) != len(ours):
                    bad.append(seed)
                    if len(bad) <= 3 and diff:
                        print("  seed %d\n    sysdig: %s\n    burin:  %s" % (seed, diff[0][:300], diff[1][:300]))
                    break
    burin.report(not bad, name, "seeds %d to %d%s" % (first, first + seeds - 1, ", differ: %s" % bad if bad else ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seeds", type=int, default=40)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    if not burin.have_peer():
        burin.skip("crafted", "sysdig 0.29.3 is not installed")
        burin.finish()

    def wanted(name):
        return not a.names or any(n in name for n in a.names)
    # Listening: the address of the server is overwritten in 0.29.3 (the overlay again), its name is not.
    for group, formats in (("files", (LINES, FD)), ("sockets", (LINES, FD, SOCK)), ("listening", (LINES, FD))):
        if wanted(group):
            trace, names = build_scenarios(group)
            compare(group, trace, formats, names)
    if wanted("latencies"):
        compare("latencies", build_latencies(), LATENCY, batch=["--batch-events=7", "--workers=3"])
    if wanted("later-parameters"):
        later_parameters()
    if wanted("containers"):
        compare("containers", build_containers(), (LINES, CONTAINER))
    if wanted("cgroups"):
        for c in CGROUPS:
            compare("cgroups" + c, build_cgroups(c), (IDS,))
    if wanted("random-files"):
        random_runs("random-files", RandomFiles, (LINES, FD), a.first, a.seeds)
    if wanted("random-sockets"):
        random_runs("random-sockets", RandomSockets, (LINES, SOCK), a.first, a.seeds)
    if wanted("random-threads"):
        random_runs("random-threads", RandomThreads, (LINES, PROC), a.first, a.seeds)
    burin.finish()


if __name__ == "__main__":
    main()
