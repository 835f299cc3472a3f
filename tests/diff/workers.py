#!/usr/bin/env python3
"""The same bytes for any number of workers, any batch size, any packing of the file.

usage: workers.py [--burin PATH] [--small]"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

ENGINES = [["--workers=%d" % w] + b
           for w in (1, 2, 3, 8)
           for b in ([], ["--batch-events=1"], ["--batch-bytes=5000"], ["--batch-bytes=1G"])]
OUTPUTS = [("lines", []), ("v", ["-v"]), ("n", ["-n", "1234"]), ("M", ["-M", "1"]), ("delta", ["-t", "D"]),
           ("S", ["-q", "-S"]),
           ("filter", ["evt.is_io=true and fd.name contains lib"]),
           ("type", ["evt.type=openat or evt.type=close"]),
           ("files", ["-c", "topfiles_bytes"]), ("procs", ["-c", "topprocs_file"])]


def same(name, trace, outputs, engines):
    for label, args in outputs:
        ref = burin.run(["--workers=1", "-r", trace] + args)
        want = (ref[0], ref[1])
        wrong = []
        for engine in engines[1:]:
            got = burin.run(engine + ["-r", trace] + args)
            if (got[0], got[1]) != want:
                wrong.append("%s (exit %d, %d bytes)" % (" ".join(engine), got[0], len(got[1])))
        ok = not wrong and ref[0] == 0 and (ref[1] or label == "M")
        burin.report(ok, "%s_%s" % (name, label), "%d engines, %d bytes%s"
                     % (len(engines), len(ref[1]), "; differ: " + "; ".join(wrong[:3]) if wrong else ""))


def packings(name, trace, d):
    """gzip with one and several members, zstd with one and several frames, a pipe of each."""
    data = open(trace, "rb").read()
    cut = [data[:len(data) // 3], data[len(data) // 3:len(data) // 2], data[len(data) // 2:]]
    zst = lambda part: subprocess.run(["zstd", "-qc"], input=part, stdout=subprocess.PIPE).stdout  # noqa: E731
    files = {"gzip": gzip.compress(data), "gzip_members": b"".join(gzip.compress(c) for c in cut),
             "zstd": zst(data), "zstd_frames": b"".join(zst(c) for c in cut), "plain": data}
    want = burin.run(["--workers=1", "-r", trace])[1]
    for label, packed in files.items():
        path = os.path.join(d, label)
        with open(path, "wb") as f:
            f.write(packed)
        for w in ("1", "3"):
            got = burin.run(["--workers=" + w, "-r", path])
            burin.report(got[:2] == (0, want), "%s_%s_workers%s" % (name, label, w), got[2].decode()[:200])
        pipe = subprocess.run("cat %s | %s --workers=2 -r -" % (path, burin.BURIN), shell=True, stdout=subprocess.PIPE,
                              env=dict(os.environ, TZ="UTC"))
        burin.report(pipe.stdout == want and pipe.returncode == 0, "%s_%s_pipe" % (name, label))


def damaged(name, trace, d):
    """A bit flipped, or the end cut off, in a file of many members or frames that workers decompress side by side: what is
    printed before it and the error, with its positions, are the same. Members are stored, so that the file is long."""
    data = open(trace, "rb").read()
    parts = [data[i:i + 90000] for i in range(0, len(data), 90000)]
    zst = lambda part: subprocess.run(["zstd", "-qc", "--check"], input=part, stdout=subprocess.PIPE).stdout  # noqa: E731
    files = {"members": b"".join(gzip.compress(p, 0, mtime=0) for p in parts), "frames": b"".join(map(zst, parts))}
    engines = [["--workers=%d" % w] + b for w in (2, 3, 8) for b in ([], ["--batch-bytes=5000"])]
    for label, packed in files.items():
        wrong, errors = [], 0
        for k in (3, 5, 8, 11):
            at = len(packed) * k // 12
            bad = packed[:at] + bytes([packed[at] ^ 16]) + packed[at + 1:] if k != 8 else packed[:at]
            path = os.path.join(d, "damaged")
            with open(path, "wb") as f:
                f.write(bad)
            want = burin.run(["--workers=1", "-r", path])
            errors += want[0] != 0 and b"offset" in want[2]
            wrong += ["%d/12 %s: %s" % (k, " ".join(e), got[2].decode()[:200]) for e in engines
                      for got in [burin.run(e + ["-r", path])] if got[:3] != want[:3]]
            # Damage that lies ahead of the end of a run is never mentioned.
            first = burin.run(["--workers=3", "-n", "5", "-r", path])
            if first[0] or first[2]:
                wrong.append("%d/12 -n 5: %s" % (k, first[2].decode()[:200]))
        burin.report(not wrong and errors == 4, "%s_damaged_%s" % (name, label), "%d errors; %s" % (errors, "; ".join(wrong[:2])))


INTERVALS = """
description, short_description, category, args = "", "", "", {}
local n = 0
function on_init()
	chisel.set_interval_ns(300000000)
	num = chisel.request_field("evt.num")
	return true
