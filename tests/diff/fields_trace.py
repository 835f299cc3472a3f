"""A trace with something for every field: containers, pods, system log, polls, two-path calls, cpu times.
fields_trace.py OUT writes it; every event is one that sysdig 0.29.3 knows."""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import scapgen as sg  # noqa: E402

ID1, ID2, SANDBOX = "1" * 64, "2" * 64, "a" * 64
CREAT, EXCL, RDONLY, WRONLY, RDWR = 4, 32, 1, 2, 3


def container(**members):
    members.setdefault("type", 0)
    members.setdefault("lookup_state", 1)
    return json.dumps({"container": members})


def cgroups(cid):
    return "cpu=/docker/%s\0cpuset=/docker/%s\0memory=/\0" % (cid, cid)


def containers(t):
    t.ev("CONTAINER_JSON_E", -1, container(
        id=ID1[:12], full_id=ID1, name="web", image="nginx:1.25", imageid="abcdef012345", imagerepo="nginx",
        imagetag="1.25", imagedigest="sha256:00", privileged=True, ip="172.17.0.2",
        Mounts=[{"Source": "/data", "Destination": "/var/data", "Mode": "rw", "RW": True, "Propagation": "rprivate"},
                {"Source": "/etc/x", "Destination": "/etc/y", "Mode": "", "RW": False, "Propagation": "z"}],
        env=["A=1"], labels={"app": "shop", "io.kubernetes.pod.name": "shop-1", "io.kubernetes.pod.namespace": "prod",
                             "io.kubernetes.pod.uid": "1234-5678", "io.kubernetes.sandbox.id": SANDBOX},
        Healthcheck={"exe": "/bin/hc", "args": ["-a", "b"]}, created_time=1600000000, mesos_task_id="mt1",
        cni_json="{}", pod_sandbox_id=SANDBOX[:12]))
    t.ev("CONTAINER_JSON_E", -1, container(
        id=SANDBOX[:12], full_id=SANDBOX, name="POD", image="pause:3", imageid="", is_pod_sandbox=True,
        labels={"app": "shop", "tier": "front"}, ip="10.1.2.3", cni_json='{"a":1}', type=7))
    t.ev("CONTAINER_JSON_E", -1, container(id="3" * 12, name="failed", image="x", lookup_state=2))


def paths(t, tid):
    for dirfd in (-100, 5, 77):
        for name in ("a/../b", "/x//y", ""):
            t.ev("SYSCALL_OPENAT_2_E", tid, dirfd, name, CREAT | RDWR, 0o755)
            t.ev("SYSCALL_OPENAT_2_X", tid, 9, dirfd, name, CREAT | RDWR, 0o755, 0x801)
            t.read(tid, 9)
            t.close(tid, 9)
            t.ev("SYSCALL_OPENAT_2_E", tid, dirfd, name, RDONLY, 0)
            t.ev("SYSCALL_OPENAT_2_X", tid, -2, dirfd, name, RDONLY, 0, 0)
            t.ev("SYSCALL_UNLINKAT_2_E", tid)
            t.ev("SYSCALL_UNLINKAT_2_X", tid, 0, dirfd, name, 0)
            t.ev("SYSCALL_MKDIRAT_E", tid)
            t.ev("SYSCALL_MKDIRAT_X", tid, -17, dirfd, name, 0o700)
            t.ev("SYSCALL_FCHMODAT_E", tid)
            t.ev("SYSCALL_FCHMODAT_X", tid, 0, dirfd, name, 0x1ff)
            t.ev("SYSCALL_RENAMEAT_E", tid)
            t.ev("SYSCALL_RENAMEAT_X", tid, 0, dirfd, name, -100, "new")
            t.ev("SYSCALL_RENAMEAT2_E", tid)
            t.ev("SYSCALL_RENAMEAT2_X", tid, 0, dirfd, name, 5, "new2", 0)
            t.ev("SYSCALL_LINKAT_2_E", tid)
            t.ev("SYSCALL_LINKAT_2_X", tid, 0, dirfd, name, -100, "new", 0)
            t.ev("SYSCALL_SYMLINKAT_E", tid)
            t.ev("SYSCALL_SYMLINKAT_X", tid, 0, "target", dirfd, name)
    for flags, mode in ((CREAT | WRONLY, 0o644), (CREAT | RDWR, 0o111), (RDONLY, 0o777), (0x2000, 0o100)):
        for fd in (8, -13):
            t.ev("SYSCALL_OPEN_E", tid, "f", flags, mode)
            t.ev("SYSCALL_OPEN_X", tid, fd, "f", flags, mode, 0x12)
            t.ev("SYSCALL_CREAT_E", tid, "g", mode)
            t.ev("SYSCALL_CREAT_X", tid, fd, "g", mode, 0x12)
    for call in ("MKDIR_2", "RMDIR_2", "UNLINK_2", "CHMOD", "RENAME", "LINK_2", "SYMLINK"):
        t.ev("SYSCALL_%s_E" % call, tid, *([0] if call == "MKDIR_2" else []))
        extra = {"CHMOD": [0x1ff], "RENAME": ["n"], "LINK_2": ["n"], "SYMLINK": ["/n"]}.get(call, [])
        t.ev("SYSCALL_%s_X" % call, tid, 0, "p", *extra)


