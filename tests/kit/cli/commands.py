# SPDX-License-Identifier: MIT
"""The commands of isthmus.exe, run on the machine: commands.py [group...]. Each group is one start of the machine."""
import json
import os
import re
import sys
import unittest
import xml.etree.ElementTree as xml

import jsonschema

import machine

with open(os.path.join(machine.ROOT, "docs", "describe.schema.json"), encoding="utf-8") as file:
    SCHEMA = json.load(file)
COMMANDS = "demo install start stop remove share alloc channel list describe stat version help".split()
SVG = "{http://www.w3.org/2000/svg}"


class Group(unittest.TestCase):
    """One start of the machine. STEPS run once; check() looks at them one after the other."""

    def run_steps(self, *steps, **how):
        self.steps = iter(machine.run(steps, **how))

    def next(self, code, stdout=None, stderr=None):
        """The next step's result, after checking its exit code and what it must have said."""
        step = next(self.steps)
        print(f"{step.command}: exit code {step.code}{', said: ' + step.stderr.strip() if step.stderr else ''}")
        said = f"{step.command}\n{step.stdout}{step.stderr}"
        self.assertEqual(step.code, code, said)
        self.assertNotIn("\x1b", step.stdout + step.stderr, "escape sequences where there is no terminal")
        self.assertNotIn("@@", step.stdout + step.stderr, "a line without an end")
        if code == 0:
            self.assertEqual(step.stderr, "", said)
        elif stderr is not None:
            self.assertRegex(step.stderr, r"^isthmus: [^\n]+\n$", said)
        if stdout is not None:
            self.assertRegex(step.stdout, stdout, said)
        if stderr is not None:
            self.assertRegex(step.stderr, stderr, said)
        return step

    def next_json(self):
        return json.loads(self.next(0).stdout)

    def next_description(self):
        """A description that fits the schema, with frames that agree wherever two are told."""
        description = self.next_json()
        jsonschema.validate(description, SCHEMA)
        self.assertNotRegex(json.dumps(description), r"(?i)0x(ffff|[8-9a-f])[0-9a-f]{11}", "a kernel address")
        for mdl in description["mdls"]:
            for page in mdl["pages"]:
                told = {page[key] for key in ("mdlPfn", "userPfn", "kernelPfn")} - {None}
                self.assertEqual(len(told), 0 if description["framesWithheld"] else 1, page)
        return description

    def done(self):
        self.assertIsNone(next(self.steps, None), "a step that nobody looked at")


