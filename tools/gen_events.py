#!/usr/bin/env python3
"""Generates the event tables from engine/event/*.def.

usage: gen_events.py DEF_DIR OUT_DIR

Reads events.def, flags.def, ppm_sc.def and syscalls.def (each explains its own format) and writes
event_codes.h, event_table.c and syscall_table.c. A broken rule of a .def file ends with
"FILE:LINE: text" and exit code 1, and nothing is written.
"""
import os
import sys

SOURCES = ("SYSCALL", "TRACEPOINT", "PLUGIN", "METAEVENT", "ITER")
CATEGORIES = ("UNKNOWN OTHER FILE NET IPC MEMORY PROCESS SLEEP SYSTEM SIGNAL USER TIME PROCESSING "
              "IO_READ IO_WRITE IO_OTHER WAIT SCHEDULER INTERNAL").split()
EVENT_FLAGS = ("CREATES_FD DESTROYS_FD USES_FD READS_FROM_FD WRITES_TO_FD MODIFIES_STATE UNUSED WAITS "
               "SKIPPARSERESET OLD_VERSION LARGE_PAYLOAD CONVERTER_MANAGED DROP_SIMPLE_CONS").split()
FORMATS = ("NA", "DEC", "HEX", "OCT", "PADDEC")
TYPES = ("NONE INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 CHARBUF BYTEBUF ERRNO SOCKADDR "
         "SOCKTUPLE FD PID FDLIST FSPATH SYSCALLID SIGTYPE RELTIME ABSTIME PORT L4PROTO SOCKFAMILY BOOL "
         "IPV4ADDR DYN FLAGS8 FLAGS16 FLAGS32 UID GID DOUBLE SIGSET CHARBUFARRAY CHARBUF_PAIR_ARRAY "
         "IPV4NET IPV6ADDR IPV6NET IPADDR IPNET MODE FSRELPATH ENUMFLAGS8 ENUMFLAGS16 ENUMFLAGS32 FD32 "
         "PID32").split()
PATH_TYPES = ("FSPATH", "FSRELPATH")
DRIVER_FLAGS = ("USED", "NEVER_DROP", "ALWAYS_DROP")
MAX_PARAMS = 32


