/* SPDX-License-Identifier: MIT */
/*
 * demo: prepares the file and the driver, runs the ways, and counts the proofs. A proof is a comparison made here, of
 * what the driver says with what this program finds out by itself; one that fails makes the exit code 1. What
 * the system refuses is told apart: on Wine a driver can't lock or map memory, and the exit code is 3.
 */
#include "cli.h"

#define DEFAULT_FILE L"README.md"

static const struct
{
    const wchar_t *Name;
    const wchar_t *Number;
    const char *Title;
    void (*Run)(DEMO *Demo);
} Ways[] = {
    {L"user", L"1", "1. The process allocates, the kernel maps", DemoUserBuffer},
    {L"kernel", L"2", "2. The kernel allocates, the process maps", DemoKernelMemory},
    {L"buffered", L"3", "3. Buffered I/O: the I/O manager copies", DemoBuffered},
    {L"direct", L"4", "4. Direct I/O: the I/O manager locks", DemoDirect},
    {L"neither", L"5", "5. Neither: the driver captures the caller's buffer itself", DemoNeither},
    {L"why", L"6", "6. Why: one user address, seen from different contexts", DemoWhy},
    {L"channel", L"7", "7. A channel: records in a ring, without a call for each", DemoChannel},
};

#define WAY_COUNT ((int)(sizeof(Ways) / sizeof(Ways[0])))

/* Prints one proof and counts it. */
void Proof(DEMO *Demo, BOOL Holds, const char *Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    printf(ROW "%s%-6s%s  ", "proof", Holds ? Good() : Bad(), Holds ? "ok" : "FAILED", Plain());
    vprintf(Format, arguments);
    printf("\n");
    va_end(arguments);
    Demo->Proofs++;
    if (!Holds)
    {
        Demo->Failures++;
    }
}

/* Counts what this system or its settings don't allow. */
void ProofRefused(DEMO *Demo, const char *Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    printf(ROW "%-7s ", "proof", "refused");
    vprintf(Format, arguments);
    printf("\n");
    va_end(arguments);
    Demo->Proofs++;
    Demo->Refusals++;
}

/* Counts a step that couldn't be made, with the reason in GetLastError. */
void ProofFailed(DEMO *Demo, const char *What)
{
    DWORD error = GetLastError();
    if (error == ERROR_NOT_SUPPORTED || error == ERROR_PRIVILEGE_NOT_HELD)
    {
        ProofRefused(Demo, "%s: error %lu, %s", What, (unsigned long)error,
                     error == ERROR_NOT_SUPPORTED ? "not supported by this system's kernel" : "for administrators");
        return;
    }
    printf(ROW "%s%-6s%s  %s: error %lu. %s\n", "proof", Bad(), "FAILED", Plain(), What, (unsigned long)error,
           Utf8(IsthmusAdvice(error)));
    Demo->Proofs++;
    Demo->Failures++;
}

/* Pages shown: the first ones, and the last. */
#define PAGES_SHOWN 4

