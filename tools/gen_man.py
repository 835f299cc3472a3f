#!/usr/bin/env python3
"""Makes the manual page from its prose and the program's own tables.

usage: gen_man.py BURIN SOURCE-FOLDER VERSION DATADIR DOCDIR OUTPUT

BURIN is the built program: its JSON lists of options and fields are the tables that it works with itself. Transformers
come from engine/filter/filter_funcs.def, chisels from chisels/*.lua, examples from tools/examples.txt."""

import json
import os
import re
import subprocess
import sys


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def listing(burin, *args):
    return json.loads(subprocess.run([burin, *args], stdout=subprocess.PIPE, check=True).stdout)


def option_tag(o):
    """".BR \\-r ", " \\-\\-readfile=FILE" without a font for each piece: names bold, arguments in italics."""
    parts = []
    if o["short"]:
        parts.append("\\fB\\-%s\\fR" % o["short"] + (" \\fI%s\\fR" % roff(o["arg_name"])
                                                     if o["arg_name"] and not o["long"] else ""))
    if o["long"]:
        arg = roff(o["arg_name"]) if o["arg_name"] else ""
        parts.append("\\fB\\-\\-%s\\fR" % roff(o["long"]) + (
            "=\\fI%s\\fR" % arg if o["arg"] == 1 else "[=\\fI%s\\fR]" % arg if arg else ""))
    return ", ".join(parts)


def bench(rows):
    out = []
    for o in rows:
        out += [".TP", option_tag(o), roff(o["help"])]
    return out


def options(rows):
    out, groups = [], []
    for o in rows:
        if o["group"] and o["group"] not in groups:
            groups.append(o["group"])
    for g in groups:
        out.append(".SS %s" % g)
        for o in rows:
            if o["group"] == g:
                out += [".TP", option_tag(o), roff(o["help"])]
    return out


def excluded(rows):
    out = []
    for o in rows:
        if not o["group"]:
            out += [".TP", option_tag(o), roff(o["help"])]
    return out


def functions(src):
    out = []
    with open(os.path.join(src, "engine/filter/filter_funcs.def")) as f:
        for m in re.finditer(r'^FUNC\((\w+), \d+, \d+, \w+, "(.*)"\)$', f.read(), re.M):
            out += [".TP", ".B %s" % m.group(1), roff(m.group(2))]
    if not out:
        sys.exit("gen_man.py: no transformers in filter_funcs.def")
    return out


ARGUMENT = {"none": "", "index": "[N]", "opt_index": "[N]", "name_or_index": ".NAME", "key": ".LABEL", "text": "[TEXT]",
            "opt_text": "[NAME]", "event": ".EVENT", "param": ".PARAMETER", "param_name": ".PARAMETER",
            "src_dst": ".src", "cgroup": ".SUBSYSTEM"}


def fields(rows):
    out, last = [], None
    for f in rows:
        if "table_only" in f["flags"]:
            continue
        if f["class"] != last:
            last = f["class"]
            out.append(".SS %s" % last)
        arg = ARGUMENT[f["argument"]]
        if "arg_required" not in f["flags"] and arg:
            arg = " or %s%s" % (f["name"], arg)
        mark = " [filter]" if "filter_only" in f["flags"] else ""
        out += [".TP", "\\fB%s\\fR (%s)%s" % (roff(f["name"] + arg), f["type"], mark), roff(f["help"])]
    return out


def chisels(src):
    folder, rows = os.path.join(src, "chisels"), {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".lua"):
            continue
        with open(os.path.join(folder, name)) as f:
            text = f.read()
        get = lambda key: (re.search(r'(?m)^%s\s*=\s*"((?:[^"\\]|\\.)*)"' % key, text) or [None, None])[1]  # noqa: E731
        if re.search(r"(?m)^hidden\s*=\s*true", text) or not get("short_description"):
            continue
        rows.setdefault(get("category") or "misc", []).append((name[:-4], get("short_description")))
    out = []
    for category in sorted(rows):
        out.append(".SS %s" % roff(category))
        for name, text in rows[category]:
            out += [".TP", ".B %s" % roff(name), roff(text)]
    return out


def examples(src):
    """tools/examples.txt: a line of words, then the command, indented."""
    out = []
    with open(os.path.join(src, "tools/examples.txt")) as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            if line[0] == "\t":
                out += [".PP", ".RS 4", ".nf", roff(line.strip()), ".fi", ".RE"]
            else:
                out += [".PP", roff(line.strip())]
    return out


def main():
    burin, src, version, datadir, docdir, output = sys.argv[1:]
    rows = listing(burin, "--help=all", "-j")
    tables = {"OPTIONS": options(rows), "EXCLUDED": excluded(rows), "BENCH": bench(listing(burin, "bench", "--help", "-j")),
              "FUNCTIONS": functions(src),
              "FIELDS": fields(listing(burin, "-l", "-j")), "CHISELS": chisels(src), "EXAMPLES": examples(src)}
    values = {"VERSION": version, "DATADIR": roff(datadir), "DOCDIR": roff(docdir)}
    out = []
    with open(os.path.join(src, "docs/burin.1.in")) as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("@"):
                out += tables.pop(line[1:])
            else:
                out.append(re.sub(r"@(\w+)@", lambda m: values[m.group(1)], line))
    if tables:
        sys.exit("gen_man.py: no place for %s" % ", ".join(tables))
    with open(output, "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
