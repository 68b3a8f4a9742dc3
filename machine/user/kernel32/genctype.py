#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes ctype.inc: runs of BMP characters of one class, from Python's Unicode tables (see ctype.c)."""
import unicodedata

CLASSES = {"L": "CLASS_ALPHA", "P": "CLASS_PUNCT", "S": "CLASS_PUNCT", "Z": "CLASS_SPACE", "C": "CLASS_CONTROL"}


def kind(code):
    category = unicodedata.category(chr(code))
    if category in ("Cn", "Co", "Cs"):
        return None
    if category == "Nd":
        return "CLASS_DIGIT"
    if category in ("Mn", "Mc", "Me", "Nl", "No"):
        return "CLASS_OTHER"
    return CLASSES[category[0]]


runs = []
for code in range(0x10000):
    this = kind(code)
    if this is None:
        continue
    if runs and runs[-1][2] == this and runs[-1][1] == code - 1:
        runs[-1][1] = code
    else:
        runs.append([code, code, this])

print("/* SPDX-License-Identifier: MIT */")
print("/* Made by genctype.py from Unicode %s. */" % unicodedata.unidata_version)
line = ""
for first, last, this in runs:
    entry = "{0x%04X, 0x%04X, %s}," % (first, last, this)
    if len(line) + len(entry) > 117:
        print(line)
        line = ""
    line = (line + " " + entry).strip()
print(line)