/* Describes all segments; TRUE if each page's three frames are the same number. Prints them, abbreviated. */
BOOL DemoDescribe(DEMO *Demo, UINT64 Region, UINT64 View)
{
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[256];
    } *answer = malloc(sizeof(*answer));
    UINT64 total = 0, same = 0, known = 0;
    UINT32 segments = 1;
    BOOL withheld = FALSE, done = answer != NULL;

    for (UINT32 segment = 0; done && segment < segments; segment++)
    {
        UINT64 first = 0, pages = 1;
        while (done && first < pages && !withheld)
        {
            const ISTHMUS_DESCRIPTION *d = &answer->Description;
            done = IsthmusDescribe(Demo->Isthmus, Region, View, segment, first, &answer->Description, sizeof(*answer));
            if (!done)
            {
                break;
            }
            segments = d->Segments;
            pages = d->Mdl.Pages;
            withheld = (d->Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD) != 0;
            if (first == 0)
            {
                if (segments > 1)
                {
                    printf(ROW "%u of %u\n", "segment", segment + 1, segments);
                }
                PrintMdl(&d->Mdl);
                if (!withheld)
                {
                    printf(ROW "   index     MDL PFN    user PFN  kernel PFN\n", "frames");
                }
            }
            if (d->PagesReturned == 0)
            {
                break;
            }
            for (UINT32 i = 0; i < d->PagesReturned; i++, total++)
            {
                const ISTHMUS_PAGE *page = &answer->Pages[i];
                known += page->MdlPfn != ISTHMUS_NO_PFN && page->UserPfn != ISTHMUS_NO_PFN &&
                         page->KernelPfn != ISTHMUS_NO_PFN;
                same +=
                    page->MdlPfn == page->UserPfn && page->UserPfn == page->KernelPfn && page->MdlPfn != ISTHMUS_NO_PFN;
                UINT64 index = first + i;
                if (index < PAGES_SHOWN || index + 1 == pages)
                {
                    printf(ROW "%8llu", "", (unsigned long long)index);
                    PrintPfn(page->MdlPfn);
                    PrintPfn(page->UserPfn);
                    PrintPfn(page->KernelPfn);
                    printf("\n");
                }
                else if (index == PAGES_SHOWN)
                {
                    printf(ROW "     ...  (%llu more)\n", "", (unsigned long long)(pages - PAGES_SHOWN - 1));
                }
            }
            first += d->PagesReturned;
        }
    }
    if (!done)
    {
        ProofFailed(Demo, "describe");
    }
    else if (withheld)
    {
        printf(ROW "frames are shown to administrators only; this proof is left out\n", "frames");
    }
    else
    {
        Proof(Demo, total != 0 && same == total,
              "behind the user page, behind the kernel page and in the MDL: the same frame for %llu of %llu pages",
              (unsigned long long)same, (unsigned long long)total);
    }
    free(answer);
    return done;
}

/* Whether a way was asked for: by name, by number, or by nothing at all. */
static BOOL IsWanted(const OPTIONS *Options, int Way)
{
    for (int i = 0; i < Options->WordCount; i++)
    {
        if (wcscmp(Options->Words[i], Ways[Way].Name) == 0 || wcscmp(Options->Words[i], Ways[Way].Number) == 0)
        {
            return TRUE;
        }
    }
    return Options->WordCount == 0;
}

static BOOL CheckWays(const OPTIONS *Options)
{
    for (int i = 0; i < Options->WordCount; i++)
    {
        OPTIONS one = {.Words = Options->Words + i, .WordCount = 1};
        BOOL known = FALSE;
        for (int way = 0; way < WAY_COUNT; way++)
        {
            known = known || IsWanted(&one, way);
        }
        if (!known)
        {
            fprintf(stderr, "isthmus: there is no way %s; isthmus help demo lists them.\n", Utf8(Options->Words[i]));
            return FALSE;
        }
    }
    return TRUE;
}

/* What must be as it was when all ways are done. */
static void CheckNothingLeft(DEMO *Demo, const ISTHMUS_STATISTICS *Before)
{
    ISTHMUS_STATISTICS after;
    printf("\nLeft behind\n");
    if (!IsthmusStatistics(Demo->Isthmus, &after))
    {
        ProofFailed(Demo, "statistics");
        return;
    }
    Proof(Demo, after.Regions == Before->Regions && after.Views == Before->Views, "regions %llu, views %llu",
          (unsigned long long)(after.Regions - Before->Regions), (unsigned long long)(after.Views - Before->Views));
    Proof(Demo, after.Locks == Before->Locks && after.LockedBytes == Before->LockedBytes,
          "locked MDLs %llu, locked bytes %llu", (unsigned long long)(after.Locks - Before->Locks),
          (unsigned long long)(after.LockedBytes - Before->LockedBytes));
    Proof(Demo, after.KernelMappings == Before->KernelMappings && after.UserMappings == Before->UserMappings,
          "kernel mappings %llu, user mappings %llu",
          (unsigned long long)(after.KernelMappings - Before->KernelMappings),
          (unsigned long long)(after.UserMappings - Before->UserMappings));
    Proof(Demo,
          after.PoolBlocks == Before->PoolBlocks && after.AllocatedBytes == Before->AllocatedBytes &&
              after.Mdls == Before->Mdls,
          "pool blocks %llu, MDLs %llu", (unsigned long long)(after.PoolBlocks - Before->PoolBlocks),
          (unsigned long long)(after.Mdls - Before->Mdls));
}

