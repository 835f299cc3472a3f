#!/usr/bin/env python3
"""Every filter against its unfolded self, on real traces of all three generations.

evt.deltatime looks back, so a filter that names it is evaluated literally for every event: no type bitmap,
no digest program, no folding. evt.deltatime>=0 always holds; "evt.deltatime>=0 and (F)" must therefore
select the same events as F. Reads tests/diff/filters.txt; prints `identical: N of M` per trace. filters.py does
the same with --compat=0.29.

usage: fold.py [--workers N] [TRACE...]
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import burin  # noqa: E402
import filters  # noqa: E402


def differing(trace, shown, texts, workers):
    """A job: those of a few filters that select other events than their unfolded selves."""
    base = [burin.BURIN, "-r", trace]
    unfolded = shown.of(filters.ask(base, [filters.literal(t) for t in texts]))
    return [t for k, t in enumerate(texts) if unfolded.get(filters.literal(t)) != filters.numbers(
        base + ["--workers=" + (workers or filters.WORKERS[k % 3]), "-p", filters.FORMAT, t])]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--workers", default="")
    p.add_argument("traces", nargs="*")
    a = p.parse_args()
    texts = [f.text for f in filters.read_filters(os.path.join(filters.HERE, "filters.txt"))]
    texts = [t for t in texts if "deltatime" not in t and burin.run(["--explain", t])[0] == 0]
    assert len(texts) > 500
    cases = [(os.path.basename(t), t) for t in a.traces]
    cases = cases or [("%s_net" % g, burin.trace(g, "net")) for g in ("old", "mid", "new")]
    for name, trace in cases:
        if not trace:
            burin.skip("fold_" + name, "the trace is not here")
            continue
        shown = filters.Shown([burin.BURIN, "-r", trace])
        bad = burin.parallel([(differing, (trace, shown, texts[i:i + filters.GROUP], a.workers))
                              for i in range(0, len(texts), filters.GROUP)])
        bad = [t for some in bad for t in (some if some is not None else ["(a job failed)"])]
        for t in bad[:20]:
            print("  " + t)
        burin.report(not bad, "fold_" + name, "identical: %d of %d" % (len(texts) - len(bad), len(texts)))
    burin.finish()


if __name__ == "__main__":
    main()
