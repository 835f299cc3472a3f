#!/usr/bin/env python3
"""Live capture. Every test captures only the processes it starts itself.

usage: suite.py [TEST...]      (as a test group: BURIN, BURIN_BUILD in the environment)

Skipped as a whole, with the reason, where the build has no live capture or the kernel refuses it. What takes long is
short by default: BURIN_LIVE_SECONDS, BURIN_LIVE_HOPS (see paced, migration); all workloads of c3.py: c3.py --all.
"""
import concurrent.futures
import http.server
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BURIN_BUILD", ROOT + "/build/release")
BURIN = os.environ.get("BURIN", BUILD + "/burin")
CAPTURE = BUILD + "/engine/live/capture_cmd"
WORK = BUILD + "/engine/live/live_workload"
SECONDS = int(os.environ.get("BURIN_LIVE_SECONDS", "4"))
FIELDS = "*%thread.tid\t%evt.type\t%evt.dir\t%fd.name\t%evt.args"

# What strace is compared on: ten programs, among them threads, signals, process trees and failures.
PROGRAMS = {
    "sh": ["sh", "-c", "echo hello; cat /etc/passwd | wc -c; ls /nonexistent; exit 3"],
    "find": ["find", "/usr/share/doc", "-maxdepth", "2", "-name", "a*"],
    "tar": ["tar", "czf", "{tmp}/x.tgz", "/usr/share/doc/bash", "/etc/default"],
    "python": ["python3", "-c", """
import threading, subprocess, socket, os
ts = [threading.Thread(target=lambda: subprocess.run(["true"])) for _ in range(5)]
[t.start() for t in ts]; [t.join() for t in ts]
a, b = socket.socketpair(); a.send(b"x"); b.recv(10)
os.mkdir("{tmp}/dir"); os.rename("{tmp}/dir", "{tmp}/dir2"); os.rmdir("{tmp}/dir2")
"""],
    "perl": ["perl", "-e", "$SIG{ALRM}=sub{die}; alarm 1; eval{sleep 5}; pipe(R,W);"
             " if(!fork){print W 'x'; exit 3} wait; kill 9,$$"],
    "bash": ["bash", "-c", "trap 'echo t' USR1; kill -USR1 $$; sleep 0.1 & wait; exec 3<>/dev/null;"
             " (ulimit -n 100; exit 4); [ -e x ]; echo {1..3} | xargs -n1 echo"],
    "gcc": ["gcc", "-O1", "-o", "{tmp}/a.out", "-x", "c", ROOT + "/tests/live/hello.c"],
    "git": ["git", "-C", "{tmp}", "init", "-q", "g"],
    "sort": ["sh", "-c", "seq 20000 | sort -r | tail -n 1; dd if=/dev/zero of={tmp}/z bs=4k count=50 2>&1"],
    "sockets": ["{work}", "exact", "{tmp}", "{tmp}/log", "2", "6"],
}


def run(args, **more):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=280, **more)


def capture(path, *command, options=()):
    """Captures a command into a file; returns what the tool said, or raises."""
    p = run([CAPTURE, "-c", *options, path, *command])
    if p.returncode == 125 or "sent " not in p.stderr:
        raise AssertionError("capture failed: " + p.stderr.strip()[-200:])
    return p


def number(pattern, text):
    m = re.search(pattern, text)
    assert m, "no %r in: %s" % (pattern, text[-300:])
    return int(m.group(1))


def burin_lines(path, *more):
    p = run([BURIN, "-r", path, *more])
    assert p.returncode == 0, p.stderr[-300:]
    return p.stdout


# ---- tests: each raises AssertionError, or returns a remark -------------------------------------------

def strace_test(name):
    def test(tmp):
        if not shutil.which("strace"):
            raise LookupError("strace is not installed")
        args = [a.replace("{tmp}", tmp).replace("{work}", WORK) for a in PROGRAMS[name]]
        if not shutil.which(args[0]):
            raise LookupError(args[0] + " is not installed")
        p = run([sys.executable, ROOT + "/tests/live/strace_compare.py", CAPTURE, ROOT, "--", *args])
        assert p.returncode == 0, (p.stdout + p.stderr)[-400:]
        return p.stdout.strip()
    return test


def exact(tmp):
    """Every scripted call, with its parameters, descriptor names and tuples."""
    p = capture(tmp + "/t.scap", WORK, "exact", tmp, tmp + "/log", "6", "60")
    assert " dropped 0 " in p.stderr, p.stderr
    c = run([sys.executable, ROOT + "/tests/live/check_exact.py", tmp + "/log"],
            input=burin_lines(tmp + "/t.scap", "-p", FIELDS))
    assert c.returncode == 0, (c.stdout + c.stderr)[-400:]
    # the check itself must see a missing line
    lines = burin_lines(tmp + "/t.scap", "-p", FIELDS).splitlines(True)
    at = next(i for i, l in enumerate(lines) if "\tpread\t<\t" + tmp in l)
    c2 = run([sys.executable, ROOT + "/tests/live/check_exact.py", tmp + "/log"],
             input="".join(lines[:at] + lines[at + 1:]))
    assert c2.returncode != 0, "the check does not see a missing call"
    return c.stdout.strip()


