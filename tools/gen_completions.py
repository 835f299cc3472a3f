#!/usr/bin/env python3
"""Makes the completions of bash, zsh and fish from the program's own tables.

usage: gen_completions.py BURIN SOURCE-FOLDER OUTPUT-FOLDER

Writes burin.bash, _burin and burin.fish. BURIN is the built program, whose JSON lists of options and fields are used;
chisels are those of chisels/*.lua. Options, their arguments, chisels, fields and operators are completed, in filters
word by word and behind a % of -p."""

import json
import os
import subprocess
import sys

OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "contains", "icontains", "startswith", "endswith", "bcontains",
             "bstartswith", "glob", "iglob", "regex", "in", "intersects", "pmatch", "exists"]
WORDS = ["and", "or", "not"]


def listing(burin, *args):
    return json.loads(subprocess.run([burin, *args], stdout=subprocess.PIPE, check=True).stdout)


def argument(o, chisels):
    """What an option takes: None, "file", "format", or a list of words (empty: anything)."""
    name = o["arg_name"]
    if not name:
        return None
    if o["long"] in ("chisel", "chisel-info", "check-chisel"):
        return chisels
    if name == "FORMAT":
        return "format"
    if name == "FILE":
        return "file"
    if o["long"] == "log-level":
        return ["trace", "debug", "info", "notice", "warning", "error", "critical", "fatal"]
    if "|" in name:
        return name.split("|")
    if name in ("0.29", "all"):
        return [name]
    return []


class Tables:
    def __init__(self, burin, src):
        self.chisels = sorted(n[:-4] for n in os.listdir(os.path.join(src, "chisels")) if n.endswith(".lua"))
        self.options = [o for o in listing(burin, "--help=all", "-j") if o["group"]]
        self.bench = listing(burin, "bench", "--help", "-j")
        for o in self.options + self.bench:
            o["takes"] = argument(o, self.chisels)
        self.fields = sorted({f["name"] for f in listing(burin, "-l", "-j") if "table_only" not in f["flags"]})

    def names(self, o):
        return (["-" + o["short"]] if o["short"] else []) + (["--" + o["long"]] if o["long"] else [])


def wrap(words, indent):
    lines, line = [], indent
    for w in words:
        if len(line) + len(w) > 110:
            lines.append(line.rstrip())
            line = indent
        line += w + " "
    return "\n".join(lines + [line.rstrip()])


BASH = r"""# bash completion for burin; made by tools/gen_completions.py
_burin_fields="
@FIELDS@"
_burin_chisels="
@CHISELS@"
_burin_operators="@OPERATORS@"

# Candidates for the part of the word behind its last separator; the part before it stays.
_burin_words() { # SEPARATORS WORD...
	local cur=$1 seps=$2 head part
	shift 2
	part=${cur##*[$seps]}
	head=${cur%"$part"}
	mapfile -t COMPREPLY < <(compgen -P "$head" -W "$*" -- "$part")
	compopt -o nospace 2>/dev/null
}

_burin() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	if [ "$cur" = "=" ]; then
		cur=
	elif [ "$prev" = "=" ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $prev in
@CASES@
	esac
	if [ "$COMP_CWORD" = 1 ] && [ -n "$cur" ] && [[ bench == "$cur"* ]]; then
		COMPREPLY=(bench)
		return
	fi
	if [ "${COMP_WORDS[1]}" = bench ] && [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "@BENCH@" -- "$cur"))
		return
	fi
	case $cur in
	-*)
		COMPREPLY=($(compgen -W "
@OPTIONS@" -- "$cur"))
		return
		;;
	esac
	case " ${_burin_fields//$'\n'/ } " in
	*" $prev "*) COMPREPLY=($(compgen -W "$_burin_operators" -- "$cur")); return ;;
	esac
	case " $_burin_operators " in
	*" $prev "*) return ;;
	esac
	_burin_words "$cur" " (,'\"" $_burin_fields and or not
}

_burin_chisel() {
	local own
	own=$(cd ./chisels 2>/dev/null && printf '%s ' *.lua; cd ~/.chisels 2>/dev/null && printf '%s ' *.lua)
	own=${own//.lua/}
	COMPREPLY=($(compgen -W "$_burin_chisels ${own//'*'/}" -- "$1"))
}

complete -o default -F _burin burin
"""


def bash_case(t, o):
    takes = o["takes"]
    if takes is None or o["arg"] == 2:
        return None
    pattern = "|".join(t.names(o))
    if takes == "file":
        body = "COMPREPLY=($(compgen -f -- \"$cur\"))"
    elif takes == "format":
        body = "_burin_words \"$cur\" \"%\" $_burin_fields"
    elif takes is t.chisels:
        body = "_burin_chisel \"$cur\""
    elif takes:
        body = "COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))" % " ".join(takes)
    else:
        body = ":"
    return "\t%s) %s; return ;;" % (pattern, body)


def bash(t):
    cases = "\n".join(filter(None, (bash_case(t, o) for o in t.options)))
    names = [n for o in t.options for n in t.names(o)] + ["-cl", "-pc", "-lv"]
    return (BASH.replace("@FIELDS@", wrap(t.fields, "")).replace("@CHISELS@", wrap(t.chisels, ""))
            .replace("@OPERATORS@", " ".join(OPERATORS)).replace("@CASES@", cases)
            .replace("@OPTIONS@", wrap(names, ""))
            .replace("@BENCH@", " ".join(n for o in t.bench for n in t.names(o))))


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_text(text):
    for c in "\\[]:":
        text = text.replace(c, "\\" + c)
    return text


