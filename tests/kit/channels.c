/* SPDX-License-Identifier: MIT */
/*
 * Channels: streams in both directions and at once, protection of the pages, hostile writes into the own control page,
 * waiting, ends of stream, and processes that die in the middle.
 */
#include "check.h"
#include <isthmus/isthmus_ring.h>

#define PAGE 4096

/* ---- To the program -------------------------------------------------------------------------------------------- */

typedef struct STREAM
{
    UINT64 Records, Bytes, Next[ISTHMUS_SOURCE_PRODUCERS_MAX];
    UINT64 Skipped; /* numbers that never came: dropped or overwritten */
    unsigned Bad;
    UINT32 Crc;
} STREAM;

/* Is it a record as isthmus.sys makes them, later than the producer's last? */
static BOOL TakeRecord(STREAM *Stream, const void *Data, DWORD Length)
{
    ISTHMUS_SOURCE_RECORD record;
    const BYTE *bytes = (const BYTE *)Data + sizeof(record);
    if (Length < sizeof(record))
    {
        return FALSE;
    }
    memcpy(&record, Data, sizeof(record));
    if (record.Length != Length || record.Producer >= ISTHMUS_SOURCE_PRODUCERS_MAX ||
        record.Sequence < Stream->Next[record.Producer])
    {
        return FALSE;
    }
    for (DWORD i = 0; i < Length - sizeof(record); i++)
    {
        if (bytes[i] != (BYTE)(record.Sequence + i))
        {
            return FALSE;
        }
    }
    Stream->Skipped += record.Sequence - Stream->Next[record.Producer];
    Stream->Next[record.Producer] = record.Sequence + 1;
    Stream->Records++;
    Stream->Bytes += Length;
    return TRUE;
}

/* Reads to the end of the stream, in batches; returns the error that ended it. */
static DWORD ReadStream(HISTHMUSCHANNEL Channel, STREAM *Stream, DWORD Pause)
{
    const void *data;
    DWORD length;
    for (;;)
    {
        while (IsthmusChannelPeek(Channel, &data, &length))
        {
            Stream->Bad += !TakeRecord(Stream, data, length);
        }
        DWORD why = GetLastError();
        CheckDone(IsthmusChannelFlush(Channel) || GetLastError() == ERROR_RETRY, "give the batch back");
        if (why != ERROR_NO_MORE_ITEMS)
        {
            return why;
        }
        if (Pause != 0)
        {
            Sleep(Pause);
        }
        if (!IsthmusChannelWait(Channel, 30000) && GetLastError() != ERROR_HANDLE_EOF)
        {
            return GetLastError();
        }
    }
}

static void Stream(HISTHMUS Isthmus, UINT64 Capacity, DWORD Flags, DWORD Producers, UINT64 Records, DWORD Longest,
                   BOOL Drop)
{
    STREAM stream = {0};
    ISTHMUS_CHANNEL_STATE state;
    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, Capacity, Flags);
    if (!CheckDone(channel != NULL, "a channel to the program, %llu bytes, flags %lu", (unsigned long long)Capacity,
                   (unsigned long)Flags))
    {
        return;
    }
    CheckDone(IsthmusChannelSource(channel, Records, Producers, 16, Longest, Drop), "%lu producers, %llu records each",
              (unsigned long)Producers, (unsigned long long)Records);
    CheckError(IsthmusChannelSource(channel, 1, 1, 16, 16, FALSE), ERROR_BUSY, "a second source is refused");
    DWORD end = ReadStream(channel, &stream, Drop ? 5 : 0);
    Check(end == ERROR_HANDLE_EOF, "the stream ends when the driver closes: error %lu", (unsigned long)end);
    CheckDone(IsthmusChannelQuery(channel, &state), "query the driver's end");
    UINT64 all = Records * Producers;
    Check(stream.Bad == 0 && state.Error == 0, "%llu records of %llu bytes, %u bad", (unsigned long long)stream.Records,
          (unsigned long long)stream.Bytes, stream.Bad);
    Check(stream.Records + (Drop ? state.Drops : 0) == all && (Drop || stream.Skipped == 0),
          "all of %llu are accounted for: %llu read, %llu dropped, %llu stalls, %llu wake-ups",
          (unsigned long long)all, (unsigned long long)stream.Records, (unsigned long long)state.Drops,
          (unsigned long long)state.Stalls, (unsigned long long)state.Wakeups);
    CheckDone(IsthmusChannelClose(channel), "close it");
}

