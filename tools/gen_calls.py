#!/usr/bin/env python3
"""Generates the table of live capture: how the kernel programs fill the events of each system call.

usage: gen_calls.py EVENT_DEF_DIR CALLS_DEF OUT_DIR x86|arm64

Reads the .def files of engine/event and bpf/calls.def (each explains its own format) and writes
call_ops.h (numbers of sources and maps, for C and BPF) and call_table.c (struct cap_call by the machine's
numbers, behind them the calls that only 32-bit programs make, and the maps from the kernel's flags to
those of the format, see bpf/capture.h). Broken rules end
with "FILE:LINE: text" and exit code 1, and nothing is written.
"""
import os
import re
import sys

import gen_events as ge

MAX_OPS = 20
ARG_RET, ARG_ZERO = 6, 7
SIGNED32 = ("FD", "PID", "ERRNO", "INT64")
TEXT = ("CHARBUF", "FSPATH", "FSRELPATH")
SIZE = {"INT8": 1, "UINT8": 1, "FLAGS8": 1, "SIGTYPE": 1, "ENUMFLAGS8": 1, "INT16": 2, "UINT16": 2,
        "FLAGS16": 2, "ENUMFLAGS16": 2, "INT32": 4, "UINT32": 4, "FLAGS32": 4, "ENUMFLAGS32": 4, "UID": 4,
        "GID": 4, "MODE": 4, "SIGSET": 4, "INT64": 8, "UINT64": 8, "ERRNO": 8, "FD": 8, "PID": 8, "RELTIME": 8}

# Sources: name -> (kind, lowest and highest number of operands). Kinds: value (a number: mapped and stored
# by type), buffer (writes bytes itself).
SOURCES = {
    "arg": ("value", 1, 1), "sarg": ("value", 1, 1), "imm": ("value", 1, 1), "omode": ("value", 2, 2),
    "u32": ("value", 2, 2), "s64": ("value", 2, 2), "in64": ("value", 2, 2), "in32": ("value", 2, 2),
    "opt64": ("value", 1, 1), "timespec": ("value", 1, 1), "sigset": ("value", 1, 1), "vm": ("value", 1, 1),
    "dev": ("value", 1, 1), "ino": ("value", 1, 1), "pipeino": ("value", 1, 1), "iovsize": ("value", 2, 2),
    "msgsize": ("value", 1, 1), "backlog": ("value", 2, 2), "unixptr": ("value", 2, 2),
    "socklevel": ("value", 1, 1), "sockopt": ("value", 2, 2), "sembuf": ("value", 3, 3),
    "semval": ("value", 2, 2), "quota": ("value", 1, 1), "prctlint": ("value", 1, 1), "caps": ("value", 2, 2),
    "how": ("value", 2, 2), "mountflags": ("value", 1, 1),
    "str": ("buffer", 1, 1), "in": ("buffer", 2, 2), "out": ("buffer", 1, 1), "iov": ("buffer", 2, 2),
    "iovout": ("buffer", 2, 2), "msgiov": ("buffer", 1, 1), "msgiovout": ("buffer", 1, 1),
    "msgcontrol": ("buffer", 1, 1), "path": ("buffer", 1, 1), "polled": ("buffer", 2, 2),
    "pollres": ("buffer", 2, 2), "sockaddr": ("buffer", 2, 2), "connected": ("buffer", 3, 3),
    "accepted": ("buffer", 2, 2), "sendto": ("buffer", 3, 3), "recvfrom": ("buffer", 3, 3),
    "msgto": ("buffer", 2, 2), "msgfrom": ("buffer", 2, 2), "sockin": ("buffer", 4, 4),
    "sockout": ("buffer", 4, 4), "ptraceaddr": ("buffer", 1, 1), "ptracedata": ("buffer", 1, 1),
    "quotapath": ("buffer", 1, 1), "prctlstr": ("buffer", 1, 1), "keyctl": ("buffer", 1, 1),
    "fsvalue": ("buffer", 1, 1), "bpfres": ("buffer", 0, 0), "none": ("buffer", 0, 0),
}
OPS = sorted(SOURCES, key=lambda s: (SOURCES[s][0] != "value", list(SOURCES).index(s)))
FILLERS = ("generic", "clone", "fork", "vfork", "clone3", "execve", "execveat")

