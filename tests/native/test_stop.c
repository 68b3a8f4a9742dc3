/* SPDX-License-Identifier: MIT */
/* The blue screen: its words, its lines from the report port, and what is made of them as text and as JSON. */
#include "support.h"

#include "bugwords.h"
#include "exitcodes.h"
#include "jsonreport.h"
#include "ledger.h"
#include "reportline.h"
#include "screen.h"

#include <jansson.h>

/* ---- the words ---- */

static void CheckTable(const BUG_WORDS *Table, size_t Count)
{
    for (size_t i = 0; i < Count; i++)
    {
        const BUG_WORDS *words = &Table[i];

        if (BugName(words->Code) == NULL || words->What == NULL || words->What[strlen(words->What) - 1] != '.' ||
            BugWords(words->Code, words->Kind) != words)
        {
            fail_msg("0x%x 0x%llx: no name, no sentence, or there twice", words->Code, (unsigned long long)words->Kind);
        }
        for (unsigned p = 0; p < 4; p++)
        {
            const char *form = words->Parameters[p];

            if (form != NULL && (strchr("pinxfstmoabck", form[0]) == NULL || form[1] != ':' || form[2] == '\0'))
            {
                fail_msg("0x%x 0x%llx: parameter %u: %s", words->Code, (unsigned long long)words->Kind, p + 1, form);
            }
        }
    }
}

static void TestTables(void **State)
{
    (void)State;
    CheckTable(BugGeneralWords, BugGeneralCount);
    CheckTable(BugMemoryWords, BugMemoryCount);
    CheckTable(BugVerifierWords, BugVerifierCount);
}

