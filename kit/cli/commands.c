/* SPDX-License-Identifier: MIT */
/*
 * describe, list, stat.
 */
#include "cli.h"

#define LIST_BYTES (64 * 1024)

static void PrintCounter(const char *Name, UINT64 Value)
{
    printf("  %-28s%16llu\n", Name, (unsigned long long)Value);
}

static void PrintLimit(const char *Name, UINT64 Process, UINT64 Total)
{
    printf("  %-28s%16llu%16llu\n", Name, (unsigned long long)Process, (unsigned long long)Total);
}

int CommandStat(void)
{
    ISTHMUS_STATISTICS s;
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    if (!IsthmusStatistics(isthmus, &s))
    {
        ReportError("cannot query the driver", GetLastError());
        IsthmusClose(isthmus);
        return EXIT_FAILED;
    }
    printf("held now\n");
    PrintCounter("sessions (this one included)", s.Sessions);
    PrintCounter("regions", s.Regions);
    PrintCounter("views", s.Views);
    PrintCounter("bytes locked", s.LockedBytes);
    PrintCounter("bytes allocated", s.AllocatedBytes);
    PrintCounter("MDLs", s.Mdls);
    PrintCounter("MDLs locked", s.Locks);
    PrintCounter("page allocations", s.PageAllocations);
    PrintCounter("kernel mappings", s.KernelMappings);
    PrintCounter("user mappings", s.UserMappings);
    PrintCounter("watches", s.Watches);
    PrintCounter("pool blocks", s.PoolBlocks);
    PrintCounter("pool bytes", s.PoolBytes);
    printf("since the driver started\n");
    PrintCounter("sessions", s.TotalSessions);
    PrintCounter("regions", s.TotalRegions);
    PrintCounter("views", s.TotalViews);
    PrintCounter("request buffers", s.TotalRequests);
    PrintCounter("bytes through them", s.TotalBytes);
    PrintCounter("refused by quota", s.Refusals);
    PrintCounter("taken back at process end", s.Revocations);
    printf("limits%38s%16s\n", "per process", "in all");
    PrintLimit("sessions", s.LimitProcessSessions, s.LimitTotalSessions);
    PrintLimit("regions", s.LimitProcessRegions, s.LimitTotalRegions);
    PrintLimit("views", s.LimitProcessViews, s.LimitTotalViews);
    PrintLimit("bytes locked", s.LimitProcessLocked, s.LimitTotalLocked);
    PrintLimit("bytes allocated", s.LimitProcessAllocated, s.LimitTotalAllocated);
    IsthmusClose(isthmus);
    return EXIT_OK;
}

static void PrintListEntry(DWORD What, const ISTHMUS_LIST_ENTRY *Entry)
{
    wchar_t name[ISTHMUS_NAME_CHARS + 1];
    for (unsigned i = 0; i < ISTHMUS_NAME_CHARS; i++)
    {
        name[i] = Entry->Name[i];
    }
    name[ISTHMUS_NAME_CHARS] = 0;

    printf("  %8llu  %8llu", (unsigned long long)Entry->Id, (unsigned long long)Entry->ProcessId);
    switch (What)
    {
    case ISTHMUS_LIST_SESSIONS:
        printf("  %7u  %s\n", Entry->Count, StateName(Entry->State));
        break;
    case ISTHMUS_LIST_REGIONS:
        printf("  %-13s  %-10s  %12llu  %7u  %-8s  %s\n", KindName(Entry->Kind), AccessName(Entry->Access),
               (unsigned long long)Entry->Length, Entry->Count, StateName(Entry->State), Utf8(name));
        break;
    default:
        printf("  %8llu  %8llu  %-10s  %12llu  0x%016llx  %s\n", (unsigned long long)Entry->Parent,
               (unsigned long long)Entry->Session, AccessName(Entry->Access), (unsigned long long)Entry->Length,
               (unsigned long long)Entry->Address, StateName(Entry->State));
        break;
    }
}

static BOOL PrintList(HISTHMUS Isthmus, DWORD What, const char *Title)
{
    ISTHMUS_LIST_PAGE *page = malloc(LIST_BYTES);
    UINT64 after = 0;
    BOOL done = page != NULL;
    if (!done)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    printf("%s\n", Title);
    do
    {
        done = done && IsthmusList(Isthmus, What, after, page, LIST_BYTES);
        if (!done)
        {
            ReportError("cannot list", GetLastError());
            break;
        }
        for (UINT32 i = 0; i < page->Count; i++)
        {
            const ISTHMUS_LIST_ENTRY *entry = (const void *)((const BYTE *)(page + 1) + (size_t)i * page->Stride);
            PrintListEntry(What, entry);
            after = entry->Id;
        }
    } while (page->More && page->Count != 0);
    free(page);
    return done;
}