# 32-bit programs: sources that look into structures with pointers or longs of their own size; calls whose
# arguments are numbers of 64 bits in two registers. Both become generic events.
WIDE = ("iov", "iovout", "iovsize", "msgiov", "msgiovout", "msgsize", "msgcontrol", "msgto", "msgfrom",
        "timespec", "s64", "in64", "opt64", "quota", "quotapath", "ptraceaddr", "ptracedata")
SPLIT = ("pread64", "pwrite64", "preadv", "pwritev", "mmap")
# Old names for what x86_64 does under another one.
SAME = {"fcntl64": "fcntl", "_newselect": "select", **{n + "32": n for n in (
    "getuid getgid geteuid getegid setuid setgid setreuid setregid setresuid setresgid getresuid getresgid "
    "chown fchown lchown setfsuid setfsgid getgroups setgroups").split()}}
# Calls of 32-bit programs only that have events of their own.
OWN = ("stat64", "lstat64", "fstat64", "mmap2")
# Not the call that has the name today.
OLD = ("select", "umount", "ugetrlimit")
SOCKETCALL = ("socket bind connect listen accept getsockname getpeername socketpair - - sendto recvfrom shutdown "
              "setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg").split()
MAX_NR, MAX_CALLS, UNIFORM = 512, 1024, 424

# Tables whose values are choices, not bits.
CHOICES = ("fcntl_commands", "rlimit_resources", "ptrace_requests", "quotactl_cmds", "quotactl_types",
           "quotactl_quota_fmts", "semctl_commands")
# Not flags of the calls that use the table: withdrawn since 2.6.38, and a flag of the queue.
NOT_FLAGS = ("CLONE_STOPPED", "IORING_SQ_NEED_WAKEUP")
ACCESS_MODE = {0: 1, 1: 2, 2: 3, 3: 1}  # open flags: the two low bits are a choice


def read_linux(folder):
    """{table: [(name, value, linux or None)]}, with the kernel's own numbers."""
    tables, rows = {}, None
    for text in ge.Def(folder, "flags.def").rows():
        words = text.split()
        if not text.startswith("\t"):
            rows = tables.setdefault(words[1], []) if words[0] == "table" else []
            continue
        if len(words) < 2:
            continue
        value = int(words[1], 0)
        linux = next((x[6:] for x in words[2:] if x.startswith("linux=")), words[1])
        rows.append((words[0], value, None if linux == "none" else int(linux, 0)))
    return tables


def bit_map(rows, access_mode):
    """Four tables of 256: the value of each byte of the kernel's number."""
    single = {r[2] for r in rows if r[2] and not r[2] & (r[2] - 1)}
    bits = {}
    for name, value, linux in rows:
        if not linux or name in NOT_FLAGS or access_mode and linux < 4:
            continue
        own = linux
        for s in single:
            if own != s:
                own &= ~s
        for i in range(32):
            if own >> i & 1:
                bits[i] = bits.get(i, 0) | value
    out = []
    for byte in range(4):
        for v in range(256):
            n = 0
            for i in range(8):
                if v >> i & 1:
                    n |= bits.get(byte * 8 + i, 0)
            out.append(n | (ACCESS_MODE[v & 3] if access_mode and byte == 0 else 0))
    return out


def choice_slot(v):
    """Must agree with map_choice() in bpf/params.bpf.h."""
    return v if v < 256 else 256 | v & 127 | (v >> 14 & 1) << 7


def choice_map(d, rows):
    """512 pairs (kernel's number, value), placed by choice_slot()."""
    out, default = [(0xffffffff, 0)] * 512, 0
    for name, value, linux in rows:
        if linux is None:
            if "UNKNOWN" in name:
                default = value
            continue
        i = choice_slot(linux)
        d.need(out[i][0] in (0xffffffff, linux), "two choices in one slot")
        out[i] = (linux, value)  # of several with one number the last one
    return out, default


class Maps:
    """Maps from the kernel's numbers, each made once. Number 0 = as it is."""

    def __init__(self, linux):
        self.linux, self.bits, self.choices = linux, {}, {}

    def find(self, table, plain):
        rows = self.linux[table]
        if table in CHOICES:
            return "CAP_CHOICE + %d" % self.choices.setdefault(table, len(self.choices))
        same = all(r[2] == r[1] or r[2] is None for r in rows)
        if same:
            return "0"
        key = (table, table == "file_flags" and not plain)
        return "%d" % (1 + self.bits.setdefault(key, len(self.bits)))


