#!/usr/bin/env python3
"""Live equals replay (contract C3), and sysdig 0.29.3 reads what is written with --compat=0.29.

usage: c3.py [--all] [--keep DIR] [WORKLOAD...]      default: the few of SHORT

Every workload is captured twice, each time only the processes it starts itself:
- with --compat=0.29, into a file, while three chisels run. The file replayed by 1, 2 and 3 workers (told
  that it is live, decisions 9) must give the chisels' very output, and 0.29.3 must print the file's lines as
  burin does (rules: tests/diff/sysdig_lines.py).
- as it is, into a file, while a chisel prints every event. The replay must print the very lines.
Lost events are a failure: what is compared would hide them.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
sys.path.insert(0, os.path.join(ROOT, "tests/diff"))
import burin         # noqa: E402
import sysdig_lines  # noqa: E402

BUILD = os.environ.get("BURIN_BUILD", ROOT + "/build/release")
WORK = BUILD + "/engine/live/live_workload"
CHISELS = [["topfiles_bytes"], ["topprocs_cpu"], ["topscalls_time"], ["topprocs_file"], ["iobytes"],
           ["fdcount_by", "fd.type"], ["bottlenecks"], ["proc_exec_time"], ["topconns"], ["syscall_errors"],
           ["topprocs_net"], ["latency_hist"], ["topscalls"], ["fdbytes_by", "proc.name"], ["file_audit"],
           ["iosize_hist"], ["exec_tree"], ["topports_server"], ["topfiles_time"], ["connections"]]
SHORT = ["compile", "http", "threads", "pipelines"]

# name: (programs that must be there, shell script; {tmp} is a fresh folder, {work} live_workload)
WORKLOADS = {
    "compile": (["gcc", "make"], """
for i in 1 2 3 4; do sed "s/main/f$i/" ROOT/tests/live/hello.c > {tmp}/f$i.c; done
cp ROOT/tests/live/hello.c {tmp}/main.c
printf 'a.out: main.o f1.o f2.o f3.o f4.o\\n\\tgcc -o $@ $^\\n%%.o: %%.c\\n\\tgcc -O1 -c -o $@ $<\\n' > {tmp}/Makefile
make -j3 -C {tmp}; {tmp}/a.out"""),
    "tar": (["tar"], "tar czf {tmp}/x.tgz -C /usr/share/doc bash coreutils grep; mkdir {tmp}/o; tar xzf {tmp}/x.tgz -C {tmp}/o;"
            " rm -r {tmp}/o"),
    "find": (["find", "grep"], "find /usr/share/doc -maxdepth 2 -name 'c*' | head -300 | xargs grep -l license"),
    "http": (["python3"], """
cd {tmp}; echo page > index.html; head -c 60000 /dev/zero > big
python3 -c '
import http.server, threading, urllib.request, functools
class H(http.server.SimpleHTTPRequestHandler):
    def address_string(self): return "here"
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
threading.Thread(target=s.serve_forever, daemon=True).start()
def load(n):
    for i in range(n):
        for p in ("", "big", "none"):
            try: urllib.request.urlopen("http://127.0.0.1:%d/%s" % (s.server_address[1], p)).read()
            except OSError: pass
