#!/usr/bin/env python3
"""What no peer here can tell: descriptors and users in the events of newer writers, and where burin by default does
not do what 0.29.3 does. Made-up traces, expectations written by hand (rules: docs/differences.md and the newest
schema's own reader)."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin            # noqa: E402
from scapgen import *   # noqa: E402,F403

FD = "*%evt.type %fd.num %fd.typechar [%fd.name]"
O_CLOEXEC, O_DIRECTORY = 4096, 1024
CASES = []


def case(fmt=FD, generation="new", **thread):
    def add(fn):
        CASES.append((fn, fmt, generation, thread))
        return fn
    return add


def use(t, *fds):
    """Reads that name their descriptor themselves: they show what the table holds."""
    for fd in fds:
        t.ev("SYSCALL_READ_X", 100, 1, b"x", fd, 1)


@case()
def anonymous(t):
    t.ev("SYSCALL_EPOLL_CREATE_X", 100, 3, 1).ev("SYSCALL_EPOLL_CREATE1_X", 100, 4, 0)
    t.ev("SYSCALL_MEMFD_CREATE_X", 100, 5, "scratch", 0).ev("SYSCALL_PIDFD_OPEN_X", 100, 6, 100, 0)
    t.ev("SYSCALL_BPF_2_X", 100, 7, 0).ev("SYSCALL_USERFAULTFD_X", 100, 8, 0)
    t.ev("SYSCALL_IO_URING_SETUP_X", 100, 9, 1, 1, 1, 0, 0, 0, 0).ev("SYSCALL_EVENTFD2_X", 100, 10, 0, 0)
    t.ev("SYSCALL_SIGNALFD4_X", 100, 11, 0, -1, 0).ev("SYSCALL_INOTIFY_INIT1_X", 100, 12, 0)
    t.ev("SYSCALL_PIPE2_X", 100, 0, 13, 14, 77, 0)
    t.ev("SYSCALL_MEMFD_CREATE_X", 100, -24, "failed", 0)
    use(t, *range(3, 15))
    return """epoll_create 3 l []
epoll_create1 4 l []
memfd_create 5 m [scratch]
pidfd_open 6 P [/proc/100]
bpf 7 b []
userfaultfd 8 u []
io_uring_setup 9 r []
eventfd2 10 e []
signalfd4 11 s []
inotify_init1 12 i []
pipe2 14 p []
memfd_create -1 o []
read 3 l []
read 4 l []
read 5 m [scratch]
read 6 P [/proc/100]
read 7 b []
read 8 u []
read 9 r []
read 10 e []
read 11 s []
read 12 i []
read 13 p []
read 14 p []"""


@case(fds={3: file_fd("/three"), 4: file_fd("/four")})
def copies(t):
    t.ev("SYSCALL_DUP_1_X", 100, 5, 3).ev("SYSCALL_DUP2_X", 100, 4, 3, 4).ev("SYSCALL_DUP3_X", 100, 6, 4, 6, O_CLOEXEC)
    t.ev("SYSCALL_FCNTL_X", 100, 7, 3, 26, 0).ev("SYSCALL_FCNTL_X", 100, 0, 5, 3, 1)
    t.ev("SYSCALL_OPENAT_2_X", 100, 8, -100, "/eight", 1 | O_CLOEXEC, 0, 0, 0)
    t.ev("SOCKET_SOCKET_X", 100, 9, 2, 0x80001, 0, 0)
    use(t, 5, 4, 6, 7)
    # 6, 7, 8 and 9 close on exec, and 5 does since fcntl said so.
    t.ev("SYSCALL_EXECVE_19_X", 100, res=0, exe="x", args=b"", tid=100, pid=100, ptid=1, cwd="", fdlimit=1, pgft_maj=0,
         pgft_min=0, vm_size=0, vm_rss=0, vm_swap=0, comm="x", cgroups=b"", env=b"", fill=True)
    use(t, 3, 4, 5, 6, 7, 8, 9)
    return """dup 5 f [/three]
