# SPDX-License-Identifier: MIT
"""Runs isthmus.exe on the machine, step by step, and hands back what each step wrote. Used by the tests of the
commands and by docs/ways/make-pictures."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
OUT = os.path.join(ROOT, "out")


class Step:
    """What one program wrote, and its exit code."""

    def __init__(self, command, stdout, stderr, code):
        self.command, self.stdout, self.stderr, self.code = command, stdout, stderr, code


def run(steps, options=(), files=(), driver=True):
    """Runs the steps (see steps.c) in one start of the machine; returns a Step for each run, join and kill.
    driver: load isthmus.sys beforehand; else only place it beside the program."""
    sys_file = os.path.join(OUT, "kit", "isthmus.sys")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as script:
        script.write("\n".join(steps) + "\n")
        script.flush()
        command = [os.path.join(OUT, "machine", "ntrun"), "--timeout", "300", *options]
        command += [sys_file] if driver else ["--add", sys_file]
        for name in ("isthmus.exe", "isthmus.dll"):
            command += ["--add", os.path.join(OUT, "kit", name)]
        for file in files:
            command += ["--add", file]
        command += ["--add", script.name + "=steps.txt", os.path.join(OUT, "tests", "steps.exe"), "steps.txt"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
    text = done.stdout.decode("utf-8").replace("\r\n", "\n")
    if done.returncode != 0 or "@@done" not in text:
        sys.exit(f"{text}\n{done.stderr.decode('utf-8', 'replace')}\nntrun ended with {done.returncode}: {command}")
    pattern = r"^@@step \d+ ([^\n]*)\n@@stdout\n(.*?)^@@stderr\n(.*?)^@@exit (\d+)$"
    return [Step(m[1], m[2], m[3], int(m[4])) for m in re.finditer(pattern, text, re.M | re.S)]
