#!/usr/bin/env python3
"""Compares every row of the built field table with the fact table: field_facts.py DUMP FACTS_DIR.
Exit 77 (skipped) when the facts are not there."""
import os
import subprocess
import sys

# evt.abspath works without its argument in both generations, whatever their flags say.
ARG_OPTIONAL = {"evt.abspath"}


def facts(path):
    with open(path) as f:
        head = f.readline().rstrip("\n").split("\t")
        return {r["field"]: r for r in (dict(zip(head, line.rstrip("\n").split("\t"))) for line in f)}


def flags_of(text):
    keep = {"FILTER_ONLY", "PRINT_ONLY", "ARG_REQUIRED", "NO_RHS", "NO_TRANSFORMER", "TABLE_ONLY", "DEPRECATED"}
    names = {"REQUIRES_ARGUMENT": "ARG_REQUIRED"}
    return {names.get(x, x) for x in text.split("|")} & keep


def check(row, want):
    name, typ, fmt, flags, k029, knew, t029, f029, help_ = row
    flags, f029 = set(flags.split("|")), set(f029.split("|"))
    bad = []

    def differ(what, got, expected):
        if got != expected:
            bad.append(f"{name}: {what} is {got}, expected {expected}")

    differ("type", typ, want["type"])
    differ("print format", fmt, want["print_format"])
    differ("list", "LIST" in flags, want["is_list"] == "yes")
    differ("known to 0.29.3", k029 == "1", want["0.29.3_type"] != "-")
    differ("known to newest", knew == "1", want["removed"] == "-")
    differ("hidden", "HIDDEN" in flags, want["class"].startswith("util"))
    expected = flags_of(want["flags"])
    if name in ARG_OPTIONAL:
        expected.discard("ARG_REQUIRED")
        differ("optional argument", "ARG_ALLOWED" in flags, True)
    else:
        differ("optional argument", "ARG_ALLOWED" in flags, want["argument"].startswith("optional"))
        differ("required argument", "ARG_REQUIRED" in flags, want["argument"] == "required")
    differ("flags", flags - {"LIST", "ARG_ALLOWED", "HIDDEN", "NONE"}, expected)
    if k029 == "1":
        differ("type in 0.29.3", t029, want["0.29.3_type"])
        expected = flags_of(want["0.29.3_flags"]) - (ARG_OPTIONAL & {name} and {"ARG_REQUIRED"} or set())
        differ("flags in 0.29.3", f029 - {"HIDDEN", "NONE"}, expected)
    if len(help_) < 10 or not help_.endswith("."):
        bad.append(f"{name}: help is no sentence: {help_!r}")
    return bad


def main():
    dump, folder = sys.argv[1:3]
    path = os.path.join(folder, "fields.tsv")
    if not os.path.exists(path):
        print(f"skipped: no {path}")
        return 77
    want = facts(path)
    rows = [line.split("\t") for line in subprocess.run([dump], check=True, capture_output=True, text=True)
            .stdout.splitlines()]
    bad = []
    seen = {r[0] for r in rows}
    bad += [f"{n}: not in the table" for n in want if n not in seen]
    bad += [f"{n}: not in the facts" for n in seen if n not in want]
    if len(seen) != len(rows):
        bad.append("a name occurs twice")
    for r in rows:
        if r[0] in want:
            bad += check(r, want[r[0]])
    print("\n".join(bad))
    print(f"fields: {len(rows)} rows, {len(want)} facts, {len(bad)} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
