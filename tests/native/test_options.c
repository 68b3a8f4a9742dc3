/* SPDX-License-Identifier: MIT */
/* ntrun's arguments, the boot.cfg it makes of them, and the QEMU line. */
#include "support.h"

#include "bootconfig.h"
#include "qemu.h"

#define MAX_WORDS 40

/* Splits Words at '|' and parses them. The text must live as long as the options. */
static OPTIONS_RESULT Parse(OPTIONS *Options, char *Words, TEXT *Error)
{
    char *argv[MAX_WORDS] = {"ntrun"};
    static char *kept[MAX_WORDS];
    int argc = 1;

    for (char *word = Words; word != NULL && argc < MAX_WORDS - 1; argc++)
    {
        char *bar = strchr(word, '|');

        argv[argc] = word;
        word = bar != NULL ? bar + 1 : NULL;
        if (bar != NULL)
        {
            *bar = '\0';
        }
    }
    memcpy(kept, argv, sizeof(kept));
    return OptionsParse(Options, argc, kept, Error);
}

static void TestDefaults(void **State)
{
    char words[] = "dir/p.exe";
    OPTIONS options;
    TEXT error = {0};

    (void)State;
    assert_int_equal(Parse(&options, words, &error), OptionsRun);
    assert_int_equal(options.Cpus, 2);
    assert_int_equal(options.Memory, 256);
    assert_int_equal(options.Timeout, 120);
    assert_false(options.Icount);
    assert_false(options.FixedSeed);
    assert_string_equal(options.Program, "dir/p.exe");
    assert_int_equal(options.ArgumentCount, 0);
    assert_int_equal(options.Drivers.Count, 0);
    OptionsFree(&options);
}

static void TestEverything(void **State)
{
    char words[] = "--cpus|4|--memory=512|a.sys|--icount=3|--seed|18446744073709551615|B.SYS|--timeout|0|--keep|"
                   "--add|f=n|--env|A=B|--option=x:1|--stdin|-|--system|d|--verbose|p.exe|--help|--|x.sys";
    OPTIONS options;
    TEXT error = {0};

    (void)State;
    assert_int_equal(Parse(&options, words, &error), OptionsRun);
    assert_int_equal(options.Cpus, 4);
    assert_int_equal(options.Memory, 512);
    assert_int_equal(options.Drivers.Count, 2);
    assert_string_equal(options.Drivers.Items[1], "B.SYS");
    assert_true(options.Icount);
    assert_int_equal(options.IcountShift, 3);
    assert_true(options.Seed == UINT64_MAX);
    assert_int_equal(options.Timeout, 0);
    assert_true(options.Keep && options.Verbose && !options.Gdb);
    assert_string_equal(options.Adds.Items[0], "f=n");
    assert_string_equal(options.Environment.Items[0], "A=B");
    assert_string_equal(options.Settings.Items[0], "x:1");
    assert_string_equal(options.Stdin, "-");
    assert_string_equal(options.System, "d");
    assert_string_equal(options.Program, "p.exe");
    assert_int_equal(options.ArgumentCount, 3);
    assert_string_equal(options.Arguments[0], "--help");
    assert_string_equal(options.Arguments[2], "x.sys");
    OptionsFree(&options);
}

static void TestImplied(void **State)
{
    char icount[] = "--icount|p.exe";
    char gdb[] = "--gdb|p.exe";
    char gdbTimeout[] = "--gdb|--timeout=5|--seed=7|p.exe";
    char ended[] = "--|-odd.exe|-x";
    OPTIONS options;
    TEXT error = {0};

    (void)State;
    assert_int_equal(Parse(&options, icount, &error), OptionsRun);
    assert_true(options.FixedSeed && options.Seed == 0 && options.IcountShift == 0);
    assert_int_equal(options.Timeout, 120);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, gdb, &error), OptionsRun);
    assert_true(options.FixedSeed && options.Timeout == 0);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, gdbTimeout, &error), OptionsRun);
    assert_true(options.Seed == 7 && options.Timeout == 5);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, ended, &error), OptionsRun);
    assert_string_equal(options.Program, "-odd.exe");
    OptionsFree(&options);
}