/* Overwriting: whatever is read is whole and in order, the newest record is there, and the losses are counted. */
static void Overwrite(HISTHMUS Isthmus)
{
    BYTE buffer[512];
    DWORD length;
    STREAM stream = {0};
    ISTHMUS_CHANNEL_STATE state = {0};
    HISTHMUSCHANNEL channel =
        IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, 4 * PAGE, ISTHMUS_CHANNEL_OVERWRITE);
    if (!CheckDone(channel != NULL, "a channel that overwrites the oldest"))
    {
        return;
    }
    CheckDone(IsthmusChannelSource(channel, 5000, 1, 16, 400, FALSE), "5000 records into 16 KB");
    do
    {
        Sleep(1);
    } while (IsthmusChannelQuery(channel, &state) && state.Busy);
    Check(state.Records == 5000 && state.Lost > 4000, "the driver wrote %llu and overwrote %llu",
          (unsigned long long)state.Records, (unsigned long long)state.Lost);
    BOOL got;
    while ((got = IsthmusChannelReceive(channel, buffer, sizeof(buffer), &length)) || GetLastError() == ERROR_RETRY)
    {
        stream.Bad += got && !TakeRecord(&stream, buffer, length);
    }
    Check(GetLastError() == ERROR_HANDLE_EOF && stream.Bad == 0 && stream.Next[0] == 5000,
          "%llu of the newest are read, up to the last", (unsigned long long)stream.Records);
    Check(stream.Records + state.Lost == 5000, "read and lost make all");
    CheckDone(IsthmusChannelClose(channel), "close it");
}

/* ---- To the driver --------------------------------------------------------------------------------------------- */

static BOOL SendAll(HISTHMUSCHANNEL Channel, UINT64 Records, DWORD Longest, DWORD Batch, STREAM *Stream)
{
    DWORD random = 1;
    for (UINT64 sent = 0; sent < Records;)
    {
        random = random * 1664525u + 1013904223u;
        DWORD length = (random >> 8) % (Longest + 1);
        BYTE *place = IsthmusChannelReserve(Channel, length);
        if (place == NULL)
        {
            if (GetLastError() != ERROR_PIPE_BUSY || !IsthmusChannelFlush(Channel) || !IsthmusChannelWait(Channel, 30000))
            {
                return FALSE;
            }
            continue;
        }
        Pattern(place, length, random);
        Stream->Crc = CrcContinue(Stream->Crc, place, length);
        Stream->Bytes += length;
        if (!IsthmusChannelCommit(Channel, length) || (++sent % Batch == 0 && !IsthmusChannelFlush(Channel)))
        {
            return FALSE;
        }
    }
    Stream->Records = Records;
    return IsthmusChannelFlush(Channel);
}

static void Sink(HISTHMUS Isthmus, UINT64 Capacity, UINT64 Records, DWORD Longest, DWORD Batch)
{
    STREAM stream = {0};
    ISTHMUS_CHANNEL_STATE state = {0};
    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_DRIVER, Capacity, 0);
    if (!CheckDone(channel != NULL, "a channel to the driver, %llu bytes", (unsigned long long)Capacity))
    {
        return;
    }
    CheckDone(SendAll(channel, Records, Longest, Batch, &stream), "send %llu records in batches of %lu",
              (unsigned long long)Records, (unsigned long)Batch);
    CheckDone(IsthmusChannelFinish(channel, 30000), "finish: the driver has taken all");
    CheckDone(IsthmusChannelQuery(channel, &state), "query the driver's end");
    Check(state.Records == stream.Records && state.Bytes == stream.Bytes && state.Crc32 == stream.Crc,
          "the driver took %llu records, %llu bytes, CRC %08X; sent were %llu, %llu, %08X",
          (unsigned long long)state.Records, (unsigned long long)state.Bytes, (unsigned)state.Crc32,
          (unsigned long long)stream.Records, (unsigned long long)stream.Bytes, (unsigned)stream.Crc);
    CheckDone(IsthmusChannelClose(channel), "close it");
}