def zsh_argument(t, o):
    takes = o["takes"]
    if takes is None:
        return ""
    name = zsh_text(o["arg_name"].lower())
    action = {"file": "_files", "format": "_burin_format"}.get(takes if isinstance(takes, str) else "", "")
    if takes is t.chisels:
        action = "_burin_chisels"
    elif isinstance(takes, list) and takes:
        action = "(%s)" % " ".join(takes)
    return "%s:%s:%s" % (":" if o["arg"] == 2 else "", name, action or " ")


ZSH = r"""#compdef burin
# zsh completion for burin; made by tools/gen_completions.py
local -a burin_fields burin_operators burin_words
burin_fields=(
@FIELDS@
)
burin_operators=(@OPERATORS@)
burin_words=(and or not)

_burin_chisels() {
	local -a names
	names=(
@CHISELS@
		./chisels/*.lua(N:t:r) ~/.chisels/*.lua(N:t:r)
	)
	compadd -a names
}

# What stands behind the last % of a format.
_burin_format() {
	compset -P '*%'
	compadd -S '' -a burin_fields
}

_burin_filter() {
	compset -P '*[ (,]'
	if (( ${burin_fields[(Ie)${words[CURRENT-1]}]} )) && [[ -z $IPREFIX ]]; then
		compadd -a burin_operators
	else
		compadd -S '' -a burin_fields
		compadd -a burin_words
	fi
}

if [[ ${words[2]} == bench ]] && (( CURRENT > 2 )); then
	_arguments -s -S \
@BENCH@
		'*:filter:_burin_filter'
	return
fi
_arguments -s -S \
@ARGUMENTS@
	'1:command or filter:{ compadd bench; _burin_filter }' \
	'*:filter:_burin_filter'
"""


def zsh_options(t, rows):
    args = []
    for o in rows:
        many = "*" if o["long"] in ("readfile", "chisel", "suppress-comm", "cpus-for-each-buffer") else ""
        text = "[%s]" % zsh_text(o["help"])
        for n in t.names(o):
            glued = "" if not o["takes"] and o["takes"] != [] else ("=" if n.startswith("--") else "+")
            if o["arg"] == 2:
                glued = "=-" if n.startswith("--") else "-"
            args.append("\t%s \\" % quote(many + n + glued + text + zsh_argument(t, o)))
    return "\n".join(args)


def zsh(t):
    return (ZSH.replace("@FIELDS@", wrap(t.fields, "\t")).replace("@CHISELS@", wrap(t.chisels, "\t\t"))
            .replace("@OPERATORS@", " ".join(quote(x) for x in OPERATORS))
            .replace("@ARGUMENTS@", zsh_options(t, t.options)).replace("@BENCH@", zsh_options(t, t.bench)))


FISH = r"""# fish completion for burin; made by tools/gen_completions.py
set -g __burin_fields @FIELDS@
set -g __burin_operators @OPERATORS@

function __burin_chisels
	printf '%s\n' @CHISELS@
	for f in ./chisels/*.lua ~/.chisels/*.lua
		path basename $f 2>/dev/null | string replace -r '\.lua$' ''
	end
end

# What stands behind the last % of a format, with what stands before it.
function __burin_format
	set -l head (commandline -ct | string replace -r '[^%]*$' '')
	test -n "$head"; or set head '%'
	printf '%s\n' $head$__burin_fields
end

# A filter in one quoted word, or in several.
function __burin_filter
	set -l words (commandline -opc)
	set -l head (commandline -ct | string replace -r '[^ (,"\']*$' '' | string trim -l -c '"\'')
	if contains -- "$words[-1]" $__burin_fields
		printf '%s\n' $__burin_operators
	else
		printf '%s\n' $head$__burin_fields $head'and' $head'or' $head'not'
	end
end

complete -c burin -f -a '(__burin_filter)'
complete -c burin -n '__fish_is_first_arg' -a bench -d 'what filters cost'
"""


def fish_option(t, o, when=""):
    line = "complete -c burin" + when
    if o["short"]:
        line += " -s %s" % o["short"]
    if o["long"]:
        line += " -l %s" % o["long"]
    takes = o["takes"]
    if takes is not None and o["arg"] == 1:
        line += {"file": " -rF", "format": " -x -a '(__burin_format)'"}.get(takes if isinstance(takes, str) else "", "")
        if takes is t.chisels:
            line += " -x -a '(__burin_chisels)'"
        elif isinstance(takes, list):
            line += " -x" + (" -a %s" % quote(" ".join(takes)) if takes else "")
    return line + " -d %s" % quote(o["help"])


def fish(t):
    head = (FISH.replace("@FIELDS@", " ".join(t.fields)).replace("@CHISELS@", " ".join(t.chisels))
            .replace("@OPERATORS@", " ".join(quote(x) for x in OPERATORS)))
    in_bench = " -n '__fish_seen_subcommand_from bench'"
    lines = [fish_option(t, o) for o in t.options]
    lines += [fish_option(t, o, in_bench) for o in t.bench if not any(o["long"] == x["long"] for x in t.options)]
    return head + "\n".join(lines) + "\n"


def main():
    burin, src, out = sys.argv[1:]
    t = Tables(burin, src)
    os.makedirs(out, exist_ok=True)
    for name, text in (("burin.bash", bash(t)), ("_burin", zsh(t)), ("burin.fish", fish(t))):
        with open(os.path.join(out, name), "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
