#!/usr/bin/env python3
"""Malformed filters on the command line: exit code 1, nothing on stdout, and on stderr
    burin: filter:COLUMN: what and what was expected
    the text
    a caret under the column (counted from 1)
before any event is read. Texts and columns (counted from 0) come from tests/filter/malformed.tsv.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402


def wrong(column, text, message):
    """None, or what is wrong with how burin refuses the text. The trace does not exist: filters come first."""
    code, out, err = burin.run(["-r", "/nonexistent/trace.scap", "--", text])
    lines = err.decode(errors="replace").split("\n")
    first = "burin: filter:%d: %s" % (column + 1, message)
    if code != 1 or out:
        return "exit %d, %d bytes on stdout" % (code, len(out))
    if lines[0] != first:
        return "%r, expected %r" % (lines[0], first)
    caret = [line.find("^") for line in lines[1:] if line.strip() == "^"]
    shown = [line.find(text[:20]) for line in lines[1:]]
    if not caret or max(shown) < 0:
        return "no caret or no text: %r" % lines
    return None if caret[0] - max(shown) == column else "caret under column %d" % (caret[0] - max(shown))


def main():
    count, bad = 0, []
    with open(os.path.join(burin.ROOT, "tests/filter/malformed.tsv"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("#"):
                continue
            column, text, message = line.rstrip("\n").split("\t")
            why = wrong(int(column), text, message)
            count += 1
            if why:
                bad.append("%s: %s" % (text, why))
    for b in bad[:10]:
        print("  " + b)
    burin.report(not bad and count >= 200, "malformed_filters", "%d texts, %d wrong" % (count, len(bad)))
    burin.finish()


if __name__ == "__main__":
    main()