typedef struct BOTH
{
    HISTHMUS Isthmus;
    DWORD Direction;
} BOTH;

static DWORD WINAPI BothThread(LPVOID Context)
{
    BOTH *both = Context;
    if (both->Direction == ISTHMUS_CHANNEL_TO_PROGRAM)
    {
        Stream(both->Isthmus, 16 * PAGE, 0, 1, 10000, 300, FALSE);
    }
    else
    {
        Sink(both->Isthmus, 16 * PAGE, 10000, 300, 16);
    }
    return 0;
}

static void BothAtOnce(HISTHMUS Isthmus)
{
    BOTH both[2] = {{Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM}, {Isthmus, ISTHMUS_CHANNEL_TO_DRIVER}};
    HANDLE threads[2];
    for (int i = 0; i < 2; i++)
    {
        threads[i] = CreateThread(NULL, 0, BothThread, &both[i], 0, NULL);
    }
    Check(WaitForMultipleObjects(2, threads, TRUE, 60000) == WAIT_OBJECT_0, "both directions at once");
    CloseHandle(threads[0]);
    CloseHandle(threads[1]);
}

/* ---- Protection and hostility ---------------------------------------------------------------------------------- */

/* A channel made by hand, with its events known. */
typedef struct RAW_CHANNEL
{
    HANDLE Device, Data, Space;
    UINT64 Id;
    BYTE *Base; /* description, producer's page, consumer's page, data, data again */
} RAW_CHANNEL;

static BOOL CreateRaw(RAW_CHANNEL *Channel, UINT32 Direction, UINT32 Flags, UINT64 Capacity)
{
    ISTHMUS_CHANNEL_CREATE query = {{ISTHMUS_REVISION, sizeof(query)}, Capacity, 0, 0, Direction, Flags};
    ISTHMUS_CHANNEL_INFO info = {0};
    DWORD got;
    query.DataEvent = (UINT64)(ULONG_PTR)Channel->Data;
    query.SpaceEvent = (UINT64)(ULONG_PTR)Channel->Space;
    BOOL done = Raw(Channel->Device, IOCTL_ISTHMUS_CHANNEL, &query, sizeof(query), &info, sizeof(info), &got);
    Channel->Id = info.Channel;
    Channel->Base = (BYTE *)(ULONG_PTR)info.Address;
    return done;
}

static BOOL OpenRaw(RAW_CHANNEL *Channel, UINT32 Direction)
{
    Channel->Device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    Channel->Data = CreateEventW(NULL, FALSE, FALSE, NULL);
    Channel->Space = CreateEventW(NULL, FALSE, FALSE, NULL);
    return CheckDone(CreateRaw(Channel, Direction, 0, PAGE), "a channel by hand");
}

static void CloseRaw(RAW_CHANNEL *Channel)
{
    CloseHandle(Channel->Device);
    CloseHandle(Channel->Data);
    CloseHandle(Channel->Space);
}

static BOOL QueryRaw(RAW_CHANNEL *Channel, ISTHMUS_CHANNEL_STATE *State)
{
    ISTHMUS_ID query = {{ISTHMUS_REVISION, sizeof(query)}, Channel->Id};
    DWORD got;
    return Raw(Channel->Device, IOCTL_ISTHMUS_CHANNEL_STATE, &query, sizeof(query), State, sizeof(*State), &got);
}

/* Waits until the driver has given up or finished, setting both events all the while. */
static void WaitIdle(RAW_CHANNEL *Channel, ISTHMUS_CHANNEL_STATE *State)
{
    for (int i = 0; i < 5000 && (!QueryRaw(Channel, State) || State->Busy); i++)
    {
        SetEvent(Channel->Data);
        SetEvent(Channel->Space);
        Sleep(1);
    }
}