def operand(d, text):
    if text == "ret":
        return ARG_RET
    if re.match(r"a[0-5]$", text):
        return int(text[1])
    d.need(re.match(r"\d+$", text), "operand %s" % text)
    return int(text)


def source(d, text, param, maps):
    """One source of one parameter -> text of a struct cap_op."""
    kind, table, plain = param[1], param[4], False
    m = re.match(r"(\w+)\((.*)\)$", text)
    name, args = (m.group(1), m.group(2).split(",")) if m else (text, [])
    if re.match(r"-?\d+$", text):
        name, args = "imm", [text]
    elif text == "ret" or re.match(r"a[0-5]$", text):
        args = [text]
        name = "str" if kind in TEXT else "sarg" if kind in SIGNED32 and text != "ret" else "arg"
    elif name == "plain":
        name, plain = "arg", True
    if name == "quota" and kind in TEXT:
        name = "quotapath"
    d.need(name in SOURCES, "unknown source %s" % text)
    what, low, high = SOURCES[name]
    d.need(low <= len(args) <= high, "%s: wrong number of operands" % text)
    size, table_map = 0, "0"
    if what == "value":
        d.need(kind in SIZE, "%s: %s is not a number" % (text, kind))
        size = SIZE[kind]
        if table and table in maps.linux and name not in ("omode", "socklevel", "sockopt"):
            table_map = maps.find(table, plain)
    if name == "imm":
        ops = [int(args[0]) & 255]
    else:
        ops = [operand(d, a) for a in args]
    ops += [ARG_ZERO] * (4 - len(ops))
    return "{ CAP_OP_%s, { %s }, %d, %s }" % (name.upper(), ", ".join(map(str, ops)), size, table_map)


def event(d, enum, text, events, maps):
    """One event of a call -> text of a struct cap_event."""
    e = events[enum]
    words = text.split()
    n029 = len(e["params_029"]) if e["known_029"] else 255
    if words and words[0].startswith("@"):
        d.need(words[0][1:] in FILLERS and len(words) == 1, "unknown filler")
        return "{ EV_%s, 0, 0, CAP_FILL_%s, 0, 0, { 0 }, { { 0 } } }" % (enum, words[0][1:].upper())
    show = e["params_029"] + e["params"][len(e["params_029"]):]
    d.need(len(words) == len(show), "%s has %d parameters, not %d" % (enum, len(show), len(words)))
    d.need(len(words) <= MAX_OPS, "too many parameters")
    ops = ["\t\t\t" + source(d, w, p, maps) for w, p in zip(words, show)]
    body = "{\n%s } }" % ",\n".join(ops) if ops else "{ { 0 } } }"
    return "{ EV_%s, %d, %d, 0, 0, 0, { 0 }, %s" % (enum, min(n029, len(words)), len(words), body)


def generic(enum):
    return "{ EV_%s, 0, 0, CAP_FILL_GENERIC, 0, 0, { 0 }, { { 0 } } }" % enum


NO_EVENT = "{ CAP_NO_EVENT, 0, 0, 0, 0, 0, { 0 }, { { 0 } } }"


def choose(row, dedicated_029):
    """Events of a call in a capture: 0.29.3's own if it has one, else the newest, else generic."""
    nr, name, sc, enter, leave, driver, old, known = row
    old_dedicated = known and old[0] != "GENERIC_E"
    if old_dedicated:
        return ("old" if old[0] != enter else "", old[0], old[1])
    if dedicated_029 or enter == "GENERIC_E":
        return ("", "GENERIC_E", "GENERIC_X")
    return ("new", enter, leave)


def read_calls(path):
    d = ge.Def(os.path.dirname(path), os.path.basename(path))
    calls = {}
    for text in d.rows():
        head, _, rest = text.partition(":")
        words = head.split()
        d.need(len(words) in (1, 2) and words[1:] in ([], ["old"], ["new"]), "NAME [old|new] :")
        key = (words[0], words[1] if words[1:] else "")
        d.need(key not in calls, "%s twice" % head)
        enter, lt, leave = rest.partition("<")
        d.need(lt, "no exit")
        calls[key] = (d.line, enter, leave)
    return d, calls


