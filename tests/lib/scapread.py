"""A slow, simple reader of .scap event blocks: the tests' own view of a trace, independent of the
engine. Only what the comparisons need: the parameters of one numbered event."""

import gzip
import struct
import subprocess

EVENT_BLOCKS = {0x216: (10, 2), 0x217: (14, 2), 0x221: (10, 2), 0x222: (14, 2),
                0x204: (10, 1), 0x208: (14, 1), 0x8010ABCD: (10, 1)}


def load(path):
    """The decompressed bytes of a trace file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    return data


def blocks(data):
    """(offset, block type, length) of each block."""
    at = 0
    while at + 12 <= len(data):
        kind, n = struct.unpack_from("<II", data, at)
        if n < 12 or at + n > len(data):
            return
        yield at, kind, n
        at += n


class Events:
    """Numbered events of a trace: number -> (type code, [parameter bytes])."""

    def __init__(self, path, ncodes, table):
        self.data, self.table, self.at = load(path), table, []
        for at, kind, n in blocks(self.data):
            if kind in EVENT_BLOCKS:
                hdr, version = EVENT_BLOCKS[kind]
                code = struct.unpack_from("<H", self.data, at + hdr + 20)[0]
                if code < ncodes:
                    self.at.append((at, hdr, version, n))

    def __len__(self):
        return len(self.at)

    def params(self, num):
        """(code, [bytes]) of event number num (1-based)."""
        at, hdr, version, n = self.at[num - 1]
        p = at + hdr
        length, code = struct.unpack_from("<IH", self.data, p + 16)
        ev = self.table[code]
        width = 4 if ev.large else 2
        if version == 2:
            count = struct.unpack_from("<I", self.data, p + 22)[0]
            lens = p + 26
        else:
            length += 4
            if code in (280, 286):
                length -= 3
            lens = p + 22
            for count in range(len(ev.params), -1, -1):
                s = struct.unpack_from("<%d%s" % (count, "HI"[width // 4]), self.data, lens)
                if 26 + width * count + sum(s) == length:
                    break
        sizes = struct.unpack_from("<%d%s" % (count, "HI"[width // 4]), self.data, lens)
        q, out = lens + width * count, []
        for s in sizes:
            out.append(self.data[q:q + s])
            q += s
        return code, out
