/* SPDX-License-Identifier: MIT */
/*
 * isthmus.exe: the commands and their help.
 *
 * Exit codes: 0 done and, for demo, every proof held; 1 something failed; 2 wrong usage.
 */
#include "cli.h"

static const struct
{
    const wchar_t *Name;
    const char *Arguments;
    const char *Summary;
    const char *Help;
} Commands[] = {
    {L"demo", "[--file PATH] [--sys PATH] [way...]", "share a file's bytes in every way, with proofs",
     "Runs the ways to share memory between a driver and a program on the bytes of a file, and proves each: the "
     "driver's\n"
     "checksum over its own view equals the program's, changes are seen without a call, frames are the same.\n"
     "Ways: user, kernel, buffered, direct, neither, why; or 1 to 6; all of them without a name.\n"
     "Installs and starts the driver if it isn't running, and then stops and removes it at the end.\n"
     "  --file PATH   the file, not empty (default README.md in the current directory)\n"
     "  --sys PATH    the driver to install (default isthmus.sys beside this program)\n"},
    {L"install", "[--sys PATH] [--demo]", "register the driver as a service",
     "Registers isthmus.sys, which stays where it is, as the service isthmus, started on demand.\n"
     "  --sys PATH    the driver (default isthmus.sys beside this program)\n"
     "  --demo        allow administrators the reads of `demo why`\n"},
    {L"start", "", "start the driver", "Starts the installed driver.\n"},
    {L"stop", "", "stop the driver", "Stops the driver; it waits for programs that use it to close it.\n"},
    {L"remove", "", "remove the service", "Removes the service. Stop the driver first.\n"},
    {L"describe", "[NAME | --kind KIND] [--size BYTES]", "show a region as Windows sees it: MDL, flags, frames",
     "Describes a named region, or a new one of the kind: user, nonpaged, paged, pages (default user, 3 pages).\n"
     "Frames are shown to administrators.\n"},
    {L"list", "", "list sessions, regions and views",
     "Lists who holds what. Others' entries are shown to administrators.\n"},
    {L"stat", "", "show what is held, totals and quotas", "Shows the driver's counters and limits.\n"},
    {L"help", "[command]", "show this, or a command's help", "Shows the commands, or one command's help.\n"},
    {L"version", "", "show the versions of program and driver",
     "Shows the versions of this program and, if it runs, of the driver.\n"},
};

#define COMMAND_COUNT ((int)(sizeof(Commands) / sizeof(Commands[0])))

