#!/usr/bin/env python3
"""Live capture by raw tracepoints, the form for kernels without type information or from before 5.13.

usage: raw.py [TEST...]     a short part, with what is particular to this form
       raw.py --all         all of suite.py, c3.py --all and rings.py, with raw tracepoints instead of tp_btf

The others' tests run as they are: with a folder that looks like the build's and in which the programs are asked
for raw tracepoints.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BURIN_BUILD", ROOT + "/build/release")
BURIN = os.environ.get("BURIN", BUILD + "/burin")


def folder_of(form):
    """A folder like BUILD, but burin and capture_cmd attach in this form."""
    top = tempfile.mkdtemp(prefix="burin-%s." % form)
    os.chmod(top, 0o755)
    os.makedirs(top + "/engine/live")
    ours = {top + "/burin": "%s --attach=%s" % (BURIN, form),
            top + "/engine/live/capture_cmd": "%s/engine/live/capture_cmd -a %s" % (BUILD, form)}
    for path, command in ours.items():
        with open(path, "w") as f:
            f.write('#!/bin/sh\nexec %s "$@"\n' % command)
        os.chmod(path, 0o755)
    for part in (".", "engine", "engine/live"):
        for name in os.listdir("%s/%s" % (BUILD, part)):
            link = os.path.normpath("%s/%s/%s" % (top, part, name))
            if not os.path.lexists(link):
                os.symlink("%s/%s/%s" % (BUILD, part, name), link)
    return top


FORM = folder_of("raw")
os.environ.update(BURIN_BUILD=FORM, BURIN=FORM + "/burin")
sys.path.insert(0, ROOT + "/tests/live")
import suite  # noqa: E402
import rings  # noqa: E402
from suite import number, run  # noqa: E402

# ---- the same events in both forms ----------------------------------------------------------------------------

WORK = r"""export PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0 PYTHONHASHSEED=0; cd {tmp}; echo hello > a; cat a /nonexistent; mkdir d; mv a d/b; ln -s d/b l; rm -r d l; chmod 600 .
perl -e 'use Socket; socketpair(A,B,AF_UNIX,SOCK_STREAM,0); syswrite A,"x"x300; sysread B,$x,999; pipe(R,W);
if (!fork) { syswrite W, "c"; exit 3 } wait; socket(U,AF_INET,SOCK_DGRAM,0); bind(U,sockaddr_in(0,INADDR_LOOPBACK));
send(U,"q",0,getsockname(U)); recv(U,$y,9,0); socket(V,AF_INET6,SOCK_STREAM,0); listen(V,5); utime 1,2,"."; chdir "/"'
python3 -c 'import select, os, mmap; r, w = os.pipe(); p = select.poll(); p.register(r); p.poll(0); os.writev(w, [b"a", b"bc"])
os.readv(r, [bytearray(2), bytearray(9)]); os.fallocate = 0; os.dup2(r, 9); os.nice(1); os.umask(18); os.getgroups()'
exec /bin/true"""
# what differs between any two runs: numbers of inodes and ports, memory, what the kernel makes at random, order of
# signals; the name of a child that is under way; names in pages of the program that have not been read yet when the
# call begins
DROP = re.compile(r" (signaldeliver|rt_sigreturn|switch|procinfo|wait4|getrandom|futex|munmap|brk) |/dev/urandom")
MASK = [(r"\b(pgft_maj|pgft_min|vm_size|vm_rss|vm_swap|ino|source|peer|exe_ino_ctime)=\S+", r"\1"), (r"\b[0-9A-F]{9,16}\b", "ADDR"),
        (r"pipe:\[\d+\]", "PIPE"), (r"(127\.0\.0\.1|::1|0\.0\.0\.0|:::):\d+", "IP"), (r"(ret|res|pid|tid)=(T?\d+)\([^)]*\)", r"\1=\2"), (r"ptid=\d+\S*", "ptid"),
        (r"^(\S+ \S+ > .*\b(?:name|path|filename))=\S+", r"\1")]


def events(form, tmp):
    """Thread -> what it did, threads in the order they come."""
    shutil.rmtree(tmp, ignore_errors=True)
    os.mkdir(tmp)
    p = run([BURIN, "--attach=" + form, "-v", "-s", "200", "-p", "*%thread.tid %proc.name %evt.dir %evt.type %fd.name %evt.args",
             "--", "setarch", "-R", "sh", "-c", "exec >/dev/null 2>&1 </dev/null\n" + WORK.replace("{tmp}", tmp)])
    assert p.returncode == 0 and "Driver Drops:0" in p.stderr, p.stderr[-200:]
    lines = [l for l in p.stdout.splitlines() if re.match(r"\d+ ", l)]
    names = {}
    for l in lines:
        names.setdefault(l.split()[0], "T%d" % len(names))
    tids = re.compile(r"=(%s)(?=\()" % "|".join(names))  # with the name of the process behind them
    threads = {}
    for l in lines:
        tid = names[l.split()[0]]
        said = tid + tids.sub(lambda m: "=" + names[m.group(1)], l[len(l.split()[0]):])
        for what, to in MASK:
            said = re.sub(what, to, said)
        if not DROP.search(said):
            threads.setdefault(tid, []).append(said)
    return [l for t in sorted(threads, key=lambda t: int(t[1:])) for l in threads[t]], p.stderr


def same_events(tmp):
    """The same work gives the same events in both forms, parameter for parameter."""
    (btf, said), (raw, said_raw) = [events(form, tmp + "/w") for form in ("btf", "raw")]
    assert "Attached: tp_btf\n" in said and "Attached: raw tracepoints (asked for)\n" in said_raw
    diff = [l for l in difflib.unified_diff(btf, raw, "tp_btf", "raw", n=0, lineterm="") if l[0] in "+-"][2:]
    words = [re.findall(r"\S+", l[1:]) for l in diff[:6]]
    words = [[w[:60] for w in a if w not in b] for a, b in zip(words, words[1:] + words[:1])]
    assert not diff and len(raw) > 1000, "%d lines, %d differ, the first in %s" % (len(raw), len(diff), words)
    return "%d events" % len(raw)


# ---- what is particular to this form --------------------------------------------------------------------------

def hidden_types(tmp):
    """Without the kernel's own types: from a file, and nothing else is read; without a file it says what to do."""
    types = shutil.copy("/sys/kernel/btf/vmlinux", tmp + "/types")
    filter_ = "'evt.type=openat and evt.dir=< and fd.name=/etc/passwd'"
    hide = "mount -t tmpfs none /sys/kernel/btf && "
    what = "%s --btf %s -v -p '%%proc.name %%fd.name' %s -- cat /etc/passwd" % (BURIN, types, filter_)
    p = run(["unshare", "-m", "sh", "-c", hide + what])
    if "mount:" in p.stderr:
        raise LookupError("no mounts here")
    assert p.returncode == 0 and p.stdout.splitlines().count("cat /etc/passwd") == 1, p.stdout[-200:] + p.stderr
    assert "raw tracepoints (the kernel does not carry its type information)" in p.stderr, p.stderr
    p = run(["unshare", "-m", "sh", "-c", "%s %s --btf %s --doctor" % (hide, BURIN, types)])
    assert p.returncode == 0 and "\nno " not in p.stdout and "attached by raw" in p.stdout, p.stdout
    p = run(["unshare", "-m", "sh", "-c", "%s %s -- true" % (hide, BURIN)])
    assert p.returncode == 1 and "--btf FILE" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    for wrong, said in ((tmp, ""), (BURIN, "no file with BTF"), (tmp + "/none", "No such file")):
        p = run([BURIN, "--attach=raw", "--btf", wrong, "--", "true"])
        assert p.returncode == 1 and wrong + ": " + said in p.stderr and p.stderr.count("\n") == 1, p.stderr
    if shutil.which("strace"):
        p = run(["strace", "-f", "-e", "trace=open,openat", BURIN, "--attach=raw", "--btf", types, "-q", "--", "true"])
        assert types in p.stderr and "/sys/kernel/btf" not in p.stderr, p.stderr[-300:]
    return None


