"""What the comparison scripts share: the program, the traces, running and reporting."""

import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BURIN = os.environ.get("BURIN", os.path.join(ROOT, "build/release/burin"))
DATA = os.environ.get("BURIN_DATA")
if DATA is None:
    DATA = os.path.join(ROOT, "..", "shared")
    DATA = os.path.abspath(DATA) if os.path.isdir(DATA) else ""
CACHE = os.path.join(os.environ.get("BURIN_BUILD", os.path.join(ROOT, "build/release")), "test-traces")
PUBLIC = ["curl_google", "single_ipv6_conn", "test_ipv6_client", "sample"]

failures = 0


def say(text):
    """One write per line: processes of parallel() share standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def report(ok, name, text=""):
    global failures
    failures += not ok
    say("%s %s%s" % ("PASS" if ok else "FAIL", name, " " + text if text else ""))


def skip(name, why):
    say("SKIP %s %s" % (name, why))


def _job(fn, args):
    """Runs one job in a process of parallel(): (its failures, what it returned)."""
    global failures
    failures, result = 0, None
    try:
        result = fn(*args)
    except Exception:
        report(False, fn.__name__, "(exception)")
        say(traceback.format_exc())
    return failures, result


def _work(jobs, queue, out):
    done = {}
    while True:
        k = os.read(queue, 4)
        if len(k) < 4:
            break
        k = int.from_bytes(k, "little")
        done[k] = _job(*jobs[k])
    pickle.dump(done, out)
    out.flush()


def parallel(jobs, processes=2):
    """Runs (function, arguments) pairs, each in one of a few forked processes, the first ones first. What they
    report counts here; the results (plain data) come back in order, None for what failed."""
    global failures
    jobs, children, done = list(jobs), [], {}
    queue, fill = os.pipe()  # numbers of jobs, which the processes take in turn
    sys.stdout.flush()
    for _ in range(processes):
        out = tempfile.TemporaryFile()
        pid = os.fork()
        if not pid:
            os.close(fill)
            try:
                _work(jobs, queue, out)
            finally:
                os._exit(not out.tell())
        children.append((pid, out))
    os.close(queue)
    try:
        for k in range(len(jobs)):
            os.write(fill, k.to_bytes(4, "little"))
    except BrokenPipeError:
        pass
    os.close(fill)
    for pid, out in children:
        os.waitpid(pid, 0)
        out.seek(0)
        try:
            done.update(pickle.load(out))
        except EOFError:
            report(False, "process", "(a process of the test died)")
    for n, _ in done.values():
        failures += n
    return [done.get(k, (1, None))[1] for k in range(len(jobs))]


def finish():
    sys.exit(1 if failures else 0)


def have_peer():
    try:
        out = subprocess.run(["sysdig", "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return False
    return b"0.29.3" in out.stdout


def unpacked(path):
    """The plain form of a trace (zstd files are unpacked once into the build folder)."""
    if not path.endswith(".zst"):
        return path
    name = os.path.relpath(path, os.path.dirname(os.path.dirname(path))).replace("/", "-")[:-4]
    out = os.path.join(CACHE, name)
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(path):
        os.makedirs(CACHE, exist_ok=True)
        tmp = "%s.%d" % (out, os.getpid())
        subprocess.run(["zstd", "-dqf", path, "-o", tmp], check=True)
        os.rename(tmp, out)
    return out


def trace(generation, name):
    """A trace by generation (old, mid, new) and name: from the data beside the project, else the bundled
    one; None if neither is there. Plain form."""
    for base in ([os.path.join(DATA, "traces")] if DATA else []) + [os.path.join(ROOT, "tests/golden/traces")]:
        p = os.path.join(base, generation, name + ".scap.zst")
        if os.path.exists(p):
            return unpacked(p)
    return None


def public(name):
    p = os.path.join(DATA, "traces", name + ".scap") if DATA else ""
    return p if p and os.path.exists(p) else None


def run(args, stdin=None, timeout=300, binary=None):
    """(exit code, stdout, stderr) of burin."""
    env = dict(os.environ, TZ="UTC")
    r = subprocess.run([binary or BURIN] + args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=env, timeout=timeout)
    return r.returncode, r.stdout, r.stderr


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]
