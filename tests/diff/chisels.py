#!/usr/bin/env python3
"""Chisel outputs against those of sysdig 0.29.3.

  chisels.py [--burin B] [--data DIR] [--chisels sysdig|ours|both] [--fresh] [--old] [--only TEXT] [--workers N]...

Stored: every command of DIR/spec/chisel-outputs/INDEX.tsv, with the comparison rule of its row (README there).
--fresh: the same commands against sysdig run here, and with --old every chisel on DIR/traces/old too.
--chisels: sysdig's own unmodified scripts (from the installed package) or ours.
Prints the differences and, per kind of scripts, PASS or FAIL with "identical: N of M"."""

import argparse
import fcntl
import hashlib
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin

SYSDIG_CHISELS = "/usr/share/sysdig/chisels"
SHELLSHOCK = "shellshock_detect"  # its filter mixes and/or: accepted here (decisions 5)
TIMEOUT = 120


# ---- comparison rules ---------------------------------------------------------------------------------------

def lines_of(text):
    return text.split(b"\n")


def rows_by_value(rows, value_of):
    """Groups consecutive rows of equal value: list of (value, sorted rows)."""
    out = []
    for row in rows:
        v = value_of(row)
        if not out or out[-1][0] != v:
            out.append((v, []))
        out[-1][1].append(row)
    return [(v, sorted(r)) for v, r in out]


def same_ties(a, b, value_of, cut):
    ga, gb = rows_by_value(a, value_of), rows_by_value(b, value_of)
    if [v for v, _ in ga] != [v for v, _ in gb]:
        return False
    last = len(ga) - 1
    for i, ((_, ra), (_, rb)) in enumerate(zip(ga, gb)):
        if cut and i == last:
            if len(ra) != len(rb):
                return False
        elif ra != rb:
            return False
    return True


def table_value(row):
    return row[:20]


def last_field(row):
    return row.split(b"\t")[-1]


def same_table(a, b, name, cut):
    la, lb = lines_of(a), lines_of(b)
    if name.startswith("fdcount_by"):
        return same_ties(la, lb, last_field, cut)
    # httptop and friends: header, rule, rows
    return la[:2] == lb[:2] and same_ties(strip_end(la[2:]), strip_end(lb[2:]), table_value, cut)


def strip_end(rows):
    while rows and not rows[-1]:
        rows = rows[:-1]
    return rows


def keep_number_text(text):
    return json.loads(text, parse_float=lambda s: "n" + s, parse_int=lambda s: "n" + s)


def same_json(a, b, cut):
    try:
        ja, jb = keep_number_text(a), keep_number_text(b)
    except ValueError:
        return a == b
    if isinstance(ja, dict) and isinstance(jb, dict) and "data" in ja and "data" in jb:
        da, db = ja.pop("data"), jb.pop("data")
        da, db = [list(map(json.dumps, r)) for r in da], [list(map(json.dumps, r)) for r in db]
        return ja == jb and same_ties(da, db, lambda r: r[-1], cut)
    return ja == jb


def mask_data(text):
    return re.sub(rb" data=.*", b" data=*", text)


def same(rule, name, got, want):
    if got == want:
        return True
    if rule == "exact-masked":
        return mask_data(got) == mask_data(want)
    if rule == "rows-unordered":
        return sorted(lines_of(got)) == sorted(lines_of(want))
    if rule in ("ties", "ties-cut"):
        return same_table(got, want, name, rule == "ties-cut")
    if rule == "json":
        return same_json(got, want, True)
    return False


# ---- running ---------------------------------------------------------------------------------------------------

