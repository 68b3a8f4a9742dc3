/* SPDX-License-Identifier: MIT */
/* isthmus_ring.h, as a driver and a program would use it. */
#include "bench.h"

#include "ringmemory.h"

#include <unistd.h>

namespace
{

/* The memory of a ring, each side with its own rights. */
struct Memory
{
    explicit Memory(UINT32 Flags)
    {
        int file = RingMemoryCreate(RingBytes, Flags);
        if (file < 0 || RingMemoryMap(file, RingRoleProducer, &Produce) != 0 ||
            RingMemoryMap(file, RingRoleConsumer, &Consume) != 0)
        {
            std::perror("ring memory");
            std::exit(1);
        }
        close(file);
    }
    ~Memory()
    {
        RingMemoryUnmap(&Produce);
        RingMemoryUnmap(&Consume);
    }
    RING_MAPPING Produce;
    RING_MAPPING Consume;
};

/* The consumer of all variants: records may have any length; those of the expected one are copied without a call. */
template <size_t Size, bool Wake> struct Reader
{
    explicit Reader(const RING_MAPPING &Map)
    {
        IsthmusRingConsumerOpen(&Consumer, &Map.View);
    }
    bool Take(char *Target)
    {
        ISTHMUS_RING_RECORD record;
        if (IsthmusRingPeek(&Consumer, &record) != IsthmusRingOk)
        {
            return false;
        }
        if (record.Length == Size)
        {
            memcpy(Target, record.Data, Size);
        }
        else
        {
            memcpy(Target, record.Data, record.Length);
        }
        return true;
    }
    void Release()
    {
        IsthmusRingRelease(&Consumer);
        if (Wake && IsthmusRingWakeProducer(&Consumer))
        {
            std::abort(); /* nobody sleeps here */
        }
    }
    bool Pop(char *Target)
    {
        if (!Take(Target))
        {
            return false;
        }
        Release();
        return true;
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        unsigned done = 0;
        while (done < Most && Take(Target + done * Size))
        {
            done++;
        }
        if (done != 0)
        {
            Release();
        }
        return done;
    }
    alignas(128) ISTHMUS_RING_CONSUMER Consumer;
};

/* Wake: each publish and release also asks whether the peer sleeps, with the fence that takes. */
template <size_t Size, bool Wake> struct Single
{
    Single() : Shared(0), Read(Shared.Consume)
    {
        IsthmusRingProducerOpen(&Producer, &Shared.Produce.View);
    }
    bool Put(const char *Source)
    {
        void *place;
        if (IsthmusRingReserve(&Producer, Size, &place) != IsthmusRingOk)
        {
            return false;
        }
        memcpy(place, Source, Size);
        IsthmusRingCommit(&Producer, Size);
        return true;
    }
    void Publish()
    {
        IsthmusRingPublish(&Producer);
        if (Wake && IsthmusRingWakeConsumer(&Producer))
        {
            std::abort();
        }
    }
    bool Push(const char *Source)
    {
        if (!Put(Source))
        {
            return false;
        }
        Publish();
        return true;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        unsigned done = 0;
        while (done < Count && Put(Source + done * Size))
        {
            done++;
        }
        if (done != 0)
        {
            Publish();
        }
        return done;
    }
    bool Pop(char *Target)
    {
        return Read.Pop(Target);
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        return Read.PopMany(Target, Most);
    }
    Memory Shared;
    alignas(128) ISTHMUS_RING_PRODUCER Producer;
    Reader<Size, Wake> Read;
};

template <size_t Size> struct Polled : Single<Size, false>
{
    static constexpr const char *Name = "isthmus";
    static constexpr const char *Way = "peer polls";
};

template <size_t Size> struct Waking : Single<Size, true>
{
    static constexpr const char *Name = "isthmus";
    static constexpr const char *Way = "peer may sleep";
};

/* The interface for many producers, used by one. */
template <size_t Size> struct Many
{
    static constexpr const char *Name = "isthmus";
    static constexpr const char *Way = "many producers";

    Many() : Shared(ISTHMUS_RING_MANY), Ready(ISTHMUS_RING_MANY_READY_BYTES(RingBytes) / 8), Read(Shared.Consume)
    {
        IsthmusRingManyOpen(&Producers, &Shared.Produce.View, Ready.data());
    }
    bool Put(const char *Source)
    {
        ISTHMUS_RING_SLOT slot;
        if (IsthmusRingManyReserve(&Producers, Size, &slot) != IsthmusRingOk)
        {
            return false;
        }
        memcpy(slot.Data, Source, Size);
        IsthmusRingManyCommit(&Producers, &slot, Size);
        return true;
    }
    bool Push(const char *Source)
    {
        if (!Put(Source))
        {
            return false;
        }
        IsthmusRingManyPublish(&Producers);
        return true;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        unsigned done = 0;
        while (done < Count && Put(Source + done * Size))
        {
            done++;
        }
        if (done != 0)
        {
            IsthmusRingManyPublish(&Producers);
        }
        return done;
    }
    bool Pop(char *Target)
    {
        return Read.Pop(Target);
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        return Read.PopMany(Target, Most);
    }
    Memory Shared;
    std::vector<UINT64> Ready;
    ISTHMUS_RING_MANY_PRODUCERS Producers;
    Reader<Size, false> Read;
};

} /* namespace */

void AddIsthmus(std::vector<Measurement> &Table)
{
    AddContests<Polled>(Table, true);
    AddContests<Waking>(Table, true);
    AddContests<Many>(Table, true);
}
