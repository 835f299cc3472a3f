#!/usr/bin/env python3
"""burin bench, the trace generator and the tools of bench/: everything but the times.

usage: bench.py"""

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

FILTERS = ["evt.type=openat", "proc.name=python3 and fd.name contains /etc", "fd.name contains /etc and proc.name=python3",
           "evt.is_io=true or proc.name exists", "thread.tid in (1, 2, 3)", "evt.deltatime>1ms", "evt.type=kexec_load"]


def captured(trace, text, extra=()):
    """How many events pass, as an ordinary run counts them."""
    err = burin.run(["-r", trace, "-q", "-v", *extra, text])[2].decode()
    return int(re.search(r"Captured Events: (\d+)", err).group(1))


def steady(result):
    """What must not change from run to run."""
    drop = {"events_per_s", "ns_per_event", "cpu_ns_per_event", "steps_ns_per_event", "ns_each", "ns_each_alone", "workers"}
    if isinstance(result, dict):
        return {k: steady(v) for k, v in result.items() if k not in drop}
    return [steady(v) for v in result] if isinstance(result, list) else result


def bench(trace, *args):
    code, out, err = burin.run(["bench", "-r", trace, "-j", "--runs=1", *args])
    return json.loads(out) if code == 0 else sys.exit("burin bench: %s" % err.decode())


def part_counts(trace):
    one, two = bench(trace, *FILTERS), bench(trace, "--workers=2", *FILTERS)
    burin.report(steady(one) == steady(two), "bench_workers")
    rows = one["rows"]
    burin.report([r.get("filter") for r in rows] == [None] + FILTERS, "bench_rows")
    total = captured(trace, "")
    burin.report(total > 5000 and all(r["read"] == total for r in rows), "bench_read", str(total))
    for k, r in enumerate(rows[1:]):
        want = captured(trace, r["filter"])
        ok = r["matched"] == want and abs(r["selectivity"] - want / total) < 1e-8
        burin.report(ok, "bench_matched_%d" % k, "%d, ordinary run %d" % (r["matched"], want))
    old = bench(trace, "--compat=0.29", FILTERS[1])["rows"][1]
    burin.report(old["matched"] == captured(trace, FILTERS[1], ["--compat=0.29"]), "bench_compat")
    return rows


def part_instructions(rows):
    """Of "A and B": B runs when A was true, and the last that is true lets the event pass."""
    for k, r in ((2, rows[2]), (3, rows[3])):
        a, b = [i for i in r["instructions"] if i["in"] == "program"]
        ok = a["runs"] == r["selected"] and b["runs"] == a["yes"] and b["yes"] == r["matched"] and a["runs"] > a["yes"] > b["yes"] > 0
        burin.report(ok, "bench_instructions_%d" % k, json.dumps([a, b]))
    a, b = (dict((i["source"], i) for i in rows[k]["instructions"]) for k in (2, 3))
    burin.report(set(a) == set(b) == {"proc.name=python3", "fd.name contains /etc"}, "bench_sources", str(sorted(a)))
    tid = rows[5]["instructions"]
    burin.report(rows[5]["decided_by"] == "digest" and tid[0]["in"] == "digest" and tid[0]["runs"] == rows[5]["read"], "bench_digest")
    burin.report(rows[2]["demand"] == "threads fds pairs" and rows[1]["demand"] == "", "bench_demand", rows[2]["demand"])
    burin.report(rows[6]["in_order"] and not rows[1]["in_order"], "bench_in_order")
    burin.report(rows[7]["matched"] == 0 and rows[7]["selectivity"] == 0, "bench_never")


def part_text(trace):
    code, out, err = burin.run(["bench", "-r", trace, "--runs=2", *FILTERS[:2]])
    text = out.decode()
    ok = code == 0 and not err and "2 runs each" in text and all(text.count(f) >= 2 for f in FILTERS[:2])
    burin.report(ok and re.search(r"(?m)^walk +\d", text) is not None, "bench_text", text[:200])
    helped = burin.run(["bench", "--help"])[1].decode()
    table = json.loads(burin.run(["bench", "--help", "-j"])[1])
    burin.report(all("--" + o["long"] in helped and o["help"] in helped for o in table), "bench_help")


def part_errors(trace):
    for name, args, want in [
            ("no_file", ["evt.num=1"], b"name one with -r FILE"),
            ("stdin", ["-r", "-"], b"name one with -r FILE"),
            ("two_files", ["-r", trace, "-r", trace], b"one trace"),
            ("missing", ["-r", "/nosuch", "evt.num=1"], b"/nosuch"),
            ("runs", ["-r", trace, "--runs=0"], b"--runs: 0 is not in 1..1000"),
            ("workers", ["-r", trace, "--workers=2x"], b"--workers: 2x"),
            ("option", ["-r", trace, "--nosuch"], b"'--nosuch'"),
            ("compat", ["-r", trace, "--compat=1"], b"--compat"),
            ("filter", ["-r", trace, "evt.type=open", "proc.nam=cat"], b"filter:1: "),
    ]:
        code, out, err = burin.run(["bench"] + args)
        burin.report(code == 1 and not out and want in err, "bench_error_" + name, err.decode()[:120])


