#!/usr/bin/env python3
"""Embeds Lua files: gen_lua.py OUT.c NAME=FILE... -> a table of {name, text, length} for engine/chisel."""
import sys


def main():
    out, items = sys.argv[1], [a.split("=", 1) for a in sys.argv[2:]]
    with open(out, "w") as f:
        f.write('#include "chisel/prelude.h"\n\n')
        for i, (_, path) in enumerate(items):
            data = open(path, "rb").read()
            f.write("static const unsigned char text%d[] = {\n" % i)
            for j in range(0, len(data), 24):
                f.write("\t" + ",".join(str(b) for b in data[j:j + 24]) + ",\n")
            f.write("\t0};\n")
        f.write("\nconst struct lua_text lua_texts[] = {\n")
        for i, (name, _) in enumerate(items):
            f.write('\t{ "%s", (const char *)text%d, sizeof(text%d) - 1 },\n' % (name, i, i))
        f.write("\t{ 0, 0, 0 },\n};\n")


main()
