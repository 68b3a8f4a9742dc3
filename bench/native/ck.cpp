/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ck_ring: pointers; 8 bytes travel in the pointer itself. It has no batches. */
#include "bench.h"

/* This version returns false for a null pointer, which C++ refuses and 0 does not. */
#define false 0
extern "C" {
#include <ck_ring.h>
}
#undef false

namespace
{

template <size_t Size> struct Pointers
{
    static constexpr const char *Name = "ck_ring";
    static constexpr const char *Way = Size == 8 ? "elements" : "pointers";

    Pointers()
    {
        ck_ring_init(&Ring, static_cast<unsigned>(SlotsOf<Size>()));
    }
    bool Push(const char *Source)
    {
        if constexpr (Size == 8)
        {
            void *value;
            memcpy(&value, Source, 8);
            return ck_ring_enqueue_spsc(&Ring, Slots.data(), value);
        }
        else
        {
            char *record = Free.Next();
            memcpy(record, Source, Size);
            if (!ck_ring_enqueue_spsc(&Ring, Slots.data(), record))
            {
                Free.Back(1);
                return false;
            }
            return true;
        }
    }
    bool Pop(char *Target)
    {
        void *value;
        if (!ck_ring_dequeue_spsc(&Ring, Slots.data(), &value))
        {
            return false;
        }
        if constexpr (Size == 8)
        {
            memcpy(Target, &value, 8);
        }
        else
        {
            memcpy(Target, value, Size);
        }
        return true;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        unsigned done = 0;
        while (done < Count && Push(Source + done * Size))
        {
            done++;
        }
        return done;
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        unsigned done = 0;
        while (done < Most && Pop(Target + done * Size))
        {
            done++;
        }
        return done;
    }
    alignas(128) ck_ring_t Ring;
    std::vector<ck_ring_buffer_t> Slots{SlotsOf<Size>()};
    Pool<Size> Free{SlotsOf<Size>()};
};

} /* namespace */

void AddCk(std::vector<Measurement> &Table)
{
    AddContests<Pointers>(Table);
}