static void TestFaults(void **State)
{
    char fail[] = "--fail|random=10,seed=0|--kill=instruction=7|--shuffle|p.exe";
    char sweep[] = "--sweep=schedules=50|--seed=9|--jobs|3|p.exe";
    char plain[] = "--fail|nth=3|--sweep|failures|p.exe";
    OPTIONS options;
    TEXT error = {0};

    (void)State;
    assert_int_equal(Parse(&options, fail, &error), OptionsRun);
    assert_int_equal(options.Settings.Count, 3);
    assert_string_equal(options.Settings.Items[0], "fail:random=10,seed=0");
    assert_string_equal(options.Settings.Items[1], "kill:instruction=7");
    assert_string_equal(options.Settings.Items[2], "shuffle");
    assert_true(options.Icount && options.FixedSeed && options.Sweep.Kind == SweepNone);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, sweep, &error), OptionsRun);
    assert_true(options.Sweep.Kind == SweepSchedules && options.Sweep.Runs == 50 && options.Sweep.Jobs == 3);
    assert_true(options.Icount && options.Seed == 9 && options.Timeout == 30);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, plain, &error), OptionsRun);
    assert_true(options.Sweep.Kind == SweepFailures && options.Sweep.Runs == 0 && options.Sweep.Jobs == 2);
    OptionsFree(&options);
}

static void TestHelp(void **State)
{
    char help[] = "a.sys|--help|--cpus";
    char version[] = "--version";
    OPTIONS options;
    TEXT error = {0};

    (void)State;
    assert_int_equal(Parse(&options, help, &error), OptionsHelp);
    OptionsFree(&options);
    assert_int_equal(Parse(&options, version, &error), OptionsVersion);
    OptionsFree(&options);
}

static void TestVerify(void **State)
{
    static const struct
    {
        const char *Words, *Settings;
    } cases[] = {
        {"p.exe", ""},
        {"--verify|special-pool|p.exe", "specialpool "},
        {"--verify=special-pool,special-pool:underrun|p.exe", "specialpool specialpool:underrun "}, /* the last counts */
        {"--verify|trim|--verify|deadlock|p.exe", "trim deadlock "},
        {"--verify|all|p.exe", "specialpool forceirql trim deadlock "},
        {"--verify|track,io|p.exe", ""},
        {"--verify|none|p.exe", "notrack noio noverifier "},
        {"--verify|io,none|p.exe", "notrack "},
        {"--verify|none,force-irql|p.exe", "forceirql notrack noio "},
    };
    static const char *const wrong[] = {"--verify|trims|p.exe", "--verify|trim,|p.exe", "--verify=|p.exe", "--verify|special-pool:|p.exe"};
    char words[100];
    OPTIONS options;

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        TEXT error = {0}, settings = {0};

        strcpy(words, cases[i].Words);
        assert_int_equal(Parse(&options, words, &error), OptionsRun);
        for (size_t n = 0; n < options.Settings.Count; n++)
        {
            TextAppend(&settings, "%s ", options.Settings.Items[n]);
        }
        assert_string_equal(TextString(&settings), cases[i].Settings);
        TextFree(&settings);
        OptionsFree(&options);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    {
        TEXT error = {0};

        strcpy(words, wrong[i]);
        assert_int_equal(Parse(&options, words, &error), OptionsWrong);
        assert_non_null(strstr(TextString(&error), "special-pool, special-pool:underrun, force-irql"));
        TextFree(&error);
        OptionsFree(&options);
    }
}