static volatile BYTE *Faulted;
static LONG CALLBACK SkipWrite(EXCEPTION_POINTERS *Pointers)
{
    if (Pointers->ExceptionRecord->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || Faulted == NULL)
    {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    Faulted = NULL;
    Pointers->ContextRecord->Rip += 3; /* mov byte ptr [rcx], imm8 */
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* TRUE if a write there faults. The value written is the one that is there. */
static BOOL WriteFaults(volatile BYTE *Address)
{
    DWORD old;
    PVOID handler = AddVectoredExceptionHandler(1, SkipWrite);
    Faulted = Address;
    __asm__ volatile("movb $0, (%0)" : : "c"(Address) : "memory");
    BOOL faulted = Faulted == NULL;
    Faulted = NULL;
    RemoveVectoredExceptionHandler(handler);
    /* And it can't be made writable. */
    return faulted && !VirtualProtect((void *)Address, 1, PAGE_READWRITE, &old);
}

static void Protection(UINT32 Direction)
{
    static const char *const names[] = {"description", "producer's page", "consumer's page", "data", "data again"};
    BOOL consumer = Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    RAW_CHANNEL raw;
    if (!OpenRaw(&raw, Direction))
    {
        return;
    }
    for (int page = 0; page < 5; page++)
    {
        BOOL writable = page == (consumer ? 2 : 1) || (page >= 3 && !consumer);
        BYTE *address = raw.Base + page * PAGE + PAGE - 1;
        BOOL faults = !writable && WriteFaults(address);
        if (writable)
        {
            *address = 0;
        }
        Check(writable != faults, "the %s sees the %s %s", consumer ? "consumer" : "producer", names[page],
              writable ? "writable" : "read-only, for good: a write faults and VirtualProtect is refused");
    }
    Check(memcmp(raw.Base + 3 * PAGE, raw.Base + 4 * PAGE, PAGE) == 0, "the data pages appear twice");
    if (!consumer)
    {
        raw.Base[3 * PAGE + 100] = 0x5A;
        Check(raw.Base[4 * PAGE + 100] == 0x5A, "and are the same pages: a write to one is seen in the other");
    }
    CloseRaw(&raw);
}

/* A consumer's position that can't be: the driver stops with a reason, and nothing breaks. */
static void HostileConsumer(UINT64 Position, UINT32 Reason, const char *What)
{
    ISTHMUS_CHANNEL_SOURCE source = {{ISTHMUS_REVISION, sizeof(source)}, 0, 1000, 1, 16, 64, 0};
    ISTHMUS_CHANNEL_STATE state = {0};
    RAW_CHANNEL raw;
    DWORD got;
    if (!OpenRaw(&raw, ISTHMUS_CHANNEL_TO_PROGRAM))
    {
        return;
    }
    *(volatile UINT64 *)(raw.Base + 2 * PAGE) = Position;
    source.Channel = raw.Id;
    CheckDone(Raw(raw.Device, IOCTL_ISTHMUS_CHANNEL_SOURCE, &source, sizeof(source), NULL, 0, &got), "the driver fills it");
    WaitIdle(&raw, &state);
    Check(state.Error == Reason && !state.Busy, "%s: the driver gives up, reason %u", What, (unsigned)state.Error);
    CloseRaw(&raw);
}

/* A producer's nonsense: a position or a header. */
static void HostileProducer(UINT64 Position, UINT64 Header, UINT32 Reason, const char *What)
{
    ISTHMUS_CHANNEL_STATE state = {0};
    RAW_CHANNEL raw;
    if (!OpenRaw(&raw, ISTHMUS_CHANNEL_TO_DRIVER))
    {
        return;
    }
    *(volatile UINT64 *)(raw.Base + 3 * PAGE) = Header;
    *(volatile UINT64 *)(raw.Base + PAGE) = Position;
    WaitIdle(&raw, &state);
    Check(state.Error == Reason && !state.Busy, "%s: the driver gives up, reason %u", What, (unsigned)state.Error);
    CloseRaw(&raw);
}

static DWORD WINAPI Scribble(LPVOID Context)
{
    RAW_CHANNEL *raw = Context;
    UINT32 random = 12345;
    for (int i = 0; i < 200000; i++)
    {
        random = random * 1664525u + 1013904223u;
        /* All of the own control page, mostly small and plausible numbers. */
        volatile UINT64 *page = (volatile UINT64 *)(raw->Base + PAGE);
        page[(random >> 8) % 96] = random & 0x80 ? (UINT64)random << 20 : (random >> 16) & 0xFF8;
        if (i % 64 == 0)
        {
            SetEvent(raw->Data);
        }
    }
    return 0;
}

/* Every word of the control page and of the data rewritten while the driver reads: it ends with a reason or goes on. */
static void HostileRewriting(void)
{
    ISTHMUS_CHANNEL_STATE state = {0};
    for (int round = 0; round < 3; round++)
    {
        RAW_CHANNEL raw;
        if (!OpenRaw(&raw, ISTHMUS_CHANNEL_TO_DRIVER))
        {
            return;
        }
        HANDLE thread = CreateThread(NULL, 0, Scribble, &raw, 0, NULL);
        Check(WaitForSingleObject(thread, 60000) == WAIT_OBJECT_0 && QueryRaw(&raw, &state),
              "the control page rewritten 200000 times: the driver took %llu records and stands with reason %u",
              (unsigned long long)state.Records, (unsigned)state.Error);
        CloseHandle(thread);
        CloseRaw(&raw);
    }
}

/* ---- Bad requests ---------------------------------------------------------------------------------------------- */

static void BadRequests(HISTHMUS Isthmus)
{
    RAW_CHANNEL raw = {0};
    HANDLE file, event;
    UINT64 view;
    UINT32 crc;
    const void *data;
    DWORD length;
    raw.Device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    raw.Data = event = CreateEventW(NULL, FALSE, FALSE, NULL);
    raw.Space = CreateEventW(NULL, TRUE, FALSE, NULL);
    CheckError(CreateRaw(&raw, 0, 0, PAGE), ERROR_INVALID_PARAMETER, "no direction");
    CheckError(CreateRaw(&raw, 3, 0, PAGE), ERROR_INVALID_PARAMETER, "a third direction");
    CheckError(CreateRaw(&raw, 1, 4, PAGE), ERROR_INVALID_PARAMETER, "an unknown flag");
    CheckError(CreateRaw(&raw, 1, 3, PAGE), ERROR_INVALID_PARAMETER, "many that overwrite");
    CheckError(CreateRaw(&raw, 2, 2, PAGE), ERROR_INVALID_PARAMETER, "many producers in a program");
    CheckError(CreateRaw(&raw, 1, 0, 0), ERROR_INVALID_PARAMETER, "no capacity");
    CheckError(CreateRaw(&raw, 1, 0, 3 * PAGE), ERROR_INVALID_PARAMETER, "a capacity that is no power of two");
    CheckError(CreateRaw(&raw, 1, 0, 1ull << 30), ERROR_INVALID_PARAMETER, "a capacity beyond the maximum");
    CheckError(CreateRaw(&raw, 1, 0, 1ull << 63), ERROR_INVALID_PARAMETER, "a capacity of half the address space");
    raw.Data = NULL;
    CheckError(CreateRaw(&raw, 1, 0, PAGE), ERROR_INVALID_HANDLE, "no event");
    raw.Data = (HANDLE)(LONG_PTR)-1;
    CheckError(CreateRaw(&raw, 1, 0, PAGE), ERROR_INVALID_HANDLE, "the process as an event");
    raw.Data = raw.Device;
    CheckError(CreateRaw(&raw, 1, 0, PAGE), ERROR_INVALID_HANDLE, "a file as an event");
    DuplicateHandle(GetCurrentProcess(), event, GetCurrentProcess(), &file, SYNCHRONIZE, FALSE, 0);
    raw.Data = file;
    CheckError(CreateRaw(&raw, 1, 0, PAGE), ERROR_ACCESS_DENIED, "an event that may not be set");
    CloseHandle(file);
    raw.Data = event;

    CheckDone(CreateRaw(&raw, 2, 0, PAGE), "one that is right, with one manual-reset event");
    ISTHMUS_CHANNEL_SOURCE source = {{ISTHMUS_REVISION, sizeof(source)}, raw.Id, 10, 1, 16, 64, 0};
    ISTHMUS_MAP map = {{ISTHMUS_REVISION, sizeof(map)}, raw.Id, ISTHMUS_ACCESS_READ, 0};
    ISTHMUS_VIEW_INFO info;
    CheckError(Raw(raw.Device, IOCTL_ISTHMUS_CHANNEL_SOURCE, &source, sizeof(source), NULL, 0, &length),
               ERROR_INVALID_FUNCTION, "a source for a channel to the driver");
    CheckError(Raw(raw.Device, IOCTL_ISTHMUS_MAP, &map, sizeof(map), &info, sizeof(info), &length), ERROR_ACCESS_DENIED,
               "the ring mapped once more");
    CloseRaw(&raw);

    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, 16 * PAGE, 0);
    UINT64 id = IsthmusChannelId(channel);
    CheckError(IsthmusMap(Isthmus, id, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_ACCESS_DENIED, "the same for writing");
    CheckError(IsthmusName(Isthmus, id, L"channel", NULL), ERROR_ACCESS_DENIED, "a name for it");
    CheckError(IsthmusChecksum(Isthmus, id, 0, 1, &crc), ERROR_ACCESS_DENIED, "a checksum over it");
    CheckError(IsthmusWatch(Isthmus, id, 0, 1, 1, 1), ERROR_ACCESS_DENIED, "a watch on it");
    CheckError(IsthmusChannelSource(channel, 10, 0, 16, 64, FALSE), ERROR_INVALID_PARAMETER, "no producer");
    CheckError(IsthmusChannelSource(channel, 10, 2, 16, 64, FALSE), ERROR_INVALID_PARAMETER, "two, where one may write");
    CheckError(IsthmusChannelSource(channel, 0, 1, 16, 64, FALSE), ERROR_INVALID_PARAMETER, "no records");
    CheckError(IsthmusChannelSource(channel, 10, 1, 15, 64, FALSE), ERROR_INVALID_PARAMETER, "records too short");
    CheckError(IsthmusChannelSource(channel, 10, 1, 64, 16, FALSE), ERROR_INVALID_PARAMETER, "shortest above longest");
    CheckError(IsthmusChannelReserve(channel, 8) != NULL, ERROR_INVALID_FUNCTION, "a consumer that reserves");
    CheckError(IsthmusChannelPeek(channel, &data, &length), ERROR_NO_MORE_ITEMS, "an empty channel");
    CheckError(IsthmusChannelWait(channel, 20), ERROR_TIMEOUT, "nothing comes in 20 ms");
    CheckDone(IsthmusChannelClose(channel), "close it");

    channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_DRIVER, PAGE, 0);
    CheckError(IsthmusChannelReserve(channel, PAGE) != NULL, ERROR_BAD_LENGTH, "a record larger than the ring");
    CheckError(IsthmusChannelCommit(channel, 8), ERROR_INVALID_PARAMETER, "commit without reserve");
    CheckError(IsthmusChannelPeek(channel, &data, &length), ERROR_INVALID_FUNCTION, "a producer that peeks");
    CheckDone(IsthmusChannelReserve(channel, 100) != NULL && IsthmusChannelDiscard(channel), "reserve and discard");
    CheckDone(IsthmusChannelClose(channel), "close it");
}

/* ---- Waiting, and ends ----------------------------------------------------------------------------------------- */

/* The event among others, as programs with WaitForMultipleObjects use it. */
static void WaitAmongOthers(HISTHMUS Isthmus)
{
    STREAM stream = {0};
    HANDLE never = CreateEventW(NULL, TRUE, FALSE, NULL);
    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, 4 * PAGE, 0);
    HANDLE handles[2] = {never, IsthmusChannelEvent(channel)};
    DWORD why = ERROR_SUCCESS, sleeps = 0;
    CheckDone(IsthmusChannelSource(channel, 3000, 1, 16, 200, FALSE), "a source of 3000 records");
    while (why != ERROR_HANDLE_EOF)
    {
        const void *data;
        DWORD length;
        while (IsthmusChannelPeek(channel, &data, &length))
        {
            stream.Bad += !TakeRecord(&stream, data, length);
        }
        IsthmusChannelFlush(channel);
        if (IsthmusChannelArm(channel))
        {
            sleeps++;
            if (WaitForMultipleObjects(2, handles, FALSE, 30000) != WAIT_OBJECT_0 + 1)
            {
                break;
            }
            IsthmusChannelDisarm(channel);
        }
        else
        {
            why = GetLastError();
        }
    }
    Check(why == ERROR_HANDLE_EOF && stream.Records == 3000 && stream.Bad == 0,
          "%llu records with WaitForMultipleObjects, asleep %lu times", (unsigned long long)stream.Records,
          (unsigned long)sleeps);
    CheckDone(IsthmusChannelClose(channel), "close it");
    CloseHandle(never);
}

