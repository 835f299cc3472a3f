#!/usr/bin/env python3
"""Compares the reader and the metadata decoders with a second implementation, over real traces.

usage: source_ref.py SOURCE_DUMP DIR...

Every *.scap, *.scap.gz and *.scap.zst below the folders is walked here, in Python, and by source_dump; the
lines of both must be equal. Each trace is also packed again (gzip with several members, zstd frames, gzip
through a pipe) and must give the same lines. Exit code 77 = no traces there, skipped.
"""
import glob
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile

SHB = 0x0A0D0D0A
EVENTS = {0x204, 0x208, 0x8010ABCD, 0x216, 0x217, 0x221, 0x222}
THREADS = {0x202: 1, 0x207: 2, 0x209: 3, 0x210: 4, 0x211: 5, 0x212: 6, 0x213: 7, 0x214: 8, 0x215: 9,
           0x8000ABCD: 1, 0x8013ABCD: 2, 0x8014ABCD: 3}
FDS = {0x203: 1, 0x8001ABCD: 1, 0x218: 2}
IFACES = {0x205: 1, 0x8011ABCD: 1, 0x219: 2}
USERS = {0x206: 1, 0x8012ABCD: 1, 0x220: 2}
MACHINE = {0x201: 1, 0x8002ABCD: 1}


