"""Results as pictures (SVG). Of bench/run: for each row a bar per number of workers, the target as a line across it. Of
bench/scaling: events per second over cores, a line per kind of work, and dots where the scheduler was run.

usage: bench/plot.py [--cpu] RESULT.json > RESULT.svg

--cpu: from CPU time, what an idle machine can reach at most; the wall clock of a busy one says little."""
import html
import json
import math
import sys

LEFT, RIGHT, TOP, BAR, GAP = 290, 90, 56, 13, 12
COLOURS = ["#7aa6c2", "#2f5d7c", "#173348", "#0b1a25"]


def by_cpu(result):
    """The result with its CPU times in the place of wall clock: as many times that as there are workers."""
    rows = {}
    for name, r in result["rows"].items():
        n = [1 if r["ordered"] else w for w in result["workers"]]
        rows[name] = dict(r, ratio=[x * k for x, k in zip(r["cpu_ratio"], n)], spread=[[a * k, b * k] for (a, b), k in zip(r["cpu_spread"], n)])
    return dict(result, rows=rows)


def svg(result, what="Times as fast as"):
    rows, workers = result["rows"], result["workers"]
    top = max([max(r["ratio"] + list(r["wanted"] or [])) for r in rows.values()] + [2])
    decades = math.log10(top * 1.15)
    width, height = 900, TOP + len(rows) * (BAR * len(workers) + GAP) + 34
    span = width - LEFT - RIGHT

    def x(ratio):
        """Logarithmic, from 1."""
        return LEFT + span * max(math.log10(max(ratio, 1e-9)), 0) / decades

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (width, height),
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="10" y="20" font-size="14">%s sysdig 0.29.3 (%s, %d MB, %s CPUs, commit %s, %s)</text>' % (
               what, html.escape(result["trace"]), result["bytes"] / 1e6, result["cpus"], result["commit"], result["date"])]
    for k, n in enumerate(workers):
        out.append('<rect x="%d" y="30" width="12" height="12" fill="%s"/><text x="%d" y="41">%d worker%s</text>' % (
            10 + 100 * k, COLOURS[k % len(COLOURS)], 26 + 100 * k, n, "s"[:n > 1]))
    out.append('<line x1="%d" x2="%d" y1="30" y2="42" stroke="#c0392b" stroke-width="2"/><text x="%d" y="41">wanted</text>' % (
        16 + 100 * len(workers), 16 + 100 * len(workers), 24 + 100 * len(workers)))
    bottom = height - 28
    for tick in [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= top * 1.15]:
        out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#dddddd"/><text x="%.1f" y="%d" text-anchor="middle">%dx</text>' % (
            x(tick), x(tick), TOP, bottom, x(tick), bottom + 16, tick))
    y = TOP + GAP / 2
    for r in rows.values():
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 8, y + BAR * len(workers) / 2 + 4, html.escape(r["text"])))
        for k, ratio in enumerate(r["ratio"]):
            lo, hi = r["spread"][k]
            out.append('<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (LEFT, y, x(ratio) - LEFT, BAR - 1, COLOURS[k % len(COLOURS)]))
            out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#555555"/>' % (x(lo), x(hi), y + BAR / 2, y + BAR / 2))
            out.append('<text x="%.1f" y="%.1f" font-size="11">%.1fx</text>' % (x(max(hi, ratio)) + 4, y + BAR - 3, ratio))
            if r["wanted"] and k < len(r["wanted"]):
                w = x(r["wanted"][k])
                out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#c0392b" stroke-width="2"/>' % (w, w, y - 1, y + BAR))
            y += BAR
        y += GAP
    return "\n".join(out + ["</svg>", ""])


def scaling_svg(costs, cores):
    width, height, left, right, bottom = 760, 420, 60, 170, 380
    most = max(v for c in costs.values() for v in c["model"].values()) * 1.2
    least = min(v for c in costs.values() for v in c["model"].values()) / 1.2

    def x(n):
        return left + (width - left - right) * math.log(n / cores[0]) / math.log(cores[-1] / cores[0])

    def y(v):
        return bottom - (bottom - 40) * math.log(v / least) / math.log(most / least)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (width, height),
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="10" y="20" font-size="14">Millions of events per second over cores: model (lines), scheduler over sleeping steps (dots)</text>']
    for n in cores:
        out.append('<line x1="%.1f" x2="%.1f" y1="40" y2="%d" stroke="#eeeeee"/><text x="%.1f" y="%d" text-anchor="middle">%d</text>' % (
            x(n), x(n), bottom, x(n), bottom + 18, n))
    for tick in [d * 10 ** e for e in range(4) for d in (1, 2, 5)]:
        if least <= tick <= most:
            out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>' % (
                left, width - right, y(tick), y(tick), left - 6, y(tick) + 4, tick))
    palette = ["#173348", "#2f5d7c", "#7aa6c2", "#c0392b", "#d98c5f", "#7d6608", "#4a7a4c"]
    ends = []
    for k, (name, c) in enumerate(costs.items()):
        colour = palette[k % len(palette)]
        points = " ".join("%.1f,%.1f" % (x(n), y(c["model"][n])) for n in cores)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (points, colour))
        out += ['<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>' % (x(n), y(v), colour) for n, v in c["checked"].items() if v > least]
        ends.append([y(c["model"][cores[-1]]), name, colour])
    last = -100
    for at, name, colour in sorted(ends):
        at = max(at, last + 14)
        last = at
        out.append('<text x="%d" y="%.1f" fill="%s">%s</text>' % (width - right + 8, at + 4, colour, html.escape(name)))
    return "\n".join(out + ["</svg>", ""])


if __name__ == "__main__":
    with open(sys.argv[-1]) as f:
        loaded = json.load(f)
    sys.stdout.write(svg(by_cpu(loaded), "Times as fast in CPU time as") if sys.argv[1] == "--cpu" else svg(loaded))
