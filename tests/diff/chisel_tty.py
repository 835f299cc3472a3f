#!/usr/bin/env python3
"""Chisels on a terminal: a pseudo-terminal of a given size, burin told to behave as live (--as-live), its bytes looked at.

The trace comes through a pipe, so that the window can change its size, or Ctrl-C be pressed, between two intervals."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), HERE]
import burin
from scapgen import Trace, file_fd

CSI = "\x1b["
BEGIN, FINISH, PAGE = CSI + "?1049h" + CSI + "?25l", CSI + "?25h" + CSI + "?1049l", CSI + "H" + CSI + "2J"
S = 1000000000
SLOTS, FILES = 6, 40


def trace(path):
    """SLOTS seconds, in each a write to every one of FILES files by a process of its own."""
    t = Trace()
    for i in range(FILES):
        t.thread(100 + i, comm="proc%02d" % i, fds={3: file_fd("/data/file%02d" % i)})
    t.ts = 1700000000 * S
    offsets = []
    for slot in range(SLOTS):
        t.ts = (1700000000 + slot) * S + 1000
        for i in range(FILES):
            t.ev("SYSCALL_WRITE_E", 100 + i, 3, 10).ev("SYSCALL_WRITE_X", 100 + i, (i + 1) * (slot + 1), b"x")
    t.write(path)


class Screen:
    """burin on a terminal of the given size."""

    def __init__(self, words, rows, columns=80, env=()):
        self.out = ""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.p = subprocess.Popen([burin.BURIN, "--workers=2"] + words, stdin=subprocess.PIPE, stdout=slave, stderr=subprocess.PIPE,
                                  env=dict(os.environ, TZ="UTC", LC_ALL="C", TERM="xterm-256color", **dict(env)))
        os.close(slave)

    def resize(self, rows, columns=80):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, done, seconds=20):
        end = time.time() + seconds
        while not done(self.out) and time.time() < end:
            if not select.select([self.master], [], [], 0.2)[0]:
                if self.p.poll() is not None:
                    break
                continue
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                break
            self.out += chunk.decode("latin-1").replace("\r\n", "\n")
        return done(self.out)

    def feed(self, data):
        try:
            self.p.stdin.write(data)
            self.p.stdin.flush()
        except BrokenPipeError:
            pass

    def end(self):
        self.p.stdin.close()
        self.read_until(lambda _: False)
        os.close(self.master)
        return self.p.wait()


def whole(path, words, rows=24, columns=80, env=()):
    s = Screen(["-r", path] + words, rows, columns, env)
    code = s.end()
    return code, s.out


def piped(path, words):
    p = subprocess.run([burin.BURIN, "-r", path] + words, env=dict(os.environ, TZ="UTC", LC_ALL="C"), stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=60)
    return p.stdout.decode("latin-1")


def pages(out):
    """What stood on the alternate screen, page by page, and what follows it."""
    inside = out[out.index(BEGIN) + len(BEGIN):out.index(FINISH)]
    return inside.split(PAGE)[1:], out[out.index(FINISH) + len(FINISH):]


def check(ok, name, got=""):
    burin.report(bool(ok), "chisel-tty-" + name, "" if ok else repr(got)[:600])


def tables(path):
    for name, words in (("top", ["-c", "topfiles_bytes"]), ("report", ["-c", "file_audit"]), ("httptop", ["-c", "httptop"])):
        code, out = whole(path, ["--as-live"] + words)
        shown, rest = pages(out)
        check(code == 0 and out.startswith(BEGIN) and len(shown) == SLOTS - 1, name + "-alternate-screen", out)
        check(all(len(p.rstrip("\n").split("\n")) <= 24 for p in shown), name + "-fits", shown)
        check("\x1b" not in rest, name + "-after", rest)
    plain = piped(path, ["--as-live", "-c", "topfiles_bytes"])
    check("\x1b" not in plain and plain.count("Bytes") == SLOTS, "no-terminal", plain)
    docs = piped(path, ["--as-live", "-j", "-c", "topfiles_bytes"])
    found = [json.loads(d) for d in re.split(r"(?<=\n\})\n", docs) if d.strip()]
    check(len(found) == SLOTS and all(len(d["data"]) == 10 for d in found), "json", docs)
    on_terminal = whole(path, ["--as-live", "-j", "-c", "topfiles_bytes"])[1]
    check(BEGIN not in on_terminal, "json-no-screen", on_terminal)
    check(BEGIN not in whole(path, ["-c", "topfiles_bytes"])[1], "replay-no-screen")


def resizing(path):
    """The rows shown follow the window."""
    data = open(path, "rb").read()
    cut = len(data) * 2 // 3
    s = Screen(["--as-live", "--unbuffered", "--batch-events=16", "-r", "-", "-c", "file_audit"], 12)
    s.feed(data[:cut])
    first = s.read_until(lambda out: out.count(PAGE) >= 1)
    before = s.out.count(PAGE)
    s.resize(30)
    s.feed(data[cut:])
    code = s.end()
    shown = pages(s.out)[0] if BEGIN in s.out and FINISH in s.out else []
    heights = [len(p.rstrip("\n").split("\n")) for p in shown]
    check(code == 0 and first and heights and max(heights[:before]) <= 11 and max(heights) > 20, "resize", (before, heights, s.out[:100]))


def interrupted(path):
    data = open(path, "rb").read()
    s = Screen(["--as-live", "--unbuffered", "--batch-events=16", "-r", "-", "-c", "topfiles_bytes"], 24)
    s.feed(data[:len(data) * 2 // 3])
    s.read_until(lambda out: PAGE in out)
    s.p.send_signal(signal.SIGINT)
    code = s.end()
    check(BEGIN in s.out and FINISH in s.out and s.out.index(FINISH) > s.out.rindex(PAGE), "interrupt", (code, s.out[-300:]))


def colours(path):
    on, off = whole(path, ["-c", "fileslower", "0"])[1], whole(path, ["-c", "fileslower", "0"], env={"NO_COLOR": "1"}.items())[1]
    check("\x1b[" in on and "\x1b" not in off and re.sub(r"\x1b\[\d*m", "", on) == off, "no-color", (on[:200], off[:200]))
    for name in ("spectrogram", "subsecoffset"):
        code, out = whole(path, ["-c", name, "500"], columns=60)
        cells = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in out.split("\n")]
        check(code == 0 and CSI + "?25l" in out and out.rindex(CSI + "?25h") > out.rindex(CSI + "0m") and any(len(c) == 60 for c in cells),
              name, out[:300])
        check("only works on ANSI terminals" in piped(path, ["-c", name]), name + "-no-terminal")


def main():
    with tempfile.TemporaryDirectory(prefix="burin-tty-") as cwd:
        path = os.path.join(cwd, "tty.scap")
        trace(path)
        tables(path)
        resizing(path)
        interrupted(path)
        colours(path)
    burin.finish()


main()
