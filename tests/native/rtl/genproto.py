#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes ntproto.h: the prototypes of the shared run-time library's public functions, which the driver kit's headers
declare for PE builds. Usage: genproto.py ../../../machine/common/rtl/*.c > ntproto.h"""
import re
import sys

PATTERN = re.compile(r"^((?:DECLSPEC_NORETURN )?[A-Z][A-Za-z0-9_]*(?: \*)?) ?NTAPI (\w+)\(([^{;]*?)\)\n\{", re.M)
INET = re.compile(r"^    (NTSTATUS|Type) NTAPI (\w+)##Suffix\(((?:[^{;\\]|\\\n)*?)\)\s*\\\n    \{", re.M)


def show(kind, name, arguments):
    arguments = re.sub(r"(?<!\w)_[A-Z][A-Za-z_]*_(\([^()]*(?:\([^()]*\))?[^()]*\))? ?", "", arguments)
    arguments = re.sub(r"[\s\\]+", " ", arguments)
    print(f"{kind} {name}({arguments});")


print("/* SPDX-License-Identifier: MIT */")
print("/* Written by genproto.py from the library's sources. Do not edit. */\n")
seen = set()
for path in sorted(sys.argv[1:]):
    text = open(path).read()
    for kind, name, arguments in PATTERN.findall(text):
        if name not in seen:
            seen.add(name)
            show(kind, name, arguments)
    for kind, name, arguments in INET.findall(text):
        for suffix, plain, const in (("A", "PSTR", "PCSTR"), ("W", "PWSTR", "PCWSTR")):
            swap = lambda s: re.sub(r"\bType\b", plain, re.sub(r"\bCType\b", const, s))
            show(swap(kind), name + suffix, swap(arguments))
