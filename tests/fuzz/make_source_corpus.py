#!/usr/bin/env python3
"""Writes a small starting corpus for fuzz_source: make_source_corpus.py DIR [TRACE...]

One file per generation of blocks, per way of storing and per sort of damage, made with scapgen; of each
TRACE the first 4 KB. Each file is one byte for the fuzzer (batch sizes) and then the trace.
"""
import gzip
import os
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import scapgen  # noqa: E402
from scapgen import block  # noqa: E402


def small(generation="029"):
    t = scapgen.Trace(generation)
    t.iface("eth0", "10.0.0.5", "255.255.255.0").iface("lo", "::1", "ffff::")
    t.user(1000, 1000, "alice").group(100, "staff")
    t.thread(100, comm="app", args="-x\0y", env="A=1", cgroups="cpu=/", fds={
        0: scapgen.file_fd("/dev/null"), 1: scapgen.named_fd(7, "pipe:[7]"),
        2: scapgen.sock4_fd("10.0.0.5", 1, "10.0.0.6", 2), 3: scapgen.sock6_fd("::1", 1, "::2", 2),
        4: scapgen.serv4_fd("0.0.0.0", 80), 5: scapgen.serv6_fd("::", 80), 6: scapgen.unix_fd(1, 2, "/s"),
        7: scapgen.named_fd(99, "later")})
    t.open(100, 8, "/etc/passwd").read(100, 8, b"data").close(100, 8)
    return t


def old_blocks():
    """Process list of every version before 9 and all pre-release codes."""
    s = lambda x: struct.pack("<H", len(x)) + x
    out = [block(scapgen.SHB, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 0, 0xffffffffffffffff))]
    versions = [(0x202, 1), (0x207, 2), (0x209, 3), (0x210, 4), (0x211, 5), (0x212, 6), (0x213, 7), (0x214, 8),
                (0x8000ABCD, 1), (0x8013ABCD, 2), (0x8014ABCD, 3)]
    for code, v in versions:
        b = struct.pack("<QQQ", 5, 5, 1) + (struct.pack("<q", 1) if v >= 6 else b"")
        b += struct.pack("<q", 1) if v >= 8 else b""
        b += s(b"comm") + s(b"exe") + (s(b"/exe") if v >= 7 else b"") + s(b"a\0b") + s(b"/")
        b += struct.pack("<QIII", 9, 0, 0, 0) + (struct.pack("<IIIQQ", 1, 2, 3, 4, 5) if v >= 2 else b"")
        b += (s(b"E=1") if v >= 3 else b"") + (struct.pack("<qq", 5, 5) + s(b"cpu=/") if v >= 4 else b"")
        out.append(block(code, b + (s(b"/") if v >= 5 else b"")))
    fd = struct.pack("<Q", 5) + struct.pack("<QQB", 3, 9, 1) + s(b"/f") + struct.pack("<QQBI", 4, 9, 16, 1) + s(b"g")
    user = struct.pack("<BII", 0, 1, 1) + s(b"u") + s(b"/") + s(b"sh") + struct.pack("<BI", 1, 2) + s(b"g")
    iface = struct.pack("<HH", 1, 4) + bytes(12) + struct.pack("<Q", 1000) + b"eth0"
    for code, body in ((0x203, fd), (0x8001ABCD, fd), (0x206, user), (0x8012ABCD, user), (0x205, iface),
                       (0x8011ABCD, iface), (0x999, b"unknown!")):
        out.append(block(code, body))
    ev = struct.pack("<HQQIHHH", 0, 1, 5, 22 + 2 + 8, 3, 8, 0)[:2 + 22 + 2] + bytes(8)
    for code in (0x204, 0x8010ABCD):
        out.append(block(code, ev))
    out.append(block(0x208, ev[:2] + bytes(4) + ev[2:]))
    return b"".join(out)


def zstd(data):
    return subprocess.run(["zstd", "-qc", "--check"], input=data, check=True, stdout=subprocess.PIPE).stdout


def sized(data):
    """A member that says how long it is."""
    z = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = z.compress(data) + z.flush() + struct.pack("<II", zlib.crc32(data), len(data))
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", 18 + len(body) - 1) + body


def files(traces):
    t = small().bytes()
    yield "v2", t
    yield "new", small("new").bytes()
    yield "v1", old_blocks()
    yield "sections", t + old_blocks() + t
    yield "cut", t[:-20]
    yield "length", t[:-40] + struct.pack("<I", 3000000000) + t[-36:]
    yield "large", t + block(0x221, struct.pack("<HQQIHII", 0, 1, 5, 30, 402, 1, 0))
    yield "no-events", t[:28 + 192]
    yield "gzip", gzip.compress(t, mtime=0)
    yield "gzip-stored", gzip.compress(t, 0, mtime=0)
    yield "gzip-members", gzip.compress(t[:500], mtime=0) + gzip.compress(t[500:], 1, mtime=0) + bytes(9)
    yield "gzip-sizes", b"".join(sized(t[i:i + 300]) for i in range(0, len(t), 300))
    yield "zstd", zstd(t)
    yield "zstd-frames", zstd(t[:500]) + b"\x50\x2a\x4d\x18\x02\0\0\0ab" + zstd(t[500:])
    for path in traces:
        with open(path, "rb") as f:
            yield os.path.basename(path), f.read(4096)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for i, (name, data) in enumerate(files(sys.argv[2:])):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(bytes([i * 37 % 256]) + data)


if __name__ == "__main__":
    main()