static void TestWrong(void **State)
{
    static const struct
    {
        const char *Words;
        const char *Part;
    } cases[] = {
        {"a.sys", "no program"},
        {"--", "no program"},
        {"--nonsense|p.exe", "unknown option --nonsense"},
        {"-x|p.exe", "unknown option -x"},
        {"--cpu|p.exe", "unknown option --cpu"},
        {"--cpus|0|p.exe", "--cpus"},
        {"--cpus|65|p.exe", "--cpus"},
        {"--cpus|2x|p.exe", "--cpus"},
        {"--cpus||p.exe", "--cpus"},
        {"--fail|nth=0|p.exe", "--fail wants"},
        {"--fail|nth=|p.exe", "--fail wants"},
        {"--fail|nth=1x|p.exe", "--fail wants"},
        {"--fail|nth=1,seed=2|p.exe", "--fail wants"},
        {"--fail|random=5,seed=|p.exe", "--fail wants"},
        {"--fail|all|p.exe", "--fail wants"},
        {"--fail|every=18446744073709551616|p.exe", "--fail wants"},
        {"--kill|5|p.exe", "--kill wants"},
        {"--kill|point=0|p.exe", "--kill wants"},
        {"--kill|instruction=2,|p.exe", "--kill wants"},
        {"--sweep|everything|p.exe", "--sweep wants"},
        {"--sweep|failures=|p.exe", "--sweep wants"},
        {"--sweep|kill=0|p.exe", "--sweep wants"},
        {"--sweep|schedules|p.exe", "--sweep wants"},
        {"--sweep|p.exe", "--sweep wants"},
        {"--jobs|0|p.exe", "--jobs"},
        {"--cpus|-1|p.exe", "--cpus"},
        {"--cpus|p.exe", "--cpus"},
        {"--cpus", "--cpus wants a value"},
        {"--memory|31|p.exe", "--memory"},
        {"--memory|99999999999999999999|p.exe", "--memory"},
        {"--icount=11|p.exe", "--icount"},
        {"--icount=|p.exe", "--icount"},
        {"--seed|18446744073709551616|p.exe", "--seed"},
        {"--keep=1|p.exe", "--keep takes no value"},
        {"--env|A|p.exe", "--env"},
        {"--env|=B|p.exe", "--env"},
        {"--env|A=b\nc|p.exe", "--env"},
        {"--env|A=\xFF|p.exe", "--env"},
        {"--option||p.exe", "--option"},
        {"--option|:1|p.exe", "--option"},
        {"--option|seed:4|p.exe", "--seed"},
        {"--add||p.exe", "--add"},
        {"--machine|isapc|p.exe", "--machine"},
        {"--timeout|x|p.exe", "--timeout"},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        char *words = strdup(cases[i].Words);
        OPTIONS options;
        TEXT error = {0};
        OPTIONS_RESULT result = Parse(&options, words, &error);

        if (result != OptionsWrong || strstr(TextString(&error), cases[i].Part) == NULL)
        {
            fail_msg("%s: result %d, message: %s", cases[i].Words, (int)result, TextString(&error));
        }
        OptionsFree(&options);
        TextFree(&error);
        free(words);
    }
}

static void CheckConfig(const char *Words, const char *Part, bool Present)
{
    char *words = strdup(Words);
    OPTIONS options;
    TEXT error = {0};
    TEXT config = {0};

    assert_int_equal(Parse(&options, words, &error), OptionsRun);
    assert_true(BootConfigBuild(&config, &options, &error));
    if ((strstr(TextString(&config), Part) != NULL) != Present)
    {
        fail_msg("%s: \"%s\" in:\n%s", Words, Part, TextString(&config));
    }
    OptionsFree(&options);
    TextFree(&config);
    TextFree(&error);
    free(words);
}