/* Child: opens channels in both directions and works on them until it is killed. */
int ChannelsForever(void)
{
    for (;;)
    {
        static BYTE record[1000];
        const void *data;
        DWORD length;
        HISTHMUS isthmus = IsthmusOpen(0);
        HISTHMUSCHANNEL in = IsthmusChannelOpen(isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, 16 * PAGE, ISTHMUS_CHANNEL_MANY);
        HISTHMUSCHANNEL out = IsthmusChannelOpen(isthmus, ISTHMUS_CHANNEL_TO_DRIVER, 16 * PAGE, 0);
        if (in == NULL || out == NULL || !IsthmusChannelSource(in, 100000, 2, 16, 1000, FALSE))
        {
            return 31;
        }
        for (int i = 0; i < 3000; i++)
        {
            if (!IsthmusChannelSend(out, record, (DWORD)i % sizeof(record)))
            {
                IsthmusChannelWait(out, 1000);
            }
            if (IsthmusChannelPeek(in, &data, &length))
            {
                IsthmusChannelFlush(in);
            }
        }
        IsthmusChannelClose(in);
        IsthmusClose(isthmus); /* the other channel goes with the session */
    }
}

static void Deaths(void)
{
    for (int i = 0; i < 12; i++)
    {
        HANDLE process = StartSelf("channels", NULL);
        if (process == NULL)
        {
            return;
        }
        Sleep(40 + (DWORD)i * 7);
        BOOL killed = TerminateProcess(process, 77);
        DWORD code = WaitExit(process);
        Check(killed && code == 77, "a process killed with channels in both directions: exit code %lu",
              (unsigned long)code);
    }
}

