/* SPDX-License-Identifier: MIT */
/* From the machine's report to ntrun's exit code. */
#include "support.h"

#include "exitcodes.h"
#include "report.h"

/* What waitpid would say. */
#define EXITED(Code) ((Code) << 8)
#define KILLED(Signal) (Signal)

static void Check(const char *Lines, int WaitStatus, bool TimedOut, int Code, const char *Part)
{
    const MACHINE_END end = {.WaitStatus = WaitStatus, .TimedOut = TimedOut, .Timeout = 9};
    TEXT message = {0};
    REPORT report = {0};
    int code;

    /* One byte at a time: lines need not arrive whole. */
    for (const char *at = Lines; *at != '\0'; at++)
    {
        ReportFeed(&report, at, 1);
    }
    ReportFinish(&report);
    code = ReportConclude(&report, &end, &message);
    if (code != Code || (Part == NULL ? message.Length != 0 : strstr(TextString(&message), Part) == NULL))
    {
        fail_msg("\"%s\": %d instead of %d, message: %s", Lines, code, Code, TextString(&message));
    }
    ReportFree(&report);
    TextFree(&message);
}

static void TestProgramCodes(void **State)
{
    (void)State;
    Check("exit 0\n", EXITED(33), false, 0, NULL);
    Check("exit 198\n", EXITED(33), false, 198, NULL);
    Check("exit 3", EXITED(33), false, 3, NULL); /* the line feed is missing */
    Check("exit 3\r\n", EXITED(33), false, 3, NULL);
    Check("exit 199\n", EXITED(33), false, NTRUN_PROGRAM_HIGH, "0x000000C7 (199)");
    Check("exit 200\n", EXITED(33), false, NTRUN_PROGRAM_HIGH, "0x000000C8");
    Check("exit 3221225477\n", EXITED(33), false, NTRUN_PROGRAM_HIGH, "0xC0000005 (3221225477), an access violation");
    Check("exit -1\n", EXITED(33), false, NTRUN_PROGRAM_HIGH, "0xFFFFFFFF");
    Check("exit 4294967295\n", EXITED(33), false, NTRUN_PROGRAM_HIGH, "0xFFFFFFFF");
}

static void TestMachineEvents(void **State)
{
    (void)State;
    Check("bugcheck 76 0 1 2 3\n", EXITED(3), false, NTRUN_BUGCHECK, "76 0 1 2 3");
    Check("refused foo.sys imports Bar\n", EXITED(3), false, NTRUN_REFUSED, "foo.sys imports Bar");
    Check("leak locked pages 3\nleak mappings 1\nexit 0\n", EXITED(33), false, NTRUN_LEFTOVERS,
          "locked pages 3; mappings 1");
    Check("", KILLED(9), true, NTRUN_TIMEOUT, "9 s");
    Check("exit 0\n", KILLED(9), true, NTRUN_TIMEOUT, "time-out");
}

static void TestSilence(void **State)
{
    (void)State;
    Check("", EXITED(0), false, NTRUN_CRASHED, "triple fault");
    Check("", EXITED(1), false, NTRUN_CANNOT_START, "QEMU");
    Check("", EXITED(3), false, NTRUN_CRASHED, "without a report");
    Check("", KILLED(11), false, NTRUN_CRASHED, "signal 11");
    Check("hello\n\n", EXITED(0), false, NTRUN_CRASHED, "triple fault");
}

static void TestGravestCounts(void **State)
{
    (void)State;
    Check("exit 0\nbugcheck A 1 2 3 4\n", EXITED(3), false, NTRUN_BUGCHECK, "A 1 2 3 4");
    Check("leak x\nbugcheck A 1 2 3 4\nbugcheck B\n", EXITED(3), false, NTRUN_BUGCHECK, "A 1 2 3 4");
    Check("bugcheck A 1 2 3 4\n", KILLED(9), true, NTRUN_BUGCHECK, "A 1 2 3 4");
    Check("refused a\nrefused b\nexit 0\n", EXITED(3), false, NTRUN_REFUSED, "refused: a");
}

static void TestNonsense(void **State)
{
    (void)State;
    Check("exit\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
    Check("exit x\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
    Check("exit 1x\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
    Check("exit 99999999999\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
    Check("exit 99999999999999999999999\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
    Check("exits 0\n", EXITED(0), false, NTRUN_CRASHED, "crashed");
}

static void TestFlood(void **State)
{
    REPORT report = {0};
    char block[4096];

    (void)State;
    memset(block, 'x', sizeof(block));
    for (size_t i = 0; i < REPORT_MAX / sizeof(block) + 9; i++)
    {
        ReportFeed(&report, block, sizeof(block));
    }
    ReportFinish(&report);
    assert_int_equal(report.Raw.Length, REPORT_MAX);
    assert_false(report.HasExit);
    ReportFree(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestProgramCodes),  cmocka_unit_test(TestMachineEvents), cmocka_unit_test(TestSilence),
        cmocka_unit_test(TestGravestCounts), cmocka_unit_test(TestNonsense),      cmocka_unit_test(TestFlood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
