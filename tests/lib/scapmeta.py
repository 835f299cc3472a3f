"""Metadata blocks of a written trace, taken apart: the tests' own view, for the versions that are written
(PL v9, FDL v2)."""

import struct

import scapread

PL9, FDL2 = 0x215, 0x218
PL_FIXED = (("fdlimit", "<Q"), ("flags", "<I"), ("uid", "<I"), ("gid", "<I"), ("vmsize", "<I"), ("vmrss", "<I"),
            ("vmswap", "<I"), ("pfmajor", "<Q"), ("pfminor", "<Q"))


def thread(e):
    """Fields of one entry of a process list (with its length); what follows the root is "tail"."""
    r, at = {}, 4

    def take(fmt):
        nonlocal at
        v = struct.unpack_from(fmt, e, at)[0]
        at += struct.calcsize(fmt)
        return v

    def text():
        nonlocal at
        n = take("<H")
        at += n
        return e[at - n:at]

    for f in ("tid", "pid", "ptid", "sid", "vpgid"):
        r[f] = take("<q")
    for f in ("comm", "exe", "exepath", "args", "cwd"):
        r[f] = text()
    for f, fmt in PL_FIXED:
        r[f] = take(fmt)
    r["env"] = text()
    r["vtid"], r["vpid"] = take("<q"), take("<q")
    r["cgroups"], r["root"] = text(), text()
    r["tail"] = e[at:]
    return r


def entries(data, at, end):
    while end - at >= 4:
        n = struct.unpack_from("<I", data, at)[0]
        yield data[at:at + n]
        at += n


def load(path):
    """([thread entries], [(tid, [fd entries])], [other metadata blocks], [event blocks], each in file order)."""
    data = scapread.load(path)
    threads, fds, other, evs = [], [], [], []
    for at, kind, n in scapread.blocks(data):
        if kind in scapread.EVENT_BLOCKS:
            evs.append(data[at:at + n])
        elif kind == PL9:
            threads += [thread(e) for e in entries(data, at + 8, at + n - 4)]
        elif kind == FDL2:
            fds.append((struct.unpack_from("<Q", data, at + 8)[0], list(entries(data, at + 16, at + n - 4))))
        else:
            other.append(data[at:at + n])
    return threads, fds, other, evs


def hidden(block):
    kind = struct.unpack_from("<I", block)[0]
    return scapread.EVENT_BLOCKS[kind][0] == 14 and struct.unpack_from("<I", block, 10)[0] & 1