end
function on_event()
	n = n + 1
	return true
end
function on_interval(s, ns, delta)
	print(string.format("%d %d %.0f %d %s", s, ns, delta, n, evt.field(num)))
	return true
end
"""


ENDS = """
description, short_description, category, args = "", "", "", {}
local n = 0
function on_init()
	print("init")
	return true
end
function on_event()
	n = n + 1
	if n == 5 then
		sysdig.end_capture()
	end
	return true
end
function on_capture_end(s, ns, delta)
	print(string.format("%d %d %d %d", s, ns, delta, n))
end
"""


def like_sysdig(words, d):
    """Status and output for one and three workers; the same of sysdig, without it those for one worker."""
    got = [burin.run(["--compat=0.29", "--workers=" + w] + words)[:2] for w in ("1", "3")]
    if not burin.have_peer():
        return got, got[0]
    r = subprocess.run(["sysdig"] + words, stdout=subprocess.PIPE, cwd=d, env=dict(os.environ, TZ="UTC"))  # not our chisels
    return got, (r.returncode, r.stdout)


def several(d):
    """Several -r in one run; concatenated sections of one file."""
    a, b = burin.trace("old", "net"), burin.trace("old", "churn")
    both = burin.run(["-r", a, "-r", b])
    burin.report(both[1] == burin.run(["-r", a])[1] + burin.run(["-r", b])[1], "several_files")
    # on_init runs for each file and sets the chisel's filter again.
    for chisel in ("stdin", "stdout", "fileslower 0", "dns_queries"):
        words = ["-c"] + chisel.split()
        want = burin.run(["-r", a] + words)[1] + burin.run(["-r", b] + words)[1]
        got = [burin.run(["--workers=" + w, "-r", a, "-r", b] + words)[:2] for w in ("1", "3")]
        burin.report(got == [(0, want)] * 2, "several_files_" + words[1], "%d bytes" % len(want))
    # sysdig.end_capture ends the run, not the file.
    for chisel in ("netstat", "lsof"):
        words = ["--workers=2", "-r", a]
        once = burin.run(words + ["-c", chisel])[:2]
        twice = burin.run(words + ["-r", b, "-c", chisel])[:2]
        burin.report(once == twice and once[0] == 0 and once[1].count(b"\n") >= 1, "several_files_" + chisel)
    ends = os.path.join(d, "ends.lua")
    with open(ends, "w") as f:
        f.write(ENDS)
    # Aggregates go on from file to file, as the tables of scripts do, and so does the clock of intervals, backwards too.
    script = os.path.join(d, "intervals.lua")
    with open(script, "w") as f:
        f.write(INTERVALS)
    chisels = [(c, a, b) for c in ("topfiles_bytes", "topprocs_net", "fdbytes_by fd.directory")]
    chisels += [(c, x, y) for c in ("iobytes_file", script) for x, y in ((a, b), (b, a), (a, a))] + [(ends, a, b)]
    for i, (chisel, x, y) in enumerate(chisels):
        got, want = like_sysdig(["-r", x, "-r", y, "-c"] + chisel.split(), d)
        back = chisel != script or (b" -" in want[1]) == (x != a or y == a)
        burin.report(got == [want] * 2 and want[0] == 0 and want[1] and back,
                     "several_files_%d_%s" % (i, os.path.basename(chisel.split()[0])), "%d bytes" % len(want[1]))
    # What looks back goes on where the file before ended, not where its last batch did.
    for limit in (["-n", "100"], ["-n", "1090"], ["-M", "2"]):
        got, want = like_sysdig(["-r", a, "-r", a] + limit + ["-p", "*%evt.num %evt.deltatime.ns"], d)
        burin.report(got == [want] * 2 and want[1], "several_files_looks_back" + "".join(limit), "%d bytes" % len(want[1]))
    path = os.path.join(d, "sections")
    with open(path, "wb") as f:
        f.write(open(a, "rb").read() + open(b, "rb").read())
    outs = {burin.digest(burin.run([e, "-r", path])[1]) for e in ("--workers=1", "--workers=2", "--workers=8")}
    burin.report(len(outs) == 1, "sections")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--burin")
    p.add_argument("--small", action="store_true", help="one trace only (sanitizer runs)")
    a = p.parse_args()
    if a.burin:
        burin.BURIN = a.burin
    traces = [("old", "net"), ("old", "churn"), ("mid", "net"), ("new", "net")]
    if a.small:
        traces = traces[:1]
    for generation, name in traces:
        t = burin.trace(generation, name)
        same("%s_%s" % (generation, name), t, OUTPUTS, ENGINES)
    with tempfile.TemporaryDirectory() as d:
        packings("old_net", burin.trace("old", "net"), d)
        damaged("old_churn", burin.trace("old", "churn"), d)
        several(d)
    burin.finish()


if __name__ == "__main__":
    main()