def make(mix, path, *args):
    gen = os.path.join(os.path.dirname(burin.CACHE), "bench/bench_gen")
    subprocess.run([gen, mix, "-o", path, *args], check=True)
    with open(path, "rb") as f:
        return f.read()


def part_generator(folder):
    """Made traces: the same for the same seed, and sysdig 0.29.3 prints what burin prints."""
    gen = os.path.join(os.path.dirname(burin.CACHE), "bench/bench_gen")
    mixes = [line.split()[0] for line in subprocess.run([gen, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]
    burin.report(len(mixes) >= 7, "gen_mixes", " ".join(mixes))
    path, again = os.path.join(folder, "t.scap"), os.path.join(folder, "again.scap")
    for mix in mixes:
        data = make(mix, path, "--events", "15000", "--seed", "7")
        same = make(mix, again, "--events", "15000", "--seed", "7") == data
        other = make(mix, again, "--events", "15000", "--seed", "8") != data
        burin.report(same and other, "gen_seed_" + mix)
        one, eight = (burin.run(["--compat=0.29", "-pc", "--workers=%d" % n, "-r", path]) for n in (1, 8))
        lines = one[1].count(b"\n")
        burin.report(one == eight and one[0] == 0 and lines >= 14900, "gen_workers_" + mix, "%d lines" % lines)
        if not burin.have_peer():
            burin.skip("gen_sysdig_" + mix, "sysdig 0.29.3 is not installed")
            continue
        theirs = subprocess.run(["sysdig", "-r", path, "-pc"], stdout=subprocess.PIPE, env=dict(os.environ, TZ="UTC"), cwd="/")
        burin.report(theirs.stdout == one[1], "gen_sysdig_" + mix, "%d lines" % theirs.stdout.count(b"\n"))
    size = len(make("web", path, "--size", "1M"))
    burin.report(0 <= size - (1 << 20) < 400, "gen_size", str(size))


def tool(name, *args):
    return subprocess.run([os.path.join(burin.ROOT, "bench", name), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)


def part_tools(folder):
    """bench/run, compare and the micro-benchmarks do their work on a tiny trace; what they measured is not looked at."""
    build, result, picture = os.path.dirname(burin.CACHE), os.path.join(folder, "r.json"), os.path.join(folder, "r.svg")
    if burin.have_peer():
        r = tool("run", "--burin", burin.BURIN, "--make", "web", "300k", "--tmp", folder, "--runs", "1", "--rows", "type,print,gzip_members",
                 "--no-extras", "--json", result, "--plot", picture)
        found = json.load(open(result)) if r.returncode == 0 else {"rows": {}}
        burin.report(list(found["rows"]) == ["type", "print", "gzip_members"], "run", r.stdout.decode()[-200:] if not found["rows"] else "")
        burin.report(r.returncode == 0 and len(xml.dom.minidom.parse(picture).getElementsByTagName("rect")) > 6, "run_plot")
        burin.report(tool("compare", result, result).returncode == 0, "compare_same")
        slow = os.path.join(folder, "slow.json")
        for key in ("ratio", "cpu_ratio", "spread", "cpu_spread"):
            found["rows"]["print"][key] = [[x / 2 for x in v] if isinstance(v, list) else v / 2 for v in found["rows"]["print"][key]]
        json.dump(found, open(slow, "w"))
        r = tool("compare", result, slow)
        slower = [line.split()[0] for line in r.stdout.decode().splitlines() if line.endswith("SLOWER")]
        burin.report(r.returncode == 1 and set(slower) == {"print"}, "compare_slower", " ".join(slower))
    else:
        burin.skip("run", "sysdig 0.29.3 is not installed")
    stages = os.path.join(build, "bench/bench_stages")
    if os.path.exists(stages):
        path = os.path.join(folder, "t.scap")
        make("web", path, "--events", "5000")
        r = subprocess.run([stages, path, "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = re.findall(r"(?m)^(\w+)[^:\n]*: .* (\d+)$", r.stdout.decode())
        groups = {g for g, n in seen if int(n) > 0}
        burin.report(r.returncode == 0 and groups >= {"walk", "digest", "apply", "bind", "filter", "field", "format", "aggregate", "compress"},
                     "stages", " ".join(sorted(groups)))
    else:
        burin.skip("stages", "valgrind's header is not installed")
    r = subprocess.run([os.path.join(build, "bench/bench_scale"), "--workers", "3,40", "--slow", "1", "--batches", "3"], stdout=subprocess.PIPE)
    burin.report(r.returncode == 0 and len(re.findall(rb"(?m)^ +(?:3|40) +\d", r.stdout)) == 2, "scale")


def main():
    trace = burin.trace("old", "net")
    rows = part_counts(trace)
    part_instructions(rows)
    part_text(trace)
    part_errors(trace)
    if not os.path.exists(os.path.join(os.path.dirname(burin.CACHE), "bench/bench_gen")):
        burin.skip("gen", "the benchmarks are not built (BURIN_BENCH)")
        burin.finish()
    with tempfile.TemporaryDirectory() as folder:
        part_generator(folder)
        part_tools(folder)
    burin.finish()


if __name__ == "__main__":
    main()
