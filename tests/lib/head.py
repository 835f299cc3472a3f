"""The first whole blocks of a plain trace, at least BYTES of them: head.py TRACE BYTES > OUT"""
import sys

import scapread

data = open(sys.argv[1], "rb").read()
for at, kind, n in scapread.blocks(data):
    if at >= int(sys.argv[2]):
        break
sys.stdout.buffer.write(data[:at])
