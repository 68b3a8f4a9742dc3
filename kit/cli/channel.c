/* SPDX-License-Identifier: MIT */
/*
 * channel: streams of records from the driver, to it, or both at once, and what both sides say about them.
 */
#include "stream.h"

#define DEFAULT_RECORDS  10000
#define DEFAULT_CAPACITY (64 * 1024)
#define DEFAULT_MIN      16
#define DEFAULT_MAX      1024

/* ---- What is asked for ----------------------------------------------------------------------------------------- */

static void FillStream(const OPTIONS *Options, DWORD Direction, STREAM *Stream)
{
    BOOL toProgram = Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    ZeroMemory(Stream, sizeof(*Stream));
    Stream->Direction = Direction;
    Stream->Capacity = Options->Capacity != 0 ? Options->Capacity : DEFAULT_CAPACITY;
    Stream->Records = Options->Records != 0 ? Options->Records : DEFAULT_RECORDS;
    Stream->Producers = toProgram && Options->Producers != 0 ? (DWORD)Options->Producers : 1;
    Stream->LengthMin = Options->Size != 0 ? (DWORD)Options->Size : DEFAULT_MIN;
    Stream->LengthMax = Options->Size != 0 ? (DWORD)Options->SizeMost : DEFAULT_MAX;
    Stream->Drop = toProgram && Options->Drop;
    Stream->Flags = !toProgram                ? 0
                    : Options->Overwrite      ? ISTHMUS_CHANNEL_OVERWRITE
                    : Options->Producers > 1  ? ISTHMUS_CHANNEL_MANY
                                              : 0;
}