def read_numbers(folder, syscalls):
    """{machine: {name: number}}: i386, arm64."""
    d = ge.Def(folder, "syscall_numbers.def")
    out = {m: {r[1]: r[0] for r in syscalls if r[0] >= UNIFORM} for m in ("i386", "arm64")}
    for text in d.rows():
        w = text.split()
        d.need(len(w) == 3, "want NAME I386 AARCH64")
        for machine, n in zip(("i386", "arm64"), w[1:]):
            if n != "-":
                d.need(n.isdigit() and int(n) < MAX_NR, "number %s" % n)
                out[machine][w[0]] = int(n)
    return out


class Table:
    """The rows of cap_calls."""

    def __init__(self, d, calls, events, maps):
        self.d, self.calls, self.events, self.maps = d, calls, events, maps
        self.used, self.wide, self.text = set(), set(), {}

    def row(self, index, row):
        """Adds the call of a row of syscalls.def."""
        d, (nr, name, sc, enter, leave, driver, old, known) = self.d, row
        kind, e, x = choose(row, False)
        text = [generic(e), generic(x)]
        if e != "GENERIC_E":
            line = self.calls.get((name, kind)) or (kind == "new" and self.calls.get((name, "")))
            d.need(line, "no line for %s %s" % (name, kind))
            self.used.add((name, kind) if (name, kind) in self.calls else (name, ""))
            d.line = line[0]
            if any(re.match(r"\w+", w).group(0) in WIDE for w in re.findall(r"\w+\(", line[1] + line[2])):
                self.wide.add(name)
            last = event(d, x, line[2], self.events, self.maps)
            unused = "UNUSED" in self.events[e]["flags"]
            text = [NO_EVENT if unused else event(d, e, line[1], self.events, self.maps), last]
        compat = 1 if not (known and old[0] != "GENERIC_E") else 0
        self.add(index, name, sc, known, compat, text)

    def plain(self, index, name, sc, known):
        """Adds a call that is a generic event."""
        self.add(index, name, sc, known, 1, [generic("GENERIC_E"), generic("GENERIC_X")])

    def add(self, index, name, sc, known, compat, text):
        self.d.need(index not in self.text, "two calls %d" % index)
        self.text[index] = ("\t[%d] = { /* %s */\n\t\tSC_%s, 1, %d, %d,\n\t\t%s,\n\t\t%s,\n\t},\n"
                            % (index, name, sc, 1 if known else 0, compat, text[0], text[1]))

    def check_unused(self, syscalls):
        """Lines for the other choice of events."""
        for (name, kind), (line, enter, leave) in self.calls.items():
            self.d.line = line
            row = next((r for r in syscalls if r[1] == name), None)
            self.d.need(row or name in OWN, "unknown system call %s" % name)
            if row and (name, kind) not in self.used:
                event(self.d, row[3] if kind != "old" else row[6][0], enter, self.events, self.maps)
                event(self.d, row[4] if kind != "old" else row[6][1], leave, self.events, self.maps)


def add_32(table, numbers, syscalls, scs):
    """The calls of 32-bit programs. Returns {number: index in the table}, by number of socketcall too."""
    native = {r[1]: r for r in syscalls}
    names = {s[1] for s in scs}
    code = {s[1]: s[0] for s in scs}
    last_029 = max(code[r[2]] for r in syscalls if r[7])
    made, by_nr, free = {}, {}, MAX_NR

    def index(name):
        nonlocal free
        name = SAME.get(name, name)
        if name in native and name not in table.wide and name not in SPLIT + OLD:
            return native[name][0]
        if name not in made:
            made[name] = free
            free += 1
            sc = name.upper() if name.upper() in names else "UNKNOWN"
            own = "SYSCALL_" + name.upper()
            known = sc != "UNKNOWN" and code[sc] <= last_029
            if name in OWN:
                table.row(made[name], (None, name, sc, own + "_E", own + "_X", "-", [own + "_E", own + "_X"], True))
            else:
                table.plain(made[name], name, native[name][2] if name in native else sc,
                            native[name][7] if name in native else known)
        return made[name]

    for name, nr in sorted(numbers["i386"].items(), key=lambda x: x[1]):
        by_nr[nr] = index(name)
    sub = [0 if n == "-" else index(n) for n in SOCKETCALL]
    table.d.need(free < MAX_CALLS, "too many calls")
    return by_nr, sub, index("socketcall")


