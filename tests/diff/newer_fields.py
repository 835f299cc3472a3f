#!/usr/bin/env python3
"""traces/mid and traces/new against the stored outputs of newer readers (FORMAT beside the traces).

Every event is printed with the stored format; columns are compared one by one. Prints, per trace,
`identical: N of M lines` and for each column that differs how often and the first place.

usage: newer_fields.py [--show N] [--columns a,b] [GEN/NAME...]"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

FORMATS = {"mid": "mid.format", "new": "new.format"}


def sources(generation, name):
    """(trace, stored text, format) from the data beside the project or the bundled copy."""
    for base in ([os.path.join(burin.DATA, "traces")] if burin.DATA else []) + [
            os.path.join(burin.ROOT, "tests/golden/traces")]:
        stored = os.path.join(base, generation, name + ".fields.zst")
        fmt = os.path.join(base, FORMATS[generation])
        if os.path.exists(stored) and os.path.exists(fmt):
            text = subprocess.run(["zstd", "-dcq", stored], stdout=subprocess.PIPE, check=True).stdout
            return burin.trace(generation, name), text, open(fmt).read().strip()
    return None, None, None


SOCKET = {"fd.name", "fd.type", "fd.l4proto", "fd.cip", "fd.cport", "fd.sip", "fd.sport", "fd.is_server"}


def ipv6_datagram(columns, ours, theirs):
    """The one exception (docs/differences.md, "ipv6 datagram sockets"): newer readers keep such a socket's
    addresses in an overlay too, and take an unspecified address for ipv4. The event must be on one, and
    nothing but the socket's columns may differ."""
    at = dict(zip(columns, ours))
    differ = {c for c, x, y in zip(columns, ours, theirs) if x != y}
    return at["fd.type"] == b"ipv6" and at["fd.l4proto"] == b"udp" and differ <= SOCKET


def compare(generation, name, show):
    trace, stored, fmt = sources(generation, name)
    label = "%s_%s" % (generation, name)
    if not trace:
        burin.skip(label, "the stored output is not here")
        return
    columns = [c.lstrip("*%") for c in fmt.split("|")]
    code, out, err = burin.run(["-r", trace, "-p", fmt])
    ours, theirs = out.split(b"\n"), stored.split(b"\n")
    differing, same, excepted = {}, 0, 0
    for k, (a, b) in enumerate(zip(ours, theirs)):
        if a == b:
            same += 1
            continue
        fa, fb = a.split(b"|"), b.split(b"|")
        if len(fa) != len(fb):
            differing.setdefault("(shape)", []).append((k, a, b))
            continue
        if ipv6_datagram(columns, fa, fb):
            excepted += 1
            continue
        for i, (x, y) in enumerate(zip(fa, fb)):
            if x != y:
                differing.setdefault(columns[i] if i < len(columns) else str(i), []).append((k, x, y, a))
    for col, where in sorted(differing.items(), key=lambda kv: -len(kv[1])):
        print("  %s: %d lines" % (col, len(where)))
        for w in where[:show]:
            print("    line %d: burin %r stored %r%s" % (w[0] + 1, w[1][:150], w[2][:150],
                                                        "\n      %r" % w[3][:300] if len(w) > 3 else ""))
    ok = code == 0 and not differing and len(ours) == len(theirs)
    burin.report(ok, label, "identical: %d of %d lines, %d excepted (ipv6 datagram sockets) %s"
                 % (same, len(theirs), excepted, err.decode()[:200]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--show", type=int, default=2)
    p.add_argument("which", nargs="*")
    a = p.parse_args()
    which = a.which or ["%s/%s" % (g, n) for g in ("mid", "new") for n in ("net", "churn", "redis", "files")]
    for w in which:
        compare(*w.split("/"), a.show)
    burin.finish()


if __name__ == "__main__":
    main()
