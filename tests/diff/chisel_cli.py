#!/usr/bin/env python3
"""Chisels on the command line: -cl and -i, as text and JSON, against the chisels there are and against sysdig's lists; where chisels and
their helpers are looked for (decisions 12). How arguments are told from filters: chisel_scenes.txt, scenes arg_*."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin
from scapgen import Trace

OURS = os.path.join(burin.ROOT, "chisels")
NEW = {"latency_hist", "iosize_hist", "syscall_errors", "proc_tree", "connections", "slowest", "dns_queries", "file_audit", "exec_tree", "folded_stacks"}


def run(words, cwd, **env):
    e = {k: v for k, v in os.environ.items() if k not in ("SYSDIG_CHISEL_DIR", "BURIN_CHISEL_DIR")}
    e.update(env, TZ="UTC", LC_ALL="C")
    p = subprocess.run(words, cwd=cwd, env=e, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def check(ok, name, got=""):
    burin.report(bool(ok), "chisel-cli-" + name, "" if ok else repr(got)[:500])


def listed(text):
    """[(category, name)] of -cl, in its order."""
    found, category = [], None
    for line in text.split("\n"):
        m = re.match(r"Category: (.*)", line)
        if m:
            category = m.group(1)
        elif re.match(r"[a-z_0-9]+( |$)", line) and category and not line.startswith(("Use ", "burin ")):
            found.append((category, line.split()[0]))
    return found


def arguments(text):
    return re.findall(r"^\[(\w*)\] (\S+) -", text, re.M)


def declared():
    """Chisels that say what they are and do not hide."""
    names = set()
    for path in glob.glob(os.path.join(OURS, "*.lua")):
        text = open(path).read()
        if re.search(r"^description = ", text, re.M) and not re.search(r"^hidden = true", text, re.M):
            names.add(os.path.basename(path)[:-4])
    return names


def lists(cwd):
    code, text, err = run([burin.BURIN, "-cl"], cwd, HOME=cwd)
    rows = listed(text)
    names = [n for _, n in rows]
    check(code == 0 and not err and set(names) == declared() and len(names) == len(set(names)), "cl", sorted(set(names) ^ declared()))
    check(rows == sorted(rows) and not [n for n in names if n.startswith("v_")], "cl-order", rows)
    docs = json.loads(run([burin.BURIN, "-cl", "-j"], cwd, HOME=cwd)[1])
    check([(d["category"], d["name"]) for d in docs] == rows, "cl-json", docs[:2])
    wrong = []
    for d in docs:
        code, text, _ = run([burin.BURIN, "-i", d["name"]], cwd, HOME=cwd)
        one = json.loads(run([burin.BURIN, "-i", d["name"], "-j"], cwd, HOME=cwd)[1])
        args = arguments(re.sub(r"\n {16}", "", text))
        if code or one != d or args != [(a["type"], a["name"]) for a in d["args"]] or listed(text)[:1] != [(d["category"], d["name"])]:
            wrong.append(d["name"])
    check(not wrong, "i", wrong)
    check(run([burin.BURIN, "-i", "table_generator"], cwd)[0] == 0, "i-hidden")
    code, out, err = run([burin.BURIN, "-i", "no_such"], cwd)
    check(code == 1 and not out and "can't find chisel no_such" in err, "i-unknown", err)
    return rows, docs


def against_sysdig(cwd, rows, docs):
    if not burin.have_peer():
        burin.skip("chisel-cli-peer", "sysdig 0.29.3 is not installed")
        return
    theirs = listed(run(["sysdig", "-cl"], cwd, HOME=cwd)[1])
    check([r for r in rows if r[1] not in NEW] == theirs and NEW <= {n for _, n in rows}, "cl-peer", set(rows) ^ set(theirs))
    wrong = []
    for d in docs:
        if d["name"] not in NEW:
            text = re.sub(r"\n {16}", "", run(["sysdig", "-i", d["name"]], cwd, HOME=cwd)[1])
            if [n for _, n in arguments(text)] != [a["name"] for a in d["args"]]:
                wrong.append((d["name"], arguments(text)))
    check(not wrong, "i-peer", wrong)


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def search_path(cwd):
    def chisel(folder, name="who", helper=False):
        put(os.path.join(cwd, folder, name + ".lua"), "args = {}\nprint('%s'%s)\n" % (folder, ", require('helper_of_test')" if helper else ""))

    def who(*words, **env):
        return run([burin.BURIN, "-r", "t.scap", "-c", *words], cwd, HOME=os.path.join(cwd, "home"), **env)[1].strip()

    Trace().thread(1, comm="init").write(os.path.join(cwd, "t.scap"))
    where = {"SYSDIG_CHISEL_DIR": "%s/s1;%s/s2" % (cwd, cwd), "BURIN_CHISEL_DIR": "%s/b1;%s/b2" % (cwd, cwd)}
    order = ["s2", "s1", "b2", "b1", ".", "chisels", "home/.chisels"]
    for folder in order:
        chisel(folder)
    got = []
    for folder in order:
        got.append(who("who", **where))
        os.remove(os.path.join(cwd, folder, "who.lua"))
    check(got == order, "search-order", got)
    check(who("who") == "" and "can't find chisel who" in run([burin.BURIN, "-r", "t.scap", "-c", "who"], cwd)[2], "search-none")
    chisel("deep/er", "own")
    check(who("deep/er/own") == "deep/er" and who(os.path.join(cwd, "deep/er/own.lua")) == "deep/er", "search-path")
    chisel(".", "topconns")
    check(who("topconns") == "." and who("topconns", BURIN_CHISEL_DIR=OURS) != ".", "search-ours-last")
    chisel("with", "asks", helper=True)
    put(os.path.join(cwd, "with/helper_of_test.lua"), "return 'beside'")
    put(os.path.join(cwd, "chisels/helper_of_test.lua"), "return 'elsewhere'")
    check(who("with/asks") == "with\tbeside", "require-beside", who("with/asks"))
    os.remove(os.path.join(cwd, "with/helper_of_test.lua"))
    check(who("with/asks") == "with\telsewhere", "require-search-path", who("with/asks"))


def main():
    with tempfile.TemporaryDirectory(prefix="burin-cli-") as cwd:
        rows, docs = lists(cwd)
        against_sysdig(cwd, rows, docs)
        search_path(os.path.realpath(cwd))
    burin.finish()


main()