def syslog(t, tid):
    t.open(tid, 7, "/dev/log", RDWR)
    t.socket(tid, 6, 1, 2)
    t.connect(tid, 6, sg.tuple_un(0, 0xffff88003c420800, "/dev/log"))
    for fd in (6, 7):
        for data in (b"<13>hello", b"<191>local7 debug", b"<999>x", b"x<1>y", b"<>z", b"<5x>", b"<30>", b"<1", b"",
                     b"<0>\x01\xff", b" 14>odd", b"<1234567890123>q", b"<14>a\nb"):
            t.ev("SYSCALL_WRITE_E", tid, fd, len(data))
            t.ev("SYSCALL_WRITE_X", tid, len(data), data)
    t.sendto(tid, 6, sg.tuple_un(0, 0xffff88003c420800, "/dev/log"), b"<86>via sendto")
    t.read(tid, 6, b"<13>read")


def fdlist(*items):
    return struct.pack("<H", len(items)) + b"".join(struct.pack("<qh", fd, flags) for fd, flags in items)


def polls(t, tid):
    for items in (((0, 1), (6, 4), (11, 5), (12, 5), (13, 1), (-1, 0), (77, 3)), (), ((11, 1),)):
        t.ev("SYSCALL_POLL_E", tid, fdlist(*items), 100)
        t.ev("SYSCALL_POLL_X", tid, len(items), fdlist(*items))
        t.ev("SYSCALL_PPOLL_E", tid, fdlist(*items), 1500000000, 0x101)
        t.ev("SYSCALL_PPOLL_X", tid, -4, fdlist(*items))


def cpu(t, tid):
    for usr, sys_ in ((10, 5), (10, 5), (60, 5), (60, 105), (300, 300), (290, 300)):
        t.ts += 1000000000
        t.ev("PROCINFO_E", tid, usr, sys_)
        t.ev("PROCINFO_E", 999, usr, sys_)
    t.ev("SCHEDSWITCH_6_E", tid, 0, 3, 4, 5000, 600, 70)
    t.ev("SCHEDSWITCH_6_E", 0, tid, 3, 4, 5000, 600, 70)