def calls_32(tmp):
    """What 32-bit programs call has the same events; what looks into their structures is generic."""
    p = capture(tmp + "/t.scap", WORK, "32", tmp, tmp + "/log", "2", "20")
    if p.returncode == 4:
        raise LookupError("the kernel makes no 32-bit calls")
    assert " dropped 0 " in p.stderr, p.stderr
    c = run([sys.executable, ROOT + "/tests/live/check_exact.py", tmp + "/log"],
            input=burin_lines(tmp + "/t.scap", "-p", FIELDS))
    assert c.returncode == 0, (c.stdout + c.stderr)[-400:]
    return c.stdout.strip()


def every_number(tmp):
    """Every system call has its enter and its exit event, under its name and with its result."""
    sys.path.insert(0, ROOT + "/tests/live")
    import strace_compare as sc
    for options in ((), ("-c",)):
        p = capture(tmp + "/t.scap", WORK, "numbers", tmp + "/log", options=options)
        assert p.returncode == 0 and " dropped 0 " in p.stderr, p.stderr
        defs = sc.read_defs(ROOT)
        want = [l.split() for l in open(tmp + "/log")]
        seen = sc.scap_threads(tmp + "/t.scap", defs)[int(want[0][0])]
        want = [[defs[1].get(int(nr), "?"), int(res)] for _, nr, res in want]
        # before the first of them, read, the program makes calls of its own
        starts = [i for i in range(len(seen)) if not any(sc.differs(w, g) for w, g in zip(want[:40], seen[i:i + 40]))]
        assert len(starts) == 1, "found %d times" % len(starts)
        for w, g in zip(want, seen[starts[0]:]):
            assert not sc.differs(w, g), "did %s, captured %s" % (w, g)
        results = sum(g[1] not in (None, "open") for g in seen[starts[0]:starts[0] + len(want)])
    return "%d calls, %d results" % (len(want), results)


def aarch64(tmp):
    """Both forms of the programs and their table compile for the machine that no test here has."""
    clang = shutil.which("clang")
    if not clang:
        raise LookupError("clang is not installed")
    p = run([sys.executable, ROOT + "/tools/gen_calls.py", ROOT + "/engine/event", ROOT + "/bpf/calls.def", tmp, "arm64"])
    assert p.returncode == 0, p.stderr
    # asm/types.h of this machine will do
    near = "/usr/include/%s-linux-gnu" % os.uname().machine
    for form in ("-UCAP_RAW", "-DCAP_RAW"):
        p = run([clang, "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_arm64", form, "-Wall", "-Werror",
                 "-Wno-unused-function", "-I" + tmp, "-I%s/gen" % BUILD, "-I%s/bpf" % ROOT, "-I" + near, "-c",
                 ROOT + "/bpf/capture.bpf.c", "-o", tmp + "/arm64.o"])
        assert p.returncode == 0, p.stderr[-400:]
    with open(tmp + "/call_table.c") as f:
        table = f.read()
    assert "[63] = { /* read */" in table and "[56] = { /* openat */" in table and "/* open */" not in table
    return None


def paced(tmp):
    """200,000 calls per second, default ring size: nothing lost."""
    p = capture("/dev/null", WORK, "pace", "200000", str(SECONDS), "4", options=["-v"])
    done = number(r"performed (\d+)", p.stdout)
    assert " dropped 0 " in p.stderr, p.stderr[:200]
    for way in "EX":
        got = number(r"type SYSCALL_GETUID_%s sent (\d+)" % way, p.stderr)
        assert got == done, "performed %d, captured %d" % (done, got)
    return "%d calls in %d s, fullest ring %s" % (done, SECONDS, re.search(r"fill (\S+ of \S+)", p.stderr).group(1))


def adds_up(tmp):
    """A tiny ring: captured and lost together are what was performed, and the file has the captured."""
    p = capture(tmp + "/t.scap", WORK, "count", "400000", "4", options=["-v", "-r", "64"])
    done = number(r"performed (\d+)", p.stdout)
    lost = 0
    for way, sign in (("E", ">"), ("X", "<")):
        sent = number(r"type SYSCALL_GETUID_%s sent (\d+)" % way, p.stderr)
        dropped = number(r"type SYSCALL_GETUID_%s sent \d+ dropped (\d+)" % way, p.stderr)
        assert sent + dropped == done, "performed %d, sent %d, dropped %d" % (done, sent, dropped)
        there = burin_lines(tmp + "/t.scap", "-p", "%evt.num", "evt.type=getuid and evt.dir=%s" % sign).count("\n")
        assert there == sent, "sent %d, in the file %d" % (sent, there)
        lost += dropped
    assert lost, "nothing was lost: the ring is not tiny enough for this machine"
    return "%d performed, %d events lost" % (done, lost)