dup2 4 f [/three]
dup3 6 f [/three]
fcntl 7 f [/three]
fcntl 5 f [/three]
openat 8 f [/eight]
socket 9 4 []
read 5 f [/three]
read 4 f [/three]
read 6 f [/three]
read 7 f [/three]
execve <NA> <NA> [<NA>]
read 3 f [/three]
read 4 f [/three]
read 5 o []
read 6 o []
read 7 o []
read 8 o []
read 9 o []"""


@case(fds={n: file_fd("/%d" % n) for n in list(range(0, 20)) + [500, 1000]})
def ranges(t):
    t.ev("SYSCALL_CLOSE_RANGE_X", 100, 0, 3, 15, 0)
    use(t, 2, 3, 15, 16)
    t.ev("SYSCALL_CLOSE_RANGE_X", 100, -22, 0, 100, 0).ev("SYSCALL_CLOSE_RANGE_X", 100, 0, 18, 4294967295, 0)
    use(t, 2, 17, 18, 500, 1000)
    return """close_range <NA> <NA> [<NA>]
read 2 f [/2]
read 3 o []
read 15 o []
read 16 f [/16]
close_range <NA> <NA> [<NA>]
close_range <NA> <NA> [<NA>]
read 2 f [/2]
read 17 f [/17]
read 18 o []
read 500 o []
read 1000 o []"""


@case(fds={3: file_fd("/mine")})
def of_another_process(t):
    t.thread(200, fds={7: file_fd("/theirs")})
    t.ev("SYSCALL_PIDFD_OPEN_X", 100, 4, 200, 0).ev("SYSCALL_PIDFD_GETFD_X", 100, 5, 4, 7, 0)
    t.ev("SYSCALL_PIDFD_GETFD_X", 100, 6, 3, 7, 0)
    use(t, 5, 6)
    return """pidfd_open 4 P [/proc/200]
pidfd_getfd 5 f [/theirs]
pidfd_getfd 6 o []
read 5 f [/theirs]
read 6 o []"""


@case(fds={3: unix_fd(1, 2, "/run/s"), 8: file_fd("/stale"), 9: file_fd("/stays")})
def received_in_a_message(t):
    control = struct.pack("<QiiiI", 20, 1, 1, 8, 0)
    t.ev("SOCKET_RECVMSG_X", 100, 1, 1, b"x", tuple_un(1, 2, "/run/s"), control, 3)
    t.ev("SOCKET_RECVMSG_X", 100, 1, 1, b"x", tuple_un(1, 2, "/run/s"), b"\\1\\2\\3", 3)
    use(t, 8, 9)
    return """recvmsg 3 u [1->2 /run/s]
recvmsg 3 u [1->2 /run/s]
read 8 o []
read 9 f [/stays]"""


@case(cwd="/home/al", fds={3: named_fd(2, "/dir"), 4: named_fd(2, "/")})
def paths(t):
    for nm in ("a..", "...", "x./y", "../b/./c//"):
        t.ev("SYSCALL_OPEN_X", 100, 5, nm, 1, 0, 0, 0)
    t.ev("SYSCALL_OPENAT_2_X", 100, 5, 4, "a", 1, 0, 0, 0).ev("SYSCALL_OPENAT_2_X", 100, 5, 9, "a", 1, 0, 0, 0)
    t.ev("SYSCALL_OPENAT_2_X", 100, -2, 3, "a", 1, 0, 0, 0).ev("SYSCALL_OPEN_X", 100, -2, "/p/../q", 1, 0, 0, 0)
    t.ev("SYSCALL_OPEN_X", 100, 5, "caf\u00e9", 1 | O_DIRECTORY, 0, 0, 0)
    t.ev("SYSCALL_OPEN_BY_HANDLE_AT_X", 100, 5, 3, 1, "/by/handle", 0, 0)
    return """open 5 f [/home/al/a..]