class Usage(Group):
    """Help and wrong usage, without a driver."""

    def test(self):
        wrong = [
            ("", "usage: isthmus COMMAND"),
            ("nonsense", "there is no command \"nonsense\"; isthmus help lists them"),
            ("help nonsense", "there is no command"),
            ("list --svg", "list has no option --svg; see isthmus help list"),
            ("stat -x", "stat has no option -x"),
            ("start now", "start takes no \"now\""),
            ("list everything", "sessions, regions or views"),
            ("stat --json=yes", "--json takes no value"),
            ("describe --size", "--size needs a value"),
            ("describe --size many", "--size wants a number of bytes like 8192, 0x2000 or 8K, not \"many\""),
            ("describe --size 99999999999999999999", "--size wants"),
            ("describe --size 17179869184G", "--size wants"),
            ("describe --size 4Q", "--size wants"),
            ("describe --size 0", "must be at least 1"),
            ("describe --size -1", "--size wants"),
            ("describe --parts 2K --request in-direct", "--parts wants a number"),
            ("describe --kind fish", "--kind is user, nonpaged, paged, pages or channel"),
            ("describe name --size 1", "a NAME says which region"),
            ("describe --json --svg", "different forms"),
            ("describe --request by-hand", "--request is"),
            ("describe --request buffered --parts 2", "--parts is for"),
            ("describe --request in-direct --parts 9", "at most 8"),
            ("describe --request neither --size 1M", "up to 64 pages"),
            ("describe --kind pages --offset 1", "for buffers of this process"),
            ("describe --all --pages 1", "contradict"),
            ("describe --pages 0", "at least 1"),
            ("describe --to driver", "--to is program or driver, for --kind channel"),
            ("describe --kind channel --to both", "--to is program or driver, for --kind channel"),
            ("describe --kind channel --size 12K", "a power of two from 4K"),
            ("channel now", "channel takes no \"now\""),
            ("channel --to nobody", "--to is program, driver or both"),
            ("channel --size 16-", "--size wants bytes like 64, or a range like 16-1K, not \"16-\""),
            ("channel --size 1-2-3", "--size wants bytes like 64"),
            ("channel --size 64-32", "--size is MIN or MIN-MAX, up to 64K"),
            ("channel --size 16-65K --capacity 1M", "--size is MIN or MIN-MAX, up to 64K"),
            ("channel --size 15", "--size is 16 or more to the program"),
            ("channel --size 4089 --capacity 4K", "8 bytes less than the --capacity"),
            ("channel --capacity 12K", "--capacity is a power of two from 4K to 512M"),
            ("channel --capacity 1G", "--capacity is a power of two from 4K to 512M"),
            ("channel --records 0", "must be at least 1"),
            ("channel --producers 9", "--producers is at most 8"),
            ("channel --to driver --drop", "are for streams to the program"),
            ("channel --overwrite --producers 2", "--overwrite is for one producer"),
            ("channel --overwrite --drop", "--overwrite is for one producer"),
            ("share", "wants a file or --size"),
            ("share file --size 1", "wants a file or --size"),
            ("share --size 1 --offset 4096", "below 4096"),
            ("alloc --kind user", "the driver allocates nonpaged, paged or pages"),
            ("alloc --for forever", "--for wants a number"),
            ("demo --file", "--file needs a value"),
            ("demo sideways", "there is no way sideways"),
        ]
        helps = [f"help {name}" for name in COMMANDS] + [f"{name} --help" for name in COMMANDS] + [
            "list --nonsense -h", "-h", "--help", "/?", "help"]
        self.run_steps(*[f"run isthmus {line}" for line, _ in wrong], *[f"run isthmus {line}" for line in helps],
                       "run isthmus version", "run isthmus --version", "run isthmus list", "run isthmus stat --json",
                       "run isthmus share --size 1", "run isthmus describe", "run isthmus share nofile.bin",
                       driver=False)
        for line, says in wrong:
            step = self.next(2)
            self.assertRegex(step.stderr, says)
            self.assertEqual(step.stdout, "")
            self.assertTrue(line == "" or re.fullmatch(r"isthmus: [^\n]+\n", step.stderr), step.stderr)
        for line in helps:
            step = self.next(0)
            command = next((name for name in COMMANDS if name in line.split() and line != "help"), None)
            if command:
                self.assertTrue(step.stdout.startswith(f"usage: isthmus {command}"), step.stdout)
            else:
                self.assertEqual(re.findall(r"^  (\w+) ", step.stdout, re.M), COMMANDS)
            self.assertLess(max(map(len, step.stdout.splitlines())), 121)
        for _ in range(2):
            self.next(0, r"^isthmus.exe  \d+\.\d+\.\d+\nisthmus.sys  not running\n$")
        for _ in range(4):
            self.next(1, r"^$", r"^isthmus: cannot open the driver: error 2\. .*isthmus start")
        self.next(1, r"^$", r"cannot open nofile.bin \(error 2\)")
        self.done()


class Service(Group):
    """The driver's way through the service control manager."""

    def test(self):
        self.run_steps("run isthmus start", "run isthmus stop", "run isthmus remove",
                       "run isthmus install --sys no.sys", "run isthmus install --demo",
                       "run isthmus install", "run isthmus stop", "run isthmus start",
                       "run isthmus start", "run isthmus version", "run isthmus demo why --file steps.txt",
                       "run isthmus stop", "run isthmus version", "run isthmus remove", "run isthmus remove",
                       driver=False)
        for _ in range(3):
            self.next(1, r"^$", r"error 1060\. The driver isn't installed: run isthmus install\.")
        self.next(1, r"^$", r"there is no .*no\.sys; put isthmus\.sys beside isthmus\.exe or give it with --sys")
        self.next(0, r"^$")
        self.next(1, r"^$", r"error 1073\. The driver is installed already")
        self.next(1, r"^$", r"error 1062\. The driver isn't running")
        self.next(0, r"^$")
        self.next(1, r"^$", r"error 1056\. The driver is running already")
        self.next(0, r"isthmus.sys  \d+\.\d+\.\d+ on system \d+\.\d+\.\d+\n$")
        self.next(0, r"proofs, 0 failed\n$")
        self.next(0, r"^$")
        self.next(0, r"isthmus.sys  not running")
        self.next(0, r"^$")
        self.next(1, r"^$", r"error 1060")
        self.done()


