#!/usr/bin/env python3
"""Seeds for fuzz_filter: every expression of the filter tests, good and bad, one per file, with the byte
in front that the fuzzer takes for the mode.

usage: make_filter_corpus.py FOLDER
"""
import glob
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def expressions():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/filter/[0-9]*.txt"))):
        with open(path) as f:
            lines = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]
        yield from lines[::3]
    with open(os.path.join(ROOT, "tests/filter/malformed.tsv")) as f:
        yield from (line.split("\t")[1] for line in f if not line.startswith("#"))
    with open(os.path.join(ROOT, "tests/diff/filters.txt")) as f:
        yield from (line.rstrip("\n") for line in f if line.strip() and line[0] not in "#!@")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for i, text in enumerate(sorted(set(expressions()))):
        with open(os.path.join(folder, "%04d" % i), "wb") as f:
            f.write(b"\0" + text.encode())


if __name__ == "__main__":
    main()