def pid_namespace(tmp):
    """In another pid namespace numbers mean something else: one clear line."""
    p = run(["unshare", "-p", "-f", "--mount-proc", BURIN, "--attach=raw", "--", "true"])
    if "unshare:" in p.stderr:
        raise LookupError("no namespaces here")
    assert p.returncode == 1 and "--pid=host" in p.stderr and p.stderr.count("\n") == 1, p.stderr
    return None


def thread_runs_program(tmp):
    """A thread that is not the first runs a program: the process stays watched, under its name."""
    script = ("import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(1), "
              "os.execvp('perl', ['perl', '-e', 'getppid() for 1..41']))).start()\ntime.sleep(9)")
    f = "evt.type=getppid and evt.dir=<"
    target = subprocess.Popen(["python3", "-c", script])
    p = run(["timeout", "-s", "INT", "2", suite.BURIN, "--pid", str(target.pid), "-p", "%proc.name", f])
    assert target.wait() == 0 and p.stdout == "perl\n" * 41, p.stdout[-100:] + p.stderr
    p = run([suite.BURIN, "-p", "%proc.name", f + " and proc.name=perl", "--", "python3", "-c", script])
    assert p.stdout == "perl\n" * 41, p.stdout[-100:] + p.stderr
    return None


def many_processes(tmp):
    """Processes one after the other, of each the end; with BURIN_LIVE_FORKS=80000 numbers come again."""
    n = int(os.environ.get("BURIN_LIVE_FORKS", "2000"))
    p = run([suite.BURIN, "-v", "-p", "%evt.type", "evt.type=procexit", "--", "perl", "-e",
             "for (1..%d) { if (!($p = fork)) { exit 3 } waitpid $p, 0 }" % n])
    assert p.stdout.count("procexit\n") == n + 1, p.stdout.count("procexit\n")
    return "%d processes" % n


TESTS = dict(same_events=same_events, hidden_types=hidden_types, pid_namespace=pid_namespace,
             thread_runs_program=thread_runs_program, many_processes=many_processes)
TESTS.update({"raw_" + n: suite.TESTS[n] for n in ("exact", "calls_32", "only_pid", "selections", "strace_bash", "ticks", "faults")})
TESTS.update(raw_born_before=rings.born_before)


def everything():
    for script in ("suite.py", "c3.py --all"):
        print("---- " + script, flush=True)
        subprocess.run([sys.executable, *("%s/tests/live/%s" % (ROOT, script)).split()])


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--all"]:
            everything()
        else:
            suite.main(TESTS, scripts=())
    finally:
        shutil.rmtree(FORM)
