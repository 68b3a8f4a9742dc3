#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes casemap.inc: the simple case mappings of the Basic Multilingual Plane as ranges.

Usage: gencasemap.py > casemap.inc

NT compares names by upcasing single UTF-16 units, so a pair is taken only if it maps one unit to one unit and
back again; that leaves dotless i, long s, micro and the like alone, as NT does. Two additions where NT maps
without a way back: the final sigma and the title-case digraphs.
"""
import sys
import unicodedata


def simple(text):
    return ord(text) if len(text) == 1 and ord(text) < 0x10000 else None


def mappings():
    up, down = {}, {}
    for code in range(0x80, 0x10000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        char = chr(code)
        upper = simple(char.upper())
        lower = simple(char.lower())
        if upper is not None and upper != code:
            if chr(upper).lower() == char or unicodedata.category(char) == "Lt" or code == 0x3C2:
                up[code] = upper
        if lower is not None and lower != code and chr(lower).upper() == char:
            down[code] = lower
    return up, down


def ranges(table):
    """Runs of equal distance between source and target, with a step of 1 or 2."""
    out = []
    for code in sorted(table):
        delta = table[code] - code
        if out:
            first, last, step, d = out[-1]
            gap = code - last
            if d == delta and (gap == step or (first == last and gap <= 2)):
                out[-1] = (first, code, gap, d)
                continue
        out.append((code, code, 1, delta))
    return out


def emit(name, table):
    rows = ranges(table)
    print(f"static const RTLP_CASE_RANGE {name}[] = {{")
    for first, last, step, delta in rows:
        print(f"    {{0x{first:04X}, 0x{last:04X}, {step}, {delta}}},")
    print("};\n")
    return len(rows)


print("/* SPDX-License-Identifier: MIT */")
version = unicodedata.unidata_version
print(f"/* Written by gencasemap.py from the Unicode Character Database {version}. Do not edit. */\n")
up, down = mappings()
n = emit("RtlpUpcaseRanges", up)
m = emit("RtlpDowncaseRanges", down)
print(f"{len(up)} + {len(down)} mappings in {n} + {m} ranges", file=sys.stderr)