/* Each sink is a thread of the driver's: there is a limit, and what was closed counts no more. */
static void TooMany(HISTHMUS Isthmus)
{
    static HISTHMUSCHANNEL channels[200];
    int opened = 0;
    while (opened < 200 && (channels[opened] = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_DRIVER, PAGE, 0)) != NULL)
    {
        opened++;
    }
    CheckError(opened == 200, ERROR_NOT_ENOUGH_QUOTA, "%d channels to the driver, and no more", opened);
    HISTHMUSCHANNEL other = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, PAGE, 0);
    CheckError(IsthmusChannelSource(other, 1, 1, 16, 16, FALSE), ERROR_NOT_ENOUGH_QUOTA, "nor a source beside them");
    CheckDone(IsthmusChannelClose(channels[--opened]), "close one");
    CheckDone(IsthmusChannelSource(other, 1, 1, 16, 16, FALSE), "then there is room for a source");
    CheckDone(IsthmusChannelClose(other), "close it");
    while (opened > 0)
    {
        IsthmusChannelClose(channels[--opened]);
    }
}

/* A closed channel leaves nothing, while its session goes on; also one whose source or sink was at work. */
static void NothingStays(HISTHMUS Isthmus)
{
    ISTHMUS_STATISTICS before, after;
    IsthmusStatistics(Isthmus, &before);
    for (int i = 0; i < 8; i++)
    {
        BOOL in = i % 2 == 0;
        HISTHMUSCHANNEL channel =
            IsthmusChannelOpen(Isthmus, in ? ISTHMUS_CHANNEL_TO_PROGRAM : ISTHMUS_CHANNEL_TO_DRIVER, 16 * PAGE, 0);
        CheckDone(channel != NULL && (!in || IsthmusChannelSource(channel, 1000000, 1, 16, 100, FALSE)) &&
                      IsthmusChannelClose(channel),
                  "a channel %s, opened and closed", in ? "to the program" : "to the driver");
    }
    IsthmusStatistics(Isthmus, &after);
    Check(after.PoolBlocks == before.PoolBlocks && after.Regions == before.Regions && after.Locks == before.Locks,
          "nothing of them stays: %llu pool blocks before, %llu after", (unsigned long long)before.PoolBlocks,
          (unsigned long long)after.PoolBlocks);
}

