#!/usr/bin/env python3
"""Compares the built event tables with what is known about the format.

usage: event_facts.py frozen EVENT_DUMP     the tables against checksums kept here
       event_facts.py facts EVENT_DUMP DIR  the tables, row by row, against the fact tables in DIR
                                            (exit code 77 = skipped when DIR is absent)
       event_facts.py set EVENT_DUMP        prints the checksums of the tables as they are now

Event and system call codes are on disk: the rows behind a checksum may never change; new ones go
behind them (raise the row count together with the checksum).
"""
import hashlib
import os
import subprocess
import sys

FROZEN = {
    "events": (454, "fde53cc46320bc8ecd296228c18f92f50d458a55814214aa2ec0d68a52ecc9bf"),
    "flags": (799, "767b65afb85167472cc71e57ae7e33a424f1c7b77da7868b95c3cc5d4d100455"),
    "ppm_sc": (453, "2229eb827ada5ae3cf9e25a8557abf2971fefb04b55fc79f0a39c5d0524c551c"),
    "syscalls": (373, "20a7b5cd390a4b4ae82d4b7c095ec2377284ea66323d757f40fc12c35293c72e"),
}


def dump(tool, what):
    out = subprocess.run([tool, what], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    return [line.split("\t") for line in out.splitlines()]


def checksum(rows):
    return hashlib.sha256("\n".join("\t".join(r) for r in rows).encode()).hexdigest()


def read_tsv(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        head, *rows = [line.rstrip("\n").split("\t") for line in f]
    return [dict(zip(head, r)) for r in rows]


class Compare:
    def __init__(self):
        self.rows = self.bad = 0

    def row(self, key, got, want):
        self.rows += 1
        if got != want:
            self.bad += 1
            print("%s\n  built: %s\n  fact:  %s" % (key, got, want))


def split_list(text):
    return [] if text == "-" else text.split(";")


def same(value, newest):
    return newest if value == "=" else value


def flag_set(text):
    return sorted(set(text.split("|")) - {"NONE"})


def event_want(f):
    """What the built row must say for one row of events.tsv."""
    known = f["0.29.3"] != "absent"
    new = split_list(f["params"])
    old = split_list(same(f["0.29.3_params"], f["params"])) if known else []
    show = old + new[len(old):]
    return {"code": f["code"], "enum": f["enum"], "dir": f["dir"], "category": f["category"],
            "name": same(f["0.29.3_name"], f["name"]) if known else f["name"],
            "flags": flag_set(f["flags"]), "nparams": f["nparams"], "params": new,
            "known": "1" if known else "0",
            "category_029": same(f["0.29.3_category"], f["category"].split("|")[0]) if known else "UNKNOWN",
            "flags_029": flag_set(same(f["0.29.3_flags"], f["flags"])) if known else [],
            "nparams_029": str(len(old)), "show": show}


def event_got(r):
    return {"code": r[0], "enum": r[1], "name": r[2], "dir": r[3], "category": r[4],
            "flags": flag_set(r[5]), "nparams": r[6], "params": split_list(r[7]), "known": r[8],
            "category_029": r[9], "flags_029": flag_set(r[10]), "nparams_029": r[11],
            "show": split_list(r[12])}


def compare_events(cmp, tool, folder):
    built, facts = dump(tool, "events"), read_tsv(folder, "events.tsv")
    cmp.row("events: rows", len(built), len(facts))
    for r, f in zip(built, facts):
        got, want = event_got(r), event_want(f)
        cmp.row("event " + f["code"], got, want)
        # The number of parameters 0.29.3 is said to have agrees with its list.
        if f["0.29.3"] != "absent":
            cmp.row("event %s: 0.29.3 count" % f["code"], want["nparams_029"],
                    same(f["0.29.3_nparams"], f["nparams"]))
        names = [p.split(":")[0] for p in want["params"]]
        returns = f["dir"] == "<" and names[:1] in (["res"], ["fd"])
        cmp.row("event %s: return value" % f["code"], r[14], "0" if returns else "-1")


def compare_flags(cmp, tool, folder):
    built, seen = {}, set()
    for table, order, name, value, known in dump(tool, "flags"):
        built[table, order] = (name, value, known)
    for f in read_tsv(folder, "flags.tsv"):
        key = f["table"], f["order"]
        # shutdown_how got a row in front: counted as known, see gen_events.py.
        known = f["0.29.3"] not in ("absent", "table-absent") or f["name"] == "SHUT_UNKNOWN"
        known = known or f["table"].startswith("DYN")
        cmp.row(key, built.get(key), (f["name"], f["value"], "1" if known else "0"))
        seen.add(key)
    cmp.row("flags: rows of no fact", sorted(set(built) - seen), [])
    numbers = {(r[0], r[1]): r[2] for r in dump(tool, "errno")}
    facts = {(f["table"], f["value"]): f["name"] for f in read_tsv(folder, "flags.tsv")
             if f["table"] in ("errno", "signal")}
    cmp.row("errno and signal numbers", numbers, facts)


def compare_ppm_sc(cmp, tool, folder):
    built = {r[0]: r[1:] for r in dump(tool, "ppm_sc")}
    facts = read_tsv(folder, "ppm-sc.tsv")
    for f in facts:
        cmp.row("system call code " + f["code"], built.get(f["code"]),
                [f["name"], f["0.29.3_name"], f["0.29.3_category"].upper()])
    cmp.row("system call codes: rows", len(built), len(facts))


def compare_syscalls(cmp, tool, folder):
    built = {r[0]: r[1:] for r in dump(tool, "syscalls")}
    facts = read_tsv(folder, "syscalls-x86_64.tsv")
    bits = {"NONE": 0, "USED": 1, "NEVER_DROP": 2, "ALWAYS_DROP": 4}
    for f in facts:
        known = f["0.29.3_kind"] != "-"
        old = [f["0.29.3_enter_code"], f["0.29.3_exit_code"]] if known else ["0", "1"]
        driver = sum(bits[b] for b in f["driver_flags"].split("|"))
        cmp.row("system call " + f["nr"], built.get(f["nr"]),
                [f["name"], f["ppm_sc"], f["enter_code"], f["exit_code"], *old, str(driver),
                 "1" if known else "0"])
    cmp.row("system calls: rows", len(built), len(facts))


def run_facts(tool, folder):
    if not os.path.exists(os.path.join(folder, "events.tsv")):
        print("the fact tables are not in %s" % folder)
        return 77
    cmp = Compare()
    for compare in (compare_events, compare_flags, compare_ppm_sc, compare_syscalls):
        compare(cmp, tool, folder)
    print("%d comparisons, %d differ" % (cmp.rows, cmp.bad))
    return 1 if cmp.bad else 0


def run_frozen(tool):
    bad = 0
    for what, (count, want) in FROZEN.items():
        rows = dump(tool, what)
        if len(rows) < count or checksum(rows[:count]) != want:
            print("%s: the first %d rows are not what they were" % (what, count))
            bad += 1
    return 1 if bad or not FROZEN else 0


def run_set(tool):
    for what in ("events", "flags", "ppm_sc", "syscalls"):
        rows = dump(tool, what)
        print('    "%s": (%d, "%s"),' % (what, len(rows), checksum(rows)))
    return 0


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "facts":
        return run_facts(sys.argv[2], sys.argv[3])
    if len(sys.argv) == 3 and sys.argv[1] == "frozen":
        return run_frozen(sys.argv[2])
    if len(sys.argv) == 3 and sys.argv[1] == "set":
        return run_set(sys.argv[2])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