/* Every row of the facts this machine is built to: none may fall back to the words of another or to none. */
static void TestEveryRuleHasWords(void **State)
{
    static const uint32_t codes[] = {0x76, 0xCB, 0xCE, 0xDA, 0x4E, 0x12E, 0x40, 0xD7, 0x3F, 0xBE, 0xFC,
                                     0x50, 0x0A, 0xD1, 0xC5, 0xD0, 0x1E,  0x3B, 0x7E, 0xC2, 0x44, 0x35,
                                     0x4A, 0x01, 0x05, 0xB8, 0x18, 0xC7,  0x19, 0xC4, 0xC9};
    static const struct
    {
        uint32_t Code;
        uint16_t Kinds[80]; /* up to 0xFFFF */
    } kinds[] = {
        {0xC4, {0x00, 0x01, 0x02, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x30, 0x31, 0x32, 0x3B,  0x40,  0x41,   0x42,
                0x51, 0x52, 0x53, 0x54, 0x59, 0x60, 0x61, 0x62, 0x6F, 0x70, 0x71, 0x72, 0x74,  0x75,  0x76,   0x77,
                0x78, 0x79, 0x7A, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x85, 0x89,  0xB0,  0xB1,   0xB2,
                0xB3, 0xB4, 0xB5, 0xB6, 0xB8, 0xB9, 0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xF6, 0x105, 0x140, 0x2002, 0xFFFF}},
        {0xC9, {0x05, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x0E, 0x10, 0xFFFF}},
        {0xDA,
         {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x100, 0x101, 0x102, 0x103, 0x104, 0x105, 0x107, 0x108, 0x109, 0x10A,
          0x10B, 0x10C, 0xFFFF}},
        {0xC2,
         {0x00, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x40, 0x41, 0x42, 0x43, 0x44, 0x46, 0x47, 0x48, 0x50, 0x99, 0xFFFF}},
        {0x4E, {0x07, 0x99, 0x9A, 0xFFFF}},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
    {
        const BUG_WORDS *words = BugWords(codes[i], 0x123456);

        assert_int_equal(codes[i] == 0x76 || codes[i] == 0xC7 || words->Code == codes[i], true);
        assert_non_null(BugName(codes[i]));
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    {
        for (size_t k = 0; kinds[i].Kinds[k] != 0xFFFF; k++)
        {
            const BUG_WORDS *words = BugWords(kinds[i].Code, kinds[i].Kinds[k]);

            if (words->Code != kinds[i].Code || words->Kind != kinds[i].Kinds[k] || BugAdvice(words) == NULL)
            {
                fail_msg("0x%x 0x%x has no words of its own", kinds[i].Code, kinds[i].Kinds[k]);
            }
        }
    }
}

static void CheckMeaning(uint32_t Code, uint64_t Kind, unsigned Index, uint64_t Value, const char *Expected)
{
    TEXT text = {0};

    BugAppendMeaning(&text, BugWords(Code, Kind), Index, Value);
    assert_string_equal(TextString(&text), Expected);
    TextFree(&text);
}

static void TestMeanings(void **State)
{
    (void)State;
    CheckMeaning(0xC4, 0xB8, 0, 0xB8, "rule");
    CheckMeaning(0xC4, 0xB8, 1, 0x1234, "MDL");
    CheckMeaning(0xC4, 0xB8, 2, 0x8B,
                 "its flags: MAPPED_TO_SYSTEM_VA | PAGES_LOCKED | ALLOCATED_FIXED_SIZE | WRITE_OPERATION");
    CheckMeaning(0xC4, 0xB8, 2, 0, "its flags: none");
    CheckMeaning(0xC4, 0xB8, 3, 7, "");
    CheckMeaning(0xC4, 0x70, 1, 2, "IRQL of the call: DISPATCH_LEVEL");
    CheckMeaning(0xC4, 0x70, 1, 99, "IRQL of the call: none");
    CheckMeaning(0xC4, 0x70, 3, 1, "access mode: UserMode");
    CheckMeaning(0xD1, 0x18, 2, 8, "kind of access: execute");
    CheckMeaning(0x50, 0x18, 1, 2, "kind of access: write");
    CheckMeaning(0xC2, 0x0A, 3, 0x5373654D, "tag given: 'MesS'");
    CheckMeaning(0x3B, 0xC0000005, 0, 0xC0000005, "exception: STATUS_ACCESS_VIOLATION");
    CheckMeaning(0xDEADBEEF, 1, 3, 1, "parameter 4");
    assert_null(BugName(0xDEADBEEF));
}

/* ---- the lines ---- */

static const char WholeReport[] =
    "bugcheck c4 b2 ffffa00000035ca0 8b 1\n"
    "module fffff80000000000 100000 loaded ntoskrnl.exe\n"
    "module fffff80000200000 5000 unloaded old.sys\n"
    "module fffff80000200000 6000 loaded mis \"use\".sys\n"
    "where cpu=1 irql=2 uptime=1047 thread=ffffa00000035090 process=ffffa0000002e090 attached=1\n"
    "dpc fffff80000200100\n"
    "who 56 60 mis use.exe\n"
    "frame fffff800000038af call\n"
    "frame fffff8000020153f call\n"
    "frame fffff8000020153f call\n"
    "frame fffff8000020153f call\n"
    "frame fffff8000020153f call\n"
    "frame fffff80000201000 at\n"
    "registers rax=1 rbx=ffffffffffffffff\n"
    "registers r8=2\n";

static void Feed(REPORT *Report, const char *Lines)
{
    ReportFeed(Report, Lines, strlen(Lines));
    ReportFinish(Report);
}

static void TestStopLines(void **State)
{
    REPORT report = {0};
    const STOP *stop = &report.Stop;
    uint64_t code = 0;

    (void)State;
    Feed(&report, WholeReport);
    assert_int_equal(stop->Code, 0xC4);
    assert_int_equal(stop->Parameters[1], 0xFFFFA00000035CA0);
    assert_int_equal(stop->Parameters[3], 1);
    assert_int_equal(stop->Cpu, 1);
    assert_int_equal(stop->Irql, 2);
    assert_int_equal(stop->Uptime, 1047);
    assert_true(stop->Attached);
    assert_int_equal(stop->ThreadId, 60);
    assert_string_equal(TextString(&stop->Image), "mis use.exe");
    assert_int_equal(stop->Stack.Count, 6);
    assert_false(stop->Stack.Frames[0].Exact);
    assert_true(stop->Stack.Frames[5].Exact);
    assert_int_equal(FrameCode(&stop->Stack.Frames[0]), 0xFFFFF800000038AE);
    assert_int_equal(FrameCode(&stop->Stack.Frames[5]), 0xFFFFF80000201000);
    assert_string_equal(ModulesFind(&report.Modules, 0xFFFFF80000200010)->Name, "mis \"use\".sys");
    assert_null(ModulesFind(&report.Modules, 0xFFFFF80000206000));
    assert_string_equal(ScreenBlame(stop, &report.Modules, &code)->Name, "mis \"use\".sys");
    assert_int_equal(code, 0xFFFFF8000020153E);
    ReportFree(&report);
}

static void TestBlame(void **State)
{
    uint64_t code = 0;
    REPORT report = {0};

    (void)State;
    Feed(&report, "bugcheck cb fffff80000200004 0 1 1\nmodule fffff80000200000 1000 loaded late.sys\n"
                  "module fffff80000300000 1000 loaded there.sys\nframe fffff80000300010 call\n");
    assert_string_equal(ScreenBlame(&report.Stop, &report.Modules, &code)->Name, "late.sys");
    ReportFree(&report);
    Feed(&report, "bugcheck c7 0 fffff80000200004 1 1\nmodule fffff80000200000 1000 unloaded late.sys\n");
    assert_string_equal(ScreenBlame(&report.Stop, &report.Modules, &code)->Name, "late.sys");
    assert_int_equal(code, 0xFFFFF80000200004);
    ReportFree(&report);
    Feed(&report,
         "bugcheck c7 0 1 1 1\nmodule fffff80000000000 1000 loaded ntoskrnl.exe\nframe fffff80000000010 call\n");
    assert_null(ScreenBlame(&report.Stop, &report.Modules, &code));
    ReportFree(&report);
    Feed(&report, "bugcheck c4 62 1 2 3\nmodule fffff80000200000 1000 loaded late.sys\n"
                  "module fffff80000300000 1000 loaded there.sys\nframe fffff80000300010 call\ndriver LATE.sys\n");
    assert_string_equal(ScreenBlame(&report.Stop, &report.Modules, &code)->Name, "late.sys");
    ReportFree(&report);
}

/* A kernel that has gone wrong may say anything. */
static void TestHostileLines(void **State)
{
    static const char *const lines[] = {
        "bugcheck\n",
        "bugcheck \n",
        "bugcheck zz 1\n",
        "bugcheck 1 2 3 4 5 6 7\n",
        "frame\n",
        "frame x at\n",
        "frame 1\n",
        "frame 1 maybe\n",
        "frame ffffffffffffffffff at\n",
        "frame -1 at\n",
        "module\n",
        "module 1 2\n",
        "module 1 2 gone x\n",
        "where\n",
        "where cpu\n",
        "where cpu= irql=\n",
        "who\n",
        "who x\n",
        "who 1\n",
        "dpc\n",
        "dpc q\n",
        "registers =\n",
        "registers rax\n",
        "registers rax= =1  \n",
        "leak\n",
        "leak \n",
        "leak -5\n",
        "leak x -5\n",
        "leak 99999999999999999999999\n",
        "ledger\n",
        "ledger x\n",
        "ledger \n",
        "hold\n",
        "hold pool\n",
        "hold  key= size=x\n",
        "hold pool key=1 size=99999999999999999999\n",
        "taken\n",
        "taken 1 call\n",
        "taken x at\n",
        "ledger-end\n",
        "ledger-end 5\n",
        "ledger-end -1 x\n",
        "missing\n",
        "missing a\n",
        "missing  !\n",
        "cut\n",
        "cut off\n",
        "\x80\xff\n",
    };
    OPTIONS options = {.Machine = "microvm", .Program = "p\xff.exe"};
    uint64_t random = 7;

    (void)State;
    for (int round = 0; round < 2000; round++)
    {
        RESULT result = {.Code = NTRUN_BUGCHECK};
        TEXT screen = {0};
        char *json;
        json_t *root;

        ReportFeed(&result.Run.Report, "bugcheck c4 b2 1 2 3\n", round & 1 ? 21 : 0);
        for (int i = 0; i < 12; i++)
        {
            const char *line = lines[NextRandom(&random) % (sizeof(lines) / sizeof(lines[0]))];

            ReportFeed(&result.Run.Report, line, strlen(line));
        }
        ReportFinish(&result.Run.Report);
        ScreenWrite(&screen, &result.Run.Report, &result.Symbols, round & 2);
        for (size_t i = 0; i < result.Run.Report.LedgerCount; i++)
        {
            LedgerWrite(&screen, &result.Run.Report.Ledgers[i], &result.Run.Report.Modules, &result.Symbols, false);
        }
        json = JsonBuild(&result, &options);
        root = json_loads(json, 0, NULL);
        assert_non_null(root);
        json_decref(root);
        free(json);
        TextFree(&screen);
        RunFree(&result.Run);
    }
}

/* ---- the screen and the JSON ---- */

static void TestScreen(void **State)
{
    static const char *const parts[] = {
        "\n*** STOP 0x000000C4 DRIVER_VERIFIER_DETECTED_VIOLATION (0xB2, 0xFFFFA00000035CA0, 0x8B, 0x1)\n\n",
        "  Probably caused by mis \"use\".sys+0x153e\n",
        "  Processor   1, IRQL 2 DISPATCH_LEVEL, 1.047 s after the start\n",
        "  In the DPC  mis \"use\".sys+0x100\n",
        "  Thread      60 of mis use.exe, process 56 (attached to it)\n",
        "    4  0000000000000001  flags that must not be set: MAPPED_TO_SYSTEM_VA\n",
        "\n      0  ntoskrnl.exe+0x38af   FFFFF800000038AF\n",
        "\n  >   1  mis \"use\".sys+0x153f  FFFFF8000020153F\n    ...  3 times more\n",
        "    rax   0000000000000001  rbx   ffffffffffffffff  r8    0000000000000002\n",
        "  What to do\n    One system mapping per MDL",
    };
    REPORT report = {0};
    SYMBOLS none = {0};
    TEXT screen = {0};

    (void)State;
    Feed(&report, WholeReport);
    ScreenWrite(&screen, &report, &none, false);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
    {
        if (strstr(TextString(&screen), parts[i]) == NULL)
        {
            fail_msg("not there: %s\nin: %s", parts[i], TextString(&screen));
        }
    }
    assert_null(strchr(TextString(&screen), '\x1b'));
    TextFree(&screen);
    ScreenWrite(&screen, &report, &none, true);
    assert_non_null(strchr(TextString(&screen), '\x1b'));
    TextFree(&screen);
    ReportFree(&report);
}

static const char *Member(json_t *Object, const char *Name)
{
    return json_string_value(json_object_get(Object, Name));
}

static void TestJson(void **State)
{
    OPTIONS options = {.Machine = "microvm", .Cpus = 2, .Memory = 256, .Program = "dir/a \"b\"\\\n.exe"};
    RESULT result = {.Code = NTRUN_BUGCHECK};
    json_t *root, *stop, *frame;
    json_error_t error;
    char *text;

    (void)State;
    TextAppend(&result.Message, "quote \" backslash \\ tab \t bell \a latin \xE9 done");
    Feed(&result.Run.Report, WholeReport);
    Feed(&result.Run.Report, "leak locked pages 3\nleak MDLs 1\nmissing a.sys hal.dll!HalNone\nmissing a.sys b.dll\n");
    text = JsonBuild(&result, &options);
    root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
    {
        fail_msg("%s, line %d, in %s", error.text, error.line, text);
    }
    assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
    assert_string_equal(Member(json_object_get(root, "exit"), "reason"), "bugcheck");
    assert_string_equal(Member(json_object_get(root, "exit"), "message"),
                        "quote \" backslash \\ tab \t bell \a latin ? done");
    assert_string_equal(Member(json_object_get(root, "program"), "file"), "dir/a \"b\"\\\n.exe");
    stop = json_object_get(root, "bugcheck");
    assert_string_equal(Member(stop, "code"), "0xc4");
    assert_string_equal(Member(stop, "driver"), "mis \"use\".sys");
    assert_string_equal(Member(json_array_get(json_object_get(stop, "parameters"), 1), "value"), "0xffffa00000035ca0");
    frame = json_array_get(json_object_get(stop, "stack"), 1);
    assert_string_equal(Member(frame, "module"), "mis \"use\".sys");
    assert_string_equal(Member(frame, "offset"), "0x153f");
    assert_true(json_is_null(json_object_get(frame, "function")));
    assert_string_equal(Member(json_object_get(stop, "registers"), "rbx"), "0xffffffffffffffff");
    assert_string_equal(Member(json_array_get(json_object_get(root, "leftovers"), 0), "kind"), "locked pages");
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(root, "leftovers"), 0), "count")), 3);
    assert_string_equal(Member(json_array_get(json_object_get(root, "missing_imports"), 0), "routine"), "HalNone");
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "missing_imports"), 1), "routine")));
    json_decref(root);
    free(text);
    TextFree(&result.Message);
    RunFree(&result.Run);
}

