#!/usr/bin/env python3
"""Runs a command under strace and under live capture at once and compares what both saw.

usage: strace_compare.py CAPTURE_CMD PROJECT_DIR [-v] -- CMD [ARG...]

The captured tree is "strace -f CMD": the capture sees the very calls that strace reports. For every
thread the sequence of (call, result) must agree; results are compared where the event carries one.
Prints "same: N threads, N calls, N results" or the first difference of each thread, exit code 1.
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

# Names of events that stand for several calls, or are named otherwise than the call.
ALIAS = {"pread64": "pread", "pwrite64": "pwrite", "prlimit64": "prlimit", "umount2": "umount",
         "accept4": "accept", "dup2": "dup", "dup3": "dup", "pipe2": "pipe", "eventfd2": "eventfd",
         "signalfd4": "signalfd", "inotify_init1": "inotify_init", "getrlimit": "getrlimit"}
ERRNO = {}


def read_defs(project):
    events, syscalls, scs = {}, {}, {}
    for line in open(project + "/engine/event/events.def"):
        m = re.match(r"(\d+) (\S+) (\S+) [<>] (\S+) .*? ?:(.*)$", line)
        if m:
            params = [p.split(":")[:2] for p in m.group(5).strip().split(", ") if p]
            events[int(m.group(1))] = (m.group(2), m.group(3), params, "SYSCALL" in m.group(4))
    for line in open(project + "/engine/event/syscalls.def"):
        w = line.split()
        if w and w[0].isdigit():
            syscalls[int(w[0])] = w[1]
    for line in open(project + "/engine/event/ppm_sc.def"):
        w = line.split()
        if w and w[0].isdigit():
            scs[int(w[0])] = w[2]
    for line in open(project + "/engine/event/flags.def"):
        m = re.match(r"\t(E[A-Z0-9]+) (\d+)", line)
        if m:
            ERRNO.setdefault(m.group(1), int(m.group(2)))
    return events, syscalls, scs


def blocks(path):
    data = open(path, "rb").read()
    at = 0
    while at + 12 <= len(data):
        kind, n = struct.unpack_from("<II", data, at)
        if n < 12 or at + n > len(data):
            sys.exit("damaged block at %d" % at)
        yield kind, data[at:at + n]
        at += n
    if at != len(data):
        sys.exit("the file ends inside a block")


def scap_threads(path, defs):
    """{tid: [(call, result or None)]} and the number of blocks."""
    events, syscalls, scs = defs
    out, open_call, last = {}, {}, 0
    for kind, b in blocks(path):
        if kind != 0x216:
            continue
        ts, tid, length, typ, n = struct.unpack_from("<QQIHI", b, 10)
        if ts < last:
            sys.exit("time stamps fall: %d after %d" % (ts, last))
        last = ts
        lens = struct.unpack_from("<%dH" % n, b, 36)
        if 26 + 2 * n + sum(lens) != length:
            sys.exit("event of %d bytes, parts have %d" % (length, 26 + 2 * n + sum(lens)))
        enum, name, params, is_call = events[typ]
        if not is_call:
            continue
        data = b[36 + 2 * n:]
        value = None
        if typ < 2:
            sc = struct.unpack_from("<H", data)[0]
            name = syscalls.get(struct.unpack_from("<H", data, 2)[0], "?") if typ == 0 else scs.get(sc)
            if typ == 1 and sc == 0:
                name = None  # the id of calls that the old format has no number for
        elif typ % 2 and n:
            size = lens[0]
            value = {4: "<i", 8: "<q"}.get(size) and struct.unpack_from({4: "<i", 8: "<q"}[size], data)[0]
        if typ % 2 == 0:
            open_call[tid] = name
            out.setdefault(tid, []).append([name, "open"])
        else:
            calls = out.setdefault(tid, [])
            if calls and calls[-1][1] == "open" and (name is None or same_name(calls[-1][0], name)):
                calls[-1][1] = value
            else:
                calls.append([name, value])
    return out


def same_name(a, b):
    return ALIAS.get(a, a) == ALIAS.get(b, b)


def strace_threads(path):
    out, pending = {}, {}
    for line in open(path, errors="replace"):
        m = re.match(r"(\d+) +(.*)$", line)
        if not m or m.group(2)[:3] in ("---", "+++"):
            continue
        tid, text = int(m.group(1)), m.group(2)
        r = re.match(r"<\.\.\. (\w+) resumed>", text)
        if r:
            name = r.group(1)
        else:
            name = re.match(r"(\w+)\(", text)
            if not name:
                continue
            name = name.group(1)
            out.setdefault(tid, []).append([name, "open"])
        if text.endswith("<unfinished ...>"):
            continue
        res = re.search(r"\) += (-?\w+|\?)( E\w+)?", text[text.rfind(") "):]) or \
            re.search(r" = (-?\w+|\?)( E\w+)?[^=]*$", text)
        value = "open"
        if res and res.group(1) != "?":
            v = int(res.group(1), 8 if re.match(r"0\d", res.group(1)) else 0)  # umask is octal
            value = -ERRNO[res.group(2).strip()] if v == -1 and res.group(2) else v
        elif res and res.group(2):
            value = res.group(2).strip()
        out[tid][-1] = [name, value]
    return out


RESTARTS = {"ERESTARTSYS": -512, "ERESTARTNOINTR": -513, "ERESTARTNOHAND": -514, "ERESTART_RESTARTBLOCK": -516}


def differs(a, b):
    """strace's call a against the captured call b."""
    if not same_name(a[0], b[0] or a[0]):
        return True
    x, y = a[1], b[1]
    if isinstance(x, str) and x in RESTARTS:
        x = RESTARTS[x]
    if x == "open":
        return False  # killed before strace saw the end of the call
    if y is None or y == "open":
        return y == "open"
    if a[0] in ("mmap", "brk", "mremap", "shmat"):
        return x & (1 << 64) - 1 != y & (1 << 64) - 1
    return x != y and x & 0xffffffff != y & 0xffffffff