class Cut(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.d, self.at = data, 0

    def left(self):
        return len(self.d) - self.at

    def raw(self, n):
        if n > self.left():
            raise Cut()
        self.at += n
        return self.d[self.at - n:self.at]

    def num(self, fmt):
        return struct.unpack("<" + fmt, self.raw(struct.calcsize(fmt)))[0]

    def str(self):
        return self.raw(self.num("H"))


def hx(b):
    return b.hex() or "-"


def entries(body, sized, counts_itself):
    r = Reader(body)
    while r.left() >= 4:
        if not sized:
            yield r
            continue
        n = r.num("I")
        yield Reader(r.raw(n - (4 if counts_itself else 0)))


def machine(body):
    r = Reader(body)
    cpus, mem, maxpid, host = r.num("I"), r.num("Q"), r.num("Q"), r.raw(128)
    yield "machine %d %d %d %s %d %d" % (cpus, mem, maxpid, hx(host.split(b"\0")[0]), r.num("Q"), r.num("Q"))


def threads(body, v):
    for r in entries(body, v >= 9, True):
        tid, pid, ptid = r.num("q"), r.num("q"), r.num("q")
        sid = r.num("q") if v >= 6 else -1
        vpgid = r.num("q") if v >= 8 else -1
        comm, exe = r.str(), r.str()
        exepath = r.str() if v >= 7 else b""
        args, cwd = r.str(), r.str()
        nums = [r.num("Q"), r.num("I"), r.num("I"), r.num("I")]
        nums += [r.num(f) for f in "IIIQQ"] if v >= 2 else [0] * 5
        env = r.str() if v >= 3 else b""
        vtid, vpid = (r.num("q"), r.num("q")) if v >= 4 else (-1, -1)
        cgroups = r.str() if v >= 4 else b""
        root = r.str() if v >= 5 else b""
        tail, pgid = [0, 0, 0xffffffff] + [0] * 10, -1
        if v >= 9:
            first = 2 if r.left() <= 29 else 0
            for i, f in enumerate("QIIBQQQBQQQBBq"):
                if i < first:
                    continue
                if struct.calcsize("<" + f) > r.left():
                    break
                if i == 13:
                    pgid = r.num(f)
                else:
                    tail[i] = r.num(f)
        ids = [tid, pid, ptid, sid, vpgid, vtid, vpid, pgid]
        yield "thread %s %s %s" % (" ".join(map(str, ids)),
                                   " ".join(map(hx, [comm, exe, exepath, args, cwd, env, cgroups, root])),
                                   " ".join(map(str, nums + tail)))


def fds(body, v):
    tid = struct.unpack_from("<Q", body)[0]
    for r in entries(body[8:], v >= 2, True):
        fd, ino, kind = r.num("q"), r.num("Q"), r.num("B")
        name, flags, dev, sip, dip = b"", 0, 0, b"", b""
        sport = dport = l4 = src = dst = 0
        if kind in (3, 4):
            n = 4 if kind == 3 else 16
            sip, dip, sport, dport, l4 = r.raw(n), r.raw(n), r.num("H"), r.num("H"), r.num("B")
        elif kind in (5, 6):
            sip, sport, l4 = r.raw(4 if kind == 5 else 16), r.num("H"), r.num("B")
        elif kind == 8:
            src, dst, name = r.num("Q"), r.num("Q"), r.str()
        elif kind == 16:
            flags, name = r.num("I"), r.str()
            dev = r.num("I") if v >= 2 and r.left() >= 4 else 0
        elif kind > 21:
            kind, name = 10, b"unknown-type:[%d]" % kind
        elif kind:
            name = r.str()
        yield "fd %d %d %d %d %s %d %d %s %s %d %d %d %d %d" % (
            tid, fd, ino, kind, hx(name), flags, dev, sip.ljust(16, b"\0").hex(), dip.ljust(16, b"\0").hex(),
            sport, dport, l4, src, dst)


def ifaces(body, v):
    for r in entries(body, v >= 2, False):
        kind, n = r.num("H"), r.num("H")
        a = 16 if kind in (2, 4) else 4
        addrs = [r.raw(a).ljust(16, b"\0").hex() for _ in range(3)]
        speed = r.num("Q") if kind <= 2 else 0
        yield "iface v%d %s %d %s" % (6 if a == 16 else 4, " ".join(addrs), speed, hx(r.raw(n)))


def users(body, v):
    for r in entries(body, v >= 2, True):
        if r.num("B"):
            yield "group 0 %d %s - -" % (r.num("I"), hx(r.str()))
        else:
            yield "user %d %d %s %s %s" % (r.num("I"), r.num("I"), hx(r.str()), hx(r.str()), hx(r.str()))


def decode(kind, body):
    for table, fn in ((THREADS, threads), (FDS, fds), (IFACES, ifaces), (USERS, users)):
        if kind in table:
            return fn(body, table[kind])
    return machine(body) if kind in MACHINE else ()


def reference(data):
    out, at, run = [], 0, [0, 0, 0]

    def end_run():
        if run[0]:
            out.append("events %d bytes %d sum %016x" % tuple(run))
        run[:] = [0, 0, 0]

    while at < len(data):
        kind, n = struct.unpack_from("<II", data, at)
        if kind in EVENTS:
            run[0] += 1
            run[1] += n
            run[2] = (run[2] * 0x9E3779B97F4A7C15 + at + kind + (n << 32)) & 0xffffffffffffffff
        else:
            end_run()
            out.append("block %d 0x%x %d" % (at, kind, n))
            if kind != SHB:
                out.extend(" " + line for line in decode(kind, data[at + 8:at + n - 4]))
        at += n
    end_run()
    return out + ["end"]


def load(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    with open(path, "rb") as f:
        data = f.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def dump(tool, path, stdin=None):
    p = subprocess.run([tool, path], input=stdin, stdout=subprocess.PIPE, timeout=300)
    return p.stdout.decode("utf-8", "replace").splitlines()


def packed(data):
    """(how, bytes) for other ways to store the same trace."""
    piece = max(len(data) // 9, 1)
    parts = [data[i:i + piece] for i in range(0, len(data), piece)]
    yield "gzip members", b"".join(gzip.compress(p, 1 + i) for i, p in enumerate(parts[:9])) + \
        b"".join(gzip.compress(p, 0) for p in parts[9:])
    yield "zstd frames", b"".join(
        subprocess.run(["zstd", "-qc", "-%d" % (1 + i % 5)], input=p, check=True,
                       stdout=subprocess.PIPE).stdout for i, p in enumerate(parts))


def check(tool, path, tmp):
    data = load(path)
    want = reference(data)
    yield "as it is", want, dump(tool, path)
    yield "through a pipe", want, dump(tool, "-", data)
    if len(data) > 20 << 20:
        return  # the big one: once is enough
    yield "two sections", reference(data + data), dump(tool, "-", data + data)
    for how, stored in packed(data):
        name = os.path.join(tmp, "packed")
        with open(name, "wb") as f:
            f.write(stored)
        yield how, want, dump(tool, name)
        yield how + " through a pipe", want, dump(tool, "-", stored)


def main():
    tool, folders = sys.argv[1], sys.argv[2:]
    if not shutil.which("zstd"):
        print("the zstd program is not there")
        return 77
    paths = sorted(p for d in folders if d for ext in ("", ".gz", ".zst")
                   for p in glob.glob(os.path.join(d, "**", "*.scap" + ext), recursive=True))
    if not paths:
        print("no traces in %s" % " ".join(folders))
        return 77
    bad = events = 0
    with tempfile.TemporaryDirectory(prefix="burin-source.") as tmp:
        for path in paths:
            for how, want, got in check(tool, path, tmp):
                if got != want:
                    bad += 1
                    diff = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
                    print("%s (%s): line %d differs:\n  want %s\n  got  %s" % (
                        path, how, diff + 1, (want + ["nothing"])[diff][:300], (got + ["nothing"])[diff][:300]))
            runs = [line.split() for line in want if line.startswith("events")]
            n = sum(int(r[1]) for r in runs)
            events += n
            print("%s: %d sections, %d event blocks, %d other lines" % (path, len(runs), n, len(want) - len(runs)))
    print("%d traces, %d event blocks, %d differences" % (len(paths), events, bad))
    return 1 if bad or not events else 0


if __name__ == "__main__":
    sys.exit(main())