int CommandList(void)
{
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    BOOL done =
        PrintList(isthmus, ISTHMUS_LIST_SESSIONS, "sessions\n        id   process  regions  state") &&
        PrintList(isthmus, ISTHMUS_LIST_REGIONS,
                  "regions\n        id   process  kind           access            bytes  holders  state     name") &&
        PrintList(
            isthmus, ISTHMUS_LIST_VIEWS,
            "views\n        id   process    region   session  access            bytes  address             state");
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}

/* All frames of one segment, a call at a time. */
static BOOL PrintSegment(HISTHMUS Isthmus, UINT64 Region, UINT64 View, UINT32 Segment, UINT32 *Segments)
{
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[64];
    } answer;
    UINT64 first = 0;
    do
    {
        if (!IsthmusDescribe(Isthmus, Region, View, Segment, first, &answer.Description, sizeof(answer)))
        {
            ReportError("cannot describe the region", GetLastError());
            return FALSE;
        }
        const ISTHMUS_DESCRIPTION *d = &answer.Description;
        *Segments = d->Segments;
        if (first == 0)
        {
            printf(ROW "%u of %u, %u bytes from offset %llu\n", "segment", Segment + 1, d->Segments, d->Mdl.ByteCount,
                   (unsigned long long)d->SegmentOffset);
            PrintMdl(&d->Mdl);
            printf(d->Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD
                       ? ROW "frames are shown to administrators only\n"
                       : ROW "   index     MDL PFN    user PFN  kernel PFN\n",
                   "pages");
        }
        for (UINT32 i = 0; i < d->PagesReturned; i++)
        {
            printf(ROW "%8llu", "", (unsigned long long)(first + i));
            PrintPfn(answer.Pages[i].MdlPfn);
            PrintPfn(answer.Pages[i].UserPfn);
            PrintPfn(answer.Pages[i].KernelPfn);
            printf("\n");
        }
        first += d->PagesReturned;
        if (d->PagesReturned == 0 || first >= d->Mdl.Pages)
        {
            return TRUE;
        }
    } while (TRUE);
}

static BOOL DescribeRegion(HISTHMUS Isthmus, UINT64 Region, UINT64 View)
{
    UINT32 segments = 1;
    for (UINT32 segment = 0; segment < segments; segment++)
    {
        if (!PrintSegment(Isthmus, Region, View, segment, &segments))
        {
            return FALSE;
        }
    }
    return TRUE;
}

static UINT32 ParseKind(const wchar_t *Name)
{
    return Name == NULL || wcscmp(Name, L"user") == 0 ? ISTHMUS_KIND_USER_BUFFER
           : wcscmp(Name, L"nonpaged") == 0           ? ISTHMUS_KIND_NONPAGED_POOL
           : wcscmp(Name, L"paged") == 0              ? ISTHMUS_KIND_PAGED_POOL
           : wcscmp(Name, L"pages") == 0              ? ISTHMUS_KIND_PAGES
                                                      : 0;
}

/* Makes or opens the region; View is 0 for a user buffer, which is in the process anyway. */
static BOOL MakeRegion(HISTHMUS Isthmus, const OPTIONS *Options, UINT32 Kind, UINT64 Size, UINT64 *Region, UINT64 *View)
{
    *View = 0;
    if (Options->WordCount == 1)
    {
        if (!IsthmusOpenNamed(Isthmus, Options->Words[0], ISTHMUS_ACCESS_READ, Region))
        {
            return FALSE;
        }
        /* Without a view the pages are still told from the MDL's and the kernel's side. */
        if (IsthmusMap(Isthmus, *Region, ISTHMUS_ACCESS_READ, View) == NULL)
        {
            *View = 0;
        }
        return TRUE;
    }
    if (Kind == ISTHMUS_KIND_USER_BUFFER)
    {
        void *memory = VirtualAlloc(NULL, Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        return memory != NULL && IsthmusShare(Isthmus, memory, Size, ISTHMUS_ACCESS_ALL, Region);
    }
    return IsthmusAllocate(Isthmus, Kind, Size, Region) &&
           IsthmusMap(Isthmus, *Region, ISTHMUS_ACCESS_ALL, View) != NULL;
}

int CommandDescribe(const OPTIONS *Options)
{
    UINT32 kind = ParseKind(Options->Kind);
    UINT64 size = Options->Size != 0 ? Options->Size : 3 * 4096;
    UINT64 region, view;
    if (kind == 0 || Options->WordCount > 1 ||
        (Options->WordCount == 1 && (Options->Kind != NULL || Options->Size != 0)))
    {
        fprintf(stderr, "isthmus: describe wants a name, or --kind user, nonpaged, paged or pages.\n");
        return EXIT_USAGE;
    }
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    BOOL done = MakeRegion(isthmus, Options, kind, size, &region, &view);
    if (!done)
    {
        ReportError("cannot make or open the region", GetLastError());
    }
    else
    {
        done = DescribeRegion(isthmus, region, view);
    }
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}