class Hold(Group):
    """Two processes that hold something, and a third that looks."""

    def test(self):
        self.run_steps("start a isthmus alloc --kind nonpaged --size 20000 --name First --for 600",
                       "start b isthmus share steps.txt --offset 0x123 --name second --read-only --check --for 600",
                       "run isthmus list", "run isthmus list --json", "run isthmus list views --json",
                       "run isthmus describe first --json", "run isthmus describe second --json",
                       "run isthmus alloc --name FIRST", "run isthmus stat --json", "run isthmus stat",
                       "kill a", "run isthmus describe first", "run isthmus list --json", "kill b",
                       "run isthmus list --json", "run isthmus share --size 5000 --for 0", "run isthmus alloc",
                       "start c isthmus alloc --name third --for 1", "join c", "run isthmus list --json",
                       "run isthmus share --size 4G", "run isthmus alloc --size 1G", "run isthmus stat --json")
        step = self.next(0)
        for title in ("sessions", "regions", "views"):
            self.assertIn(f"{title}\n      id  process  image", step.stdout)
        columns = [line.split() for line in step.stdout.splitlines()]
        self.assertTrue(any(c[2:] == ["isthmus.exe", "nonpaged", "pool", "read-write", "20,000", "2", "live", "First"]
                            for c in columns), step.stdout)
        everything = self.next_json()
        self.assertEqual(len(everything["sessions"]), 3)
        first, second = everything["regions"]
        self.assertEqual((first["name"], first["kind"], first["bytes"], first["access"]),
                         ("First", "nonpaged pool", 20000, "read-write"))
        self.assertEqual((second["name"], second["kind"], second["access"]), ("second", "user buffer", "read-only"))
        self.assertEqual(first["process"]["image"], "isthmus.exe")
        view, = everything["views"]
        self.assertEqual((view["region"], view["process"]), (first["id"], first["process"]))
        self.assertEqual(self.next_json(), {"views": [view]})

        described = self.next_description()
        self.assertEqual(described["region"]["process"], first["process"])
        self.assertEqual([v["own"] for v in described["views"]], [False, True])
        self.assertEqual(described["views"][0]["address"], view["address"])
        self.assertEqual([p["userPfn"] for p in described["mdls"][0]["pages"]],
                         [p["mdlPfn"] for p in described["mdls"][0]["pages"]])
        described = self.next_description()
        self.assertEqual(described["views"][0]["id"], None)
        self.assertFalse(described["views"][0]["own"])
        self.assertIsNone(described["mdls"][0]["userAddress"])
        self.assertEqual(described["mdls"][0]["mdl"]["byteOffset"], 0x123)
        self.next(1, r"^$", r"cannot name the region: error 183\. The name is taken")
        held = self.next_json()["held"]
        self.assertEqual((held["sessions"], held["regions"], held["views"]), (3, 2, 1))
        self.next(0, r"^held now\n(  .*\n)+since the driver started\n(  .*\n)+limits +per process +in all\n(  .*\n)+$")

        self.next(77, r"^region \d+\n  name      First\n  kind      nonpaged pool\n")
        self.next(1, r"^$", r"cannot open the region: error 2\. Not found")
        left = self.next_json()
        self.assertEqual([r["name"] for r in left["regions"]], ["second"])
        self.assertEqual(left["views"], [])
        self.next(77, r"check     CRC-32 [0-9A-F]{8}; the driver's is the same")
        self.assertEqual(self.next_json()["regions"], [])
        self.next(0, r"kind      user buffer\n  access    read-write\n  bytes     5,000\n")
        self.next(0, r"kind      paged pool\n  access    read-write\n  bytes     12,288\n")
        self.next(0, r"name      third")
        self.assertEqual(self.next_json()["regions"], [])
        self.next(1, None, r"cannot (allocate|share) the buffer: error \d+\. ")
        self.next(1, r"^$", r"error 1816\. A quota of the driver is reached: release something, or raise it")
        statistics = self.next_json()
        self.assertGreaterEqual(statistics["total"]["refusals"], 1)
        self.assertEqual((statistics["held"]["regions"], statistics["held"]["lockedBytes"]), (0, 0))
        self.assertGreater(statistics["limits"]["regions"]["process"], 0)
        self.done()