def sysdig_opens(tmp):
    """0.29.3 opens what was captured and prints the same lines. More of it: c3.py."""
    if not shutil.which("sysdig"):
        raise LookupError("sysdig is not installed")
    total = 0
    for name in ("python", "perl", "bash", "sockets"):
        args = [a.replace("{tmp}", tmp).replace("{work}", WORK) for a in PROGRAMS[name]]
        if not shutil.which(args[0]):
            continue
        capture(tmp + "/t.scap", *args)
        ours = burin_lines(tmp + "/t.scap", "--compat=0.29").splitlines()
        p = run(["sysdig", "-r", tmp + "/t.scap"], env=dict(os.environ, TZ="UTC"), errors="replace")
        assert p.returncode == 0, "sysdig: " + p.stderr[-200:]
        theirs = p.stdout.splitlines()
        assert len(ours) == len(theirs), "%s: %d lines, sysdig %d" % (name, len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            assert a == b, "%s:\n burin  %s\n sysdig %s" % (name, a, b)
        total += len(ours)
        shutil.rmtree(tmp)
        os.mkdir(tmp)
    return "%d lines" % total


def live_prints(tmp):
    """burin -- COMMAND prints events while they happen, the same for any number of workers."""
    for workers in ("1", "2", "4"):
        p = run([BURIN, "--workers=" + workers, "-p", "%evt.type %proc.name %fd.name", "evt.type=openat and "
                 "evt.dir=< and fd.name=/etc/passwd", "--", "cat", "/etc/passwd", "/nonexistent"])
        # Before or behind what cat prints itself, whichever of the two is quicker.
        assert p.stdout.splitlines().count("openat cat /etc/passwd") == 1, p.stdout[-200:] + p.stderr
    p = run([BURIN, "--", "/nonexistent/program"])
    assert p.returncode == 1 and "No such file" in p.stderr, p.stderr
    p = run([BURIN, "-q", "--", "sh", "-c", "exit 0"])
    assert p.returncode == 0 and not p.stdout and not p.stderr, p.stdout + p.stderr
    return None


def only_pid(tmp):
    """--pid shows that process and, with --follow, its children; nothing else."""
    target = subprocess.Popen(["sh", "-c", "while :; do /bin/true; sleep 0.05; done"], stdout=subprocess.DEVNULL)
    try:
        plain = run([BURIN, "--pid", str(target.pid), "-M", "1", "-p", "%proc.name %proc.pid"]).stdout
        follow = run([BURIN, "--pid", str(target.pid), "--follow", "-M", "1", "-p", "%proc.name"]).stdout
    finally:
        target.kill()
        target.wait()
    # a tree that the capture itself is part of: never seen
    script = "(while :; do /bin/true; done) & p=$!; %s --pid $$ --follow -M 1 -p %%proc.name; kill $p" % BURIN
    own = run(["sh", "-c", script]).stdout
    assert set(own.splitlines()) == {"sh", "true"}, set(own.splitlines())
    assert set(plain.splitlines()) == {"sh %d" % target.pid}, set(plain.splitlines())
    assert set(follow.splitlines()) == {"sh", "true", "sleep"}, set(follow.splitlines())
    return None


END_CHISEL = """description = "Says that the capture ended."
short_description = "End"
category = "Tests"
args = {}
function on_init() return true end
function on_event() return true end
function on_capture_end() print("end") return true end
"""


def time_limit(tmp):
    """-M ends a capture by the clock, also when nothing happens that passes the filter, or nothing at all: before the
    command ends, which is still there afterwards."""
    with open(os.path.join(tmp, "end.lua"), "w") as f:
        f.write(END_CHISEL)
    pid = os.path.join(tmp, "pid")
    sleep = ["sh", "-c", "echo $$ >%s; exec sleep 300 >/dev/null 2>&1 </dev/null" % pid]
    for workers, what, want in (("1", ["-c", "./end", "evt.type=kexec_load"], "end\n"), ("2", ["-c", "./end"], "end\n"),
                                ("5", ["-c", "./end", "evt.type=kexec_load"], "end\n"),
                                ("2", ["evt.type=kexec_load"], "")):
        p = run([BURIN, "--workers", workers, "-M", "1", *what, "--", *sleep], cwd=tmp)
        with open(pid) as f:
            os.kill(int(f.read()), signal.SIGKILL)  # fails when it has ended
        os.unlink(pid)
        assert p.returncode == 0 and p.stdout == want and not p.stderr, (workers, what, p)
    # Nothing behind the limit is shown, however late it is noticed.
    p = run([BURIN, "-M", "1", "-p", "%evt.rawtime", "evt.type=getppid", "--",
             "perl", "-e", "$e = time + 2; getppid() while time < $e"])
    times = [int(t) for t in p.stdout.split()]
    assert times and times[-1] - times[0] < 1000000000, (len(times), times[:1], times[-1:])
    return None


def pid_namespace(tmp):
    """In another pid namespace the list of processes has other ids than the events: one clear line, and the events."""
    p = run(["unshare", "-p", "-f", "--mount-proc", BURIN, "-p", "%proc.name",
             "evt.type=execve and evt.dir=<", "--", "/bin/true"])
    if "unshare:" in p.stderr or os.stat("/proc/self/ns/pid").st_ino != 0xeffffffc:
        raise LookupError("no namespaces here")
    if p.returncode and "raw tracepoints" in p.stderr:
        raise LookupError("raw tracepoints: tests/live/raw.py")
    assert p.returncode == 0 and p.stdout == "true\n", p
    assert "--pid=host" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    return None


def pushed_down(tmp):
    """Types nobody asked for never reach a ring; what is selected does not change by it."""
    work = ["sh", "-c", "cat /etc/passwd >/dev/null; perl -e 'getppid() for 1..2000'"]
    few = run([BURIN, "-v", "-p", "%proc.name %evt.type", "evt.type=getppid and evt.dir=<", "--", *work])
    every = run([BURIN, "-v", "-d", "-p", "%proc.name %evt.type", "evt.type=getppid and evt.dir=<", "--", *work])
    assert few.stdout == every.stdout and few.stdout.count("perl getppid\n") == 2000, few.stdout[-200:]
    a, b = [number(r"(\d+) bytes", p.stderr) for p in (few, every)]
    assert a < b * 0.8, "%d bytes sent with the filter, %d without" % (a, b)
    named = run([BURIN, "-p", "%proc.name", "proc.pid=1", "--", *work])
    assert named.returncode == 0 and not named.stdout, named.stdout[-200:]
    return "%d bytes instead of %d" % (a, b)


# Every phase makes another number of calls, so that what is missing shows.
PHASES = """
getppid() for 1..3; $0 = "renamed"; getppid() for 1..5;
if (!fork) { getppid() for 1..7; $0 = "perl"; getppid() for 1..11; exit }  wait;
if (!fork) { $( = $) = 1234; $< = $> = 1234; getppid() for 1..13; exec "perl", "-e", "getppid() for 1..17"; }  wait;
if (!fork) { $> = 4321; getppid() for 1..19; $> = 0; getppid() for 1..23; exit } wait;
if (!fork) { exec "sh", "-c", "exec perl -e 'getppid() for 1..29'" } wait;
if (!fork) { open F, ">", "GROUP/cgroup.procs"; print F $$; close F; exec "perl", "-e", "getppid() for 1..31" } wait;
"""


def selections(tmp):
    """Names, users and containers that the kernel selects by: nothing is missing that the filter accepts."""
    unified = next((l.split()[4] for l in open("/proc/self/mountinfo") if " - cgroup2 " in l), None)
    container = "a1" * 32
    top = "%s/burin-select-%d" % (unified, os.getpid())
    group = "%s/docker-%s.scope" % (top, container)
    # the tables know a thread by the name it was born with or its program gave it; sh makes a call of its own
    filters = {"proc.name=perl": 3 + 5 + 17 + 29 + 31, "proc.name=renamed": 7 + 11 + 13 + 19 + 23, "user.uid=1234": 13 + 17,
               "user.uid in (4321, 1234)": 13 + 17 + 19, "proc.name=renamed and user.uid=4321": 19, "proc.name=sh": 1}
    try:
        os.makedirs(group)
        filters["container.id=" + container[:12]] = 31
    except OSError:
        group = "/nonexistent"
    try:
        script, sent = PHASES.replace("GROUP", group), {}
        for f, want in filters.items():
            what = ["-p", "%proc.name %user.uid", f + " and evt.type=getppid and evt.dir=<", "--", "perl", "-e", script]
            kernel = run([BURIN, "-v", *what])
            assert kernel.stdout.count("\n") == want, "%s: %d, not %d" % (f, kernel.stdout.count("\n"), want)
            sent[f] = number(r"(\d+) bytes", kernel.stderr)
        here = run([BURIN, "-v", "-d", *what])
        assert kernel.stdout == here.stdout, f
        every = number(r"(\d+) bytes", here.stderr)
        assert max(sent.values()) < every * 0.9, "%s bytes sent with filters, %d without" % (sent, every)
        said = run([BURIN, "--explain", "user.uid in (7, 8) and proc.name=x and container.id=abc and proc.pid=3"]).stdout
        for line in ("users: ", "threads named: x", "container: abc", "processes: 3"):
            assert line in said, said[-300:]
    finally:
        for path in (group, top):
            if os.path.isdir(path):
                os.rmdir(path)
    return "%d filters" % len(filters)


def few_types(tmp):
    """A filter of calls that change no table: written, shown, and without the enters that nobody looks at."""
    work = ["perl", "-e", "open F, '<', '/etc/passwd'; sysread F, $x, 9 for 1..70; getppid() for 1..50; rmdir '/none'"]
    trace, all_ = tmp + "/t.scap", tmp + "/all.scap"
    for f, n in {"evt.type=getppid": 100, "evt.type=getppid and evt.dir=<": 50, "evt.type=rmdir": 2}.items():
        p = run([BURIN, "-w", trace, f, "--", *work])
        got = burin_lines(trace, f).count("\n") if p.returncode == 0 else p.stderr
        assert got == n, "%s: %s in the file, not %d" % (f, got, n)
    run([BURIN, "-w", all_, "--", *work])
    said = ""
    for f in ("evt.type=read and evt.dir=< and fd.name=/etc/passwd", "evt.type=getppid and evt.dir=<",
              "evt.dir=< and evt.type in (read, rmdir, fstat, ioctl, lseek) and not fd.num in (0, 1, 2)"):
        what = ["-p", "*%proc.name %fd.name %fd.type %evt.type %evt.res %evt.failed", f]
        alone, replayed = run([BURIN, "-v", *what, "--", *work]), burin_lines(all_, *what)
        assert alone.stdout == replayed and alone.stdout.count("\n") >= 50, "%s: %d lines, %d in the trace" % (
            f, alone.stdout.count("\n"), replayed.count("\n"))
        assert "exits alone" in run([BURIN, "--explain", *what]).stdout
        assert "exits alone" not in run([BURIN, "--explain", f]).stdout
        said += "%d " % number(r"(\d+) bytes", alone.stderr)
    return said + "bytes"


def sampled(tmp):
    """--sample=4: a quarter of the calls, all that changes the tables."""
    work = ["perl", "-e", "use Time::HiRes 'time'; $e = time + 2; while (time < $e) { getppid() for 1..50; $n += 50;"
            " open F, '<', '/dev/null'; close F; select undef, undef, undef, 0.001 } print STDERR qq(did $n\n)"]
    p = run([BURIN, "--sample=4", "-p", "*%evt.type %evt.dir %fd.name", "evt.type in (getppid, openat, close)", "--", *work])
    did, got = number(r"did (\d+)", p.stderr), p.stdout.count("getppid < ")
    assert 0.15 * did < got < 0.35 * did, "%d of %d" % (got, did)
    opened = p.stdout.count("openat < /dev/null")
    # perl -e opens /dev/null itself
    assert opened == did // 50 + 1, "%d opened, not %d" % (opened, did // 50 + 1)
    assert "close < <NA>" not in p.stdout
    return "%d of %d" % (got, did)


def ticks(tmp):
    """Once a second procinfo events with rising times, a tick when nothing ran, a drop event for what is lost."""
    out = run([BURIN, "-D", "-p", "*%evt.type %proc.name %evt.args", "evt.type in (procinfo, sysdigevent)", "--",
               "sh", "-c", "timeout 2.2 sha256sum /dev/zero; sleep 3.2"]).stdout.splitlines()
    times = [int(re.search(r"cpu_usr=(\d+)", l).group(1)) for l in out if l.startswith("procinfo sha256sum")]
    assert len(times) >= 2 and times == sorted(set(times)), out
    assert any(l.startswith("sysdigevent") for l in out), out
    p = run([BURIN, "--ring-size=8k", "-D", "-d", "-p", "%evt.args", "evt.type=drop", "--", WORK, "count", "50000", "1"])
    said = number(r"burin: (\d+) of \d+ events lost", p.stderr)
    told = sum(int(x) for x in re.findall(r"ratio=(\d+)", p.stdout))
    assert told == said, "%d told, %d lost" % (told, said)
    return None


def refusals(tmp):
    """Without permission, type information or on an old kernel: one clear line, exit code 1."""
    weak = shutil.copy(BURIN, tmp + "/burin")
    os.chmod(tmp, 0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    p = run([*nobody, "--inh-caps=-all", "--bounding-set=-all", weak, "--", "true"])
    assert p.returncode == 1 and "missing CAP_BPF, CAP_PERFMON" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    p = run([*nobody, "--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=-all,+bpf,+perfmon", weak, "-p",
             "%fd.name", "evt.type=openat and fd.name=/etc/passwd and evt.dir=<", "--", "cat", "/etc/passwd"])
    assert p.stdout.endswith("\n/etc/passwd\n"), p.stdout + p.stderr
    p = run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec %s -- true" % BURIN])
    if "mount:" not in p.stderr:
        assert p.returncode == 1 and "no type information" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    # what the machine does not have: a locked-down kernel, one without a compiler, an old one
    for name, text in (("security/lockdown", "none integrity [confidentiality]\n"), ("btf/vmlinux", "")):
        os.makedirs(os.path.dirname(tmp + "/sys/kernel/" + name))
        with open(tmp + "/sys/kernel/" + name, "w") as f:
            f.write(text)
    os.makedirs(tmp + "/proc/sys/net/core")
    with open(tmp + "/proc/sys/net/core/bpf_jit_enable", "w") as f:
        f.write("0\n")
    false = dict(os.environ, BURIN_SYS_ROOT=tmp)
    p = run([BURIN, "--", "true"], env=false)
    assert p.returncode == 1 and "the kernel is locked down" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    p = run([BURIN, "--doctor"], env=false)
    assert "no   lockdown: none integrity [confidentiality]" in p.stdout and "bpf_jit_enable=1" in p.stdout, p.stdout
    p = run(["setarch", "--uname-2.6", *nobody, "--inh-caps=-all", "--bounding-set=-all", weak, "--", "true"])
    assert p.returncode == 1 and "too old for live capture" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    p = run([BURIN, "--doctor"])
    assert p.returncode == 0 and p.stdout.count("\n") == 7 and "\nno " not in p.stdout, p.stdout
    p = run(["setarch", "--uname-2.6", BURIN, "--doctor"])
    assert "too old for live capture" in p.stdout, p.stdout
    return None


def capabilities(tmp):
    """After set-up the capture keeps no more than it needs."""
    need = {0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 5: "kill", 38: "perfmon", 39: "bpf"}
    p = subprocess.Popen([BURIN, "-q", "--", "sleep", "60"], stderr=subprocess.PIPE, start_new_session=True)
    try:
        for _ in range(150):  # until it is set up
            with open("/proc/%d/status" % p.pid) as f:
                kept = int(re.search(r"CapEff:\s*([0-9a-f]+)", f.read()).group(1), 16)
            extra = [i for i in range(64) if kept >> i & 1 and i not in need]
            if not extra:
                break
            time.sleep(0.1)
    finally:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    assert not extra, "capabilities %s are left" % extra
    return None


def replay_only(tmp):
    """A build without live capture has all that the rest of the program calls of it."""
    nm = shutil.which("nm")
    if not nm:
        raise LookupError("nm is not installed")

    def symbols(args, kinds):
        return {l.split()[-1] for l in run([nm, *args]).stdout.splitlines() if len(l.split()) > 1 and l.split()[-2] in kinds}
    p = run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-I" + ROOT + "/engine", "-I%s/gen" % BUILD, "-c", ROOT + "/engine/live/none.c",
             "-o", tmp + "/none.o"])
    assert p.returncode == 0, p.stderr[-300:]
    live = symbols(["-g", BUILD + "/engine/live/libburin_live.a"], "TDBR")
    used = set()
    for folder in ("worker", "cli", "chisel"):
        for path, _, names in os.walk("%s/engine/%s" % (BUILD, folder)):
            for name in names:
                if name.endswith(".a") or folder == "cli" and name.endswith(".o"):
                    used |= symbols(["-g", path + "/" + name], "U")
    missing = (used & live) - symbols(["-g", tmp + "/none.o"], "TDBR")
    assert used & live and not missing, "missing: %s" % ", ".join(sorted(missing))
    return "%d functions" % len(used & live)


