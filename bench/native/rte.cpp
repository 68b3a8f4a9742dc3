/* SPDX-License-Identifier: MIT */
/* DPDK's rte_ring, one producer and one consumer: records as elements (multiples of 4 bytes), or pointers; bursts. */
#include "bench.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>

namespace
{

template <size_t ElementBytes> struct Ring
{
    explicit Ring(size_t Slots)
        : Memory(static_cast<size_t>(rte_ring_get_memsize_elem(ElementBytes, static_cast<unsigned>(Slots))))
    {
        Body = reinterpret_cast<rte_ring *>(Memory.Data);
        if (rte_ring_init(Body, "bench", static_cast<unsigned>(Slots), RING_F_SP_ENQ | RING_F_SC_DEQ) != 0)
        {
            std::fprintf(stderr, "rte_ring_init failed\n");
            std::exit(1);
        }
    }
    Buffer Memory;
    rte_ring *Body;
};

template <size_t Size> struct Elements
{
    static constexpr const char *Name = "rte_ring";
    static constexpr const char *Way = "elements";

    bool Push(const char *Source)
    {
        return rte_ring_sp_enqueue_elem(Slots.Body, const_cast<char *>(Source), Size) == 0;
    }
    bool Pop(char *Target)
    {
        return rte_ring_sc_dequeue_elem(Slots.Body, Target, Size) == 0;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        return rte_ring_sp_enqueue_burst_elem(Slots.Body, Source, Size, Count, nullptr);
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        return rte_ring_sc_dequeue_burst_elem(Slots.Body, Target, Size, Most, nullptr);
    }
    Ring<Size> Slots{SlotsOf<Size>()};
};

template <size_t Size> struct Pointers
{
    static constexpr const char *Name = "rte_ring";
    static constexpr const char *Way = "pointers";

    bool Push(const char *Source)
    {
        char *record = Free.Next();
        memcpy(record, Source, Size);
        if (rte_ring_sp_enqueue(Slots.Body, record) != 0)
        {
            Free.Back(1);
            return false;
        }
        return true;
    }
    bool Pop(char *Target)
    {
        void *record;
        if (rte_ring_sc_dequeue(Slots.Body, &record) != 0)
        {
            return false;
        }
        memcpy(Target, record, Size);
        return true;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        void *records[BatchMost];
        unsigned count = rte_ring_free_count(Slots.Body);
        count = count < Count ? count : Count;
        for (unsigned i = 0; i < count; i++)
        {
            records[i] = Free.Next();
            memcpy(records[i], Source + i * Size, Size);
        }
        return rte_ring_sp_enqueue_burst(Slots.Body, records, count, nullptr);
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        void *records[BatchMost];
        unsigned count = rte_ring_sc_dequeue_burst(Slots.Body, records, Most, nullptr);
        for (unsigned i = 0; i < count; i++)
        {
            memcpy(Target + i * Size, records[i], Size);
        }
        return count;
    }
    Ring<8> Slots{SlotsOf<Size>()};
    Pool<Size> Free{SlotsOf<Size>()};
};

} /* namespace */

void AddRte(std::vector<Measurement> &Table)
{
    AddContests<Elements>(Table);
    AddContest<Pointers<64>, 64>(Table);
    AddContest<Pointers<256>, 256>(Table);
    AddContest<Pointers<1500>, 1500>(Table);
    AddContest<Pointers<16384>, 16384>(Table);
}
