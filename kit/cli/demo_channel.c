/* SPDX-License-Identifier: MIT */
/*
 * Way 7: the file as a stream of records to the driver, and a stream of the driver's to this program.
 */
#include "stream.h"

#define RECORDS  10000
#define CAPACITY (64 * 1024)
#define SHORTEST 64
#define LONGEST  1500

static void PrintParts(const STREAM *Stream)
{
    for (int i = 0; i < STREAM_PARTS; i++)
    {
        const STREAM_PART *part = &Stream->Parts[i];
        printf(ROW "0x%llX  %-16s %-10s %s%s\n", i == 0 ? "user addresses" : "", (unsigned long long)part->Address,
               StreamPartName(i), part->Writable ? "writable" : "read-only", Grouped(part->Pages),
               i == STREAM_DATA ? " pages, mapped twice in a row" : " page");
    }
}

static void ProveStream(DEMO *Demo, const STREAM *Stream)
{
    const ISTHMUS_CHANNEL_STATE *driver = &Stream->Driver;
    BOOL toProgram = Stream->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    printf(ROW "by the driver: stalls %s, wake-ups %s; by the program: stalls %s, wake-ups %s\n", "counted",
           Grouped(driver->Stalls), Grouped(driver->Wakeups), Grouped(Stream->Stalls), Grouped(Stream->Wakeups));
    Proof(Demo, Stream->Bad == 0 && driver->Records == Stream->Taken && driver->Bytes == Stream->DataBytes,
          "the driver %s %s records of %s bytes, the program %s %s of %s", toProgram ? "wrote" : "read",
          Grouped(driver->Records), Grouped(driver->Bytes), toProgram ? "read" : "wrote", Grouped(Stream->Taken),
          Grouped(Stream->DataBytes));
    UINT32 expected = toProgram ? Stream->Crc : Demo->Crc;
    Proof(Demo, driver->Crc32 == expected, "CRC-32 over all records by the driver %08X, %s %08X", driver->Crc32,
          toProgram ? "by the program" : "of the file", expected);
    Proof(Demo, StreamProtected(Stream),
          "writes tried on each page: the program can write %s and its own control page, nothing else",
          toProgram ? "no data" : "the data");
    if (!Stream->Withheld)
    {
        Proof(Demo, Stream->SameFrames == Stream->Parts[STREAM_DATA].Pages,
              "mapped a second time behind itself, the data has the same frames for %s of %s pages",
              Grouped(Stream->SameFrames), Grouped(Stream->Parts[STREAM_DATA].Pages));
    }
}

static void DemoStream(DEMO *Demo, STREAM *Stream)
{
    BOOL toProgram = Stream->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    Stream->Isthmus = Demo->Isthmus;
    Stream->Capacity = CAPACITY;
    Stream->Producers = 1;
    Stream->LengthMin = SHORTEST;
    Stream->LengthMax = LONGEST;
    BOOL done = StreamOpen(Stream);
    if (done)
    {
        printf(ROW "%s, records of %u to %s bytes in place; a call only to sleep or to wake\n", "stream",
               toProgram ? "from the driver's DPC to the program" : "the file, from the program to the driver", SHORTEST,
               Grouped(LONGEST));
        printf(ROW "by the driver (paged pool, locked): a ring of %s bytes and three control pages\n", "allocated",
               Grouped(CAPACITY));
        PrintParts(Stream);
        done = StreamRun(Stream);
    }
    if (done)
    {
        ProveStream(Demo, Stream);
    }
    else
    {
        SetLastError(Stream->Error);
        ProofFailed(Demo, Stream->What);
    }
    StreamClose(Stream);
}

/* In a session of its own: isthmus.sys keeps account of a channel until its session closes. */
void DemoChannel(DEMO *Demo)
{
    DEMO own = *Demo;
    STREAM toDriver = {.Direction = ISTHMUS_CHANNEL_TO_DRIVER, .Bytes = Demo->Bytes, .Length = Demo->Length};
    STREAM toProgram = {.Direction = ISTHMUS_CHANNEL_TO_PROGRAM, .Records = RECORDS};
    own.Isthmus = IsthmusOpen(0);
    if (own.Isthmus == NULL)
    {
        ProofFailed(Demo, "open a session");
        return;
    }
    DemoStream(&own, &toDriver);
    printf("\n");
    DemoStream(&own, &toProgram);
    IsthmusClose(own.Isthmus);
    own.Isthmus = Demo->Isthmus;
    *Demo = own; /* the counts */
}