static void RunWays(DEMO *Demo, const OPTIONS *Options)
{
    ISTHMUS_STATISTICS before;
    if (!IsthmusQueryVersion(Demo->Isthmus, &Demo->Version) || !IsthmusStatistics(Demo->Isthmus, &before))
    {
        ProofFailed(Demo, "query the driver");
        return;
    }
    printf("Isthmus %u.%u.%u on system %u.%u.%u\n", Demo->Version.Driver >> 16, (Demo->Version.Driver >> 8) & 0xFF,
           Demo->Version.Driver & 0xFF, Demo->Version.SystemMajor, Demo->Version.SystemMinor,
           Demo->Version.SystemBuild);
    printf("%s: %llu bytes, CRC-32 %08X\n", Demo->Name, (unsigned long long)Demo->Length, Demo->Crc);
    for (int way = 0; way < WAY_COUNT; way++)
    {
        if (IsWanted(Options, way))
        {
            printf("\n%s%s%s\n", Bold(), Ways[way].Title, Plain());
            Ways[way].Run(Demo);
        }
    }
    CheckNothingLeft(Demo, &before);
    printf("\n%d proofs, %d failed", Demo->Proofs, Demo->Failures);
    if (Demo->Refusals != 0)
    {
        printf(", %d refused", Demo->Refusals);
    }
    printf("\n");
}

/* The whole file's checksum; bit by bit, a large one takes its time. */
static UINT32 SumBytes(const BYTE *Bytes, UINT64 Length)
{
    UINT32 crc = 0;
    for (UINT64 done = 0; done < Length;)
    {
        UINT64 chunk = min(Length - done, 1u << 20);
        crc = ProgramCrc32(crc, Bytes + done, chunk);
        done += chunk;
        Progress("summing", done, Length);
    }
    ProgressEnd();
    return crc;
}

int CommandDemo(const OPTIONS *Options)
{
    const wchar_t *path = Options->File != NULL ? Options->File : DEFAULT_FILE;
    DEMO demo = {0};
    BOOL installed = FALSE, started = FALSE, done = FALSE;

    if (!CheckWays(Options))
    {
        return EXIT_USAGE;
    }
    demo.Bytes = ReadWholeFile(path, NULL, &demo.Length);
    if (demo.Bytes == NULL)
    {
        return EXIT_FAILED;
    }
    demo.Crc = SumBytes(demo.Bytes, demo.Length);
    demo.Name = Utf8(path);

    DRIVER_STATE state = DriverRunning;
    demo.Isthmus = IsthmusOpen(0);
    if (demo.Isthmus == NULL)
    {
        state = QueryDriver();
    }
    if (state == DriverAbsent || state == DriverUnknown)
    {
        installed = InstallDriver(Options->Driver, TRUE);
        if (!installed)
        {
            goto Exit;
        }
        state = DriverStopped;
    }
    if (state == DriverStopped)
    {
        started = StartDriver();
        if (!started)
        {
            goto Exit;
        }
    }
    if (demo.Isthmus == NULL)
    {
        demo.Isthmus = OpenSession();
    }
    if (demo.Isthmus != NULL)
    {
        RunWays(&demo, Options);
        IsthmusClose(demo.Isthmus);
        done = demo.Proofs != 0 && demo.Failures == 0;
    }

Exit:
    fflush(stdout);
    if (started && !StopDriver())
    {
        done = FALSE;
    }
    if (installed && !RemoveDriver())
    {
        done = FALSE;
    }
    free((void *)demo.Bytes);
    return !done ? EXIT_FAILED : demo.Refusals != 0 ? EXIT_REFUSED : EXIT_OK;
}
