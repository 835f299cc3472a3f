#!/usr/bin/env python3
"""Live capture: rings, workers and the start. Run by suite.py, or alone: rings.py [TEST...]"""
import os
import re
import select
import signal
import subprocess
import sys
import time

from suite import BUILD, BURIN, WORK, burin_lines, capture, main, number, run


def born_before(tmp):
    """Whoever was there when the capture began has a name, though it is gone before anybody reads /proc."""
    # a process that has at every moment some children that live 4 ms
    script = "for i in 1 2 3 4 5 6 7 8; do (while :; do sleep 0.004; done) & done; wait"
    target = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    try:
        time.sleep(0.2)
        for _ in range(5):
            out = run([BURIN, "--pid", str(target.pid), "--follow", "-n", "300", "-p", "%proc.name %thread.tid"]).stdout
            names = {line.split()[0] for line in out.splitlines()}
            assert names and names <= {"sh", "sleep"}, names
    finally:
        os.killpg(target.pid, signal.SIGKILL)
        target.wait()


def cpu_comes(tmp):
    """A cpu that comes online during the capture gets a ring; what it did before counts as lost."""
    if not {0, 1} <= os.sched_getaffinity(0):
        raise LookupError("no cpus 0 and 1")
    online = tmp + "/online"
    with open(online, "w") as f:
        f.write("0\n")
    script = ("taskset -c 1 %s count 1000 1; echo 0-1 >%s; taskset -c 0 sleep 0.3; taskset -c 1 %s count 2000 1"
              % (WORK, online, WORK))
    p = capture(tmp + "/t.scap", "taskset", "-c", "0", "sh", "-c", script, options=["-v", "-o", online])
    for way in "EX":
        dropped = number(r"type SYSCALL_GETUID_%s sent \d+ dropped (\d+)" % way, p.stderr)
        assert dropped == 1000, "%d dropped" % dropped
    there = burin_lines(tmp + "/t.scap", "-p", "%evt.cpu", "evt.type=getuid and evt.dir=< and proc.name=live_workload")
    assert there.split() == ["1"] * 2000, "%d events" % there.count("\n")


def told_drops(tmp):
    """Tiny rings, any number of workers: what is in the file and what is reported lost are what was done, per cpu
    and per type, and the stream tells of every one."""
    lost = 0
    for workers in ("1", "2", "5"):
        path = tmp + "/t.scap"
        p = run([BURIN, "-v", "--workers=" + workers, "--ring-size=8k", "-w", path, "--", WORK, "count", "60000", "3"])
        done, said = number(r"performed (\d+)", p.stdout), number(r"burin: (\d+) of \d+ events lost", p.stderr)
        for way in "><":
            gone = number(r"  %s getuid: (\d+) of %d\n" % (way, done), p.stderr)
            there = burin_lines(path, "-p", "%evt.num", "evt.type=getuid and evt.dir=" + way).count("\n")
            assert there + gone == done, "%d done, %d in the file, %d lost" % (done, there, gone)
        for what in (r"^  cpu \d+: (\d+) of", r"^  [<>] \S+: (\d+) of"):
            parts = [int(x) for x in re.findall(what, p.stderr, re.M)]
            assert sum(parts) == said, "%s: %s, not %d" % (what, parts, said)
        drivers = number(r"Driver Drops:(\d+)", p.stderr)
        told = [int(x) for x in re.findall(r"ratio=(\d+)", burin_lines(path, "-D", "-p", "%evt.args", "evt.type=drop"))]
        assert sum(told) == said == drivers, "%s told, %d lost, %d in the statistics" % (told, said, drivers)
        lost += said
    return "%d events lost" % lost


def prompt(tmp):
    """A line comes although nothing else happens: the shell goes on only when the line of its last write was read. How long
    that takes (50 ms on a quiet machine) is said, not asked for."""
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo x$i >/dev/null; read ok || exit 1; done"
    said = []
    for workers in ("1", "2"):
        go_read, go = os.pipe()
        p = subprocess.Popen([BURIN, "--workers=" + workers, "-p", "%evt.rawtime", "evt.type=write and evt.dir=< and "
                              "proc.name=sh", "--", "sh", "-c", script], stdin=go_read, stdout=subprocess.PIPE)
        os.close(go_read)
        late = []
        for i in range(9):
            if not select.select([p.stdout], [], [], 20)[0]:
                p.kill()
                raise AssertionError("line %d does not come" % (i + 1))
            late.append(time.time() - int(p.stdout.readline()) / 1e9)
            os.write(go, b"\n")
        os.close(go)
        assert p.stdout.read() == b"" and p.wait() == 0
        said.append("%s workers: %.0f ms" % (workers, 1000 * sorted(late)[4]))
    return ", ".join(said)


