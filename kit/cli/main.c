/* SPDX-License-Identifier: MIT */
/*
 * isthmus.exe: the commands, their options and their help.
 *
 * Exit codes: 0 done and, for demo, every proof held; 1 something failed, with a line on stderr that says what to do;
 * 2 wrong usage; 3 for demo: nothing failed, but something was refused. `isthmus help`, `isthmus COMMAND --help` and
 * `-h` anywhere print help and end with 0.
 */
#include "cli.h"

#define FLAG(Name, Member, Help)         {Name, NULL, OptionFlag, offsetof(OPTIONS, Member), Help}
#define WORD(Name, Value, Member, Help)  {Name, Value, OptionText, offsetof(OPTIONS, Member), Help}
#define BYTES(Name, Member, Help)        {Name, "BYTES", OptionBytes, offsetof(OPTIONS, Member), Help}
#define COUNT(Name, Value, Member, Help) {Name, Value, OptionCount, offsetof(OPTIONS, Member), Help}

#define OPTION_SYS  WORD(L"--sys", "PATH", Driver, "the driver (default isthmus.sys beside this program)")
#define OPTION_JSON FLAG(L"--json", Json, "print JSON")
#define OPTION_NAME WORD(L"--name", "NAME", Name, "lets other processes open the region by this name")
#define OPTION_FOR  COUNT(L"--for", "SECONDS", Seconds, "hold it that long instead of until Enter or Ctrl+C")

static const OPTION DemoOptions[] = {
    WORD(L"--file", "PATH", File, "the file, not empty (default README.md in the current directory)"),
    OPTION_SYS,
};
static const OPTION InstallOptions[] = {
    OPTION_SYS,
    FLAG(L"--demo", Demo, "allow administrators the reads of `demo why`"),
};
static const OPTION ShareOptions[] = {
    BYTES(L"--size", Size, "share an empty buffer of this size instead of a file's bytes"),
    BYTES(L"--offset", Offset, "start the buffer this far into its first page (0 to 4095)"),
    FLAG(L"--read-only", ReadOnly, "the driver may read only"),
    FLAG(L"--check", Check, "compare the driver's checksum with this program's"),
    OPTION_NAME,
    OPTION_FOR,
};
static const OPTION AllocOptions[] = {
    WORD(L"--kind", "KIND", Kind, "nonpaged, paged (the default) or pages"),
    BYTES(L"--size", Size, "default 12288, three pages"),
    OPTION_NAME,
    OPTION_FOR,
};
static const OPTION ListOptions[] = {OPTION_JSON};
static const OPTION DescribeOptions[] = {
    WORD(L"--kind", "KIND", Kind, "a new region: user, nonpaged, paged, pages or channel (default user)"),
    WORD(L"--to", "SIDE", To, "of a new channel: program (default) or driver"),
    WORD(L"--request", "METHOD", Request, "a request: buffered, in-direct, out-direct or neither"),
    BYTES(L"--size", Size, "of the new region or of each part of the request (default 12288)"),
    BYTES(L"--offset", Offset, "start a buffer of this process that far into its first page"),
    COUNT(L"--parts", "N", Parts, "buffers of a direct request, chained (1 to 8, default 1)"),
    COUNT(L"--pages", "N", Pages, "pages to show of each MDL: the first ones, and the last"),
    FLAG(L"--all", All, "show all pages"),
    OPTION_JSON,
    FLAG(L"--svg", Svg, "print a picture (SVG)"),
};
static const OPTION ChannelOptions[] = {
    WORD(L"--to", "SIDE", To, "program, driver or both at once (default both)"),
    COUNT(L"--records", "N", Records, "records of each producer (default 10000)"),
    {L"--size", "MIN[-MAX]", OptionRange, offsetof(OPTIONS, Size), "bytes of a record's data (default 16-1K)"},
    BYTES(L"--capacity", Capacity, "of the ring, a power of two from 4K to 512M (default 64K)"),
    COUNT(L"--producers", "N", Producers, "producers in the driver, at once (1 to 8, default 1)"),
    FLAG(L"--overwrite", Overwrite, "the driver overwrites the oldest records; read when it has written all"),
    FLAG(L"--drop", Drop, "the driver drops records that find no room; read when it is done"),
    COUNT(L"--for", "SECONDS", Seconds, "keep the channels that long afterwards, for a look with list"),
};
static const OPTION StatOptions[] = {OPTION_JSON};