def make():
    t = sg.Trace()
    t.iface("lo", "127.0.0.1", "255.0.0.0").iface("eth0", "10.0.0.5", "255.255.255.0").iface("lo", "::1", "::1")
    t.user(0, 0, "root", "/root", "/bin/bash").user(1000, 1000, "alice", "/home/alice", "/bin/sh")
    t.group(0, "root").group(1000, "alice")
    sockets = {11: sg.sock4_fd("10.0.0.5", 4000, "8.8.8.8", 443), 12: sg.sock6_fd("::1", 80, "::1", 5000),
               13: sg.serv4_fd("0.0.0.0", 22), 14: sg.serv6_fd("::", 22), 15: sg.sock4_fd("1.2.3.4", 5, "10.0.0.5", 22),
               16: sg.sock4_fd("1.2.3.4", 0, "5.6.7.8", 0, 5), 17: sg.sock4_fd("10.0.0.5", 1, "10.0.0.5", 2, 4)}
    files = {0: sg.file_fd("/dev/null"), 1: sg.named_fd(7, "pipe:[12]"), 5: sg.named_fd(2, "/srv/dir"),
             20: sg.file_fd("/"), 21: sg.file_fd("noslash"), 22: sg.file_fd("/top"), 23: sg.named_fd(2, "/"),
             24: sg.named_fd(9, "e"), 25: sg.named_fd(11, "s"), 26: sg.named_fd(12, "l"), 27: sg.named_fd(13, "i"),
             28: sg.named_fd(14, "t"), 29: sg.named_fd(15, "n"), 30: sg.named_fd(10, "x"), 31: sg.unix_fd(1, 2, "/u")}
    t.thread(1, comm="systemd", exe="/sbin/init", ptid=0, sid=0)
    t.thread(50, comm="bash", ptid=1, sid=50, vpgid=50, cwd="/root/", env="HOME=/root\0A=b=c\0", uid=0)
    t.thread(100, comm="app", exe="/bin/app", exepath="/usr/bin/app", args="-x\0two words\0\0", ptid=50, sid=50,
             vpgid=100, cwd="/home/alice/", env="HOME=/home/alice\0EMPTY=\0", uid=1000, gid=1000,
             vm=(5000, 400, 3), pf=(7, 8), fds={**files, **sockets}, cgroups="cpu=/a\0memory=/b/c\0name=systemd=/\0")
    t.thread(101, pid=100, comm="app2", ptid=50, sid=50, vpgid=100, uid=1000, gid=1000, flags=1 | 1 << 13,
             vm=(1, 2, 3), pf=(4, 5))
    t.thread(200, comm="nginx", exe="nginx", ptid=1, sid=200, cgroups=cgroups(ID1), vtid=1, vpid=1)
    t.thread(201, comm="hc", exe="/bin/hc", args="-a\0b\0", ptid=200, sid=200, cgroups=cgroups(ID1), vtid=9, vpid=9)
    t.thread(202, comm="kid", exe="/bin/kid", ptid=201, sid=200, cgroups=cgroups(ID1), vtid=10, vpid=10)
    t.thread(300, comm="other", ptid=1, cgroups=cgroups(ID2))
    t.thread(301, comm="pause", ptid=1, cgroups="cpu=/kubepods/pod1/crio-%s.scope\0" % SANDBOX)
    t.thread(302, comm="lx", ptid=1, cgroups="cpu=/lxc/box\0")
    for tid in (100, 101, 200):
        t.read(tid, 0)
    containers(t)
    for tid in (1, 50, 100, 101, 200, 201, 202, 300, 301, 302, 400):
        t.read(tid, 0, b"ab\x00\x7f\xff")
    for fd in list(files) + list(sockets) + [77, -1]:
        t.read(100, fd, b"x", 1)
        t.ev("SYSCALL_IOCTL_3_E", 100, fd, 0x5401, 0)
        t.ev("SYSCALL_IOCTL_3_X", 100, -25)
    paths(t, 100)
    syslog(t, 100)
    polls(t, 100)
    cpu(t, 100)
    cpu(t, 101)
    t.ev("SYSCALL_NANOSLEEP_E", 100, 1000)
    t.ev("SYSCALL_NANOSLEEP_X", 100, 0, ts=t.ts + 61234567890)
    t.ev("SYSCALL_NANOSLEEP_E", 100, 1000)
    t.ev("SYSCALL_NANOSLEEP_X", 100, -4, ts=t.ts + 3661000000000)
    t.ev("GENERIC_E", 100, 5, 5)
    t.ev("GENERIC_X", 100, 5)
    t.ev("INFRASTRUCTURE_EVENT_E", 100, "docker", "start", "ID: %s; name: web; Image: nginx" % ID1, "s")
    return t


if __name__ == "__main__":
    make().write(sys.argv[1])
