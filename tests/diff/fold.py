#!/usr/bin/env python3
"""Every filter against its unfolded self, on real traces of all three generations.

evt.deltatime looks back, so a filter that names it is evaluated literally for every event: no type bitmap,
no digest program, no folding. evt.deltatime>=0 always holds; "evt.deltatime>=0 and (F)" must therefore
select the same events as F. Reads tests/diff/filters.txt; prints `identical: N of M` per trace and mode.

usage: fold.py [--workers N] [TRACE...]
"""

import argparse
import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import burin  # noqa: E402
import filters  # noqa: E402


def check(name, trace, mode, texts, workers):
    base = ["--workers=" + workers, "-r", trace, "-p", "%evt.num"] + mode

    def one(text):
        return burin.run(base + [text]), burin.run(base + ["evt.deltatime>=0 and (%s)" % text])

    bad = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for text, (a, b) in zip(texts, pool.map(one, texts)):
            if a[0] != b[0] or a[1] != b[1]:
                bad.append("%s: %d events, unfolded %d" % (text, a[1].count(b"\n"), b[1].count(b"\n")))
    for line in bad[:20]:
        print("  " + line)
    burin.report(not bad, "fold_" + name, "identical: %d of %d" % (len(texts) - len(bad), len(texts)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--workers", default="2")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    texts = [f.text for f in filters.read_filters(os.path.join(filters.HERE, "filters.txt"))]
    texts = [t for t in texts if "deltatime" not in t and burin.run(["--explain", t])[0] == 0]
    assert len(texts) > 500
    cases = [(os.path.basename(t), t, []) for t in a.traces]
    if not cases:
        cases = [("%s_net" % g, burin.trace(g, "net"), []) for g in ("old", "mid", "new")]
        cases.append(("old_net_compat", burin.trace("old", "net"), ["--compat=0.29"]))
    for name, trace, mode in cases:
        if trace:
            check(name, trace, mode, texts, a.workers)
        else:
            burin.skip("fold_" + name, "the trace is not here")
    burin.finish()


if __name__ == "__main__":
    main()