def snap_length(tmp):
    """Payloads follow -s: none, the 80 bytes of the short way, up to what an event can hold."""
    perl = "open F, '+>', '%s/f'; syswrite F, 'w' x 70000; sysseek F, 0, 0; sysread F, $x, 70000" % tmp
    for snap, most in (("0", 0), ("80", 80), ("81", 81), ("4096", 4096), ("65535", 64000)):
        run([BURIN, "-s", snap, "-w", tmp + "/t.scap", "--", "perl", "-e", perl])
        got = burin_lines(tmp + "/t.scap", "-v", "-p", "*%evt.type %evt.arg.data",
                          "fd.name=%s/f and evt.dir=< and evt.type in (read, write)" % tmp)
        sizes = [l.split()[1].count("w") for l in got.splitlines()]
        assert len(sizes) == 2, got[:200]
        for n in sizes:
            assert n == most or most == 64000 and most < n < 65536, "-s %s: %d bytes" % (snap, n)
    return None


def faults(tmp):
    """Page faults, if asked for, with the address that was touched; switches between threads."""
    perl = "$x = 'x' x 8000000; print STDERR length $x"
    p = run([BURIN, "--page-faults", "-p", "%evt.type %evt.args", "evt.type in (page_fault, switch)", "--", "perl", "-e", perl])
    n = len(re.findall(r"page_fault addr=\S+ ip=\S+ error=\S*USER_FAULT\S*", p.stdout))
    assert n >= 1000, "%d page faults; %s" % (n, p.stdout[:200])
    assert re.search(r"switch next=-?\d+\S* pgft_maj=\d+ pgft_min=\d+ vm_size=\d+ vm_rss=\d+", p.stdout), p.stdout[-200:]
    p = run([BURIN, "-p", "%evt.type", "evt.type=page_fault", "--", "perl", "-e", perl])
    assert not p.stdout, p.stdout[:100]
    return "%d page faults" % n


