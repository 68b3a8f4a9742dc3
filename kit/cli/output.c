/* SPDX-License-Identifier: MIT */
/*
 * How things are printed. Text goes out as UTF-8; escape sequences only to a terminal that takes them, and not where
 * NO_COLOR is set (no-color.org).
 */
#include "cli.h"

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x4
#endif

static BOOL Colours;
static UINT OldCodePage;

static void RestoreOutput(void)
{
    fputs(Plain(), stdout);
    fflush(stdout);
    SetConsoleOutputCP(OldCodePage);
}

/* A handle on a console, which alone has a mode. */
BOOL IsTerminal(DWORD StandardHandle)
{
    DWORD mode;
    return GetConsoleMode(GetStdHandle(StandardHandle), &mode);
}

/* Readies a console for UTF-8 and, if it can, for colours. What was set is set back at exit: the console stays. */
void PrepareOutput(void)
{
    DWORD mode;
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!GetConsoleMode(output, &mode))
    {
        return;
    }
    const char *no = getenv("NO_COLOR");
    Colours = (no == NULL || no[0] == 0) && SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    OldCodePage = GetConsoleOutputCP();
    SetConsoleOutputCP(CP_UTF8);
    atexit(RestoreOutput);
}

const char *Bold(void)
{
    return Colours ? "\x1b[1m" : "";
}

const char *Good(void)
{
    return Colours ? "\x1b[32m" : "";
}

const char *Bad(void)
{
    return Colours ? "\x1b[1;31m" : "";
}

const char *Plain(void)
{
    return Colours ? "\x1b[0m" : "";
}

const char *Utf8(const wchar_t *Text)
{
    static char rooms[8][1024];
    static int next;
    char *room = rooms[next++ % 8];
    if (WideCharToMultiByte(CP_UTF8, 0, Text, -1, room, sizeof(rooms[0]), NULL, NULL) == 0)
    {
        strcpy(room, "(name too long to show)");
    }
    return room;
}

/* Text that another process chose, without what a terminal would obey: control characters become question marks. */
const char *Visible(const char *Text)
{
    static char rooms[4][512];
    static int next;
    char *room = rooms[next++ % 4];
    size_t length = 0;
    for (; *Text != 0 && length + 1 < sizeof(rooms[0]); Text++)
    {
        const unsigned char *at = (const unsigned char *)Text;
        BOOL second = at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0; /* U+0080 to U+009F */
        room[length++] = at[0] < 0x20 || at[0] == 0x7F || second ? '?' : *Text;
        Text += second;
    }
    room[length] = 0;
    return room;
}

/* A number with commas, for people. */
const char *Grouped(UINT64 Value)
{
    static char rooms[8][28];
    static int next;
    char *room = rooms[next++ % 8];
    char *at = room + sizeof(rooms[0]) - 1;
    *at = 0;
    for (int digits = 0; digits == 0 || Value != 0; digits++, Value /= 10)
    {
        if (digits != 0 && digits % 3 == 0)
        {
            *--at = ',';
        }
        *--at = (char)('0' + Value % 10);
    }
    return at;
}

void ReportError(const char *What, DWORD Error)
{
    fflush(stdout);
    fprintf(stderr, "isthmus: %s: error %lu. %s\n", What, (unsigned long)Error, Utf8(IsthmusAdvice(Error)));
}

/* How far long work is, rewritten in one line, on a terminal only. Total 0: no percentage. */
void Progress(const char *What, UINT64 Done, UINT64 Total)
{
    static ULONGLONG last;
    ULONGLONG now = GetTickCount64();
    if (now - last < 200 || !IsTerminal(STD_ERROR_HANDLE))
    {
        return;
    }
    last = now;
    if (Total != 0)
    {
        fprintf(stderr, "\r%s  %3u%%  %s of %s bytes ", What, (unsigned)(Done / (Total / 100 + 1)), Grouped(Done),
                Grouped(Total));
    }
    else
    {
        fprintf(stderr, "\r%s ... ", What);
    }
    fflush(stderr);
}

/* Clears the line that Progress left. */
void ProgressEnd(void)
{
    if (IsTerminal(STD_ERROR_HANDLE))
    {
        fprintf(stderr, "\r%78s\r", "");
        fflush(stderr);
    }
}

const char *KindName(UINT32 Kind)
{
    static const char *const names[] = {"?", "user buffer", "nonpaged pool", "paged pool", "pages", "channel"};
    return Kind < sizeof(names) / sizeof(names[0]) ? names[Kind] : "?";
}

const char *AccessName(UINT32 Access)
{
    return Access & ISTHMUS_ACCESS_WRITE ? "read-write" : "read-only";
}

const char *StateName(UINT32 State)
{
    return State == ISTHMUS_STATE_LIVE ? "live" : State == ISTHMUS_STATE_DRAINING ? "draining" : "gone";
}

const char *MethodName(UINT32 Method)
{
    static const char *const names[] = {"buffered", "in-direct", "out-direct", "neither"};
    return Method < 4 ? names[Method] : "?";
}

static const char *const FlagNames[16] = {
    "MAPPED_TO_SYSTEM_VA", "PAGES_LOCKED",          "SOURCE_IS_NONPAGED_POOL", "ALLOCATED_FIXED_SIZE",
    "PARTIAL",             "PARTIAL_HAS_BEEN_MAPPED", "IO_PAGE_READ",          "WRITE_OPERATION",
    "PARENT_MAPPED_SYSTEM_VA", "FREE_EXTRA_PTES",   "DESCRIBES_AWE",           "IO_SPACE",
    "NETWORK_HEADER",      "MAPPING_CAN_FAIL",      "PAGE_CONTENTS_INVARIANT", "INTERNAL",
};

const char *FlagName(int Bit)
{
    return FlagNames[Bit];
}

void PrintMdl(const ISTHMUS_MDL *Mdl)
{
    printf(ROW "Size 0x%X, MdlFlags 0x%04X", "MDL", Mdl->Size, Mdl->MdlFlags);
    const char *separator = " = ";
    for (int bit = 0; bit < 16; bit++)
    {
        if (Mdl->MdlFlags & (1u << bit))
        {
            printf("%s%s", separator, FlagNames[bit]);
            separator = " | ";
        }
    }
    printf("\n" ROW, "");
    if (Mdl->Present & ISTHMUS_MDL_KERNEL_START)
    {
        printf("StartVa in the kernel (not shown)");
    }
    else
    {
        printf("StartVa 0x%llX", (unsigned long long)Mdl->StartVa);
    }
    printf(", ByteOffset 0x%X, ByteCount %u (%u pages)\n", Mdl->ByteOffset, Mdl->ByteCount, Mdl->Pages);
    printf(ROW "Next %s, Process %s, MappedSystemVa %s\n", "", Mdl->Present & ISTHMUS_MDL_HAS_NEXT ? "set" : "NULL",
           Mdl->Present & ISTHMUS_MDL_HAS_PROCESS ? "set" : "NULL",
           Mdl->Present & ISTHMUS_MDL_HAS_SYSTEM_VA ? "set (not shown)" : "not set");
}

void PrintPfn(UINT64 Pfn)
{
    if (Pfn == ISTHMUS_NO_PFN)
    {
        printf("  %10s", "-");
    }
    else
    {
        printf("  %#10llx", (unsigned long long)Pfn);
    }
}
