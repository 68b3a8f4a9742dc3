/* SPDX-License-Identifier: MIT */
/* ntrun's command line. See options.h. */
#include "options.h"

#include "cmdline.h"

#include <limits.h>
#include <string.h>

#define DEFAULT_CPUS 2
#define DEFAULT_MEMORY 256
#define DEFAULT_TIMEOUT 120
#define DEFAULT_SWEEP_TIMEOUT 30
#define DEFAULT_JOBS 2
#define MAX_JOBS 64
#define MAX_CPUS 64
#define MIN_MEMORY 32
#define MAX_MEMORY (1024 * 1024)
#define MAX_ICOUNT_SHIFT 10

typedef enum ARGUMENT_KIND
{
    ArgumentNone,
    ArgumentNeeded,
    ArgumentOptional, /* only as --name=value */
} ARGUMENT_KIND;

typedef bool OPTION_SETTER(OPTIONS *Options, const char *Value, TEXT *Error);

typedef struct OPTION
{
    const char *Name;
    ARGUMENT_KIND Kind;
    OPTION_SETTER *Set;
} OPTION;

static bool OptionsNumber(const char *Name, const char *Text, uint64_t Low, uint64_t High, uint64_t *Value,
                          TEXT *Error)
{
    uint64_t value = 0;
    bool good = *Text != '\0';

    for (; good && *Text != '\0'; Text++)
    {
        uint64_t digit = (uint64_t)*Text - '0';

        good = digit <= 9 && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (!good || value < Low || value > High)
    {
        TextAppend(Error, "%s wants a number from %llu to %llu", Name, (unsigned long long)Low,
                   (unsigned long long)High);
        return false;
    }
    *Value = value;
    return true;
}

static bool OptionsUnsigned(const char *Name, const char *Text, unsigned Low, unsigned High, unsigned *Value,
                            TEXT *Error)
{
    uint64_t value;

    if (!OptionsNumber(Name, Text, Low, High, &value, Error))
    {
        return false;
    }
    *Value = (unsigned)value;
    return true;
}

static bool SetCpus(OPTIONS *Options, const char *Value, TEXT *Error)
{
    return OptionsUnsigned("--cpus", Value, 1, MAX_CPUS, &Options->Cpus, Error);
}

static bool SetMemory(OPTIONS *Options, const char *Value, TEXT *Error)
{
    return OptionsUnsigned("--memory", Value, MIN_MEMORY, MAX_MEMORY, &Options->Memory, Error);
}

static bool SetIcount(OPTIONS *Options, const char *Value, TEXT *Error)
{
    Options->Icount = true;
    Options->IcountShift = 0;
    return Value == NULL ||
           OptionsUnsigned("--icount", Value, 0, MAX_ICOUNT_SHIFT, &Options->IcountShift, Error);
}

static bool SetSeed(OPTIONS *Options, const char *Value, TEXT *Error)
{
    Options->FixedSeed = true;
    return OptionsNumber("--seed", Value, 0, UINT64_MAX, &Options->Seed, Error);
}

static bool SetTimeout(OPTIONS *Options, const char *Value, TEXT *Error)
{
    return OptionsUnsigned("--timeout", Value, 0, INT_MAX / 1000, &Options->Timeout, Error);
}

static bool SetMachine(OPTIONS *Options, const char *Value, TEXT *Error)
{
    if (strcmp(Value, "microvm") != 0 && strcmp(Value, "q35") != 0 && strcmp(Value, "pc") != 0)
    {
        TextAppend(Error, "--machine wants microvm, q35 or pc");
        return false;
    }
    Options->Machine = Value;
    return true;
}

static bool SetEnvironment(OPTIONS *Options, const char *Value, TEXT *Error)
{
    const char *equals = strchr(Value, '=');

    if (equals == NULL || equals == Value || !Utf8IsValid(Value) || strpbrk(Value, "\r\n") != NULL)
    {
        TextAppend(Error, "--env wants NAME=VALUE in UTF-8 on one line");
        return false;
    }
    TextListAdd(&Options->Environment, "%s", Value);
    return true;
}

static bool SetSetting(OPTIONS *Options, const char *Value, TEXT *Error)
{
    size_t length = strcspn(Value, ":");

    if (length == 0 || !Utf8IsValid(Value) || strpbrk(Value, "\r\n") != NULL)
    {
        TextAppend(Error, "--option wants NAME or NAME:VALUE");
        return false;
    }
    if (length == 4 && strncmp(Value, "seed", 4) == 0)
    {
        TextAppend(Error, "the seed is set by --seed N");
        return false;
    }
    TextListAdd(&Options->Settings, "%s", Value);
    return true;
}

static bool SetVerify(OPTIONS *Options, const char *Value, TEXT *Error)
{
    return VerifyParse(&Options->Verify, Value, Error);
}

static bool SetAdd(OPTIONS *Options, const char *Value, TEXT *Error)
{
    if (*Value == '\0')
    {
        TextAppend(Error, "--add wants FILE or FILE=NAME");
        return false;
    }
    TextListAdd(&Options->Adds, "%s", Value);
    return true;
}

static bool SetFail(OPTIONS *Options, const char *Value, TEXT *Error)
{
    TextListAdd(&Options->Settings, "fail:%s", Value);
    return FaultsCheckFail(Value, Error);
}

static bool SetKill(OPTIONS *Options, const char *Value, TEXT *Error)
{
    Options->Repeats = true;
    TextListAdd(&Options->Settings, "kill:%s", Value);
    return FaultsCheckKill(Value, Error);
}

static bool SetShuffle(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Value;
    (void)Error;
    Options->Repeats = true;
    TextListAdd(&Options->Settings, "shuffle");
    return true;
}

static bool SetSweep(OPTIONS *Options, const char *Value, TEXT *Error)
{
    Options->Repeats = true;
    return FaultsReadSweep(&Options->Sweep, Value, Error);
}

static bool SetJobs(OPTIONS *Options, const char *Value, TEXT *Error)
{
    return OptionsUnsigned("--jobs", Value, 1, MAX_JOBS, &Options->Sweep.Jobs, Error);
}

static bool SetGdb(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Value;
    (void)Error;
    Options->Gdb = true;
    return true;
}

static bool SetKeep(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Value;
    (void)Error;
    Options->Keep = true;
    return true;
}

static bool SetLedger(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Value;
    (void)Error;
    TextListAdd(&Options->Settings, "ledger");
    return true;
}

static bool SetVerbose(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Value;
    (void)Error;
    Options->Verbose = true;
    return true;
}

static bool SetStdin(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Error;
    Options->Stdin = Value;
    return true;
}

static bool SetJson(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Error;
    Options->Json = Value;
    return true;
}

static bool SetSystem(OPTIONS *Options, const char *Value, TEXT *Error)
{
    (void)Error;
    Options->System = Value;
    return true;
}

static const OPTION OptionTable[] = {
    {"--add", ArgumentNeeded, SetAdd},
    {"--cpus", ArgumentNeeded, SetCpus},
    {"--env", ArgumentNeeded, SetEnvironment},
    {"--fail", ArgumentNeeded, SetFail},
    {"--gdb", ArgumentNone, SetGdb},
    {"--icount", ArgumentOptional, SetIcount},
    {"--jobs", ArgumentNeeded, SetJobs},
    {"--json", ArgumentNeeded, SetJson},
    {"--keep", ArgumentNone, SetKeep},
    {"--kill", ArgumentNeeded, SetKill},
    {"--ledger", ArgumentNone, SetLedger},
    {"--machine", ArgumentNeeded, SetMachine},
    {"--memory", ArgumentNeeded, SetMemory},
    {"--option", ArgumentNeeded, SetSetting},
    {"--seed", ArgumentNeeded, SetSeed},
    {"--shuffle", ArgumentNone, SetShuffle},
    {"--stdin", ArgumentNeeded, SetStdin},
    {"--sweep", ArgumentNeeded, SetSweep},
    {"--system", ArgumentNeeded, SetSystem},
    {"--timeout", ArgumentNeeded, SetTimeout},
    {"--verbose", ArgumentNone, SetVerbose},
    {"--verify", ArgumentNeeded, SetVerify},
};

/* Applies the option at Argv[*Index] and moves *Index to its last word. */
static bool OptionsApply(OPTIONS *Options, int Argc, char *const *Argv, int *Index, TEXT *Error)
{
    const char *word = Argv[*Index];
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const char *value = equals != NULL ? equals + 1 : NULL;

    for (size_t i = 0; i < sizeof(OptionTable) / sizeof(OptionTable[0]); i++)
    {
        const OPTION *option = &OptionTable[i];

        if (strlen(option->Name) != length || memcmp(option->Name, word, length) != 0)
        {
            continue;
        }
        if (option->Kind == ArgumentNone && value != NULL)
        {
            TextAppend(Error, "%s takes no value", option->Name);
            return false;
        }
        if (option->Kind == ArgumentNeeded && value == NULL)
        {
            if (*Index + 1 >= Argc)
            {
                TextAppend(Error, "%s wants a value", option->Name);
                return false;
            }
            value = Argv[++*Index];
        }
        return option->Set(Options, value, Error);
    }
    TextAppend(Error, "unknown option %s", word);
    return false;
}

OPTIONS_RESULT OptionsParse(OPTIONS *Options, int Argc, char *const *Argv, TEXT *Error)
{
    bool optionsEnded = false;

    memset(Options, 0, sizeof(*Options));
    Options->Cpus = DEFAULT_CPUS;
    Options->Memory = DEFAULT_MEMORY;
    Options->Machine = "microvm";
    Options->Timeout = UINT_MAX; /* not given */
    Options->Sweep.Jobs = DEFAULT_JOBS;

    for (int i = 1; i < Argc && Options->Program == NULL; i++)
    {
        const char *word = Argv[i];

        if (!optionsEnded && word[0] == '-' && word[1] != '\0')
        {
            if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            {
                return OptionsHelp;
            }
            if (strcmp(word, "--version") == 0)
            {
                return OptionsVersion;
            }
            if (strcmp(word, "--") == 0)
            {
                optionsEnded = true;
            }
            else if (!OptionsApply(Options, Argc, Argv, &i, Error))
            {
                return OptionsWrong;
            }
        }
        else if (PathHasExtension(word, ".sys"))
        {
            TextListAdd(&Options->Drivers, "%s", word);
        }
        else
        {
            Options->Program = word;
            Options->Arguments = Argv + i + 1;
            Options->ArgumentCount = (size_t)(Argc - i - 1);
        }
    }
    if (Options->Program == NULL)
    {
        TextAppend(Error, "no program is named");
        return OptionsWrong;
    }
    if (Options->Timeout == UINT_MAX)
    {
        /* Someone at a debugger has all the time in the world. */
        Options->Timeout = Options->Gdb                        ? 0
                           : Options->Sweep.Kind != SweepNone ? DEFAULT_SWEEP_TIMEOUT
                                                              : DEFAULT_TIMEOUT;
    }
    Options->Icount |= Options->Repeats;
    if ((Options->Icount || Options->Gdb) && !Options->FixedSeed)
    {
        /* An exact run repeats exactly, and a debugger must know where the kernel lies. */
        Options->FixedSeed = true;
        Options->Seed = 0;
    }
    VerifySettings(&Options->Verify, &Options->Settings);
    return OptionsRun;
}

void OptionsFree(OPTIONS *Options)
{
    TextListFree(&Options->Adds);
    TextListFree(&Options->Environment);
    TextListFree(&Options->Settings);
    TextListFree(&Options->Drivers);
}

const char OptionsHelpText[] =
    "usage: ntrun [options] [driver.sys...] program.exe [arguments]\n"
    "\n"
    "Runs a Windows program, and the drivers it talks to, on a small NT-compatible machine under QEMU.\n"
    "Drivers are started before the program and stopped after it. DLLs that lie beside the program and\n"
    "that it imports come along; the program's current directory on the machine is C:\\run.\n"
    "\n"
    "  --add FILE[=NAME]      place FILE in C:\\run, under NAME if given (NAME may hold directories)\n"
    "  --stdin FILE           what the program reads from its standard input; - is ntrun's own\n"
    "  --env NAME=VALUE       set a variable for the program; an empty VALUE removes a default\n"
    "  --cpus N               processors, 1 to 64 (2)\n"
    "  --memory MB            memory, from 32 (256)\n"
    "  --timeout SECONDS      stop the machine after that time; 0 is never (120); each run of a sweep after that much\n"
    "                         processor time (30)\n"
    "  --icount[=SHIFT]       count instructions: exact, repeatable, one processor at a time; implies --seed 0\n"
    "  --seed N               take all random numbers from N, among them where the kernel lies\n"
    "  --fail WHICH           refuse requests of the drivers: nth=N, every=N, site=N or random=N[,seed=S] (one in N)\n"
    "  --kill WHEN            kill the program: point=N (system services and waits, counted from its first request\n"
    "                         to a driver) or instruction=N; implies --icount\n"
    "  --shuffle              other interleavings of threads and processors, chosen by --seed; implies --icount\n"
    "  --sweep failures[=N]   run once for each request of the drivers, with that one refused; =N: at most N of them\n"
    "  --sweep sites[=N]      run once for each place in the drivers that requests something, with all of it refused\n"
    "  --sweep kill[=N]       run once for each point, with the program killed there, and for instructions between\n"
    "  --sweep schedules=N    run with --shuffle and N seeds\n"
    "  --jobs N               runs of a sweep at the same time (2)\n"
    "  --verify MODE[,MODE]   check drivers as Driver Verifier does; the modes are listed below\n"
    "  --option NAME[:VALUE]  an option for the kernel\n"
    "  --gdb                  wait for gdb on port 1234, and say what to type there; implies --seed 0\n"
    "  --machine TYPE         QEMU's machine: microvm, q35 or pc (microvm)\n"
    "  --system DIR           where ntoskrnl.exe and the system's DLLs lie\n"
    "  --json FILE            write the whole result as JSON; - is standard output, and the program's goes to\n"
    "                         standard error\n"
    "  --ledger               write down who takes what, with the stack; show what is held when a driver has\n"
    "                         unloaded, at shutdown, at a blue screen, and when a program asks: docs/report.md\n"
    "  --keep                 keep the packed image and the report, and say where\n"
    "  --verbose              print the command that starts QEMU, and the machine's report\n"
    "  --help, --version\n"
    "\n"
    "The program's output comes out on standard output; its errors, the kernel's and the drivers' messages on\n"
    "standard error. NTRUN_QEMU names another QEMU than qemu-system-x86_64, NTRUN_SYMBOLIZER another\n"
    "llvm-symbolizer than llvm-symbolizer-19.\n"
    "\n"
    "A sweep returns 0 if every run held: no blue screen, no crash, no time-out, nothing left over; else 1, and says\n"
    "how to repeat each run that did not.\n"
    "\n"
    "Exit codes:\n"
    "  0-198  the program's own\n"
    "  199    the program's own, if it is 199 or above; the exact value is printed\n"
    "  200    wrong usage of ntrun\n"
    "  201    the machine cannot be started: a file cannot be read, QEMU is missing; or output was lost\n"
    "  202    a driver, the program or one of its DLLs was refused\n"
    "  203    blue screen\n"
    "  204    the machine crashed\n"
    "  205    time-out\n"
    "  206    something was left over at shutdown: locked pages, mappings, pool\n";