/* The session closes below a source that produces and a sink that sleeps. */
static void CloseUnderway(void)
{
    for (int i = 0; i < 10; i++)
    {
        HISTHMUS isthmus = IsthmusOpen(0);
        HISTHMUSCHANNEL in = IsthmusChannelOpen(isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, 16 * PAGE, ISTHMUS_CHANNEL_MANY);
        HISTHMUSCHANNEL out = IsthmusChannelOpen(isthmus, ISTHMUS_CHANNEL_TO_DRIVER, 16 * PAGE, 0);
        CheckDone(in != NULL && out != NULL && IsthmusChannelSource(in, 1000000, 4, 16, 500, TRUE),
                  "a busy source and a sleeping sink");
        Sleep((DWORD)i);
        if (i % 2 == 0)
        {
            CheckDone(IsthmusChannelClose(in) && IsthmusChannelClose(out), "closed one by one");
        }
        CheckDone(IsthmusClose(isthmus), "the session closed");
    }
}

void TestChannels(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    if (!CheckDone(isthmus != NULL, "open the driver"))
    {
        return;
    }
    Stream(isthmus, PAGE, 0, 1, 2000, 100, FALSE);
    Stream(isthmus, 16 * PAGE, 0, 1, 20000, 600, FALSE);
    Stream(isthmus, 16 * PAGE, ISTHMUS_CHANNEL_MANY, 1, 5000, 600, FALSE);
    Stream(isthmus, 16 * PAGE, ISTHMUS_CHANNEL_MANY, 8, 5000, 600, FALSE);
    Stream(isthmus, 1024 * 1024, 0, 1, 2000, 65536, FALSE);
    Stream(isthmus, PAGE, 0, 1, 5000, 300, TRUE);
    Stream(isthmus, PAGE, ISTHMUS_CHANNEL_MANY, 4, 2000, 300, TRUE);
    Overwrite(isthmus);
    Sink(isthmus, PAGE, 3000, 200, 1);
    Sink(isthmus, 16 * PAGE, 20000, 600, 32);
    Sink(isthmus, 1024 * 1024, 500, 100000, 1);
    BothAtOnce(isthmus);
    WaitAmongOthers(isthmus);
    BadRequests(isthmus);
    NothingStays(isthmus);
    TooMany(isthmus);
    CheckDone(IsthmusClose(isthmus), "close the driver");
    Protection(ISTHMUS_CHANNEL_TO_PROGRAM);
    Protection(ISTHMUS_CHANNEL_TO_DRIVER);
    HostileConsumer(4, IsthmusRingErrorMisaligned, "a position between two records");
    HostileConsumer(8, IsthmusRingErrorBeyond, "a position past what was written");
    HostileConsumer(~7ull, IsthmusRingErrorBeyond, "a position below zero");
    HostileProducer(4, 0, IsthmusRingErrorMisaligned, "a position between two records");
    HostileProducer(2 * PAGE, 0, IsthmusRingErrorBeyond, "more than the ring holds");
    HostileProducer(64, 1000, IsthmusRingErrorLength, "a record past what was published");
    HostileProducer(64, 0xFFFFFFFF, IsthmusRingErrorLength, "a record of 4 GB");
    HostileProducer(64, 16 | 0x8000ull << 32, IsthmusRingErrorFlags, "a record with unknown flags");
    HostileRewriting();
    CloseUnderway();
    Deaths();
}