static int CommandHelp(const OPTIONS *Options);
static int CommandVersion(const OPTIONS *Options);

static int CommandInstall(const OPTIONS *Options)
{
    return InstallDriver(Options->Driver, Options->Demo) ? EXIT_OK : EXIT_FAILED;
}

static int CommandStart(const OPTIONS *Options)
{
    (void)Options;
    return StartDriver() ? EXIT_OK : EXIT_FAILED;
}

static int CommandStop(const OPTIONS *Options)
{
    (void)Options;
    return StopDriver() ? EXIT_OK : EXIT_FAILED;
}

static int CommandRemove(const OPTIONS *Options)
{
    (void)Options;
    return RemoveDriver() ? EXIT_OK : EXIT_FAILED;
}

#define NO_OPTIONS NULL, 0
#define OPTIONS_OF(Table) Table, (int)(sizeof(Table) / sizeof(Table[0]))

static const COMMAND Commands[] = {
    {L"demo", "[WAY...]", 7, "share a file's bytes in every way, with proofs",
     "Runs the ways to share memory between a driver and a program on the bytes of a file, and proves each:\n"
     "the driver's checksum over its own view equals the program's, changes are seen without a call, frames\n"
     "are the same. Ways: user, kernel, buffered, direct, neither, why, channel; or 1 to 7; all without a name.\n"
     "Installs and starts the driver if it isn't running, and then stops and removes it at the end.\n",
     OPTIONS_OF(DemoOptions), CommandDemo},
    {L"install", "", 0, "register the driver as a service",
     "Registers isthmus.sys, which stays where it is, as the service isthmus, started on demand.\n",
     OPTIONS_OF(InstallOptions), CommandInstall},
    {L"start", "", 0, "start the driver", "Starts the installed driver.\n", NO_OPTIONS, CommandStart},
    {L"stop", "", 0, "stop the driver",
     "Stops the driver; it waits for programs that use it to close it.\n", NO_OPTIONS, CommandStop},
    {L"remove", "", 0, "remove the service", "Removes the service. Stop the driver first.\n", NO_OPTIONS,
     CommandRemove},
    {L"share", "[FILE]", 1, "share a buffer of this process, and hold it",
     "Shares a buffer with the driver: the file's bytes, or an empty one. Prints the region's id, and holds it\n"
     "until Enter, Ctrl+C or the end of standard input, so that list and describe have something to show.\n",
     OPTIONS_OF(ShareOptions), CommandShare},
    {L"alloc", "", 0, "have the driver allocate memory, map it, and hold it",
     "Has the driver allocate whole zeroed pages and maps them into this process. Prints the region's id and the\n"
     "address, and holds both until Enter, Ctrl+C or the end of standard input.\n",
     OPTIONS_OF(AllocOptions), CommandAlloc},
    {L"channel", "", 0, "stream records between driver and program, with evidence",
     "Opens channels, streams records through them, and shows what both sides say: records, bytes and checksums,\n"
     "records given up, times a side found the ring full or empty (stalls) and woke the other, what this program\n"
     "may do to each page (tried), and the frames of the data, which is mapped twice in a row. To the program the\n"
     "driver makes the records, in DPCs; to the driver this program does. Fails if the sides disagree.\n",
     OPTIONS_OF(ChannelOptions), CommandChannel},
    {L"list", "[sessions | regions | views]", 1, "show who holds what",
     "Lists sessions, regions and views with the processes that hold them. Others' entries are shown to\n"
     "administrators.\n",
     OPTIONS_OF(ListOptions), CommandList},
    {L"describe", "[NAME]", 1, "show a region as Windows sees it: MDL, flags, frames",
     "Describes a region that another process has named, a new one of this process, or the caller's buffer of a\n"
     "request, as text, JSON (docs/describe.md) or a picture. Of a long region the first pages are shown and the\n"
     "last; JSON has all of them unless --pages says otherwise. Frames are shown to administrators.\n",
     OPTIONS_OF(DescribeOptions), CommandDescribe},
    {L"stat", "", 0, "show what is held, totals and quotas", "Shows the driver's counters and limits.\n",
     OPTIONS_OF(StatOptions), CommandStat},
    {L"version", "", 0, "show the versions of program and driver",
     "Shows the versions of this program and, if it runs, of the driver.\n", NO_OPTIONS, CommandVersion},
    {L"help", "[COMMAND]", 1, "show this, or a command's help", "Shows the commands, or one command's help.\n",
     NO_OPTIONS, CommandHelp},
};