ts = [threading.Thread(target=load, args=(15,)) for _ in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]; s.shutdown()'"""),
    "nginx": (["nginx", "ab"], """
mkdir {tmp}/logs; chmod 777 {tmp}; echo hello > {tmp}/index.html
echo "worker_processes 2; error_log {tmp}/e.log; pid {tmp}/pid; events {} http { access_log {tmp}/a.log;
 client_body_temp_path {tmp}/1; proxy_temp_path {tmp}/2; fastcgi_temp_path {tmp}/3; uwsgi_temp_path {tmp}/4;
 scgi_temp_path {tmp}/5; server { listen unix:{tmp}/sock; listen 127.0.0.1:18473; root {tmp}; } }" > {tmp}/conf
nginx -p {tmp} -c {tmp}/conf; ab -q -n 1000 -c 8 http://127.0.0.1:18473/; ab -q -n 300 -k http://127.0.0.1:18473/none
kill $(cat {tmp}/pid); sleep 0.3"""),
    "redis": (["redis-server", "redis-benchmark"], """
redis-server --port 0 --unixsocket {tmp}/s --dir {tmp} --save '' & p=$!
for i in 1 2 3 4 5 6 7 8 9; do [ -S {tmp}/s ] && break; sleep 0.2; done
redis-benchmark -s {tmp}/s -n 1500 -c 10 -t set,get,lpush -q; redis-cli -s {tmp}/s bgsave; sleep 0.3; kill $p; wait"""),
    "pipelines": (["awk"], """
for i in 1 2 3 4 5 6; do seq 3000 | awk '{s += $1; print s}' | sort -rn | head -n 5 | wc -c; done
seq 200 | while read x; do echo $((x * x)); done | tail -n 1; echo a b c | tr ' ' '\\n' | xargs -n1 -P3 echo; cat < /dev/null"""),
    "threads": (["python3"], """
cd {tmp}; python3 -c '
import threading, socket, os, subprocess
def work(k):
    for i in range(40):
        with open("f%d-%d" % (k, i), "w") as f: f.write("x" * i)
        os.rename("f%d-%d" % (k, i), "g%d-%d" % (k, i)); a, b = socket.socketpair()
        a.send(b"hello"); b.recv(9); a.close(); b.close(); os.unlink("g%d-%d" % (k, i))
    subprocess.run(["true"])
ts = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]'"""),
    "git": (["git"], """
cd {tmp}; export HOME={tmp}; git init -q .; git config user.email a@b; git config user.name n
for i in 1 2 3 4; do echo $i > f$i; git add .; git commit -qm c$i; done
git log --stat | cat; git checkout -q -b x HEAD~2; git merge -q master; git gc -q; git grep 1"""),
    "gzip": (["gzip"], "cat /usr/bin/* 2>/dev/null | head -c 3000000 > {tmp}/a; gzip -k {tmp}/a; gunzip -c {tmp}/a.gz | cmp - {tmp}/a"),
    "sort": (["sort"], "seq 100000 | sort -R > {tmp}/a; sort --parallel=3 -S 300k -T {tmp} -n {tmp}/a | uniq -c | tail -n 2"),
    "dd": (["dd"], "dd if=/dev/zero of={tmp}/z bs=1 count=20000; dd if={tmp}/z of=/dev/null bs=7; dd if={tmp}/z of={tmp}/y conv=fsync"),
    "sqlite": (["sqlite3"], """
(echo 'create table t(a,b);'; for i in $(seq 60); do echo "insert into t values($i,'x$i');"; done
 echo 'create index i on t(a); select count(*), sum(a) from t where a > 7; delete from t where a % 2; vacuum;') | sqlite3 {tmp}/d.db"""),
    "perl": (["perl"], """
perl -e '$SIG{USR1} = sub { $n++ }; for (1..30) { pipe(R, W); if (!fork) { close R; print W "x$_"; kill "USR1", getppid; exit $_ }
 close W; my $l = <R>; wait } for (1..200) { open(F, ">", "{tmp}/f$_"); print F $_; close F; unlink "{tmp}/f$_" } kill 9, $$'"""),
    "make": (["make"], """
printf 'all: a b c\\n%%: ; @sleep 0.0$*; echo $@ > {tmp}/$@ 2>/dev/null || true\\na b c: ; @for i in 1 2 3; do echo $$i; done | cat > {tmp}/$@\\n' > {tmp}/Makefile
make -j4 -C {tmp}; make -C {tmp} -n"""),
    "copies": (["cp"], """
cp -r /usr/share/doc/bash /usr/share/doc/git* {tmp}/ 2>/dev/null; mkdir {tmp}/d; mv {tmp}/bash {tmp}/d/; ln -s d {tmp}/l
ln {tmp}/d/bash/copyright {tmp}/hard; chmod -R go-w {tmp}/d; ls -lR {tmp}; du -s {tmp}/l/; rm -r {tmp}/d"""),
    "datagrams": (["python3"], """
cd {tmp}; python3 -c '
import socket
u = [socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6)]
for s, a in zip(u, ("127.0.0.1", "::1")):
    s.bind((a, 0)); c = socket.socket(s.family, socket.SOCK_DGRAM)
    for i in range(50): c.sendto(b"q%d" % i, s.getsockname()); d, p = s.recvfrom(99); s.sendto(d, p); c.recv(99)
x = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); x.bind("sock"); y = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
y.connect("sock")
for i in range(50): y.sendmsg([b"a", b"b"]); x.recvmsg(9)
a, b = socket.socketpair(); f = open("sock2", "w"); socket.send_fds(a, [b"f"], [f.fileno()]); m, fds, *r = socket.recv_fds(b, 9, 3)
import os; os.write(fds[0], b"passed")
for p in (1, 2):
    try: socket.create_connection(("127.0.0.1", p))
    except OSError: pass'"""),
    "every_call": ([], "{work} exact {tmp} {tmp}/log 4 12"),
    "hops": ([], "{work} hop {tmp} 4 400"),
    "signals": (["bash"], """
bash -c 'trap "echo t" USR1 ALRM; for i in 1 2 3 4 5; do kill -USR1 $$; (exit 3); sleep 0.01 & wait $!; done
coproc cat; echo hi >&${COPROC[1]}; read -r x <&${COPROC[0]}; exec 7>{tmp}/o; echo $x >&7; ulimit -c 0; kill -SEGV $BASHPID'"""),
    "container": (["podman", "runc", "busybox"], """
mkdir -p {tmp}/root/bin; cp $(command -v busybox) {tmp}/root/bin/; for n in sh ls cat; do ln -s busybox {tmp}/root/bin/$n; done
podman --runtime runc --cgroup-manager cgroupfs --root {tmp}/st --runroot {tmp}/run --storage-driver vfs run --rm --network=none \\
 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --rootfs {tmp}/root /bin/sh -c 'ls /; cat /proc/self/status; exit 3'"""),
}