# ---- containers -----------------------------------------------------------------------------------------

def cgroup_parent():
    """A cgroup folder of our own, in a hierarchy whose paths events carry."""
    for top in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"):
        path = "%s/burin-test-%d" % (top, os.getpid())
        try:
            os.mkdir(path)
        except OSError:
            continue
        if os.path.exists(path + "/cgroup.procs"):
            return path
        os.rmdir(path)
    raise LookupError("no cgroup can be made here")


class Api(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """As much of docker's API as is asked for."""
    daemon_threads = True


class ApiHandler(http.server.BaseHTTPRequestHandler):
    CONTAINER = {
        "Id": "", "Name": "/web-1", "Created": "2026-11-22T01:44:07.4190Z", "Image": "sha256:" + "5a" * 32,
        "Config": {"Image": "registry:5000/shop/web:1.4", "Labels": {"tier": "front"}, "Env": ["A=1"], "User": "www",
                   "Healthcheck": {"Test": ["CMD-SHELL", "curl -f localhost"]}},
        "HostConfig": {"Memory": 1 << 26, "NanoCpus": 1500000000, "CpusetCpus": "0-1,3", "Privileged": True},
        "NetworkSettings": {"IPAddress": "172.17.0.9", "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
        "Mounts": [{"Source": "/src", "Destination": "/dst", "Mode": "rw", "RW": True, "Propagation": "shared"}],
    }

    def do_GET(self):
        found = None
        if re.match(r"/v1\.24/containers/[0-9a-f]{64}/json$", self.path):
            found = self.CONTAINER
        elif re.match(r"/v1\.24/images/[0-9a-f]{64}/json$", self.path):
            found = {"RepoTags": ["registry:5000/shop/web:1.4"], "RepoDigests": ["registry:5000/shop/web@sha256:feed"]}
        body = json.dumps(found or {"message": "no"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


def write_json(path, what):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(what, f)


def container_ids(tmp):
    """Ids from cgroup paths of every runtime, facts from its socket or its files on disk, replay without them."""
    root = tmp + "/host"
    ids = {k: format(i + 1, "x") * 64 for i, k in enumerate(("docker", "containerd", "crio", "podman", "rootless"))}
    os.makedirs(root + "/var/run")
    os.makedirs(root + "/run/user/1000/podman")
    servers = [Api(root + path, ApiHandler) for path in ("/var/run/docker.sock", "/run/user/1000/podman/podman.sock")]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    write_json("%s/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json" % (root, ids["containerd"]), {
        "annotations": {"io.kubernetes.cri.container-name": "api", "io.kubernetes.cri.image-name": "img/api:2",
                        "io.kubernetes.cri.sandbox-name": "pod-x", "io.kubernetes.cri.sandbox-namespace": "prod"},
        "process": {"env": ["B=2"]}, "linux": {"resources": {"memory": {"limit": 4096}}},
        "mounts": [{"type": "bind", "source": "/s", "destination": "/d", "options": ["rprivate", "ro"]}]})
    write_json("%s/var/lib/containers/storage/overlay-containers/%s/userdata/config.json" % (root, ids["crio"]), {
        "annotations": {"io.kubernetes.cri-o.ContainerName": "db", "io.kubernetes.cri-o.ImageName": "img/db:3",
                        "io.kubernetes.pod.name": "pod-y", "io.kubernetes.cri-o.Labels": '{"team": "blue"}'}})
    write_json(root + "/var/lib/containers/storage/overlay-containers/containers.json", [
        {"id": ids["podman"], "names": ["pod-man"], "image": "77" * 32, "metadata": '{"image-name": "img/p:4"}'}])
    pod = "kubepods-burstable-pod12345678_90ab_cdef_1234_567890abcdef.slice/"
    paths = {"docker": "docker-%s.scope", "containerd": pod + "cri-containerd-%s.scope", "crio": "crio-%s.scope",
             "podman": "libpod-%s.scope", "rootless": "user.slice/user-1000.slice/user@1000.service/podman-12.scope/%s"}
    top = cgroup_parent()
    try:
        script = ""
        for kind, path in paths.items():
            os.makedirs("%s/%s" % (top, path % ids[kind]))
            script += "(sh -c 'echo $$ > %s/%s/cgroup.procs; exec sleep 0.7'); sleep 0.1;" % (top, path % ids[kind])
            script += "(sh -c 'echo $$ > %s/%s/cgroup.procs; exec true');" % (top, path % ids[kind])
        env = dict(os.environ, BURIN_HOST_ROOT=root)
        p = run([CAPTURE, tmp + "/t.scap", "sh", "-c", script + "sleep 0.2"], env=env)
        assert " dropped 0 " in p.stderr, p.stderr
    finally:
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)
        for server in servers:
            server.shutdown()
            server.server_close()
    got = burin_lines(tmp + "/t.scap", "-p", "%container.id|%container.type|%container.name|%container.image|"
                      "%container.image.tag|%container.mounts", "proc.name=true and evt.type=procexit").splitlines()
    want = [ids["docker"][:12] + "|docker|web-1|registry:5000/shop/web:1.4|1.4|/src:/dst:rw:true:shared",
            ids["containerd"][:12] + "|containerd|api|img/api:2|2|/s:/d::false:rprivate",
            ids["crio"][:12] + "|cri-o|db|img/db:3|3|",
            ids["podman"][:12] + "|podman|pod-man|img/p:4|4|",
            ids["rootless"][:12] + "|podman|web-1|registry:5000/shop/web:1.4|1.4|/src:/dst:rw:true:shared"]
    for a, b in zip(got, want):
        assert a.startswith(b), "%s, not %s" % (a, b)
    assert len(got) == len(want), got
    more = burin_lines(tmp + "/t.scap", "-p", "%container.privileged|%container.image.digest|%container.image.id|"
                       "%container.healthcheck", "container.type=docker and evt.type=procexit and proc.name=true")
    assert more.startswith("true|sha256:feed|5a5a5a5a5a5a|/bin/sh -c curl"), more
    pods = burin_lines(tmp + "/t.scap", "-p", "%k8s.pod.name %k8s.pod.uid", "container.name=api and evt.type=procexit and "
                       "proc.name=true")
    assert pods == "pod-x 12345678-90ab-cdef-1234-567890abcdef\n", pods
    lines = burin_lines(tmp + "/t.scap", "-pc", "container.name=db and evt.type=procexit and proc.name=true")
    assert " db (%s) " % ids["crio"][:12] in lines, lines
    table = burin_lines(tmp + "/t.scap", "-c", "lscontainers", "proc.name=true and container.name=pod-man")
    for name, kind in (("web-1", "docker"), ("api", "containerd"), ("db", "cri-o"), ("pod-man", "podman")):
        assert name in table and ids[kind.replace("cri-o", "crio")][:12] in table, table
    return None


def users(tmp):
    """A user that is made during a capture has a name, live and in the file."""
    os.makedirs(tmp + "/etc")
    for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\nold:x:7:7::/:/bin/sh\n"), ("group", "root:x:0:\nold:x:7:\n")):
        with open(tmp + "/etc/" + name, "w") as f:
            f.write(text)
    work = ("sleep 0.3; cd %s/etc; sed -i /old/d group; echo 'fresh:x:4711:4711::/home/fresh:/bin/sh' >> passwd; sleep 1.5;"
            " setpriv --reuid=4711 --clear-groups true") % tmp
    p = run([BURIN, "-w", tmp + "/t.scap", "-s", "80", "--", "sh", "-c", work], env=dict(os.environ, BURIN_HOST_ROOT=tmp))
    assert p.returncode == 0, p.stderr
    got = burin_lines(tmp + "/t.scap", "-D", "-p", "%evt.type %evt.args", "evt.type in (useradded, groupdeleted, userdeleted, groupadded)")
    assert "useradded uid=4711 gid=4711 name=fresh home=/home/fresh shell=/bin/sh" in got, got
    assert "groupdeleted gid=7 name=old" in got and got.count("\n") == 2, got
    names = burin_lines(tmp + "/t.scap", "-p", "%user.name", "proc.name=true and evt.type=procexit")
    assert names == "fresh\n", names
    return None


def podman(tmp):
    """A real container: its processes carry its id, its name comes from the runtime's socket."""
    if not (shutil.which("podman") and shutil.which("runc") and shutil.which("busybox")):
        raise LookupError("podman, runc and busybox are needed")
    os.makedirs(tmp + "/root/bin")
    os.makedirs(tmp + "/host/run/podman")
    shutil.copy(shutil.which("busybox"), tmp + "/root/bin/busybox")
    for name in ("sh", "sleep", "ls", "cat"):
        os.symlink("busybox", tmp + "/root/bin/" + name)
    base = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--root", tmp + "/storage", "--runroot",
            tmp + "/run", "--storage-driver", "vfs"]
    service = subprocess.Popen([*base, "system", "service", "--time=60", "unix://%s/host/run/podman/podman.sock" % tmp],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        p = run([BURIN, "-p", "*%proc.name|%proc.vpid|%container.name|%container.image|%container.type",
                 "container.name=burin-test and evt.type=procexit", "--", *base, "run", "--rm", "--name", "burin-test",
                 "--network=none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--rootfs",
                 tmp + "/root", "/bin/sh", "-c", "sleep 1.5; ls /none; cat /bin/sh >/dev/null"],
                env=dict(os.environ, BURIN_HOST_ROOT=tmp + "/host"))
    finally:
        service.terminate()
        service.wait()
    if "Error: " in p.stderr:
        raise LookupError("podman does not run here: " + p.stderr.strip()[-120:])
    lines = [l for l in p.stdout.splitlines() if "|burin-test|" in l]
    assert lines and lines[-1].split("|")[1] == "1" and lines[-1].endswith("|podman"), p.stdout[-300:] + p.stderr[-300:]
    return "%d processes" % len(lines)


TESTS = {"strace_" + n: strace_test(n) for n in PROGRAMS}
TESTS.update(exact=exact, calls_32=calls_32, every_number=every_number, aarch64=aarch64, adds_up=adds_up, paced=paced, sysdig_opens=sysdig_opens,
             live_prints=live_prints, only_pid=only_pid, time_limit=time_limit, pid_namespace=pid_namespace, pushed_down=pushed_down, selections=selections, few_types=few_types, sampled=sampled,
             ticks=ticks, users=users,
             capabilities=capabilities, replay_only=replay_only, snap_length=snap_length, faults=faults,
             refusals=refusals, container_ids=container_ids, podman=podman)


def more(script):
    """What another script of this folder prints about its tests."""
    p = run([sys.executable, "%s/tests/live/%s" % (ROOT, script)], env=dict(os.environ, BURIN=BURIN, BURIN_BUILD=BUILD))
    if p.returncode and "FAIL" not in p.stdout:
        return p.stdout + "FAIL %s %s" % (script, p.stderr[-300:].replace("\n", " | "))
    return p.stdout.rstrip("\n")


def refused():
    """Why live capture cannot be tested here, or None."""
    if not os.path.exists(CAPTURE):
        return "this build replays only"
    p = run([CAPTURE, "/dev/null", "true"])
    return None if p.returncode == 0 else p.stderr.strip().replace("capture_cmd: ", "")


# Those that count seconds run by themselves, the others two at a time: most of them wait.
ALONE = ("paced", "adds_up", "sampled", "ticks", "users", "faults")


def one(tests, name):
    """Runs one test; returns what is printed about it."""
    tmp = tempfile.mkdtemp(prefix="burin-live.")
    try:
        said = tests[name](tmp)
        return "PASS %s%s" % (name, "\n  " + said if said else "")
    except LookupError as e:
        if type(e) is LookupError:
            return "SKIP %s %s" % (name, e)
        return "FAIL %s %r" % (name, e)
    except Exception as e:
        return "FAIL %s %s" % (name, (str(e) if type(e) is AssertionError else repr(e)).replace("\n", " | "))
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def main(tests=TESTS, scripts=("c3.py", "rings.py"), together=True):
    wanted = sys.argv[1:] or list(tests)
    why = refused()
    if why:
        for name in wanted:
            print("SKIP %s %s" % (name, why))
        return
    both = [n for n in wanted if together and n not in ALONE]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        c3 = [pool.submit(more, "c3.py")] if "c3.py" in scripts and not sys.argv[1:] else []
        for line in pool.map(lambda name: one(tests, name), both):
            print(line, flush=True)
        for script in c3:
            print(script.result(), flush=True)
    for name in wanted:
        if name not in both:
            print(one(tests, name), flush=True)
    if "rings.py" in scripts and not sys.argv[1:]:
        print(more("rings.py"), flush=True)


if __name__ == "__main__":
    main()
