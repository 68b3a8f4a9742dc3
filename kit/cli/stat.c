/* SPDX-License-Identifier: MIT */
/*
 * stat: one table for both forms. Each row is a field of ISTHMUS_STATISTICS; a limit has two.
 */
#include "cli.h"

#define COUNTER(Member, Key, Text) {Key, Text, offsetof(ISTHMUS_STATISTICS, Member), 0}
#define LIMIT(Member, Key, Text)                                                                                       \
    {Key, Text, offsetof(ISTHMUS_STATISTICS, LimitProcess##Member), offsetof(ISTHMUS_STATISTICS, LimitTotal##Member)}

typedef struct ROW_OF_STAT
{
    const char *Key;
    const char *Text;
    size_t First;
    size_t Second; /* 0: none */
} ROW_OF_STAT;

static const ROW_OF_STAT Held[] = {
    COUNTER(Sessions, "sessions", "sessions (this one included)"),
    COUNTER(Regions, "regions", "regions"),
    COUNTER(Views, "views", "views"),
    COUNTER(LockedBytes, "lockedBytes", "bytes locked"),
    COUNTER(AllocatedBytes, "allocatedBytes", "bytes allocated"),
    COUNTER(Mdls, "mdls", "MDLs"),
    COUNTER(Locks, "mdlsLocked", "MDLs locked"),
    COUNTER(PageAllocations, "pageAllocations", "page allocations"),
    COUNTER(KernelMappings, "kernelMappings", "kernel mappings"),
    COUNTER(UserMappings, "userMappings", "user mappings"),
    COUNTER(Watches, "watches", "watches"),
    COUNTER(PoolBlocks, "poolBlocks", "pool blocks"),
    COUNTER(PoolBytes, "poolBytes", "pool bytes"),
};
static const ROW_OF_STAT Totals[] = {
    COUNTER(TotalSessions, "sessions", "sessions"),
    COUNTER(TotalRegions, "regions", "regions"),
    COUNTER(TotalViews, "views", "views"),
    COUNTER(TotalRequests, "requests", "request buffers"),
    COUNTER(TotalBytes, "requestBytes", "bytes through them"),
    COUNTER(Refusals, "refusals", "refused by quota"),
    COUNTER(Revocations, "revocations", "taken back at process end"),
};
static const ROW_OF_STAT Limits[] = {
    LIMIT(Sessions, "sessions", "sessions"),
    LIMIT(Regions, "regions", "regions"),
    LIMIT(Views, "views", "views"),
    LIMIT(Locked, "lockedBytes", "bytes locked"),
    LIMIT(Allocated, "allocatedBytes", "bytes allocated"),
};

#define ROWS(Table) Table, (int)(sizeof(Table) / sizeof(Table[0]))

static UINT64 Value(const ISTHMUS_STATISTICS *Statistics, size_t Offset)
{
    return *(const UINT64 *)((const BYTE *)Statistics + Offset);
}

static void PrintRows(const ISTHMUS_STATISTICS *Statistics, const ROW_OF_STAT *Rows, int Count)
{
    for (int i = 0; i < Count; i++)
    {
        printf("  %-28s%20s", Rows[i].Text, Grouped(Value(Statistics, Rows[i].First)));
        printf(Rows[i].Second != 0 ? "%20s\n" : "\n", Grouped(Value(Statistics, Rows[i].Second)));
    }
}

static void JsonRows(const char *Key, const ISTHMUS_STATISTICS *Statistics, const ROW_OF_STAT *Rows, int Count)
{
    JsonOpen(Key, '{');
    for (int i = 0; i < Count; i++)
    {
        if (Rows[i].Second == 0)
        {
            JsonNumber(Rows[i].Key, Value(Statistics, Rows[i].First));
            continue;
        }
        JsonOpen(Rows[i].Key, '{');
        JsonNumber("process", Value(Statistics, Rows[i].First));
        JsonNumber("total", Value(Statistics, Rows[i].Second));
        JsonClose('}');
    }
    JsonClose('}');
}

int CommandStat(const OPTIONS *Options)
{
    ISTHMUS_STATISTICS s;
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    BOOL done = IsthmusStatistics(isthmus, &s);
    if (!done)
    {
        ReportError("cannot query the driver", GetLastError());
    }
    else if (Options->Json)
    {
        JsonOpen(NULL, '{');
        JsonRows("held", &s, ROWS(Held));
        JsonRows("total", &s, ROWS(Totals));
        JsonRows("limits", &s, ROWS(Limits));
        JsonClose('}');
    }
    else
    {
        printf("%sheld now%s\n", Bold(), Plain());
        PrintRows(&s, ROWS(Held));
        printf("%ssince the driver started%s\n", Bold(), Plain());
        PrintRows(&s, ROWS(Totals));
        printf("%slimits%s%44s%20s\n", Bold(), Plain(), "per process", "in all");
        PrintRows(&s, ROWS(Limits));
    }
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}
