#!/usr/bin/env python3
"""Rules of docs/differences.md that no other comparison names: each shown on the trace that fields_trace.py makes, in
sysdig 0.29.3 (where it is installed), with --compat=0.29 and by default.

usage: pinned.py"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
import burin         # noqa: E402
import fields_trace  # noqa: E402


def lines(n):
    return lambda code, out: code == 0 and (out.count(b"\n") > 0) == n


def shows(pattern, code=0):
    return lambda c, out: c == code and re.search(pattern, out, re.M | re.S) is not None


def hides(pattern):
    return lambda c, out: c == 0 and re.search(pattern, out, re.M | re.S) is None


def ends(code):
    return lambda c, out: c == code


P = "%evt.num"
# Rule, options, what holds of sysdig, of --compat=0.29, by default.
BOTH = [
    ("lists of ancestors", ["-d", "-p", P, "proc.apid in (1,2)", "and", "proc.name=app"], lines(False), lines(True)),
    ("lists of syslog numbers", ["-d", "-p", P, "syslog.facility in (1)"], ends(-11), lines(True)),
    ("numbers with a fraction", ["-d", "-p", P, "proc.fdusage>1"], ends(1), lines(True)),
    ("filter grammar", ["-d", "-p", P, "not not evt.num=2"], hides(rb"^2$"), shows(rb"\A2\n\Z")),
    ("filter grammar", ["-d", "-p", P, "evt.num==2"], ends(1), shows(rb"\A2\n\Z")),
    ("filter grammar", ["-d", "-p", P, "evt.num=2 or evt.num=1 and evt.dir=<"], ends(1), shows(rb"\A2\n\Z")),
    ("operator and type", ["-d", "-p", P, "proc.pid contains 3"], ends(1), ends(1)),
    ("operator and type", ["-d", "-p", P, "evt.failed<true"], lines(True), ends(1)),
    ("exit code on a second buffer option", ["-A", "-b"], ends(0), ends(1)),
    ("raw arguments in JSON", ["-j", "-p", "%evt.rawarg.res"], ends(1), shows(rb'^\{"evt.rawarg.res":1\}$')),
    ("keys in JSON", ["-j", "-p", "%proc.aname|"], shows(rb'^\{"":"app"\}'), shows(rb'^\{"proc.aname":"app"\}')),
    ("colours and JSON", ["-j", "-p", "\\e%evt.num"], shows(rb"\x1b\[00m\Z"), hides(rb"\x1b")),
    ("display of filters", ["-p", "%evt.around[1]"], lines(False), ends(1)),
    ("raw arguments in filters", ["-d", "-p", P, "evt.rawarg.pid=1"], ends(1), ends(0)),
]
# Here sysdig and --compat=0.29 agree.
DEFAULT = [
    ("syslog lines", ["-p", "%evt.num %evt.info", "evt.type=write"], shows(rb" syslog sev="), hides(rb" syslog sev=")),
    ("JSON and distances", ["-j", "-p", "%evt.deltatime"], hides(rb":[1-9]"), shows(rb":1000\}")),
    ("generic calls", ["-p", "%evt.num %evt.category", "evt.num>=477"], hides(rb" other$"), shows(rb" other$")),
    ("clients of what has none", ["-p", "*%fd.type %fd.cport"], shows(rb"^unix 0$"), hides(rb"^unix 0$")),
]


def sysdig(args):
    r = subprocess.run(["sysdig"] + args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", timeout=60,
                       env=dict(os.environ, TZ="UTC"))
    return r.returncode, r.stdout


def main():
    with open(os.path.join(burin.ROOT, "docs/differences.md"), encoding="utf-8") as f:
        listed = set(re.findall(r"^\| ([^|]+?) \|", f.read(), re.M))
    with tempfile.TemporaryDirectory() as d:
        trace = os.path.join(d, "made.scap")
        fields_trace.make().write(trace)
        for k, (rule, args, theirs, ours) in enumerate(BOTH + DEFAULT):
            args = ["-r", trace] + args
            compat, default = burin.run(["--compat=0.29"] + args)[:2], burin.run(args)[:2]
            wrong = [] if rule in listed else ["not listed"]
            if burin.have_peer() and not theirs(*sysdig(args)):
                wrong.append("sysdig: %r" % (sysdig(args),))
            if not (ours if k < len(BOTH) else theirs)(*compat):
                wrong.append("compat: %r" % (compat,))
            if not ours(*default):
                wrong.append("default: %r" % (default,))
            burin.report(not wrong, "pinned_%d_%s" % (k, rule.replace(" ", "_")), "; ".join(w[:300] for w in wrong))
    burin.finish()


if __name__ == "__main__":
    main()