class Def:
    """Lines of one .def file, without comments and blank lines, with a place for errors."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, name)
        self.line = 0

    def rows(self):
        with open(self.path, encoding="utf-8") as f:
            for self.line, text in enumerate(f, 1):
                text = text.rstrip()
                if text and not text.startswith("#"):
                    yield text

    def need(self, ok, text):
        if not ok:
            sys.exit("%s:%d: %s" % (self.path, self.line, text))


# ---- reading ---------------------------------------------------------------------------------------

def read_flags(folder):
    """flag tables {name: [(name, value, new)]} and dynamic tables {name: [(type, format)]}."""
    d = Def(folder, "flags.def")
    tables, dyns, rows, dyn = {}, {}, None, False
    for text in d.rows():
        words = text.split()
        if not text.startswith("\t"):
            d.need(words[0] in ("table", "dyn") and len(words) in (2, 3), "expected table or dyn")
            dyn = words[0] == "dyn"
            group = dyns if dyn else tables
            d.need(words[1] not in group, "table %s twice" % words[1])
            rows = group[words[1]] = []
            table_new = words[2:] == ["new"]
        elif dyn:
            kind, fmt = words[0].split(":")
            d.need(kind in TYPES and fmt in FORMATS, "unknown type or format")
            rows.append((kind, fmt))
        else:
            extra = words[2:]
            d.need(all(x == "new" or x.startswith("linux=") for x in extra), "unknown mark")
            rows.append((words[0], int(words[1], 0), table_new or "new" in extra))
            d.need(0 <= rows[-1][1] < 1 << 32, "value out of range")
    return tables, dyns


def read_params(d, text, tables, dyns):
    """name:type:format[:table] list -> [(name, type, format, dirfd, flags, dyn)]."""
    out = []
    for item in filter(None, text.strip().split(", ")):
        part = item.split(":")
        d.need(len(part) in (3, 4), "parameter %s: want name:type:format[:table]" % item)
        name, kind, fmt = part[:3]
        d.need(kind in TYPES, "parameter %s: unknown type" % item)
        d.need(fmt in FORMATS, "parameter %s: unknown format" % item)
        dirfd, flags, dyn = -1, None, None
        if len(part) == 4 and part[3].startswith("dirfd="):
            d.need(kind in PATH_TYPES, "parameter %s: only paths have a dirfd" % item)
            dirfd = int(part[3][6:])
        elif len(part) == 4 and part[3].startswith("@"):
            dyn = part[3][1:]
            d.need(kind == "DYN" and dyn in dyns, "parameter %s: unknown types" % item)
        elif len(part) == 4:
            flags = part[3]
            d.need(flags in tables, "parameter %s: unknown table" % item)
        d.need((kind == "DYN") == (dyn is not None), "parameter %s: DYN needs @types" % item)
        out.append((name, kind, fmt, dirfd, flags, dyn))
    d.need(len(out) <= MAX_PARAMS, "too many parameters")
    d.need(all(p[3] < len(out) for p in out), "dirfd beyond the parameters")
    return out


def names(d, text, known):
    got = [] if text == "-" else text.split("|")
    d.need(all(x in known for x in got), "unknown name in %s" % text)
    return got


def read_029(d, text, event, tables, dyns):
    """Applies one "029" line to its event."""
    head, colon, params = text.partition(" :")
    for word in head.split()[1:]:
        key, _, value = word.partition("=")
        if word[0] in "+-":
            d.need(word[1:] in EVENT_FLAGS, "unknown flag %s" % word)
            d.need((word[1:] in event["flags_029"]) == (word[0] == "-"), "%s changes nothing" % word)
            event["flags_029"] ^= {word[1:]}
        elif key == "name":
            event["name_029"] = value
        elif key == "category":
            d.need(value in CATEGORIES, "unknown category %s" % value)
            event["category_029"] = value
        elif key == "nparams":
            d.need(int(value) < len(event["params"]), "nparams beyond the parameters")
            event["params_029"] = event["params"][:int(value)]
        else:
            d.need(key == "enum", "unknown word %s" % word)
    if colon:
        event["params_029"] = read_params(d, params, tables, dyns)


def read_event(d, text, known_029, tables, dyns):
    head, colon, params = text.partition(" :")
    words = head.split()
    d.need(colon and len(words) in (6, 7), "want CODE ENUM NAME DIR CATEGORY FLAGS [fd=N] : PARAMS")
    code, enum, name, direction, category, flags = words[:6]
    d.need(direction == ("<" if int(code) % 2 else ">"), "direction does not fit the code")
    d.need(enum.endswith("_X" if int(code) % 2 else "_E"), "suffix does not fit the code")
    parts = category.split("|")
    base = parts[0]
    d.need(base in CATEGORIES and all(p in SOURCES for p in parts[1:]), "unknown category")
    flags = names(d, flags, EVENT_FLAGS)
    params = read_params(d, params, tables, dyns)
    fd = int(words[6][3:]) if len(words) == 7 else -1
    d.need(fd < len(params), "fd= beyond the parameters")
    d.need(fd < 0 or direction == "<", "fd= is for exits")
    returns = direction == "<" and params and params[0][0] in ("res", "fd")
    return {"code": int(code), "enum": enum, "name": name, "exit": direction == "<", "base": base,
            "sources": parts[1:], "flags": flags, "params": params, "fd": fd,
            "res": 0 if returns else -1, "known_029": known_029, "name_029": name,
            "category_029": base if known_029 else "UNKNOWN",
            "flags_029": set(flags) - {"CONVERTER_MANAGED"} if known_029 else set(),
            "params_029": params if known_029 else []}


def read_events(folder, tables, dyns):
    d = Def(folder, "events.def")
    events, known_029, enums = [], True, set()
    for text in d.rows():
        if text.startswith("\t029"):
            d.need(events and known_029, "029 line without an event of 0.29.3")
            read_029(d, text, events[-1], tables, dyns)
        elif text == "end029":
            known_029 = False
        else:
            e = read_event(d, text, known_029, tables, dyns)
            d.need(e["code"] == len(events), "code %d at place %d" % (e["code"], len(events)))
            d.need(e["enum"] not in enums, "enum name twice")
            enums.add(e["enum"])
            events.append(e)
    d.need(not known_029, "end029 missing")
    d.need(len(events) % 2 == 0, "an enter event without its exit")
    return events


def read_ppm_sc(folder):
    d = Def(folder, "ppm_sc.def")
    rows, last = [], -1
    for text in d.rows():
        w = text.split()
        d.need(len(w) in (4, 5), "want CODE ENUM NAME CATEGORY [NAME_029]")
        d.need(int(w[0]) > last, "codes must rise")
        last = int(w[0])
        d.need(w[3] == "-" or w[3] in CATEGORIES, "unknown category")
        rows.append((last, w[1], w[2], None if w[3] == "-" else w[3], w[4] if len(w) == 5 else w[2]))
    return rows


def read_syscalls(folder, events, scs):
    d = Def(folder, "syscalls.def")
    event_names, sc_names = {e["enum"] for e in events}, {s[1] for s in scs}
    rows, last = [], -1
    for text in d.rows():
        w = text.split()
        d.need(len(w) in (6, 8, 9), "want NR NAME SC ENTER EXIT DRIVER [029 ENTER EXIT]")
        d.need(int(w[0]) > last, "numbers must rise")
        last = int(w[0])
        d.need(w[2] in sc_names, "unknown system call code")
        old = w[3:5] if len(w) == 6 else ["GENERIC_E", "GENERIC_X"] if w[7] == "none" else w[7:9]
        d.need({*w[3:5], *old} <= event_names, "unknown event")
        rows.append((last, w[1], w[2], w[3], w[4], names(d, w[5], DRIVER_FLAGS), old, w[7:] != ["none"]))
    return rows


# ---- writing ---------------------------------------------------------------------------------------

NOTE = "/* Generated by tools/gen_events.py from the .def files of engine/event. Do not edit. */\n"


def bits(prefix, flags):
    return " | ".join(prefix + f for f in flags) if flags else "0"


def c_text(s):
    return '"%s"' % s.replace("\\", "\\\\").replace('"', '\\"') if s is not None else "NULL"


def write_codes(events, scs):
    out = [NOTE, "#ifndef BURIN_EVENT_CODES_H\n#define BURIN_EVENT_CODES_H\n\n"]
    out.append("/* Event types: even = enter, odd = exit. On disk: frozen. */\nenum event_code {\n")
    out += ["\tEV_%s,%s\n" % (e["enum"], "" if e["code"] % 10 else " /* %d */" % e["code"]) for e in events]
    out.append("\tEV_CODE_COUNT\n};\n\n")
    out.append("/* First code that sysdig 0.29.3 does not know. */\nenum { EV_CODE_COUNT_029 = %d };\n\n"
               % sum(e["known_029"] for e in events))
    out.append("/* System call codes (the ID of generic events). On disk: frozen. */\nenum ppm_sc {\n")
    out += ["\tSC_%s = %d,\n" % (s[1], s[0]) for s in scs]
    out.append("\tSC_CODE_COUNT = %d\n};\n\n#endif\n" % (scs[-1][0] + 1))
    return "".join(out)


def write_flags(tables, dyns):
    out = []
    for name, rows in tables.items():
        out.append("static const struct flag_entry fe_%s[] = {\n" % name)
        out += ["\t{ %s, 0x%xu },\n" % (c_text(r[0]), r[1]) for r in rows]
        # 0.29.3 knows a table's rows up to the first one behind its last; a row inserted in front
        # (SHUT_UNKNOWN) has bits no old value has, so it cannot change what is printed.
        old = max([i + 1 for i, r in enumerate(rows) if not r[2]], default=0)
        out.append("};\nstatic const struct flag_table ft_%s = { %s, %d, %d, fe_%s };\n\n"
                   % (name, c_text(name), len(rows), old, name))
    for name, rows in dyns.items():
        out.append("static const struct dyn_entry de_%s[] = {\n" % name)
        out += ["\t{ PT_%s, PF_%s },\n" % r for r in rows]
        out.append("};\nstatic const struct dyn_table dt_%s = { %s, %d, de_%s };\n\n"
                   % (name, c_text(name), len(rows), name))
    out.append("const struct flag_table *const flag_tables[] = {\n")
    out += ["\t&ft_%s,\n" % n for n in sorted(tables)]
    out.append("};\nconst unsigned flag_table_count = %d;\n\n" % len(tables))
    return "".join(out)


def write_numbers(symbol, rows):
    """An array of names indexed by number."""
    out = ["const char *const %s[] = {\n" % symbol]
    out += ["\t[%d] = %s,\n" % (n, c_text(t)) for n, t in rows]
    out.append("};\nconst unsigned %s_count = %d;\n\n" % (symbol, max(n for n, _ in rows) + 1))
    return "".join(out)


def write_params(events):
    """Parameter lists, each distinct one once. Returns text and {list: symbol}."""
    out, symbols = [], {(): "NULL"}
    for e in events:
        e["show"] = e["params_029"] + e["params"][len(e["params_029"]):]
        for params in (e["params"], e["show"]):
            key = tuple(params)
            if key in symbols:
                continue
            symbols[key] = "pi_%d" % len(symbols)
            out.append("static const struct param_info %s[] = {\n" % symbols[key])
            for name, kind, fmt, dirfd, flags, dyn in params:
                out.append("\t{ %s, PT_%s, PF_%s, %d, %s, %s },\n"
                           % (c_text(name), kind, fmt, dirfd, "&ft_" + flags if flags else "NULL",
                              "&dt_" + dyn if dyn else "NULL"))
            out.append("};\n")
    return "".join(out) + "\n", symbols


def write_event(e, symbols):
    category = " | ".join(["EC_" + e["base"]] + ["EC_" + s for s in e["sources"]])
    old = sorted(e["flags_029"], key=EVENT_FLAGS.index)
    return ("\t[EV_%s] = { %s, %s, %s, EC_%s,\n\t\t%s,\n\t\t%s,\n\t\t%d, %d, %s, %s, %s, %s, %d, %d },\n"
            % (e["enum"], c_text(e["name_029"]), c_text(e["enum"]), category, e["category_029"],
               bits("EF_", e["flags"]), bits("EF_", old), len(e["params"]), len(e["params_029"]),
               "true" if e["known_029"] else "false", "true" if e["exit"] else "false",
               symbols[tuple(e["show"])], symbols[tuple(e["params"])], e["fd"], e["res"]))


def write_table(events, scs, tables, dyns):
    out = [NOTE, '#include "event/event.h"\n#include "event/event_int.h"\n\n#include <assert.h>\n\n']
    out += ["static_assert(EV_%s == %d, \"frozen\");\n" % (e["enum"], e["code"]) for e in events]
    out += ["static_assert(PT_%s == %d, \"frozen\");\n" % (t, i) for i, t in enumerate(TYPES)]
    out.append("\n" + write_flags(tables, dyns))
    out.append(write_numbers("errno_names", [(r[1], r[0]) for r in tables["errno"]]))
    out.append(write_numbers("signal_names", [(r[1], r[0]) for r in tables["signal"]]))
    out.append("const struct ppm_sc_info ppm_sc_table[SC_CODE_COUNT] = {\n")
    out += ["\t[SC_%s] = { %s, %s, EC_%s },\n" % (s[1], c_text(s[2]), c_text(s[4] if s[3] else None),
                                                 s[3] or "UNKNOWN") for s in scs]
    out.append("};\n\n")
    text, symbols = write_params(events)
    out.append(text)
    out.append("const struct event_info event_table[EV_CODE_COUNT] = {\n")
    out += [write_event(e, symbols) for e in events]
    out.append("};\n\nconst struct event_shape event_shapes[EV_CODE_COUNT] = {\n")
    out += ["\t[EV_%s] = { %d, %s },\n" % (e["enum"], max(len(e["params"]), len(e["params_029"])),
                                          "true" if "LARGE_PAYLOAD" in e["flags"] else "false") for e in events]
    out.append("};\n\nconst uint8_t event_param_types[EV_CODE_COUNT][EVENT_MAX_PARAMS] = {\n")
    out += ["\t[EV_%s] = { %s },\n" % (e["enum"], ", ".join("PT_" + p[1] for p in e["show"]) or "0")
            for e in events]
    out.append("};\n")
    return "".join(out)


def write_syscalls(rows):
    out = [NOTE, '#include "event/syscalls.h"\n\n']
    out.append("const struct syscall_info syscall_table[] = {\n")
    for nr, name, sc, enter, leave, driver, old, known in rows:
        out.append("\t[%d] = { %s, SC_%s, EV_%s, EV_%s, EV_%s, EV_%s, %s, %s },\n"
                   % (nr, c_text(name), sc, enter, leave, old[0], old[1], bits("SYSCALL_", driver),
                      "true" if known else "false"))
    out.append("};\nconst unsigned syscall_table_count = %d;\n" % (rows[-1][0] + 1))
    return "".join(out)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = sys.argv[1:]
    tables, dyns = read_flags(folder)
    events = read_events(folder, tables, dyns)
    scs = read_ppm_sc(folder)
    syscalls = read_syscalls(folder, events, scs)
    files = {"event_codes.h": write_codes(events, scs),
             "event_table.c": write_table(events, scs, tables, dyns),
             "syscall_table.c": write_syscalls(syscalls)}
    os.makedirs(out, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