def check_hops(path, folder, threads, rounds):
    """Every call of threads that hop (workload.c), in the order of each thread, with the name of its file; time does not
    go back. (Of close its beginning: before its end another thread may have got the number.)"""
    calls = ("proc.name=live_workload and (evt.type in (open, openat, write) and evt.dir=< or evt.type=close and evt.dir=>) "
             "and thread.ismain=false")
    last, done = 0, {}
    with subprocess.Popen([BURIN, "-r", path, "-p", "*%evt.rawtime\t%thread.tid\t%evt.type\t%fd.name", calls],
                          stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            ts, tid, kind, name = line.rstrip("\n").split("\t")
            assert int(ts) >= last, "time goes back"
            last = int(ts)
            done.setdefault(tid, []).append((kind[:4], name[len(folder):] if name.startswith(folder) else name))
    assert p.returncode == 0 and len(done) == threads, "%d threads, exit code %s" % (len(done), p.returncode)
    for tid, seen in done.items():
        thread = seen[0][1].split("-")[0]
        for i in range(rounds):
            a, b = "%s-%d-0" % (thread, i % 512), "%s-%d-1" % (thread, i % 512)
            want = [("open", a), ("open", b), ("writ", a), ("writ", b), ("clos", a), ("writ", b), ("clos", b)]
            assert seen[7 * i:7 * i + 7] == want, "thread %s, round %d: %s" % (tid, i, seen[7 * i:7 * i + 7])
        assert len(seen) == 7 * rounds, "thread %s: %d calls too many" % (tid, len(seen) - 7 * rounds)


def migration(tmp):
    """Threads that change cpu after every call: no descriptor without its name or with a wrong one, nothing lost, with any
    number of workers. BURIN_LIVE_HOPS: rounds of the long form, 45000 make 10 million events."""
    said, rounds = [], int(os.environ.get("BURIN_LIVE_HOPS", "500"))
    for workers in ("1", "2", "5"):
        p = run([BURIN, "-v", "-q", "--workers=" + workers, "-w", tmp + "/t.scap", "--", WORK, "hop", tmp, "8", str(rounds)])
        assert p.returncode == 0 and "\nDriver Drops:0\n" in p.stderr, p.stderr[-300:]
        check_hops(tmp + "/t.scap", tmp + "/h", 8, rounds)
        said.append("%s workers: %d events" % (workers, number(r"Driver Events:(\d+)", p.stderr)))
    return ", ".join(said)


def all_but_one(tmp):
    """A capture of the whole machine, of which only one process of our own is shown: it was there before."""
    target = subprocess.Popen(["sh", "-c", "while :; do read x </proc/uptime; sleep 0.02; done"])
    try:
        for workers in ("1", "2"):
            p = run([BURIN, "--workers=" + workers, "-n", "40", "-p", "%proc.name %proc.pid %fd.name",
                     "proc.pid=%d and evt.type=read and evt.dir=< and fd.name=/proc/uptime" % target.pid])
            assert p.stdout == "sh %d /proc/uptime\n" % target.pid * 40, p.stdout[-200:] + p.stderr
    finally:
        target.kill()
        target.wait()


def recorded(tmp):
    """The rings of a capture, played to the live adapter again with producers that dawdle: the same lines."""
    p = run([BURIN, "-q", "-w", tmp + "/t.scap", "--", WORK, "hop", tmp, "6", "150"])
    assert p.returncode == 0 and "lost" not in p.stderr, p.stderr
    p = run([BUILD + "/engine/worker/stress_live_replay", tmp + "/t.scap", "4"])
    assert p.returncode == 0 and ": the same" in p.stdout, p.stdout + p.stderr
    return p.stdout.replace("\n", " ").strip()


if __name__ == "__main__":
    main({t.__name__: t for t in (born_before, cpu_comes, told_drops, prompt, all_but_one, migration, recorded)}, [], False)