static void PrintUsage(FILE *To)
{
    fprintf(To, "Isthmus shares memory between a driver and programs.\n\nisthmus command [options]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
    {
        fprintf(To, "  %-10s%s\n", Utf8(Commands[i].Name), Commands[i].Summary);
    }
    fprintf(To, "\nExit codes: 0 done, 1 failed, 2 wrong usage. isthmus help COMMAND tells more.\n");
}

static int CommandHelp(const OPTIONS *Options)
{
    if (Options->WordCount == 0)
    {
        PrintUsage(stdout);
        return EXIT_OK;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
    {
        if (wcscmp(Options->Words[0], Commands[i].Name) == 0)
        {
            printf("isthmus %s %s\n\n%s", Utf8(Commands[i].Name), Commands[i].Arguments, Commands[i].Help);
            return EXIT_OK;
        }
    }
    fprintf(stderr, "isthmus: there is no command %s; isthmus help lists them.\n", Utf8(Options->Words[0]));
    return EXIT_USAGE;
}

static int CommandVersion(void)
{
    ISTHMUS_VERSION version;
    printf("isthmus.exe  %u.%u.%u\n", ISTHMUS_VERSION_MAJOR, ISTHMUS_VERSION_MINOR, ISTHMUS_VERSION_PATCH);
    HISTHMUS isthmus = IsthmusOpen(0);
    if (isthmus == NULL)
    {
        printf("isthmus.sys  not running\n");
        return EXIT_OK;
    }
    BOOL done = IsthmusQueryVersion(isthmus, &version);
    if (done)
    {
        printf("isthmus.sys  %u.%u.%u on system %u.%u.%u\n", version.Driver >> 16, (version.Driver >> 8) & 0xFF,
               version.Driver & 0xFF, version.SystemMajor, version.SystemMinor, version.SystemBuild);
    }
    else
    {
        ReportError("cannot query the driver", GetLastError());
    }
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}

/* Takes options out of the arguments; what is left are words. FALSE: a message was printed. */
static BOOL TakeOptions(wchar_t **Arguments, int Count, OPTIONS *Options)
{
    Options->Words = Arguments;
    for (int i = 0; i < Count; i++)
    {
        const wchar_t *name = Arguments[i];
        const wchar_t **text = NULL;
        if (wcscmp(name, L"--demo") == 0)
        {
            Options->Demo = TRUE;
            continue;
        }
        if (wcscmp(name, L"--file") == 0)
        {
            text = &Options->File;
        }
        else if (wcscmp(name, L"--sys") == 0)
        {
            text = &Options->Driver;
        }
        else if (wcscmp(name, L"--kind") == 0)
        {
            text = &Options->Kind;
        }
        else if (wcscmp(name, L"--size") != 0)
        {
            if (name[0] == L'-' && name[1] != 0)
            {
                fprintf(stderr, "isthmus: unknown option %s; isthmus help tells the options.\n", Utf8(name));
                return FALSE;
            }
            Options->Words[Options->WordCount++] = Arguments[i];
            continue;
        }
        if (i + 1 == Count)
        {
            fprintf(stderr, "isthmus: %s needs a value.\n", Utf8(name));
            return FALSE;
        }
        const wchar_t *value = Arguments[++i];
        if (text != NULL)
        {
            *text = value;
            continue;
        }
        wchar_t *end;
        Options->Size = wcstoul(value, &end, 0);
        if (end == value || *end != 0 || Options->Size == 0)
        {
            fprintf(stderr, "isthmus: --size wants a number of bytes, not %s.\n", Utf8(value));
            return FALSE;
        }
    }
    return TRUE;
}

static int RunCommand(const wchar_t *Name, const OPTIONS *Options)
{
    if (wcscmp(Name, L"demo") == 0)
    {
        return CommandDemo(Options);
    }
    if (wcscmp(Name, L"peer") == 0)
    {
        return PeerMain(Options); /* the second process of `demo why`; not for people */
    }
    if (wcscmp(Name, L"help") == 0)
    {
        return CommandHelp(Options);
    }
    if (wcscmp(Name, L"describe") == 0)
    {
        return CommandDescribe(Options);
    }
    if (Options->WordCount != 0)
    {
        fprintf(stderr, "isthmus: %s takes no %s; see isthmus help %s.\n", Utf8(Name), Utf8(Options->Words[0]),
                Utf8(Name));
        return EXIT_USAGE;
    }
    if (wcscmp(Name, L"install") == 0)
    {
        return InstallDriver(Options->Driver, Options->Demo) ? EXIT_OK : EXIT_FAILED;
    }
    if (wcscmp(Name, L"start") == 0)
    {
        return StartDriver() ? EXIT_OK : EXIT_FAILED;
    }
    if (wcscmp(Name, L"stop") == 0)
    {
        return StopDriver() ? EXIT_OK : EXIT_FAILED;
    }
    if (wcscmp(Name, L"remove") == 0)
    {
        return RemoveDriver() ? EXIT_OK : EXIT_FAILED;
    }
    if (wcscmp(Name, L"list") == 0)
    {
        return CommandList();
    }
    if (wcscmp(Name, L"stat") == 0)
    {
        return CommandStat();
    }
    if (wcscmp(Name, L"version") == 0)
    {
        return CommandVersion();
    }
    fprintf(stderr, "isthmus: there is no command %s; isthmus help lists them.\n", Utf8(Name));
    return EXIT_USAGE;
}

int main(void)
{
    int count;
    OPTIONS options = {0};
    wchar_t **arguments = TakeArguments(&count);
    if (arguments == NULL)
    {
        fprintf(stderr, "isthmus: out of memory.\n");
        return EXIT_FAILED;
    }
    if (!TakeOptions(arguments + 1, count > 0 ? count - 1 : 0, &options))
    {
        return EXIT_USAGE;
    }
    if (options.WordCount == 0)
    {
        PrintUsage(stderr);
        return EXIT_USAGE;
    }
    const wchar_t *name = options.Words[0];
    options.Words++;
    options.WordCount--;
    return RunCommand(name, &options);
}
