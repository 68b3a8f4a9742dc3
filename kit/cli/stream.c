/* SPDX-License-Identifier: MIT */
/*
 * A stream through a channel: records that isthmus.sys makes and this program reads, or the other way. With overwriting
 * or dropping this program looks only when the driver has written everything, so that there is something to lose.
 */
#include "stream.h"

#define BATCH 64 /* records between two flushes of a producer */

BOOL StreamFail(STREAM *Stream, const char *What)
{
    Stream->Error = GetLastError();
    Stream->What = What;
    return FALSE;
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

static void FindView(const ISTHMUS_LIST_ENTRY *Entry, void *Context)
{
    STREAM *stream = Context;
    if (Entry->Parent == stream->Id)
    {
        stream->View = Entry->Id;
    }
}

/* The data's frames, a call for each run of pages: the second half must repeat the first. */
static BOOL CompareFrames(STREAM *Stream)
{
    const DWORD most = 1024, bytes = sizeof(ISTHMUS_DESCRIPTION) + most * sizeof(ISTHMUS_PAGE);
    UINT64 once = Stream->Parts[STREAM_DATA].Pages;
    UINT64 *frames = malloc((size_t)once * sizeof(*frames));
    ISTHMUS_DESCRIPTION *answer = malloc(bytes);
    BOOL done = frames != NULL && answer != NULL;
    if (!done)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    for (UINT64 next = 0; done && next < 2 * once;)
    {
        const ISTHMUS_PAGE *pages = (const ISTHMUS_PAGE *)(answer + 1);
        done = IsthmusDescribe(Stream->Isthmus, Stream->Id, Stream->View, STREAM_DATA, next, answer, bytes);
        if (!done || answer->PagesReturned == 0)
        {
            break;
        }
        for (UINT32 i = 0; i < answer->PagesReturned && next < 2 * once; i++, next++)
        {
            BOOL same = pages[i].MdlPfn == pages[i].UserPfn && pages[i].MdlPfn == pages[i].KernelPfn;
            if (next < once)
            {
                frames[next] = same ? pages[i].MdlPfn : ISTHMUS_NO_PFN;
            }
            else
            {
                Stream->SameFrames += same && pages[i].MdlPfn == frames[next - once];
            }
        }
    }
    DWORD error = GetLastError();
    free(frames);
    free(answer);
    SetLastError(error);
    return done;
}

/* Where the parts are, what protects them, and which frames are behind them. */
static BOOL LookAtParts(STREAM *Stream)
{
    for (int i = 0; i < STREAM_PARTS; i++)
    {
        STREAM_PART *part = &Stream->Parts[i];
        struct
        {
            ISTHMUS_DESCRIPTION Description;
            ISTHMUS_PAGE Page;
        } answer;
        if (!IsthmusDescribe(Stream->Isthmus, Stream->Id, Stream->View, (DWORD)i, 0, &answer.Description,
                             sizeof(answer)))
        {
            return StreamFail(Stream, "describe the channel");
        }
        Stream->Withheld = (answer.Description.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD) != 0;
        part->Address = answer.Description.UserAddress;
        part->Pages = answer.Description.Mdl.Pages;
        part->Frame = answer.Description.PagesReturned != 0 ? answer.Page.MdlPfn : ISTHMUS_NO_PFN;
        UINT64 writable = 0;
        for (UINT64 page = 0; page < part->Pages; page++)
        {
            writable += CanWrite((void *)(ULONG_PTR)(part->Address + (page << 12) + 4095));
        }
        part->Writable = writable != 0;
        if (writable != 0 && writable != part->Pages)
        {
            SetLastError(ERROR_INVALID_DATA);
            return StreamFail(Stream, "pages of one part are protected in different ways");
        }
        part->Pages >>= i == STREAM_DATA;
    }
    if (!Stream->Withheld && !CompareFrames(Stream))
    {
        return StreamFail(Stream, "compare the frames");
    }
    return TRUE;
}

BOOL StreamOpen(STREAM *Stream)
{
    Stream->Channel = IsthmusChannelOpen(Stream->Isthmus, Stream->Direction, Stream->Capacity, Stream->Flags);
    if (Stream->Channel == NULL)
    {
        return StreamFail(Stream, "open the channel");
    }
    Stream->Id = IsthmusChannelId(Stream->Channel);
    if (!ForEachEntry(Stream->Isthmus, ISTHMUS_LIST_VIEWS, FindView, Stream))
    {
        return StreamFail(Stream, "find the channel's mapping");
    }
    return LookAtParts(Stream);
}

void StreamClose(STREAM *Stream)
{
    if (Stream->Channel != NULL)
    {
        IsthmusChannelClose(Stream->Channel);
        Stream->Channel = NULL;
    }
}

/* ---- To the program -------------------------------------------------------------------------------------------- */

typedef struct PRODUCER
{
    UINT64 Next; /* sequence number */
    UINT32 Crc;
} PRODUCER;

/* One record: is it as the driver makes them, and later than its producer's last? See ISTHMUS_CHANNEL_SOURCE. */
static void TakeRecord(STREAM *Stream, PRODUCER *Producers, const BYTE *Data, DWORD Length)
{
    ISTHMUS_SOURCE_RECORD record = {0};
    BOOL good = Length >= sizeof(record);
    if (good)
    {
        memcpy(&record, Data, sizeof(record));
        good = record.Length == Length && record.Producer < Stream->Producers &&
               record.Sequence >= Producers[record.Producer].Next;
    }
    for (DWORD i = sizeof(record); good && i < Length; i++)
    {
        good = Data[i] == (BYTE)(record.Sequence + i - sizeof(record));
    }
    Stream->Taken++;
    Stream->DataBytes += Length;
    if (!good)
    {
        Stream->Bad++;
        return;
    }
    PRODUCER *producer = &Producers[record.Producer];
    Stream->Missing += record.Sequence - producer->Next;
    producer->Next = record.Sequence + 1;
    producer->Crc = ProgramCrc32(producer->Crc, Data, Length);
}

/* In place, a burst at a time; the driver can't change a record that it has shown. FALSE: why is in GetLastError. */
static BOOL PeekRecords(STREAM *Stream, PRODUCER *Producers)
{
    const void *data;
    DWORD length;
    while (IsthmusChannelPeek(Stream->Channel, &data, &length))
    {
        TakeRecord(Stream, Producers, data, length);
    }
    DWORD why = GetLastError();
    if (!IsthmusChannelFlush(Stream->Channel))
    {
        return FALSE;
    }
    SetLastError(why);
    return why == ERROR_NO_MORE_ITEMS;
}

/* By copies, since the driver may overwrite what is being read: such a copy isn't taken. */
static BOOL CopyRecords(STREAM *Stream, PRODUCER *Producers, BYTE *Room)
{
    DWORD length;
    for (;;)
    {
        if (IsthmusChannelReceive(Stream->Channel, Room, ISTHMUS_SOURCE_LENGTH_MAX, &length))
        {
            TakeRecord(Stream, Producers, Room, length);
        }
        else if (GetLastError() != ERROR_RETRY)
        {
            return GetLastError() == ERROR_NO_MORE_ITEMS;
        }
    }
}

/* FALSE: the driver isn't done in time. */
static BOOL WaitUntilDone(STREAM *Stream)
{
    ULONGLONG start = GetTickCount64();
    while (IsthmusChannelQuery(Stream->Channel, &Stream->Driver))
    {
        if (!Stream->Driver.Busy)
        {
            return TRUE;
        }
        if (GetTickCount64() - start > STREAM_WAIT)
        {
            SetLastError(ERROR_TIMEOUT);
            return FALSE;
        }
        Sleep(1);
    }
    return FALSE;
}

static BOOL Receive(STREAM *Stream)
{
    PRODUCER producers[ISTHMUS_SOURCE_PRODUCERS_MAX] = {{0}};
    BOOL overwrites = (Stream->Flags & ISTHMUS_CHANNEL_OVERWRITE) != 0;
    BYTE *room = malloc(ISTHMUS_SOURCE_LENGTH_MAX);
    if (room == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return StreamFail(Stream, "read the stream");
    }
    if (!IsthmusChannelSource(Stream->Channel, Stream->Records, Stream->Producers, Stream->LengthMin,
                              Stream->LengthMax, Stream->Drop))
    {
        StreamFail(Stream, "have the driver produce");
        free(room);
        return FALSE;
    }
    BOOL more = !(overwrites || Stream->Drop) || WaitUntilDone(Stream);
    while (more)
    {
        more = overwrites ? CopyRecords(Stream, producers, room) : PeekRecords(Stream, producers);
        more = more && (IsthmusChannelWait(Stream->Channel, STREAM_WAIT) || GetLastError() == ERROR_HANDLE_EOF);
    }
    DWORD error = GetLastError();
    free(room);
    SetLastError(error);
    for (DWORD i = 0; i < Stream->Producers; i++)
    {
        Stream->Crc ^= producers[i].Crc;
    }
    return error == ERROR_HANDLE_EOF || StreamFail(Stream, "read the stream");
}

/* ---- To the driver --------------------------------------------------------------------------------------------- */

/* Any distribution will do, as long as it is the same every time. */
static DWORD NextLength(const STREAM *Stream, UINT32 *Random, UINT64 Left)
{
    *Random = *Random * 1664525u + 1013904223u;
    DWORD length = Stream->LengthMin + (*Random >> 8) % (Stream->LengthMax - Stream->LengthMin + 1);
    return Stream->Bytes != NULL && length > Left ? (DWORD)Left : length;
}

static void *Reserve(STREAM *Stream, DWORD Length)
{
    for (;;)
    {
        void *place = IsthmusChannelReserve(Stream->Channel, Length);
        if (place != NULL || GetLastError() != ERROR_PIPE_BUSY)
        {
            return place;
        }
        if (!IsthmusChannelFlush(Stream->Channel) || !IsthmusChannelWait(Stream->Channel, STREAM_WAIT))
        {
            return NULL;
        }
    }
}

static BOOL SendOne(STREAM *Stream, DWORD Length)
{
    BYTE *place = Reserve(Stream, Length);
    if (place == NULL)
    {
        return FALSE;
    }
    if (Stream->Bytes != NULL)
    {
        memcpy(place, Stream->Bytes + Stream->DataBytes, Length);
    }
    else
    {
        for (DWORD i = 0; i < Length; i++)
        {
            place[i] = (BYTE)(Stream->Taken + i);
        }
    }
    Stream->Crc = ProgramCrc32(Stream->Crc, place, Length);
    Stream->DataBytes += Length;
    Stream->Taken++;
    return IsthmusChannelCommit(Stream->Channel, Length) &&
           (Stream->Taken % BATCH != 0 || IsthmusChannelFlush(Stream->Channel));
}

static BOOL Send(STREAM *Stream)
{
    UINT32 random = 1;
    while (Stream->Bytes != NULL ? Stream->DataBytes < Stream->Length : Stream->Taken < Stream->Records)
    {
        if (!SendOne(Stream, NextLength(Stream, &random, Stream->Length - Stream->DataBytes)))
        {
            return StreamFail(Stream, "send a record");
        }
    }
    return (IsthmusChannelFlush(Stream->Channel) && IsthmusChannelFinish(Stream->Channel, STREAM_WAIT)) ||
           StreamFail(Stream, "have the driver take everything");
}

/* ---- Both ------------------------------------------------------------------------------------------------------ */

BOOL StreamRun(STREAM *Stream)
{
    BOOL receives = Stream->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    if (!(receives ? Receive(Stream) : Send(Stream)))
    {
        return FALSE;
    }
    if (!IsthmusChannelQuery(Stream->Channel, &Stream->Driver))
    {
        return StreamFail(Stream, "query the driver's end");
    }
    /* This side's counters lie in its own control page, where the description says. */
    const ISTHMUS_RING_DESCRIPTION *description = (const void *)(ULONG_PTR)Stream->Parts[0].Address;
    const ISTHMUS_RING_COUNTERS *counters =
        (const void *)(ULONG_PTR)(Stream->Parts[receives ? 2 : 1].Address + description->CountersOffset);
    Stream->Stalls = counters->Stalls;
    Stream->Wakeups = counters->Wakeups;
    return TRUE;
}