static void TestBootConfig(void **State)
{
    (void)State;
    CheckConfig("x/p.exe|a b|c", "program=C:\\run\\p.exe\ncommandline=C:\\run\\p.exe \"a b\" c\n", true);
    CheckConfig("my prog.exe", "program=C:\\run\\my prog.exe\ncommandline=\"C:\\run\\my prog.exe\"\n", true);
    CheckConfig("d/one.sys|two.sys|p.exe", "driver=one.sys\ndriver=two.sys\n", true);
    CheckConfig("--cpus|3|p.exe", "env=NUMBER_OF_PROCESSORS=3\n", true);
    CheckConfig("p.exe", "env=SystemRoot=C:\\Windows\n", true);
    CheckConfig("p.exe", "option=", false);
    CheckConfig("--seed|9|--option|irql|--option|pool:2|p.exe", "option=seed:9\noption=irql\noption=pool:2\n", true);
    CheckConfig("--env|X=1|p.exe", "env=X=1\n", true);
    CheckConfig("--env|X=1|--env|x=2|p.exe", "env=X=1\n", false);
    CheckConfig("--env|X=1|--env|x=2|p.exe", "env=x=2\n", true);
    CheckConfig("--env|SYSTEMROOT=D:\\|p.exe", "C:\\Windows\nenv=TEMP", false);
    CheckConfig("--env|temp=|p.exe", "TEMP=", false);
    CheckConfig("--env|X=a=b|p.exe", "env=X=a=b\n", true);
}

static void TestBootConfigRefusals(void **State)
{
    static const char *const cases[] = {"p.exe|a\nb", "p:q.exe", "d/", "p.exe|\xFF"};

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        char *words = strdup(cases[i]);
        OPTIONS options;
        TEXT error = {0};
        TEXT config = {0};

        assert_int_equal(Parse(&options, words, &error), OptionsRun);
        assert_false(BootConfigBuild(&config, &options, &error));
        assert_true(error.Length != 0);
        OptionsFree(&options);
        TextFree(&config);
        TextFree(&error);
        free(words);
    }
}

static void TestQemuLine(void **State)
{
    const PLACES places = {.System = "s", .Loader = "it's a/boot.elf", .Qemu = "qemu"};
    const QEMU_STREAMS streams = {.Output = 7, .Errors = 8, .Report = 9};
    char plain[] = "p.exe";
    char exact[] = "--icount|--gdb|p.exe";
    TEXT_LIST arguments = {0};
    OPTIONS options;
    TEXT error = {0};
    TEXT line = {0};

    (void)State;
    assert_int_equal(Parse(&options, plain, &error), OptionsRun);
    QemuArguments(&arguments, &options, &places, "/dev/fd/5", &streams);
    QemuCommandLine(&line, &arguments);
    assert_non_null(strstr(TextString(&line), "qemu -M microvm -cpu max -accel tcg,thread=multi -smp 2 -m 256 "));
    assert_non_null(strstr(TextString(&line), " -kernel 'it'\\''s a/boot.elf' -initrd /dev/fd/5 "));
    assert_non_null(strstr(TextString(&line), "-add-fd fd=9,set=3 "));
    assert_null(strstr(TextString(&line), "-icount"));
    OptionsFree(&options);
    TextListFree(&arguments);
    TextFree(&line);

    assert_int_equal(Parse(&options, exact, &error), OptionsRun);
    QemuArguments(&arguments, &options, &places, "/dev/fd/5", &streams);
    QemuCommandLine(&line, &arguments);
    assert_non_null(strstr(TextString(&line), "-accel tcg -smp"));
    assert_non_null(strstr(TextString(&line), "-icount shift=0,sleep=off"));
    assert_non_null(strstr(TextString(&line), "-s -S"));
    OptionsFree(&options);
    TextListFree(&arguments);
    TextFree(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestDefaults),   cmocka_unit_test(TestEverything),         cmocka_unit_test(TestImplied),
        cmocka_unit_test(TestFaults),     cmocka_unit_test(TestVerify),
        cmocka_unit_test(TestHelp),       cmocka_unit_test(TestWrong),              cmocka_unit_test(TestBootConfig),
        cmocka_unit_test(TestBootConfigRefusals), cmocka_unit_test(TestQemuLine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