class Describe(Group):
    """Every kind and every method, as text and as JSON."""

    def test(self):
        kinds = ["user", "nonpaged", "paged", "pages"]
        methods = ["buffered", "in-direct", "out-direct", "neither"]
        requests = [f"run isthmus describe --request {method} --size 9000 --offset 100 --json" for method in methods]
        self.run_steps(*[f"run isthmus describe --kind {kind} --size 20000 --json" for kind in kinds],
                       *[f"run isthmus describe --kind {kind}" for kind in kinds], *requests,
                       "run isthmus describe --request in-direct --parts 8 --size 5000 --json",
                       "run isthmus describe --request in-direct --parts 2",
                       "run isthmus describe --request buffered",
                       "run isthmus describe --size 1M", "run isthmus describe --size 1M --json",
                       "run isthmus describe --size 1M --json --pages 3", "run isthmus describe --size 1M --all",
                       "run isthmus describe --size 12G", "run isthmus describe --offset 4095 --size 2 --json")
        expected = {"user": (0x8B, {"MDL_MAPPED_TO_SYSTEM_VA", "MDL_PAGES_LOCKED", "MDL_ALLOCATED_FIXED_SIZE",
                                    "MDL_WRITE_OPERATION"}),
                    "nonpaged": (0x0C, {"MDL_SOURCE_IS_NONPAGED_POOL", "MDL_ALLOCATED_FIXED_SIZE"}),
                    "paged": (None, {"MDL_MAPPED_TO_SYSTEM_VA", "MDL_PAGES_LOCKED"}),
                    "pages": (None, {"MDL_MAPPED_TO_SYSTEM_VA", "MDL_PAGES_LOCKED"})}
        for kind in kinds:
            described = self.next_description()
            mdl = described["mdls"][0]["mdl"]
            flags, names = expected[kind]
            self.assertLessEqual(names, set(mdl["flagNames"]))
            if flags is not None:
                self.assertEqual(mdl["mdlFlags"], flags)
            self.assertEqual(bin(mdl["mdlFlags"]).count("1"), len(mdl["flagNames"]))
            self.assertEqual(mdl["process"], kind == "user")
            self.assertEqual(mdl["startVa"] is None, kind in ("nonpaged", "paged"))
            self.assertEqual(len(described["mdls"][0]["pages"]), 5)
            self.assertEqual([v["own"] for v in described["views"]], [True])
        for _ in kinds:
            step = self.next(0, r"^region \d+  ")
            fields = re.findall(r"^  (0x[0-9A-F]{2})  (\S+)", step.stdout, re.M)
            self.assertEqual([f[0] for f in fields],
                             ["0x00", "0x08", "0x0A", "0x0C", "0x10", "0x18", "0x20", "0x28", "0x2C", "0x30"])
            rows = re.findall(r"^ +(\d)  (0x[0-9a-f]{16}) +(0x[0-9a-f]+) +(0x[0-9a-f]+) +(0x[0-9a-f]+)$", step.stdout,
                              re.M)
            self.assertEqual([row[0] for row in rows], ["0", "1", "2"])
            self.assertTrue(all(row[2] == row[3] == row[4] for row in rows), rows)
        for method in methods:
            described = self.next_description()
            self.assertEqual((described["request"]["method"], described["request"]["bytes"]), (method, 9000))
            mdl = described["mdls"][0]["mdl"]
            if method == "buffered":
                self.assertIsNone(mdl)
                continue
            self.assertEqual((mdl["byteOffset"], mdl["byteCount"], mdl["pageCount"]), (100, 9000, 3))
            self.assertEqual("MDL_WRITE_OPERATION" in mdl["flagNames"], method == "out-direct")
            self.assertEqual([p["userPfn"] for p in described["mdls"][0]["pages"]],
                             [p["mdlPfn"] for p in described["mdls"][0]["pages"]])
        described = self.next_description()
        self.assertEqual([m["mdl"]["next"] for m in described["mdls"]], [True] * 7 + [False])
        self.assertEqual([m["offset"] for m in described["mdls"]], [5000 * i for i in range(8)])
        self.next(0, r"MDL 1 of 2[^@]*Next +set: the chain goes on[^@]*MDL 2 of 2[^@]*Next +NULL")
        self.next(0, r"No MDL: the I/O manager copies")
        step = self.next(0, r" 240 more; --all shows them\n +255  0x")
        self.assertEqual(len(re.findall(r"^ +\d+  0x", step.stdout, re.M)), 16)
        self.assertEqual([p["index"] for p in self.next_description()["mdls"][0]["pages"]], list(range(256)))
        self.assertEqual([p["index"] for p in self.next_description()["mdls"][0]["pages"]], [0, 1, 255])
        self.assertEqual(len(re.findall(r"^ +\d+  0x", self.next(0).stdout, re.M)), 256)
        self.next(1, r"^$", r"error \d+\. ")
        mdl = self.next_description()["mdls"][0]["mdl"]
        self.assertEqual((mdl["byteOffset"], mdl["byteCount"], mdl["pageCount"]), (4095, 2, 2))
        self.done()