def write_table(d, calls, syscalls, events, maps, scs, numbers, arch):
    table = Table(d, calls, events, maps)
    by_nr, sub, call = {}, [], MAX_NR
    for row in syscalls:
        if arch == "x86":
            table.row(row[0], row)
        elif row[1] in numbers[arch]:
            table.row(numbers[arch][row[1]], row)
    if arch == "x86":
        by_nr, sub, call = add_32(table, numbers, syscalls, scs)
    table.check_unused(syscalls)
    # a number without a name: the last row, which has none
    out = "const struct cap_call cap_calls[CAP_MAX_CALLS] = {\n%s};\n\n" % "".join(table.text.values())
    out += "const uint16_t cap_calls_32[CAP_MAX_NR] = {\n%s};\n\n" % numbers_text(
        [by_nr.get(i, MAX_NR - 1) for i in range(MAX_NR)])
    out += "const uint16_t cap_socketcalls[CAP_MAX_SOCKETCALL] = {\n%s};\n\n" % numbers_text(
        [MAX_NR - 1] + [i or MAX_NR - 1 for i in sub] + [MAX_NR - 1] * (31 - len(sub)))
    return out + "const uint32_t cap_nr_socketcall = %d;\n\n" % call


def numbers_text(values, fmt="%d"):
    rows = []
    for i in range(0, len(values), 16):
        rows.append("\t\t" + " ".join((fmt % v) + "," for v in values[i:i + 16]) + "\n")
    return "".join(rows)


def main():
    if len(sys.argv) != 5 or sys.argv[4] not in ("x86", "arm64"):
        sys.exit(__doc__)
    folder, path, out, arch = sys.argv[1:]
    tables, dyns = ge.read_flags(folder)
    events = ge.read_events(folder, tables, dyns)
    scs = ge.read_ppm_sc(folder)
    syscalls = ge.read_syscalls(folder, events, scs)
    by_enum = {e["enum"]: e for e in events}
    linux = read_linux(folder)
    maps = Maps(linux)
    clone_flags = maps.find("clone_flags", True)  # the clone filler's, which has no line
    d, calls = read_calls(path)
    table = write_table(d, calls, syscalls, by_enum, maps, scs, read_numbers(folder, syscalls), arch)

    note = "/* Generated by tools/gen_calls.py from bpf/calls.def. Do not edit. */\n"
    ops = "".join("\tCAP_OP_%s,%s\n" % (o.upper(), "" if i else " /* values first, then buffers */")
                  for i, o in enumerate(OPS))
    nvalue = sum(SOURCES[o][0] == "value" for o in OPS)
    head = (note + "#ifndef BURIN_CALL_OPS_H\n#define BURIN_CALL_OPS_H\n\nenum cap_op_code {\n" + ops +
            "};\nenum {\n\tCAP_OP_BUFFERS = %d, /* first source that is not a number */\n" % nvalue +
            "\tCAP_BIT_MAPS = %d,\n\tCAP_CHOICE_MAPS = %d,\n\tCAP_MAP_CLONE_FLAGS = %s,\n"
            % (len(maps.bits), len(maps.choices), clone_flags) +
            "".join("\tCAP_FILL_%s = %d,\n" % (f.upper(), i + 1) for i, f in enumerate(FILLERS)) + "};\n\n#endif\n")
    body = [note, '#include "event/event.h"\n#include "capture.h"\n\n']
    body.append(table)
    body.append("const uint32_t cap_bit_maps[CAP_BIT_MAPS][1024] = {\n")
    for (name, access), _ in sorted(maps.bits.items(), key=lambda x: x[1]):
        body.append("\t{ /* %s */\n%s\t},\n" % (name, numbers_text(bit_map(linux[name], access), "0x%xu")))
    body.append("};\n\nconst struct cap_choice_map cap_choice_maps[CAP_CHOICE_MAPS] = {\n")
    for name, _ in sorted(maps.choices.items(), key=lambda x: x[1]):
        pairs, default = choice_map(d, linux[name])
        body.append("\t{ %d, { /* %s */\n" % (default, name))
        body.append("".join("\t\t[%d] = { 0x%xu, 0x%xu },\n" % (i, p[0], p[1])
                            for i, p in enumerate(pairs) if p[0] != 0xffffffff))
        body.append("\t} },\n")
    body.append("};\n")
    os.makedirs(out, exist_ok=True)
    for name, text in (("call_ops.h", head), ("call_table.c", "".join(body))):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
