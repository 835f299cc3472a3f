#!/usr/bin/env python3
"""Chisels on made-up activity that the recorded traces lack: users in shells, HTTP, syslog, log files, memcached, containers, failing and
slow calls, cpu times. sysdig's scripts in sysdig 0.29.3, the same in burin, and ours: all must print the same."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), HERE]
import burin
from chisels import SYSDIG_CHISELS, same
from crafted import ID, container
from scapgen import Trace, encode, events, file_fd, serv4_fd, sock4_fd, unix_fd

DOCKER = "cpu=/docker/" + ID + "\0"
MS, S = 1000000, 1000000000

# chisel and arguments; options
RUNS = [
    ("spy_users", ""), ("spy_users", "-pc"), ("spy_users 0", ""), ("spy_users 9 disable_color", ""), ("httplog", ""), ("httplog", "-pc"),
    ("httptop", ""), ("httptop time", ""), ("httptop bytes", "-pc"), ("httptop", "-j"), ("spy_syslog", ""), ("spy_syslog", "-pc"),
    ("spy_logs", ""), ("spy_logs", "-pc"), ("memcachelog", ""), ("memcachelog get", ""), ("memcachelog set 3", ""),
    ("list_login_shells", ""), ("list_login_shells ls", ""), ("list_login_shells nosuch", ""), ("list_login_shells '* -l'", ""),
    ("lscontainers", ""), ("lscontainers desc", ""), ("proc_exec_time", ""), ("proc_exec_time disable_colors", "-pc"),
    ("stderr", ""), ("stderr", "-pc"), ("stdin", ""), ("stdout", ""), ("echo_fds", ""), ("echo_fds disable_color", "-pc"),
    ("spy_file", ""), ("spy_file R", ""), ("spy_file 'W /var/log/app.log'", ""), ("spy_ip 10.0.0.9", ""), ("spy_port 80", ""),
    ("fileslower 1", ""), ("fileslower 1", "-pc"), ("netlower 1", ""), ("netlower '0 disable_color'", "-pc"), ("scallslower 1", ""),
    ("scallslower 1", "-pc"), ("topprocs_cpu", ""), ("topprocs_cpu", "-pc"), ("topprocs_cpu", "-j"), ("topcontainers_cpu", ""),
    ("topcontainers_error", ""), ("topcontainers_file", ""), ("topcontainers_net", ""), ("topfiles_errors", "-pc"),
    ("topprocs_net", "-pc"), ("topconns", "-pc -j"), ("topports_server", ""), ("fdcount_by container.name", ""), ("iobytes", ""),
    ("iobytes_file", ""), ("iobytes_net", ""), ("bottlenecks", ""), ("ps", ""), ("lsof", ""), ("netstat", ""),
    ("fdbytes_by container.name", ""), ("fdtime_by proc.name", ""), ("topscalls", "-pc"), ("topscalls_time", ""),
]
TIES = {"topfiles_errors", "topscalls", "topcontainers_error", "topcontainers_net", "topcontainers_file", "fdcount_by", "topconns",
        "topprocs_net", "topprocs_cpu", "fdbytes_by", "topports_server", "httptop", "fdtime_by", "topscalls_time", "topcontainers_cpu"}


class World(Trace):
    """Processes that exist before the first event: init, sshd, a login shell, a web server and its client, a daemon in a container."""

    def __init__(self):
        super().__init__()
        web = sock4_fd("10.0.0.9", 4000, "10.0.0.5", 80)
        self.iface("eth0", "10.0.0.5", "255.255.255.0").user(1000, 1000, "alice").user(0, 0, "root")
        self.thread(1, ptid=0, comm="init").thread(50, ptid=1, comm="sshd").thread(60, ptid=50, comm="bash", uid=1000, sid=60, cwd="/home/alice/")
        self.thread(70, comm="httpd", fds={3: serv4_fd("0.0.0.0", 80), 4: web, 5: file_fd("/var/log/app.log"), 2: file_fd("/dev/pts/0")})
        self.thread(80, comm="curl", fds={3: sock4_fd("10.0.0.5", 5000, "10.0.0.9", 80), 0: file_fd("/in"), 1: file_fd("/out")})
        self.thread(90, comm="logger", fds={3: unix_fd(1, 2, "/dev/log")})
        self.thread(100, comm="memcached", fds={7: sock4_fd("10.0.0.9", 6000, "10.0.0.5", 11211)})
        self.thread(200, comm="boxed", cgroups=DOCKER, vtid=1, vpid=1,
                    fds={2: file_fd("/dev/null"), 3: file_fd("/data/x"), 4: sock4_fd("172.17.0.2", 1, "10.0.0.9", 443)})
        self.ev("CONTAINER_JSON_E", -1, container())

    def write(self, path_or_tid, fd=None, data=b"x", res=None, ns=1000):
        if fd is None:
            return super().write(path_or_tid)
        self.ev("SYSCALL_WRITE_E", path_or_tid, fd, len(data))
        return self.ev("SYSCALL_WRITE_X", path_or_tid, len(data) if res is None else res, data, ts=self.ts + ns)

    def slow_read(self, tid, fd, data, ns):
        self.ev("SYSCALL_READ_E", tid, fd, len(data))
        return self.ev("SYSCALL_READ_X", tid, len(data), data, ts=self.ts + ns)

    def old(self, enum, tid, *args):
        """An event with the parameters of 0.29.3 only, in order: newer ones can have the same names."""
        et = events()[enum]
        return self.raw(et.code, tid, [encode(ptype, v) for (_, ptype), v in zip(et.params_029, args)])

    def fork(self, parent, child, comm, ns=1000):
        def exit_of(tid, res):
            # res exe args tid pid ptid cwd fdlimit faults vm comm cgroups flags uid gid vtid vpid
            self.old("SYSCALL_CLONE_20_X", tid, res, "/bin/" + comm, None, tid, tid, parent if tid == child else 50, "", 1024, 0, 0, 1, 1, 0,
                    comm, b"cpu=/\0", 0, 1000, 1000, tid, tid)
        self.ev("SYSCALL_CLONE_20_E", parent)
        exit_of(parent, child)
        exit_of(child, 0)
        return self

    def run(self, tid, parent, exe, args=(), env=()):
        self.ev("SYSCALL_EXECVE_19_E", tid, exe)
        return self.old("SYSCALL_EXECVE_19_X", tid, 0, exe, "".join(a + "\0" for a in args).encode(), tid, tid, parent, "", 1024, 0, 0, 1, 1, 0,
                       os.path.basename(exe), b"cpu=/\0", "".join(e + "\0" for e in env).encode(), 0, tid, 1000, 0)

    def chdir(self, tid, path):
        return self.ev("SYSCALL_CHDIR_E", tid).ev("SYSCALL_CHDIR_X", tid, 0, path)

    def die(self, tid, ns=0):
        return self.ev("PROCEXIT_1_E", tid, 0, ts=self.ts + 1000 + ns, fill=True)

    def later(self, ns):
        self.ts += ns
        return self


def users(t):
    for i, (exe, args) in enumerate((("/bin/ls", ("-l",)), ("/usr/bin/vi", ("a", "b")), ("/bin/sh", ("-c", "x")), ("/bin/bash", ()))):
        tid = 300 + i
        t.fork(60, tid, "bash").run(tid, 60, exe, args)
        if exe.endswith("sh"):
            t.fork(tid, tid + 50, "sh").run(tid + 50, tid, "/bin/cat", ("f",)).die(tid + 50, 4 * S)
            t.chdir(tid, "/tmp").fork(tid, tid + 60, "sh").run(tid + 60, tid, "/bin/id").die(tid + 60)
        t.die(tid, 11 * S if i == 1 else 0)
    return t.chdir(60, "..").chdir(60, "/etc").fork(60, 400, "bash").run(400, 60, "/bin/ps", ("ax",)).die(400)


def web(t):
    get = b"GET /%s HTTP/1.1\r\nHost: example.org\r\n\r\n"
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    for i in range(6):
        t.slow_read(70, 4, get % (b"a" if i % 2 else b"b"), 2 * MS).later(i * MS)
        t.write(70, 4, ok % (i * 1000), ns=MS // 2)
        t.write(80, 3, b"POST /form HTTP/1.0\r\n\r\n").later(3 * MS).slow_read(80, 3, b"HTTP/1.0 404 Not found\r\n\r\n", 5 * MS)
        t.later(S // 2)
    return t.write(70, 4, b"GET /unanswered HTTP/1.1\r\n\r\n").slow_read(80, 3, b"nonsense", 0)


def logs(t):
    for line in (b"<30>daemon started\n", b"<11>user error happened\n", b"<4>kernel warning\n", b"no priority\n"):
        t.write(90, 3, line)
    for text in (b"one\ntwo\n\nthree", b"WARN x\n", b"error y\n", b"", b"\xff\x01z\n"):
        t.write(70, 5, text)
    return t.write(70, 5, b"lost", res=-28).write(70, 2, b"to stderr\n").write(200, 2, b"boxed stderr\n")


def cache(t):
    for text in (b"get key1\r\n", b"set key2 0 0 5\r\nhello\r\n", b"set key3 0 0 2\r\nhi\r\n", b"VALUE\r\n", b"gets key4\r\n", b"delete k\r\n"):
        t.slow_read(100, 7, text, 1000)
    return t


def rest(t):
    t.slow_read(80, 0, b"from stdin", 7 * MS).write(80, 1, b"to stdout", ns=12 * MS)
    for i in range(5):
        t.write(200, 3, b"d" * (100 + i), ns=2 * MS).write(200, 4, b"n" * (10 + i)).slow_read(200, 4, b"r" * 30, 3 * MS)
        t.ev("SYSCALL_OPEN_E", 200, "/nosuch", 1, 0).ev("SYSCALL_OPEN_X", 200, -2, "/nosuch", 1, 0, 0)
        for tid in (1, 60, 70, 200):
            t.ev("PROCINFO_E", tid, tid * (i + 1), i)
        t.later(S)
    return t


def run(words, cwd, ours):
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    env.pop("SYSDIG_CHISEL_DIR", None)
    if not ours:
        env["SYSDIG_CHISEL_DIR"] = SYSDIG_CHISELS
    p = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return p.stdout, p.returncode, p.stderr


def rule(chisel, options):
    name = chisel.split()[0]
    if "-j" in options:
        return "json"
    return "ties-cut" if name in TIES else "rows-unordered" if name in ("lsof", "netstat", "lscontainers") else "exact"


def main():
    if not burin.have_peer() or not os.path.isdir(SYSDIG_CHISELS):
        burin.skip("chisel-crafted", "sysdig 0.29.3 is not installed")
        burin.finish()
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="burin-chisels-") as cwd:
        t = World()
        for part in (users, web, logs, cache, rest):
            part(t)
        Trace.write(t, os.path.join(cwd, "crafted.scap"))
        for chisel, options in RUNS:
            name = chisel.split()[0]
            args = [name] + ([chisel[len(name) + 1:]] if " " in chisel else [])
            words = options.split() + ["-r", "crafted.scap", "-c"] + [a.strip("'") for a in args]
            if only and name not in only:
                continue
            want, code, _ = run(["sysdig"] + words, cwd, False)
            for kind in ("sysdig", "ours"):
                got, gcode, err = run([burin.BURIN, "--compat=0.29", "--workers=2", "--batch-events=20"] + words, cwd, kind == "ours")
                ok = gcode == code and (code != 0 or same(rule(chisel, options), name, got, want))
                title = "chisel-crafted-%s-%s" % (kind, (chisel + options).replace(" ", "_").replace("'", ""))
                burin.report(ok, title, "" if ok else "exit %d, wanted %d %s" % (gcode, code, err[:200]))
                if not ok and only:
                    print("--- wanted\n%s\n--- got\n%s" % (want.decode("utf-8", "replace"), got.decode("utf-8", "replace")))
    burin.finish()


if __name__ == "__main__":
    main()
