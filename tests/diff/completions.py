#!/usr/bin/env python3
"""The manual page and the completions of bash, zsh and fish: made, well formed, and completing.

usage: completions.py"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import burin  # noqa: E402

BUILD = os.environ.get("BURIN_BUILD", os.path.join(burin.ROOT, "build/release"))
SHARE = os.path.join(BUILD, "share")

# Words before the cursor, one that must be offered, one that must not.
CASES = [
    (["-r", "x", "proc.na"], "proc.name", "proc.pid"),
    (["--worke"], "--workers", "--workers=N"),
    (["-c", "topfiles_b"], "topfiles_bytes", "topfiles_time"),
    (["-p", "%proc.na"], "%proc.name", "%proc.pid"),
    (["-t", ""], "D", "--workers"),
    (["--log-level", "war"], "warning", "error"),
    (["proc.name", "con"], "contains", "container.id"),
    (["evt.type=open", "an"], "and", "or"),
    (["ben"], "bench", "--runs"),
    (["bench", "--ru"], "--runs", "--ring-size"),
]


def run(cmd, **kw):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)


def bash(words):
    script = ('source "$0"; COMP_WORDS=(burin "$@"); COMP_CWORD=$#; _burin; printf "%s\\n" "${COMPREPLY[@]}"')
    return run(["bash", "--norc", "-c", script, os.path.join(SHARE, "burin.bash")] + words).stdout.decode().split()


def fish(words):
    script = 'source $argv[1]; complete -C "$argv[2]"'
    line = "burin " + " ".join(words)
    out = run(["fish", "--no-config", "-c", script, os.path.join(SHARE, "burin.fish"), line]).stdout.decode()
    return [x.split("\t")[0] for x in out.splitlines()]


class Zsh:
    """An interactive zsh: what stands on its line after a tab, and what it lists."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PS1="% ", HISTFILE="")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.send("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; setopt nobeep; LISTMAX=1000; echo rea''dy\n" % SHARE,
                  until=b"ready")

    def send(self, text, quiet=0.6, until=b""):
        """What comes until nothing more comes, but not before that has."""
        os.write(self.fd, text.encode())
        out, end = b"", time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if select.select([self.fd], [], [], quiet)[0]:
                    out += os.read(self.fd, 65536)
                elif until in out:
                    break
            except OSError:
                break
        return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", out).decode(errors="replace")

    def offered(self, words, patience=1):
        # The tab apart: in pasted text it would be an ordinary character.
        out = self.send("burin " + " ".join(words), 0.6 * patience) + self.send("\t", 1.5 * patience)
        self.send("\x15")
        return [w.rstrip("=") for w in re.split(r"[\s,]+", out)]

    def close(self):
        os.write(self.fd, b"exit\n")
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def check(shell, offered):
    for words, want, never in CASES:
        got = offered(words)
        if shell == "zsh" and want not in got:
            got = offered(words, 5)  # a busy machine is silent for longer before it answers
        ok = want in got and never not in got
        burin.report(ok, "%s_%s" % (shell, "_".join(words) or "none"), "" if ok else repr(got[:40]))


def part_shells():
    burin.report(run(["bash", "-n", os.path.join(SHARE, "burin.bash")]).returncode == 0, "bash_syntax")
    check("bash", bash)
    quoted = run(["bash", "--norc", "-c", 'source "$0"; COMP_WORDS=(burin "$1"); COMP_CWORD=1; _burin; echo "${COMPREPLY[0]}"',
                  os.path.join(SHARE, "burin.bash"), "'evt.type=open and (proc.nam"]).stdout
    burin.report(quoted == b"'evt.type=open and (proc.name\n", "bash_quoted")
    glued = bash(["--compat", "=", ""])
    burin.report(glued == ["0.29"], "bash_behind_equals")
    if shutil.which("fish"):
        burin.report(run(["fish", "-n", os.path.join(SHARE, "burin.fish")]).returncode == 0, "fish_syntax")
        check("fish", fish)
    else:
        burin.skip("fish", "fish is not installed")
    if shutil.which("zsh"):
        burin.report(run(["zsh", "-n", os.path.join(SHARE, "_burin")]).returncode == 0, "zsh_syntax")
        z = Zsh()
        check("zsh", z.offered)
        z.close()
    else:
        burin.skip("zsh", "zsh is not installed")


def part_manual():
    page = os.path.join(SHARE, "burin.1")
    with open(page) as f:
        text = f.read()
    if shutil.which("groff"):
        r = run(["groff", "-man", "-ww", "-z", page])
        burin.report(r.returncode == 0 and not r.stderr, "manual_roff", r.stderr.decode()[:300])
    else:
        burin.skip("manual_roff", "groff is not installed")
    plain = text.replace("\\-", "-")
    sections = re.findall(r"(?m)^\.SH (.*)$", text)
    wanted = ["OPTIONS", "BENCH", "FILTERS", "FIELDS", "EXAMPLES", "EXIT STATUS", "FILES"]
    burin.report(all(w in sections for w in wanted), "manual_sections", ", ".join(sections))
    options = set(re.findall(r"(?m)^  (?:-(\w), |    )--([\w-]+)", burin.run(["--help=all"])[1].decode()))
    missing = [lng for _, lng in options if "--" + lng not in plain]
    burin.report(options and not missing, "manual_options", "%d options %s" % (len(options), missing))
    fields = re.findall(r"(?m)^([a-z]\w*(?:\.\w+)+) ", burin.run(["-l"])[1].decode())
    missing = [f for f in fields if f not in plain]
    burin.report(len(fields) > 200 and not missing, "manual_fields", "%d fields %s" % (len(fields), missing))
    burin.report(not re.search(r"@[A-Z]+", text), "manual_filled_in")


def main():
    part_manual()
    part_shells()
    burin.finish()


if __name__ == "__main__":
    main()
