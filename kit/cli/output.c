/* SPDX-License-Identifier: MIT */
/*
 * How things are printed. Text goes out as UTF-8.
 */
#include "cli.h"

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

void ReportError(const char *What, DWORD Error)
{
    fflush(stdout);
    fprintf(stderr, "isthmus: %s: error %lu. %s\n", What, (unsigned long)Error, Utf8(IsthmusAdvice(Error)));
}

const char *KindName(UINT32 Kind)
{
    static const char *const names[] = {"?", "user buffer", "nonpaged pool", "paged pool", "pages"};
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
