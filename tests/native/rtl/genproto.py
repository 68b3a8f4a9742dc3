#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes ntproto.h: the prototypes of the shared run-time library's public functions, which the driver kit's headers
declare for PE builds. Usage: genproto.py ../../../machine/common/rtl/*.c > ntproto.h"""
import re
import sys

print("/* SPDX-License-Identifier: MIT */")
print("/* Written by genproto.py from the library's sources. Do not edit. */\n")
seen = set()
for path in sorted(sys.argv[1:]):
    text = open(path).read()
    for match in re.finditer(r"^((?:DECLSPEC_NORETURN )?[A-Z][A-Za-z0-9_]*(?: \*)?) ?NTAPI ((?:Rtl|Rtlx)\w+)\(([^{;]*?)\)\n\{", text, re.M):
        kind, name, arguments = match.groups()
        if name in seen:
            continue
        seen.add(name)
        arguments = re.sub(r"_[A-Z][A-Za-z_]*_(\([^()]*(?:\([^()]*\))?[^()]*\))? ", "", arguments)
        arguments = re.sub(r"\s+", " ", arguments)
        print(f"{kind} {name}({arguments});")