/* Which directions: 1, 2 or both; 0 after a message if the options can't be. */
static DWORD CheckOptions(const OPTIONS *Options)
{
    const char *wrong = NULL;
    UINT64 capacity = Options->Capacity != 0 ? Options->Capacity : DEFAULT_CAPACITY;
    UINT64 shortest = Options->Size != 0 ? Options->Size : DEFAULT_MIN;
    UINT64 longest = Options->Size != 0 ? Options->SizeMost : DEFAULT_MAX;
    DWORD directions = Options->To == NULL || wcscmp(Options->To, L"both") == 0
                           ? ISTHMUS_CHANNEL_TO_PROGRAM | ISTHMUS_CHANNEL_TO_DRIVER
                       : wcscmp(Options->To, L"program") == 0 ? ISTHMUS_CHANNEL_TO_PROGRAM
                       : wcscmp(Options->To, L"driver") == 0  ? ISTHMUS_CHANNEL_TO_DRIVER
                                                              : 0;
    BOOL toProgram = (directions & ISTHMUS_CHANNEL_TO_PROGRAM) != 0;
    if (directions == 0)
    {
        wrong = "--to is program, driver or both";
    }
    else if (capacity < 4096 || capacity > ISTHMUS_CHANNEL_CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
    {
        wrong = "--capacity is a power of two from 4K to 512M";
    }
    else if (longest < shortest || longest > ISTHMUS_SOURCE_LENGTH_MAX)
    {
        wrong = "--size is MIN or MIN-MAX, up to 64K";
    }
    else if (toProgram && shortest < sizeof(ISTHMUS_SOURCE_RECORD))
    {
        wrong = "--size is 16 or more to the program: a record begins with its number";
    }
    else if (longest + ISTHMUS_RING_HEADER_BYTES > capacity)
    {
        wrong = "--size is 8 bytes less than the --capacity, or smaller";
    }
    else if (!toProgram && (Options->Producers != 0 || Options->Overwrite || Options->Drop))
    {
        wrong = "--producers, --overwrite and --drop are for streams to the program";
    }
    else if (Options->Producers > ISTHMUS_SOURCE_PRODUCERS_MAX)
    {
        wrong = "--producers is at most 8";
    }
    else if (Options->Overwrite && (Options->Producers > 1 || Options->Drop))
    {
        wrong = "--overwrite is for one producer, and then nothing is dropped";
    }
    else if (Options->Records > MAXLONGLONG / ISTHMUS_SOURCE_PRODUCERS_MAX)
    {
        wrong = "--records is beyond what can be counted";
    }
    if (wrong != NULL)
    {
        fprintf(stderr, "isthmus: %s; see isthmus help channel.\n", wrong);
    }
    return wrong == NULL ? directions : 0;
}

/* ---- What was found -------------------------------------------------------------------------------------------- */

static void PrintCounts(const char *Name, const char *Driver, const char *Program)
{
    printf("  %-16s%16s  %16s\n", Name, Driver, Program);
}

/* Where records were overwritten, this program's sum is over others than the driver's. */
static void PrintSum(const STREAM *Stream)
{
    char driver[16], program[16];
    snprintf(driver, sizeof(driver), "%08X", Stream->Driver.Crc32);
    snprintf(program, sizeof(program), "%08X", Stream->Crc);
    PrintCounts("CRC-32", driver, Stream->Flags & ISTHMUS_CHANNEL_OVERWRITE ? "-" : program);
}

static void PrintParts(const STREAM *Stream)
{
    printf("\n  %-16s%-20s%-12s%10s  %s\n", "pages", "address here", "here", "frame", "count");
    for (int i = 0; i < STREAM_PARTS; i++)
    {
        const STREAM_PART *part = &Stream->Parts[i];
        printf("  %-16s0x%016llx  %-12s", StreamPartName(i), (unsigned long long)part->Address,
               part->Writable ? "writable" : "read-only");
        if (part->Frame != ISTHMUS_NO_PFN)
        {
            printf("%#10llx", (unsigned long long)part->Frame);
        }
        else
        {
            printf("%10s", "-");
        }
        printf("  %s%s\n", Grouped(part->Pages), i == STREAM_DATA ? ", mapped twice in a row" : "");
    }
    if (Stream->Withheld)
    {
        printf("  Frames are shown to administrators only.\n");
    }
    else
    {
        printf("  The second time the data has the same frames for %s of %s pages.\n", Grouped(Stream->SameFrames),
               Grouped(Stream->Parts[STREAM_DATA].Pages));
    }
}

static void PrintStream(const STREAM *Stream)
{
    const ISTHMUS_CHANNEL_STATE *driver = &Stream->Driver;
    BOOL toProgram = Stream->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    printf("%sto the %s%s  channel %llu, %s bytes", Bold(), toProgram ? "program" : "driver", Plain(),
           (unsigned long long)Stream->Id, Grouped(Stream->Capacity));
    if (toProgram)
    {
        printf("; the driver produces in %s%s%s", Stream->Producers > 1 ? Grouped(Stream->Producers) : "a DPC",
               Stream->Producers > 1 ? " DPCs at once" : "",
               Stream->Flags & ISTHMUS_CHANNEL_OVERWRITE ? " and overwrites the oldest"
               : Stream->Drop                            ? " and drops what finds no room"
                                                         : "");
    }
    printf("\n\n");
    PrintCounts("", "driver", "program");
    PrintCounts("records", Grouped(driver->Records), Grouped(Stream->Taken));
    PrintCounts("bytes", Grouped(driver->Bytes), Grouped(Stream->DataBytes));
    PrintSum(Stream);
    if (toProgram)
    {
        PrintCounts("dropped", Grouped(driver->Drops), "-");
        PrintCounts("overwritten", Grouped(driver->Lost), "-");
    }
    PrintCounts("stalls", Grouped(driver->Stalls), Grouped(Stream->Stalls));
    PrintCounts("wake-ups", Grouped(driver->Wakeups), Grouped(Stream->Wakeups));
    PrintParts(Stream);
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

static DWORD WINAPI RunThread(void *Context)
{
    return StreamRun(Context);
}

/* At once, a thread for each: one at a time uses a channel. */
static BOOL RunAll(STREAM *Streams, int Count)
{
    HANDLE threads[2];
    int started = 0;
    for (; started < Count; started++)
    {
        threads[started] = CreateThread(NULL, 0, RunThread, &Streams[started], 0, NULL);
        if (threads[started] == NULL)
        {
            StreamFail(&Streams[started], "start a thread");
            break;
        }
    }
    while (started != 0 && WaitForMultipleObjects((DWORD)started, threads, TRUE, 250) == WAIT_TIMEOUT)
    {
        Progress("streaming", 0, 0);
    }
    ProgressEnd();
    BOOL done = started == Count;
    for (int i = 0; i < started; i++)
    {
        CloseHandle(threads[i]);
        done = done && Streams[i].What == NULL;
    }
    return done;
}

/* TRUE if everything holds; what doesn't is said. */
static BOOL Report(STREAM *Streams, int Count)
{
    BOOL good = TRUE;
    for (int i = 0; i < Count; i++)
    {
        printf("%s", i != 0 ? "\n" : "");
        PrintStream(&Streams[i]);
    }
    for (int i = 0; i < Count; i++)
    {
        const char *wrong = StreamJudge(&Streams[i]);
        if (wrong != NULL)
        {
            fflush(stdout);
            fprintf(stderr, "isthmus: channel %llu: %s.\n", (unsigned long long)Streams[i].Id, wrong);
            good = FALSE;
        }
    }
    return good;
}

int CommandChannel(const OPTIONS *Options)
{
    STREAM streams[2];
    int count = 0;
    BOOL done = TRUE;
    DWORD directions = CheckOptions(Options);
    if (directions == 0)
    {
        return EXIT_USAGE;
    }
    HISTHMUS isthmus = BeginHold();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    for (DWORD direction = ISTHMUS_CHANNEL_TO_PROGRAM; direction <= ISTHMUS_CHANNEL_TO_DRIVER; direction++)
    {
        if ((directions & direction) != 0 && done)
        {
            FillStream(Options, direction, &streams[count]);
            streams[count].Isthmus = isthmus;
            done = StreamOpen(&streams[count++]);
        }
    }
    done = done && RunAll(streams, count);
    for (int i = 0; i < count; i++)
    {
        if (streams[i].What != NULL)
        {
            char what[80];
            snprintf(what, sizeof(what), "cannot %s", streams[i].What);
            ReportError(what, streams[i].Error);
        }
    }
    done = done && Report(streams, count) && (!Options->HasSeconds || Hold(Options));
    for (int i = 0; i < count; i++)
    {
        StreamClose(&streams[i]);
    }
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}
