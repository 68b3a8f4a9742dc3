/* SPDX-License-Identifier: MIT */
/* ntrun as a whole, with a stand-in for QEMU: streams, signals, the clock, exit codes. */
#include "support.h"

#include "exitcodes.h"
#include "hosttree.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int Setup(void **State)
{
    (void)State;
    TreeCreate();
    TreeWriteSystem();
    TreeWriteImage("p.exe", TreeProgram, NULL);
    setenv("NTRUN_QEMU", FAKE_QEMU_PATH, 1);
    return 0;
}

static int Teardown(void **State)
{
    (void)State;
    TreeRemove();
    return 0;
}

/* Starts ntrun with its output and its messages going to the given descriptors; -1 closes one. */
static pid_t Start(const char *Mode, const char *Option, int Output, int Messages)
{
    char *program = TreePath("p.exe");
    char *system = TreePath("system");
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
    {
        setenv("FAKE_QEMU", Mode, 1);
        if (Output >= 0)
        {
            dup2(Output, 1);
        }
        else
        {
            close(1);
        }
        dup2(Messages, 2);
        execl(NTRUN_PATH, "ntrun", "--system", system, Option, program, (char *)NULL);
        _exit(97);
    }
    return child;
}

static int WaitFor(pid_t Child)
{
    int status;

    assert_int_equal(waitpid(Child, &status, 0), Child);
    return status;
}

/* Reads to the end of a descriptor and closes it. */
static size_t ReadAll(int Fd, char *Buffer, size_t Size)
{
    size_t length = 0;
    ssize_t count;

    while (length < Size - 1 && (count = read(Fd, Buffer + length, Size - 1 - length)) > 0)
    {
        length += (size_t)count;
    }
    Buffer[length] = '\0';
    close(Fd);
    return length;
}

typedef struct OUTCOME
{
    int Status;
    char Output[8192];
    char Messages[8192];
} OUTCOME;

static void Run(OUTCOME *Outcome, const char *Mode, const char *Option)
{
    int output[2];
    int messages[2];
    pid_t child;

    assert_int_equal(pipe2(output, O_CLOEXEC) | pipe2(messages, O_CLOEXEC), 0);
    child = Start(Mode, Option, output[1], messages[1]);
    close(output[1]);
    close(messages[1]);
    ReadAll(output[0], Outcome->Output, sizeof(Outcome->Output));
    ReadAll(messages[0], Outcome->Messages, sizeof(Outcome->Messages));
    Outcome->Status = WaitFor(child);
}

static void CheckExit(int Status, int Code)
{
    assert_true(WIFEXITED(Status));
    assert_int_equal(WEXITSTATUS(Status), Code);
}

static void TestStreamsAndCode(void **State)
{
    OUTCOME outcome;

    (void)State;
    Run(&outcome, "exit", "--cpus=1");
    CheckExit(outcome.Status, 7);
    assert_string_equal(outcome.Output, "output\n");
    assert_string_equal(outcome.Messages, "message\n");
}

static void TestCrashAndRefusal(void **State)
{
    OUTCOME outcome;

    (void)State;
    Run(&outcome, "crash", "--cpus=1");
    CheckExit(outcome.Status, NTRUN_CRASHED);
    assert_string_equal(outcome.Output, "last words");
    Run(&outcome, "wrong arguments", "--cpus=1");
    CheckExit(outcome.Status, NTRUN_CANNOT_START);
    Run(&outcome, "exit", "--stdin=/nonexistent");
    CheckExit(outcome.Status, NTRUN_CANNOT_START);
    assert_non_null(strstr(outcome.Messages, "ntrun: cannot read /nonexistent"));
    setenv("NTRUN_QEMU", "/nonexistent/qemu", 1);
    Run(&outcome, "exit", "--cpus=1");
    CheckExit(outcome.Status, NTRUN_CANNOT_START);
    assert_non_null(strstr(outcome.Messages, "install"));
}

/* On one pipe, output and messages come in the order in which the machine wrote them. */
static void TestOrder(void **State)
{
    char text[8192];
    int ends[2];
    pid_t child;

    (void)State;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = Start("order", "--cpus=1", ends[1], ends[1]);
    close(ends[1]);
    assert_int_equal(ReadAll(ends[0], text, sizeof(text)), 4000);
    CheckExit(WaitFor(child), 0);
    for (size_t i = 0; i < 4000; i++)
    {
        assert_int_equal(text[i], i % 2 == 0 ? 'o' : 'e');
    }
}

static void TestTimeout(void **State)
{
    OUTCOME outcome;

    (void)State;
    Run(&outcome, "hang", "--timeout=1");
    CheckExit(outcome.Status, NTRUN_TIMEOUT);
    assert_string_equal(outcome.Output, "waiting\n");
    assert_non_null(strstr(outcome.Messages, "time-out"));
}

/* The clock runs even while nobody takes the output. */
static void TestTimeoutWithBlockedReader(void **State)
{
    char buffer[4096];
    int ends[2];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t child;

    (void)State;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = Start("flood", "--timeout=1", ends[1], null);
    close(ends[1]);
    sleep(2);
    while (read(ends[0], buffer, sizeof(buffer)) > 0)
    {
    }
    CheckExit(WaitFor(child), NTRUN_TIMEOUT);
    close(ends[0]);
    close(null);
}

static void TestSignals(void **State)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    (void)State;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
    {
        char buffer[64];
        int ends[2];
        pid_t child;
        int status;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        child = Start("hang", "--cpus=1", ends[1], ends[1]);
        close(ends[1]);
        assert_true(read(ends[0], buffer, sizeof(buffer)) > 0); /* it runs */
        assert_int_equal(kill(child, signals[i]), 0);
        status = WaitFor(child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        assert_int_equal(ReadAll(ends[0], buffer, sizeof(buffer)), 0);
    }
}

