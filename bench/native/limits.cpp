/* SPDX-License-Identifier: MIT */
/* What the machine can do, whatever the ring: a copy by one thread, and a cache line sent back and forth by two. */
#include "bench.h"

namespace
{

/* Records copied one behind the other into memory of the ring's size: one of the two copies, by one thread. */
template <size_t Size> double RunCopy()
{
    const uint64_t records = RecordsOf(Size);
    double time = 0;
    std::thread copier([&] {
        Buffer source(Size);
        Buffer target(RingBytes + Size);
        size_t at = 0;

        Pin(0);
        double start = Nanoseconds();
        for (uint64_t i = 0; i < records; i++)
        {
            memcpy(source.Data, &i, sizeof(i));
            memcpy(target.Data + at, source.Data, Size);
            KeepMemory(target.Data);
            at = at + Size >= RingBytes ? 0 : at + Size;
        }
        time = Nanoseconds() - start;
    });

    copier.join();
    return time / static_cast<double>(records);
}

std::vector<double> RunPingPong()
{
    constexpr uint64_t trips = 40000;
    struct alignas(128) Line
    {
        std::atomic<uint64_t> Value{0};
    };
    Line there;
    Line back;
    std::vector<double> times;

    times.reserve(trips);
    RunPair(
        [&] {
            for (uint64_t i = 1; i <= trips; i++)
            {
                double start = Nanoseconds();
                there.Value.store(i, std::memory_order_release);
                while (back.Value.load(std::memory_order_acquire) != i)
                {
                }
                times.push_back((Nanoseconds() - start) / 2);
            }
        },
        [&] {
            for (uint64_t i = 1; i <= trips; i++)
            {
                while (there.Value.load(std::memory_order_acquire) != i)
                {
                }
                back.Value.store(i, std::memory_order_release);
            }
        });
    return times;
}

template <size_t Size> void AddCopy(std::vector<Measurement> &Table)
{
    for (Mode mode : {Mode::Single, Mode::Batch})
    {
        Table.push_back({"memcpy", "one copy, one thread", 1, Size, mode, true, false,
                         [] { return std::vector<double>{RunCopy<Size>()}; }, {}, {}});
    }
}

} /* namespace */

void AddLimits(std::vector<Measurement> &Table)
{
    AddCopy<8>(Table);
    AddCopy<64>(Table);
    AddCopy<256>(Table);
    AddCopy<1500>(Table);
    AddCopy<16384>(Table);
    Table.push_back({"cache line", "ping-pong", 1, 8, Mode::Latency, true, false, RunPingPong, {}, {}});
}
