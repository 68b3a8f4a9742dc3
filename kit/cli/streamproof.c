/* SPDX-License-Identifier: MIT */
/*
 * What must hold of a stream that has run, and whether a page can be written: tried, not asked.
 */
#include "stream.h"

const char *StreamPartName(int Part)
{
    static const char *const names[STREAM_PARTS] = {"description", "producer's page", "consumer's page", "data"};
    return names[Part];
}

BOOL StreamProtected(const STREAM *Stream)
{
    BOOL produces = Stream->Direction == ISTHMUS_CHANNEL_TO_DRIVER;
    return !Stream->Parts[0].Writable && Stream->Parts[1].Writable == produces &&
           Stream->Parts[2].Writable == !produces && Stream->Parts[STREAM_DATA].Writable == produces;
}

const char *StreamJudge(const STREAM *Stream)
{
    static char text[160];
    const ISTHMUS_CHANNEL_STATE *driver = &Stream->Driver;
    BOOL toProgram = Stream->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    BOOL overwrites = (Stream->Flags & ISTHMUS_CHANNEL_OVERWRITE) != 0;
    UINT64 gone = driver->Drops + driver->Lost;
    text[0] = 0;
    if (driver->Error != 0)
    {
        snprintf(text, sizeof(text), "the driver gave the ring up, reason %u of ISTHMUS_RING_ERROR", driver->Error);
    }
    else if (Stream->Bad != 0)
    {
        snprintf(text, sizeof(text), "%s records aren't what the driver wrote", Grouped(Stream->Bad));
    }
    else if (toProgram && Stream->Taken + gone != Stream->Records * Stream->Producers)
    {
        snprintf(text, sizeof(text), "%s records are unaccounted for",
                 Grouped(Stream->Records * Stream->Producers - Stream->Taken - gone));
    }
    else if (toProgram && Stream->Missing > gone)
    {
        snprintf(text, sizeof(text), "%s records are missing, %s are said to be given up", Grouped(Stream->Missing),
                 Grouped(gone));
    }
    else if (!overwrites && (Stream->Taken != driver->Records || Stream->DataBytes != driver->Bytes))
    {
        snprintf(text, sizeof(text), "the sides count different records or bytes");
    }
    else if (!overwrites && Stream->Crc != driver->Crc32)
    {
        snprintf(text, sizeof(text), "the checksums differ");
    }
    else if (!StreamProtected(Stream))
    {
        snprintf(text, sizeof(text), "a page isn't protected as it should be");
    }
    else if (!Stream->Withheld && Stream->SameFrames != Stream->Parts[STREAM_DATA].Pages)
    {
        snprintf(text, sizeof(text), "the second mapping of the data has other frames than the first");
    }
    return text[0] != 0 ? text : NULL;
}

/* ---- Trying to write ------------------------------------------------------------------------------------------- */

/* OR with nothing: a write to the processor and to the page tables, but the byte stays. */
#if defined(_MSC_VER)

BOOL CanWrite(void *Address)
{
    __try
    {
        _InterlockedOr8((volatile char *)Address, 0);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return FALSE;
    }
    return TRUE;
}

#else

#ifdef _WIN64
#define CONTEXT_IP Rip
#else
#define CONTEXT_IP Eip
#endif

static volatile LONG Faults;
static void *volatile Tried;

/* GCC has no __try: steps over the one instruction that may fault, which is 4 bytes long. */
static LONG CALLBACK StepOver(EXCEPTION_POINTERS *Pointers)
{
    const EXCEPTION_RECORD *record = Pointers->ExceptionRecord;
    if (record->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || Tried == NULL ||
        record->ExceptionInformation[1] != (ULONG_PTR)Tried)
    {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    Faults++;
    Pointers->ContextRecord->CONTEXT_IP += 4;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* One thread at a time. */
BOOL CanWrite(void *Address)
{
    PVOID handler = AddVectoredExceptionHandler(1, StepOver);
    LONG before = Faults;
    Tried = Address;
    __asm__ volatile("lock orb $0, (%0)" : : "c"(Address) : "memory", "cc"); /* F0 80 09 00 */
    Tried = NULL;
    RemoveVectoredExceptionHandler(handler);
    return Faults == before;
}

#endif