/* When ntrun is killed outright, QEMU goes too: its end of a pipe that only it holds closes. */
static void TestKilledOutright(void **State)
{
    char buffer[64];
    int ends[2];
    int witness[2];
    pid_t child;

    (void)State;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe(witness), 0); /* inherited through ntrun by the stand-in */
    child = Start("hang", "--cpus=1", ends[1], ends[1]);
    close(ends[1]);
    close(witness[1]);
    assert_true(read(ends[0], buffer, sizeof(buffer)) > 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    WaitFor(child);
    assert_int_equal(read(witness[0], buffer, 1), 0); /* ends only when the stand-in has ended */
    close(witness[0]);
    close(ends[0]);
}

static void TestReaderGone(void **State)
{
    char buffer[64];
    int ends[2];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t child;
    int status;

    (void)State;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = Start("flood", "--cpus=1", ends[1], null);
    close(ends[1]);
    assert_true(read(ends[0], buffer, sizeof(buffer)) > 0);
    close(ends[0]);
    status = WaitFor(child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
    close(null);
}

static void TestOddOutputs(void **State)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char text[8192];
    int ends[2];
    pid_t child;

    (void)State;
    CheckExit(WaitFor(Start("order", "--cpus=1", -1, null)), 0); /* closed */
    CheckExit(WaitFor(Start("order", "--cpus=1", full, null)), NTRUN_CANNOT_START);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child = Start("order", "--cpus=1", ends[1], ends[1]);
    close(ends[1]);
    assert_int_equal(ReadAll(ends[0], text, sizeof(text)), 4000);
    CheckExit(WaitFor(child), 0);
    close(full);
    close(null);
}

/* What ntrun was given is as blocking afterwards as it was before. */
static void TestDescriptorFlagsStay(void **State)
{
    char buffer[64];
    int ends[2];
    pid_t child;

    (void)State;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = Start("exit", "--cpus=1", ends[1], ends[1]);
    CheckExit(WaitFor(child), 7);
    assert_int_equal(fcntl(ends[1], F_GETFL) & (O_NONBLOCK | O_APPEND), 0);
    close(ends[1]);
    assert_string_equal((ReadAll(ends[0], buffer, sizeof(buffer)), buffer), "output\nmessage\n");
}

static void TestKeep(void **State)
{
    OUTCOME outcome;
    char path[512];
    char *kept;

    (void)State;
    setenv("TMPDIR", TreePath("."), 1);
    Run(&outcome, "exit", "--keep");
    unsetenv("TMPDIR");
    CheckExit(outcome.Status, 7);
    kept = strstr(outcome.Messages, "kept in ");
    assert_non_null(kept);
    kept += strlen("kept in ");
    kept[strcspn(kept, "\n")] = '\0';
    for (int i = 0; i < 3; i++)
    {
        static const char *const names[] = {"image.cpio", "qemu.txt", "report.txt"};

        snprintf(path, sizeof(path), "%s/%s", kept, names[i]);
        assert_int_equal(access(path, R_OK), 0);
    }
}

/* Reads what --json wrote, from a file or a text; the caller drops it. */
static json_t *Json(const char *Path, const char *Text)
{
    json_error_t error = {0};
    json_t *root = Path != NULL ? json_load_file(Path, 0, &error) : json_loads(Text, 0, &error);

    if (root == NULL)
    {
        fail_msg("%s, line %d", error.text, error.line);
    }
    return root;
}

static const char *Reason(json_t *Root)
{
    return json_string_value(json_object_get(json_object_get(Root, "exit"), "reason"));
}

static void TestJson(void **State)
{
    char *path = TreePath("result.json");
    char option[4096];
    OUTCOME outcome;
    json_t *root;

    (void)State;
    snprintf(option, sizeof(option), "--json=%s", path);
    Run(&outcome, "exit", option);
    CheckExit(outcome.Status, 7);
    assert_string_equal(outcome.Output, "output\n");
    root = Json(path, NULL);
    assert_string_equal(Reason(root), "program");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "program"), "status")), 7);
    assert_true(json_is_null(json_object_get(root, "bugcheck")));
    json_decref(root);

    /* Without llvm-symbolizer the blue screen has addresses, and says why. */
    setenv("NTRUN_SYMBOLIZER", "/nowhere/llvm-symbolizer", 1);
    Run(&outcome, "stop", "--json=-");
    unsetenv("NTRUN_SYMBOLIZER");
    CheckExit(outcome.Status, NTRUN_BUGCHECK);
    assert_non_null(strstr(outcome.Messages, "output\n"));
    assert_non_null(strstr(outcome.Messages, "*** STOP 0x000000C4 DRIVER_VERIFIER_DETECTED_VIOLATION"));
    assert_non_null(strstr(outcome.Messages, "cannot run llvm-symbolizer"));
    root = Json(NULL, outcome.Output);
    assert_string_equal(Reason(root), "bugcheck");
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "bugcheck"), "driver")), "d.sys");
    json_decref(root);

    Run(&outcome, "exit", "--json=/nowhere/result.json");
    CheckExit(outcome.Status, 7);
    assert_non_null(strstr(outcome.Messages, "cannot write /nowhere/result.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(TestStreamsAndCode, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestCrashAndRefusal, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestOrder, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestTimeout, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestTimeoutWithBlockedReader, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestSignals, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestKilledOutright, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestReaderGone, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestOddOutputs, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestDescriptorFlagsStay, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestKeep, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestJson, Setup, Teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