/* ---- the ledger ---- */

static const char WholeLedger[] =
    "module fffff80000000000 100000 loaded ntoskrnl.exe\n"
    "module fffff80000200000 6000 loaded d.sys\n"
    "ledger at shutdown\n"
    "hold pool key=ffffa00000000010 size=100 tag=7473544c pid=8 tid=12 name=\n"
    "taken fffff80000000010 call\ntaken fffff80000000020 call\ntaken fffff80000200010 call\n"
    "taken fffff80000000030 call\n"
    "hold pool key=ffffa00000000110 size=50 tag=7473544c pid=8 tid=12 name=\n"
    "taken fffff80000000010 call\ntaken fffff80000000020 call\ntaken fffff80000200010 call\n"
    "taken fffff80000000030 call\n"
    "hold handle key=ffffffff80000010 size=0 tag=0 pid=8 tid=12 name=Io Completion\n"
    "taken fffff80000200020 call\n"
    "ledger-end 7 2\n"
    "frame fffff80000000010 call\n"
    "ledger again\n"
    "ledger-end 0 0\n";

static void TestLedger(void **State)
{
    static const char expected[] =
        "\nLedger at shutdown: 7 holdings\n"
        "\n  pool, 2 times: 150 bytes in all, at FFFFA00000000010, tag 'LTst'; taken by thread "
        "12 of process 8\n"
        "      0  ntoskrnl.exe+0x20  FFFFF80000000020\n"
        "  >   1  d.sys+0x10         FFFFF80000200010\n"
        "\n  handle: Io Completion, value FFFFFFFF80000010; taken by thread 12 of process 8\n"
        "  >   0  d.sys+0x20  FFFFF80000200020\n"
        "\n  and 4 more\n"
        "\n  incomplete: the kernel had no memory to write down 2\n"
        "\nLedger again: 0 holdings\n";
    OPTIONS options = {.Machine = "microvm", .Program = "p.exe"};
    RESULT result = {0};
    json_t *root, *holding;
    TEXT text = {0};
    char *json;

    (void)State;
    Feed(&result.Run.Report, WholeLedger);
    assert_int_equal(result.Run.Report.LedgerCount, 2);
    for (size_t i = 0; i < 2; i++)
    {
        LedgerWrite(&text, &result.Run.Report.Ledgers[i], &result.Run.Report.Modules, &result.Symbols, false);
    }
    assert_string_equal(TextString(&text), expected);
    json = JsonBuild(&result, &options);
    root = json_loads(json, 0, NULL);
    assert_non_null(root);
    holding = json_array_get(json_object_get(json_array_get(json_object_get(root, "ledgers"), 0), "holdings"), 2);
    assert_string_equal(Member(holding, "kind"), "handle");
    assert_string_equal(Member(holding, "key"), "0xffffffff80000010");
    assert_string_equal(Member(holding, "type"), "Io Completion");
    assert_int_equal(json_array_size(json_object_get(holding, "stack")), 1);
    json_decref(root);
    free(json);
    TextFree(&text);
    RunFree(&result.Run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestTables),   cmocka_unit_test(TestEveryRuleHasWords),
        cmocka_unit_test(TestMeanings), cmocka_unit_test(TestStopLines),
        cmocka_unit_test(TestBlame),    cmocka_unit_test(TestHostileLines),
        cmocka_unit_test(TestScreen),   cmocka_unit_test(TestJson),
        cmocka_unit_test(TestLedger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