open 5 f [/home/al/...]
open 5 f [/home/al/x./y]
open 5 f [/home/b/c]
openat 5 f [/a]
openat 5 f [<UNKNOWN>/a]
openat -1 f [/dir/a]
open -1 f [/q]
open 5 d [/home/al/caf\u00e9]
open_by_handle_at 5 f [/by/handle]"""


@case(generation="029", fds={4: file_fd("/four")})
def close_races_with_open(t):
    t.thread(101, pid=100, flags=1)
    t.ev("SYSCALL_CLOSE_E", 100, 4).open(101, 4, "/new").ev("SYSCALL_CLOSE_X", 100, 0).read(100, 4)
    return """close 4 f [/four]
open -1 f [<NA>]
open 4 f [/new]
close 4 o []
read 4 f [/new]
read 4 f [/new]"""


@case(generation="029")
def datagram_server(t):
    t.iface("lo", "127.0.0.1", "255.0.0.0").iface("eth0", "10.0.0.5", "255.255.255.0")
    t.socket(100, 3, 2, 2).bind(100, 3, addr4("0.0.0.0", 53)).recvfrom(100, 3, tuple4("10.0.0.9", 4000, "10.0.0.5", 53))
    t.sendto(100, 3, tuple4("10.0.0.5", 53, "10.0.0.9", 4000)).recvfrom(100, 3, tuple4("10.0.0.8", 4, "10.0.0.5", 53))
    return """socket -1 4 [<NA>]
socket 3 4 []
bind 3 4 []
bind 3 4 [0.0.0.0:53]
recvfrom 3 4 [0.0.0.0:53]
recvfrom 3 4 [10.0.0.9:4000->10.0.0.5:53]
sendto 3 4 [10.0.0.9:4000->10.0.0.5:53]
sendto 3 4 [10.0.0.9:4000->10.0.0.5:53]
recvfrom 3 4 [10.0.0.9:4000->10.0.0.5:53]
recvfrom 3 4 [10.0.0.8:4->10.0.0.5:53]"""


@case(fmt="*%evt.type %user.name %user.homedir %user.shell %group.name", uid=1000, gid=1000)
def users_come_and_go(t):
    use(t, 0)
    t.ev("USER_ADDED_E", -1, 1000, 1000, "alice", "/home/alice", "/bin/sh", "").ev("GROUP_ADDED_E", -1, 1000, "staff", "")
    use(t, 0)
    t.ev("USER_ADDED_E", -1, 1000, 1000, "inside", "/", "/bin/sh", "0123456789ab")  # of a container: not the host's
    use(t, 0)
    t.ev("USER_DELETED_E", -1, 1000, 1000, "alice", "/home/alice", "/bin/sh", "").ev("GROUP_DELETED_E", -1, 1000, "staff", "")
    use(t, 0)
    return """read <NA> <NA> <NA> <NA>
read alice /home/alice /bin/sh staff
read alice /home/alice /bin/sh staff
read <NA> <NA> <NA> <NA>"""


def main():
    for fn, fmt, generation, thread in CASES:
        t = Trace(generation).thread(100, **thread)
        want = fn(t).split("\n")
        with tempfile.TemporaryDirectory() as d:
            path = t.write(os.path.join(d, "x.scap"))
            for extra in ([], ["--workers=3", "--batch-events=2"]):
                rc, out, err = burin.run(extra + ["-r", path, "-p", fmt])
                got = out.decode().rstrip("\n").split("\n")
                bad = next(((a, b) for a, b in zip(want, got) if a != b), None)
                ok = rc == 0 and got == want
                burin.report(ok, fn.__name__ + "".join(extra[1:]),
                             "" if ok else "exit %d %s want %s lines %d and %d" % (rc, err.decode()[:100], bad, len(want),
                                                                                  len(got)))
    burin.finish()


if __name__ == "__main__":
    main()