class Runner:
    def __init__(self, args, cwd):
        self.args, self.cwd = args, cwd

    def env(self, ours):
        e = dict(os.environ, TZ="UTC", LC_ALL="C")
        e.pop("SYSDIG_CHISEL_DIR", None)
        if not ours:
            e["SYSDIG_CHISEL_DIR"] = SYSDIG_CHISELS
        return e

    def words(self, command, ours, workers):
        words = shlex.split(command)[2:]  # TZ=UTC sysdig
        return [self.args.burin, "--compat=0.29", "--workers=%d" % workers] + words

    def run(self, words, env, limit=TIMEOUT):
        try:
            p = subprocess.run(words, cwd=self.cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
            return p.stdout, p.stderr, p.returncode
        except subprocess.TimeoutExpired:
            return b"", b"timeout", -1

    def run_tty(self, words, env):
        """On an 80x24 terminal, carriage returns removed."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.cwd)
            os.execvpe(words[0], words, env)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        out = b""
        while True:
            try:
                chunk = os.read(fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            out += chunk
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        return out.replace(b"\r", b""), b"", code


# ---- wsysdig_summary: its JSON differs from run to run, its numbers do not -------------------------------------

def summary_rows(text):
    doc = json.loads(text)
    data = doc["slices"][-1]["data"]
    info = data["info"]
    rows = [("info", "durationNs=%d" % info["durationNs"], "startTs=%s" % info["startTs"], "endTs=%s" % info["endTs"],
             "slices=%d" % len(doc["slices"]), "")]
    for m in data["metrics"]:
        d = m["data"]
        rows.append((m["category"], m["name"], str(d["tot"]), str(d["max"]), str(len(d["timeLine"])),
                     str(sum(s["v"] for s in d["timeLine"]))))
    return sorted(rows)


def same_summary(args, trace, text):
    path = os.path.join(args.data, "spec/chisel-outputs/wsysdig_summary.metrics.%s.tsv" % trace)
    with open(path) as f:
        want = sorted(tuple(line.rstrip("\n").split("\t")) for line in list(f)[1:])
    try:
        return summary_rows(text) == want
    except (ValueError, KeyError, IndexError):
        return False


# ---- suites --------------------------------------------------------------------------------------------------------

class Suite:
    def __init__(self, runner, title):
        self.runner, self.title = runner, title
        self.identical = self.total = 0
        self.skipped = {}

    def note(self, ok, name, why=""):
        self.total += 1
        self.identical += ok
        if not ok:
            print("differs: %s: %s%s" % (self.title, name, " (%s)" % why if why else ""))

    def skip(self, why):
        self.skipped[why] = self.skipped.get(why, 0) + 1

    def report(self):
        for why, n in sorted(self.skipped.items()):
            print("%s: %d not compared: %s" % (self.title, n, why))
        burin.report(self.identical == self.total, self.title, "identical: %d of %d" % (self.identical, self.total))


def stored_rows(data):
    rows = []
    with open(os.path.join(data, "spec/chisel-outputs/INDEX.tsv")) as f:
        next(f)
        for line in f:
            c = line.rstrip("\n").split("\t")
            rows.append(dict(name=c[0], stored=c[1] == "yes", rule=c[2], exit=int(c[3]), sha=c[6], command=c[7]))
    return rows


def show(args, got, want):
    if not args.verbose:
        return
    for tag, text in (("got ", got), ("want", want)):
        for line in lines_of(text)[:args.verbose]:
            print("   %s %s" % (tag, line.decode("utf-8", "replace")))


def compare_stored(suite, row, ours, workers):
    r, args = suite.runner, suite.runner.args
    name = row["name"] + (" workers %d" % workers if workers != 1 else "")
    if row["name"].startswith(SHELLSHOCK):
        return suite.skip("decisions 5: its filter is accepted here")
    if row["name"].startswith("wsysdig_summary."):
        got, err, code = r.run(r.words(row["command"], ours, workers), r.env(ours))
        return suite.note(code == row["exit"] and same_summary(args, row["name"].split(".")[1], got), name)
    if row["rule"] == "varies":
        return suite.skip("the reference differs from run to run")
    want = b""
    if row["stored"]:
        with open(os.path.join(args.data, "spec/chisel-outputs", row["name"]), "rb") as f:
            want = f.read()
    command = row["command"]
    if command.startswith("on an 80x24"):
        words = r.words("TZ=UTC " + command[command.index("sysdig"):], ours, workers)
        got, err, code = r.run_tty(words, r.env(ours))
        # sysdig resets the colour at its end, through another buffer than the script's.
        want, got = want.replace(b"\x1b[00m", b""), got.replace(b"\x1b[00m", b"")
    else:
        got, err, code = r.run(r.words(command, ours, workers), r.env(ours))
    ok = code == row["exit"]
    if not row["stored"]:
        ok = ok and (row["exit"] != 0 or hashlib.sha256(got).hexdigest() == row["sha"])
    else:
        ok = ok and same(row["rule"], row["name"], got, want)
    suite.note(ok, name, "exit %d, wanted %d: %s" % (code, row["exit"], err.decode("utf-8", "replace").strip()[:200])
               if code != row["exit"] else "")
    if not ok:
        show(args, got, want)


def stored(args, runner, ours):
    suite = Suite(runner, "chisels-stored-%s" % ("ours" if ours else "sysdig"))
    for row in stored_rows(args.data):
        if args.only and args.only not in row["name"]:
            continue
        for w in args.workers:
            compare_stored(suite, row, ours, w)
    suite.report()


def rule_of(command):
    if " -j " in command:
        return "json"
    name = command.split(" -c ")[1].split()[0]
    if name in ("lsof", "netstat"):
        return "rows-unordered"
    if name.startswith("top") or name in ("fdbytes_by", "fdtime_by", "fdcount_by", "httptop", "table_generator"):
        return "ties-cut"
    return "exact"


# Chisels whose rows are by address, port or kind of descriptor. In the recorded net trace sysdig shows datagram sockets with addresses and
# kinds of stale memory (rule "socket overlay", docs/differences.md), so they are compared on that trace without its UDP events.
OVERLAID = ("fdbytes_by", "fdcount_by", "fdtime_by", "netlower", "topconns", "topports_server", "table_generator", "echo_fds")
NO_UDP = "old_net_without_udp.scap"


def trace_for(command, trace):
    if trace == "old_net.scap" and command.split(" -c ")[1].split()[0] in OVERLAID:
        return NO_UDP
    return trace


def fresh(args, runner, ours, traces, answers):
    """The stored commands, with sysdig itself as the oracle, on other traces. answers: its outputs, kept for the next call."""
    suite = Suite(runner, "chisels-%s-%s" % ("old" if args.old else "fresh", "ours" if ours else "sysdig"))
    seen = set()
    for row in stored_rows(args.data):
        if row["rule"] == "varies" or not row["command"].startswith("TZ=UTC") or row["name"].startswith(SHELLSHOCK):
            continue
        if "around" in row["name"] or "udp_extract" in row["name"]:
            continue
        if args.only and args.only not in row["name"]:
            continue
        for trace in traces:
            command = re.sub(r"-r \S+", "-r " + trace_for(row["command"], trace), row["command"])
            if command in seen:
                continue
            seen.add(command)
            if command not in answers:
                answers[command] = runner.run(shlex.split(command)[1:], dict(os.environ, TZ="UTC", LC_ALL="C"))
            want, _, code = answers[command]
            if code not in (0, 1):
                suite.skip("sysdig ends with %d" % code)
                continue
            for w in args.workers:
                got, err, gcode = runner.run(runner.words(command, ours, w), runner.env(ours))
                ok = gcode == code and (code != 0 or same(rule_of(command), row["name"], got, want))
                suite.note(ok, command + (" workers %d" % w if w != 1 else ""),
                           "exit %d, wanted %d: %s" % (gcode, code, err.decode("utf-8", "replace").strip()[:200])
                           if gcode != code else "")
                if not ok:
                    show(args, got, want)
    suite.report()


def link_traces(data, cwd, old):
    names = []
    for f in sorted(os.listdir(os.path.join(data, "traces"))):
        if f.endswith(".scap"):
            os.symlink(os.path.join(data, "traces", f), os.path.join(cwd, f))
            names.append(f)
    if not old:
        return names
    names = []
    for f in sorted(os.listdir(os.path.join(data, "traces/old"))):
        if f.endswith(".scap.zst") and not f.startswith("mix"):
            out = os.path.join(cwd, "old_" + f[:-4])
            subprocess.run(["zstd", "-qdf", os.path.join(data, "traces/old", f), "-o", out], check=True)
            names.append("old_" + f[:-4])
    if "old_net.scap" in names:
        subprocess.run([burin.BURIN, "-r", "old_net.scap", "-w", NO_UDP, "not fd.l4proto=udp"], cwd=cwd, check=True, capture_output=True)
    return names


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--burin", default=burin.BURIN)
    ap.add_argument("--data", default=burin.DATA)
    ap.add_argument("--chisels", choices=("sysdig", "ours", "both"), default="both")
    ap.add_argument("--fresh", action="store_true")
    ap.add_argument("--old", action="store_true")
    ap.add_argument("--only")
    ap.add_argument("--workers", type=int, action="append")
    ap.add_argument("-v", "--verbose", type=int, default=0, metavar="LINES")
    args = ap.parse_args()
    args.workers = args.workers or [1]
    args.burin = os.path.abspath(args.burin)
    if not args.data or not os.path.exists(os.path.join(args.data, "spec/chisel-outputs/INDEX.tsv")):
        burin.skip("chisels-stored", "no stored outputs beside the project")
        burin.finish()
    if args.fresh and not burin.have_peer():
        burin.skip("chisels-fresh", "sysdig 0.29.3 is not installed")
        burin.finish()
    kinds = [k for k in ("sysdig", "ours") if args.chisels in (k, "both")]
    if "sysdig" in kinds and not os.path.isdir(SYSDIG_CHISELS):
        burin.skip("chisels-sysdig", "sysdig's own chisels are not installed")
        kinds.remove("sysdig")
    with tempfile.TemporaryDirectory(prefix="burin-chisels-") as cwd:
        traces = link_traces(args.data, cwd, args.old)
        runner = Runner(args, cwd)
        answers = {}
        for kind in kinds:
            if args.fresh:
                fresh(args, runner, kind == "ours", traces, answers)
            else:
                stored(args, runner, kind == "ours")
    burin.finish()


if __name__ == "__main__":
    main()