def compare(st, sc, verbose):
    calls = results = bad = 0
    for tid, a in sorted(st.items()):
        b = sc.get(tid, [])
        # before its first execve the first thread is strace's; a new thread begins with its clone
        if a and a[0][0] == "execve":
            first = next((i for i, c in enumerate(b) if c[0] == "execve"), 0)
            b = b[first:]
        elif b and b[0][0] in ("clone", "clone3", "fork", "vfork"):
            b = b[1:]
        calls += len(a)
        results += sum(c[1] not in (None, "open") for c in b)
        for i in range(max(len(a), len(b))):
            x, y = a[i] if i < len(a) else None, b[i] if i < len(b) else None
            if x is None or y is None or differs(x, y):
                print("thread %d, call %d: strace %s, captured %s" % (tid, i, x, y))
                if verbose:
                    print("   strace  ", a[max(0, i - 3):i + 4])
                    print("   captured", b[max(0, i - 3):i + 4])
                bad += 1
                break
    if bad:
        return 1
    print("same: %d threads, %d calls, %d results" % (len(st), calls, results))
    return 0


def main():
    args = sys.argv[1:]
    if "--" not in args:
        sys.exit(__doc__)
    cut = args.index("--")
    tool, project = args[0], args[1]
    with tempfile.TemporaryDirectory() as d:
        run = [tool, d + "/t.scap", "strace", "-f", "-qq", "-s", "0", "-o", d + "/st"] + args[cut + 1:]
        p = subprocess.run(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                           timeout=120)
        said = p.stderr.strip().splitlines()
        if not any(re.match(r"sent \d+ dropped 0 ", s) for s in said):
            sys.exit("capture: " + "; ".join(said[-3:]))
        if os.environ.get("KEEP"):
            subprocess.run(["cp", d + "/st", d + "/t.scap", os.environ["KEEP"]])
        defs = read_defs(project)
        sys.exit(compare(strace_threads(d + "/st"), scap_threads(d + "/t.scap", defs), "-v" in args[:cut]))


if __name__ == "__main__":
    main()