/* The second process of `demo why`; not for people, so not in the help. */
static const COMMAND Peer = {L"peer", "", 6, "", "", NO_OPTIONS, PeerMain};

#define COMMAND_COUNT ((int)(sizeof(Commands) / sizeof(Commands[0])))

static void PrintUsage(FILE *To)
{
    fprintf(To, "Isthmus shares memory between a driver and programs.\n\nusage: isthmus COMMAND [options]\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
    {
        fprintf(To, "  %-10s%s\n", Utf8(Commands[i].Name), Commands[i].Summary);
    }
    fprintf(To, "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by this system (demo). isthmus help COMMAND tells more.\n");
}

static void PrintHelp(const COMMAND *Command)
{
    printf("usage: isthmus %s%s%s%s\n\n%s", Utf8(Command->Name), Command->WordsMost != 0 ? " " : "", Command->Words,
           Command->OptionCount != 0 ? " [options]" : "", Command->Help);
    for (int i = 0; i < Command->OptionCount; i++)
    {
        const OPTION *option = &Command->Options[i];
        char left[40];
        snprintf(left, sizeof(left), "%s%s%s", Utf8(option->Name), option->Value != NULL ? " " : "",
                 option->Value != NULL ? option->Value : "");
        printf("%s  %-18s  %s\n", i == 0 ? "\n" : "", left, option->Help);
    }
}

static const COMMAND *FindCommand(const wchar_t *Name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
    {
        if (wcscmp(Name, Commands[i].Name) == 0)
        {
            return &Commands[i];
        }
    }
    if (wcscmp(Name, Peer.Name) == 0)
    {
        return &Peer;
    }
    fprintf(stderr, "isthmus: there is no command \"%s\"; isthmus help lists them.\n", Utf8(Name));
    return NULL;
}

static int CommandHelp(const OPTIONS *Options)
{
    if (Options->WordCount == 0)
    {
        PrintUsage(stdout);
        return EXIT_OK;
    }
    const COMMAND *command = FindCommand(Options->Words[0]);
    if (command == NULL)
    {
        return EXIT_USAGE;
    }
    PrintHelp(command);
    return EXIT_OK;
}

static int CommandVersion(const OPTIONS *Options)
{
    ISTHMUS_VERSION version;
    (void)Options;
    printf("isthmus.exe  %u.%u.%u\n", ISTHMUS_VERSION_MAJOR, ISTHMUS_VERSION_MINOR, ISTHMUS_VERSION_PATCH);
    HISTHMUS isthmus = IsthmusOpen(0);
    if (isthmus == NULL)
    {
        DWORD error = GetLastError();
        if (error != ERROR_FILE_NOT_FOUND)
        {
            ReportError("cannot open the driver", error);
            return EXIT_FAILED;
        }
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

static BOOL IsHelp(const wchar_t *Argument)
{
    return wcscmp(Argument, L"--help") == 0 || wcscmp(Argument, L"-h") == 0 || wcscmp(Argument, L"/?") == 0;
}

int main(void)
{
    int count;
    OPTIONS options = {0};
    PrepareOutput();
    wchar_t **arguments = TakeArguments(&count);
    if (arguments == NULL)
    {
        fprintf(stderr, "isthmus: out of memory.\n");
        return EXIT_FAILED;
    }
    if (count < 2)
    {
        PrintUsage(stderr);
        return EXIT_USAGE;
    }
    if (IsHelp(arguments[1]))
    {
        PrintUsage(stdout);
        return EXIT_OK;
    }
    const COMMAND *command = FindCommand(wcscmp(arguments[1], L"--version") == 0 ? L"version" : arguments[1]);
    if (command == NULL)
    {
        return EXIT_USAGE;
    }
    for (int i = 2; i < count && wcscmp(arguments[i], L"--") != 0; i++)
    {
        if (IsHelp(arguments[i]))
        {
            PrintHelp(command);
            return EXIT_OK;
        }
    }
    if (!TakeOptions(command, arguments + 2, count - 2, &options))
    {
        return EXIT_USAGE;
    }
    int code = command->Run(&options);
    if (fflush(stdout) != 0 && code == EXIT_OK)
    {
        fprintf(stderr, "isthmus: the output could not be written whole; is the disk full?\n");
        code = EXIT_FAILED;
    }
    return code;
}