class Channel(Group):
    """Streams, and how a channel is listed and described."""

    def table(self, text):
        """{"to the program": {"records": ("10,000", "10,000"), ...}, ...}; under "pages" what may be written."""
        tables = {}
        for part in re.split(r"^(?=to the )", text, flags=re.M)[1:]:
            rows = {m[1].strip(): (m[2], m[3]) for m in re.finditer(r"^  ([\w -]{16}) *(\S+) +(\S+)$", part, re.M)}
            rows["pages"] = dict(re.findall(r"^  (\w[\w' ]{14}[\w ]) *0x[0-9a-f]{16}  (\S+)", part, re.M))
            rows["pages"] = {name.strip(): access for name, access in rows["pages"].items()}
            tables[re.match(r"to the \w+", part)[0]] = rows
        return tables

    def check(self, rows, produces, records=None, overwritten=False):
        """What must hold of any stream; returns the driver's records and this program's."""
        if not overwritten:
            for name in ("records", "bytes", "CRC-32"):
                self.assertEqual(*rows[name], name)
        may = {True: "writable", False: "read-only"}
        self.assertEqual(rows["pages"], {"description": "read-only", "producer's page": may[produces],
                                         "consumer's page": may[not produces], "data": may[produces]})
        driver, program = (int(n.replace(",", "")) for n in rows["records"])
        if records:
            self.assertEqual(program, records)
        return driver, program

    def test(self):
        self.run_steps("start a isthmus channel --for 600", "run isthmus list --json", "run isthmus list", "kill a",
                       "run isthmus channel", "run isthmus channel --to program --producers 4 --records 2000 --size 16-64",
                       "run isthmus channel --to program --overwrite --capacity 16K --records 3000",
                       "run isthmus channel --to program --drop --capacity 4K --records 3000 --size 100",
                       "run isthmus channel --to driver --records 3 --size 4088 --capacity 4K",
                       "user isthmus channel --records 100", "run isthmus describe --kind channel",
                       "run isthmus describe --kind channel --to driver --size 16K --json",
                       "run isthmus describe --kind channel --json", "user isthmus describe --kind channel --json",
                       "run isthmus describe --kind channel --svg", "run isthmus demo channel --file steps.txt",
                       "run isthmus demo 7 --file steps.txt", "run isthmus stat --json")
        listed = self.next_json()
        self.assertEqual([(r["kind"], r["bytes"], r["name"]) for r in listed["regions"]],
                         [("channel", 3 * 4096 + 65536, None)] * 2)
        self.assertEqual([(v["access"], v["bytes"]) for v in listed["views"]], [("by part", 3 * 4096 + 2 * 65536)] * 2)
        self.next(0, r"channel +read-write +77,824 +2  live")
        step = self.next(77)
        self.assertEqual(list(self.table(step.stdout)), ["to the program", "to the driver"])

        both = self.table(self.next(0).stdout)
        self.check(both["to the program"], False, 10000)
        self.check(both["to the driver"], True, 10000)
        self.check(self.table(self.next(0, "in 4 DPCs at once").stdout)["to the program"], False, 8000)
        rows = self.table(self.next(0, "overwrites the oldest").stdout)["to the program"]
        driver, program = self.check(rows, False, overwritten=True)
        self.assertEqual((driver, program + int(rows["overwritten"][0].replace(",", ""))), (3000, 3000))
        self.assertLess(program, 1000)
        rows = self.table(self.next(0, "drops what finds no room").stdout)["to the program"]
        self.check(rows, False, 4096 // 112)
        self.assertEqual(rows["dropped"], (f"{3000 - 4096 // 112:,}", "-"))
        self.check(self.table(self.next(0).stdout)["to the driver"], True, 3)
        step = self.next(0, "shown to administrators only")
        self.check(self.table(step.stdout)["to the program"], False, 100)
        self.assertEqual(re.findall(r"0x[0-9a-f]{16}  \S+ +(\S+)  ", step.stdout), ["-"] * 8)

        self.next(0, r"MDL 4 of 4  bytes 12,288 to 28,671: data, read-only for this process; all pages twice in a row\n")
        for capacity, produces in ((16384, True), (8192, False)):
            described = self.next_description()
            self.assertEqual((described["region"]["kind"], described["views"][0]["access"]), ("channel", "by part"))
            parts = {mdl["part"]: mdl for mdl in described["mdls"]}
            self.assertEqual(list(parts), ["description", "producer's page", "consumer's page", "data"])
            self.assertEqual([mdl["access"] == "read-write" for mdl in parts.values()],
                             [False, produces, not produces, produces])
            frames = [page["mdlPfn"] for page in parts["data"]["pages"]]
            self.assertEqual((len(frames), parts["data"]["repeatsFrom"]), (2 * capacity // 4096, capacity // 4096))
            self.assertEqual(frames[:len(frames) // 2], frames[len(frames) // 2:])
            self.assertEqual(len(set(frames)), len(frames) // 2)
            self.assertEqual([mdl["mdl"]["process"] for mdl in described["mdls"]], [False] * 4)
        self.assertTrue(self.next_description()["framesWithheld"])
        root = xml.fromstring(self.next(0).stdout)
        texts = ["".join(text.itertext()) for text in root.iter(SVG + "text")]
        for text in ("consumer's page, writable", "data page 1 again, read-only", "data page 1 again", "view "):
            self.assertTrue(any(text in one for one in texts), text)
        self.assertEqual(len([r for r in root.iter(SVG + "rect") if r.get("class") == "frame"]), 5)
        self.assertEqual(len([p for p in root.iter(SVG + "path") if p.get("class", "").startswith("wire")]), 14)
        for _ in range(2):
            self.next(0, r"7\. A channel(.*\n)+.*12 proofs, 0 failed\n$")
        held = self.next_json()["held"]
        self.assertEqual((held["sessions"], held["regions"], held["views"], held["mdlsLocked"]), (1, 0, 0, 0))
        self.done()


class Plain(Group):
    """What someone who isn't an administrator gets to see."""

    def test(self):
        self.run_steps("start a isthmus alloc --name private --for 600", "user isthmus list --json",
                       "user isthmus describe private", "user isthmus describe --kind paged --size 20K --json",
                       "user isthmus describe --request in-direct --json", "user isthmus describe",
                       "user isthmus describe --svg", "user isthmus demo --file steps.txt user kernel",
                       "user isthmus alloc --size 5000 --for 0", "user isthmus stop", "user isthmus stat --json",
                       "kill a")
        listed = self.next_json()
        self.assertEqual((len(listed["sessions"]), listed["regions"], listed["views"]), (1, [], []))
        self.next(1, r"^$", r"cannot open the region: error 5\. Access denied: run as an administrator, or ask")
        for _ in range(2):
            self.assertTrue(self.next_description()["framesWithheld"])
        step = self.next(0, r"Frames are shown to administrators only\.\n$")
        rows = re.findall(r"^ +\d+  0x[0-9a-f]{16} +- +- +-$", step.stdout, re.M)
        self.assertEqual(rows, step.stdout.splitlines()[-4:-1])
        root = xml.fromstring(self.next(0).stdout)
        texts = ["".join(text.itertext()) for text in root.iter(SVG + "text")]
        self.assertIn("shown to administrators only", texts)
        self.assertEqual(texts.count("withheld"), 3)
        self.next(3, r"this proof is left out(.*\n)*.*refused .*for administrators(.*\n)*\d+ proofs, 0 failed, \d refused\n$")
        self.next(0, r"kind      paged pool")
        self.next(1, r"^$", r"error 5\. Access denied: run as an administrator")
        self.next_json()
        self.next(77)
        self.done()


class Segments(Group):
    """A region that takes several MDLs."""

    def test(self):
        self.run_steps("run isthmus install", "set SegmentBytes 8192", "run isthmus start",
                       "run isthmus describe --size 40K --json", "run isthmus describe --size 48K --svg",
                       "run isthmus describe --kind pages --size 40K --json", "run isthmus stop", "run isthmus remove",
                       driver=False)
        self.next(0)
        self.next(0)
        described = self.next_description()
        self.assertEqual([m["offset"] for m in described["mdls"]], [8192 * i for i in range(5)])
        addresses = [int(m["userAddress"], 16) for m in described["mdls"]]
        self.assertEqual([a - addresses[0] for a in addresses], [8192 * i for i in range(5)])
        self.assertIn("2 more MDLs", self.next(0).stdout)
        self.assertEqual(len(self.next_description()["mdls"]), 5)
        self.next(0)
        self.next(0)
        self.done()


class Pictures(Group):
    """SVG: well-formed, and drawn of what JSON says at the same time."""

    def texts(self, root):
        return ["".join(text.itertext()) for text in root.iter(SVG + "text")]

    def test(self):
        name = "<&\u00e9>\x1b[31m\x9b"
        self.run_steps(f"start a isthmus alloc --size 20K --name {name} --for 600",
                       f"run isthmus describe {name} --svg", f"run isthmus describe {name} --json",
                       "run isthmus describe --size 10M --svg",
                       "run isthmus describe --request in-direct --parts 8 --size 5000 --svg",
                       "run isthmus describe --request buffered --svg", "run isthmus list regions", "kill a")
        root = xml.fromstring(self.next(0).stdout)
        described = self.next_description()
        texts = self.texts(root)
        self.assertEqual(described["region"]["name"], name)
        self.assertTrue(texts[0].endswith('"<&\u00e9>?[31m?": paged pool'), texts[0])
        wires = [p for p in root.iter(SVG + "path") if p.get("class", "").startswith("wire")]
        self.assertEqual(len(wires), 15, "five pages, seen from two processes and from the kernel")
        self.assertEqual(len([w for w in wires if "dashed" in w.get("class")]), 5, "those of the other process")
        frames = [r for r in root.iter(SVG + "rect") if r.get("class") == "frame"]
        self.assertEqual(len(frames), 5)
        for page in described["mdls"][0]["pages"]:
            self.assertEqual(texts.count(hex(page["mdlPfn"])), 2, "in the middle, and in the MDL")
        self.assertTrue(any(t.endswith("view " + str(described["views"][0]["id"]) + ", read-write") for t in texts))

        root = xml.fromstring(self.next(0).stdout)
        self.assertEqual(self.texts(root).count("2,554 more pages"), 2)
        root = xml.fromstring(self.next(0).stdout)
        self.assertIn("MDL 8 of 8", self.texts(root))
        self.assertNotIn("MDL 5 of 8", self.texts(root))
        root = xml.fromstring(self.next(0).stdout)
        self.assertIn("No MDL", self.texts(root))
        for element in root.iter():
            for key in ("x", "y", "width", "height"):
                value = element.get(key)
                self.assertTrue(value is None or int(value) >= 0, element.attrib)
        self.next(0, r"live      <&\u00e9>\?\[31m\?\n")
        self.next(77, r"name      <&\u00e9>\?")
        self.done()


class Advice(unittest.TestCase):
    """Every error that the header names has its sentence, and no sentence is twice."""

    def test(self):
        with open(os.path.join(machine.ROOT, "include", "isthmus", "isthmus.h"), encoding="utf-8") as header:
            named = set(re.findall(r"\bERROR_[A-Z_]+\b", header.read()))
        with open(os.path.join(machine.ROOT, "kit", "client", "advice.c"), encoding="utf-8") as source:
            advised = re.findall(r"^    \{(ERROR_[A-Z_]+),", source.read(), re.M)
        self.assertGreater(len(named), 15)
        self.assertEqual(named - set(advised), set())
        self.assertEqual(len(advised), len(set(advised)))
        print(f"{len(named)} errors named, {len(advised)} explained")


GROUPS = {group.__name__.lower(): group
          for group in (Usage, Service, Hold, Describe, Channel, Plain, Segments, Pictures, Advice)}

if __name__ == "__main__":
    names = sys.argv[1:] or list(GROUPS)
    suite = unittest.TestSuite(GROUPS[name]("test") for name in names)
    sys.exit(not unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite).wasSuccessful())