class Wrong(Exception):
    pass


def run(args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200, stdin=subprocess.DEVNULL)
    if p.returncode or b"events lost" in p.stderr:
        raise Wrong("%s: exit code %d, %s" % (" ".join(args[:9]), p.returncode, p.stderr.decode(errors="replace")[-200:]))
    return p.stdout


def command(script, tmp):
    os.mkdir(tmp)
    text = script.replace("{tmp}", tmp).replace("{work}", WORK).replace("ROOT", ROOT)
    return ["--", "sh", "-c", "exec >/dev/null 2>&1 </dev/null\n" + text]


def first_difference(a, b, what):
    if a == b:
        return
    a, b = a.splitlines(), b.splitlines()
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    show = [(x[at] if at < len(x) else b"(nothing)")[:200] for x in (a, b)]
    raise Wrong("%s, line %d:\n  live   %r\n  replay %r" % (what, at + 1, *show))


def with_chisels(script, folder, chisels):
    """Events and rules of the comparison with 0.29.3."""
    trace = folder + "/c.scap"
    what = ["--compat=0.29", "-v"] + [a for c in chisels for a in ["-c", c[0], *c[1:]]]
    live = run([burin.BURIN, "-w", trace, *what, *command(script, folder + "/c")])
    for workers in ("1", "2", "3"):
        first_difference(live, run([burin.BURIN, "-r", trace, "--as-live", "--workers=" + workers, *what]),
                         "chisels with %s workers" % workers)
    if not live.strip():
        raise Wrong("the chisels said nothing")
    if not burin.have_peer():
        return "no sysdig"
    d, ref, got, r = sysdig_lines.both(trace, [], "2")
    with d:
        same, total, masked, rules, bad = sysdig_lines.compare(sysdig_lines.Case(trace), ref, got, 3)
    if bad or not total:
        raise Wrong("sysdig 0.29.3 prints %d of %d lines otherwise" % (bad, total))
    return "%d lines as sysdig, %d masked%s" % (same, masked, " (%s)" % rules if rules else "")


# Prints every event: number, time, thread, process, type, descriptor, parameters.
LINES = """
description = "lines"; short_description = "lines"; category = "test"; args = {}
function on_init()
	chisel.set_event_formatter("*%evt.num %evt.time %evt.cpu %thread.tid %proc.name %proc.pname %evt.dir " ..
		"%evt.type %fd.name %evt.args")
	return true
end
function on_event() return true end
"""


def with_lines(script, folder):
    trace, chisel = folder + "/l.scap", folder + "/lines.lua"
    with open(chisel, "w") as f:
        f.write(LINES)
    live = run([burin.BURIN, "-w", trace, "-s", "200", "-c", chisel, *command(script, folder + "/l")])
    for workers in ("1", "3"):
        first_difference(live, run([burin.BURIN, "-r", trace, "--workers=" + workers, "-c", chisel]),
                         "lines with %s workers" % workers)
    if live.count(b"\n") < 100:
        raise Wrong("%d lines" % live.count(b"\n"))
    return live.count(b"\n")


def check(name, index, keep):
    needs, script = WORKLOADS[name]
    missing = [n for n in needs if not shutil.which(n)]
    if missing:
        return burin.skip("c3_" + name, "%s not installed" % ", ".join(missing))
    # words go to the first chisel that takes some
    chisels = sorted((CHISELS[(3 * index + k) % len(CHISELS)] for k in range(3)), key=len, reverse=True)
    folder = tempfile.mkdtemp(prefix="burin-c3.")
    os.chmod(folder, 0o755)
    try:
        said = with_chisels(script, folder, chisels)
        burin.report(True, "c3_" + name)
        print("  %s: %s; %d lines live" % (", ".join(c[0] for c in chisels), said, with_lines(script, folder)))
    except Wrong as e:
        if keep:
            shutil.copytree(folder, os.path.join(keep, name), symlinks=True, dirs_exist_ok=True)
        burin.report(False, "c3_" + name, str(e).replace("\n", " | "))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--keep", help="keep the files of what fails in this folder")
    p.add_argument("workloads", nargs="*")
    a = p.parse_args()
    for i, name in enumerate(WORKLOADS):
        if a.all or name in (a.workloads or SHORT):
            check(name, i, a.keep)
    burin.finish()


if __name__ == "__main__":
    main()
