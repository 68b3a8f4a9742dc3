/* SPDX-License-Identifier: MIT */
/*
 * How rings are measured. Each file <ring>.cpp fills a table of measurements with Contest<Ring<Size>>; main.cpp runs
 * all of them in turn, several rounds, and report.cpp writes what came out.
 *
 * A contestant carries records of Size bytes from the producer's buffer to the consumer's. Both copies count: one in,
 * one out. All have RingBytes of memory for records.
 */
#ifndef ISTHMUS_BENCH_H
#define ISTHMUS_BENCH_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

constexpr size_t RingBytes = 256 * 1024;
constexpr unsigned BatchMost = 32;

/* Records per batch: as many as make 64 KB of copies at the most. */
constexpr unsigned BatchOf(size_t Size)
{
    return Size * BatchMost <= 65536 ? BatchMost : static_cast<unsigned>(65536 / Size);
}

/* Records for one measurement: some tenths of a second at the most. */
constexpr uint64_t RecordsOf(size_t Size)
{
    return Size <= 8 ? 3000000 : Size <= 64 ? 2000000 : Size <= 256 ? 1200000 : Size <= 1500 ? 400000 : 40000;
}

enum class Mode
{
    Single,
    Batch,
    Latency
};

struct Measurement
{
    std::string Ring;    /* the contestant */
    std::string Way;     /* how it was used */
    unsigned Pauses;     /* while waiting */
    size_t Size;         /* bytes per record */
    Mode What;
    bool Limit;          /* not a ring: what the machine can do */
    bool Ours;
    std::function<std::vector<double>()> Run; /* nanoseconds: one per record, or one-way times of single records */
    std::vector<double> Rounds;   /* ns per record, or the round's median */
    std::vector<double> Samples;  /* one-way times */
};

void AddIsthmus(std::vector<Measurement> &Table);
void AddBoost(std::vector<Measurement> &Table);
void AddMoodycamel(std::vector<Measurement> &Table);
void AddCk(std::vector<Measurement> &Table);
void AddRte(std::vector<Measurement> &Table);
void AddLimits(std::vector<Measurement> &Table);

void Report(const std::vector<Measurement> &Table, const std::string &Folder, unsigned Rounds, bool RealTime);

/* ---- What all measurements use ----------------------------------------------------------------------------------- */

double Nanoseconds();
void Pin(int Cpu); /* this thread, and real-time priority if asked for and allowed */

inline void Pause()
{
    __builtin_ia32_pause();
}

inline void Pause(unsigned Count)
{
    while (Count-- != 0)
    {
        Pause();
    }
}

inline void KeepMemory(const void *Data)
{
    __asm__ __volatile__("" : : "r"(Data) : "memory");
}

/* Private buffers of a side: a batch of records. */
struct Buffer
{
    explicit Buffer(size_t Bytes) : Data(static_cast<char *>(std::aligned_alloc(4096, (Bytes + 4095) / 4096 * 4096)))
    {
        memset(Data, 0x5A, Bytes);
    }
    ~Buffer()
    {
        std::free(Data);
    }
    char *Data;
};

/* Runs Producer on one processor and Consumer on the other, started together. Nanoseconds until both are done. */
template <class P, class C> double RunPair(P Producer, C Consumer)
{
    std::atomic<int> ready{0};
    double start = 0;
    auto meet = [&ready] {
        ready.fetch_add(1);
        while (ready.load() < 2)
        {
            Pause();
        }
    };
    /* Two new threads: this one must stay free, or a real-time producer would keep the consumer from being born. */
    std::thread first([&] {
        Pin(0);
        meet();
        start = Nanoseconds();
        Producer();
    });
    std::thread second([&] {
        Pin(1);
        meet();
        Consumer();
    });

    first.join();
    second.join();
    return Nanoseconds() - start;
}

inline void CheckSum(uint64_t Sum, uint64_t Records, const char *Name)
{
    if (Sum != Records * (Records - 1) / 2)
    {
        std::fprintf(stderr, "%s lost or changed a record\n", Name);
        std::exit(1);
    }
}

/*
 * A Ring<Size> has: Name, Way; Push(source) and Pop(target): false if full or empty; PushMany(source, n) and
 * PopMany(target, n): how many of n.
 */
template <class Ring, size_t Size> double RunSingle(unsigned Pauses)
{
    Ring ring;
    const uint64_t records = RecordsOf(Size);
    uint64_t sum = 0;
    double time = RunPair(
        [&] {
            Buffer source(Size);
            for (uint64_t i = 0; i < records; i++)
            {
                memcpy(source.Data, &i, sizeof(i));
                while (!ring.Push(source.Data))
                {
                    Pause(Pauses);
                }
            }
        },
        [&] {
            Buffer target(Size);
            uint64_t total = 0;
            for (uint64_t i = 0; i < records; i++)
            {
                uint64_t number;
                while (!ring.Pop(target.Data))
                {
                    Pause(Pauses);
                }
                KeepMemory(target.Data);
                memcpy(&number, target.Data, sizeof(number));
                total += number;
            }
            sum = total;
        });

    CheckSum(sum, records, Ring::Name);
    return time / static_cast<double>(records);
}

template <class Ring, size_t Size> double RunBatch(unsigned Pauses)
{
    constexpr unsigned batch = BatchOf(Size);
    Ring ring;
    const uint64_t records = RecordsOf(Size) / batch * batch;
    uint64_t sum = 0;
    double time = RunPair(
        [&] {
            Buffer source(Size * batch);
            for (uint64_t i = 0; i < records; i += batch)
            {
                for (uint64_t j = 0; j < batch; j++)
                {
                    uint64_t number = i + j;
                    memcpy(source.Data + j * Size, &number, sizeof(number));
                }
                KeepMemory(source.Data);
                for (unsigned done = 0; done < batch;)
                {
                    unsigned now = ring.PushMany(source.Data + done * Size, batch - done);
                    done += now;
                    if (now == 0)
                    {
                        Pause(Pauses);
                    }
                }
            }
        },
        [&] {
            Buffer target(Size * batch);
            uint64_t total = 0;
            for (uint64_t i = 0; i < records;)
            {
                unsigned now = ring.PopMany(target.Data, batch);
                if (now == 0)
                {
                    Pause(Pauses);
                }
                KeepMemory(target.Data);
                for (unsigned j = 0; j < now; j++)
                {
                    uint64_t number;
                    memcpy(&number, target.Data + j * Size, sizeof(number));
                    total += number;
                }
                i += now;
            }
            sum = total;
        });

    CheckSum(sum, records, Ring::Name);
    return time / static_cast<double>(records);
}

/* One record there and back through two rings, again and again: half of each round trip. */
template <class Ring, size_t Size> std::vector<double> RunLatency()
{
    constexpr unsigned trips = Size <= 1500 ? 20000 : 6000;
    Ring there;
    Ring back;
    std::vector<double> times;

    times.reserve(trips);
    RunPair(
        [&] {
            Buffer buffer(Size);
            for (unsigned i = 0; i < trips; i++)
            {
                double start = Nanoseconds();
                while (!there.Push(buffer.Data))
                {
                }
                while (!back.Pop(buffer.Data))
                {
                    Pause();
                }
                times.push_back((Nanoseconds() - start) / 2);
            }
        },
        [&] {
            Buffer buffer(Size);
            for (unsigned i = 0; i < trips; i++)
            {
                while (!there.Pop(buffer.Data))
                {
                    Pause();
                }
                while (!back.Push(buffer.Data))
                {
                }
            }
        });
    return times;
}

template <class Ring, size_t Size> void AddContest(std::vector<Measurement> &Table, bool Ours = false)
{
    auto one = [](double value) { return std::vector<double>{value}; };

    for (unsigned pauses : {1u, 32u})
    {
        Table.push_back({Ring::Name, Ring::Way, pauses, Size, Mode::Single, false, Ours,
                         [=] { return one(RunSingle<Ring, Size>(pauses)); }, {}, {}});
        Table.push_back({Ring::Name, Ring::Way, pauses, Size, Mode::Batch, false, Ours,
                         [=] { return one(RunBatch<Ring, Size>(pauses)); }, {}, {}});
    }
    Table.push_back({Ring::Name, Ring::Way, 1, Size, Mode::Latency, false, Ours,
                     [] { return RunLatency<Ring, Size>(); }, {}, {}});
}

template <template <size_t> class Ring> void AddContests(std::vector<Measurement> &Table, bool Ours = false)
{
    AddContest<Ring<8>, 8>(Table, Ours);
    AddContest<Ring<64>, 64>(Table, Ours);
    AddContest<Ring<256>, 256>(Table, Ours);
    AddContest<Ring<1500>, 1500>(Table, Ours);
    AddContest<Ring<16384>, 16384>(Table, Ours);
}

/*
 * For rings that carry pointers: records lie in a pool that is used in turn. The producer is never more than the ring's
 * slots ahead of what the consumer took out, and the consumer holds no more than a batch, so with that many more
 * records in the pool none is written while it is read, and none has to be given back. That is the least work such a
 * ring allows: no allocator, no second ring.
 */
template <size_t Size> struct Pool
{
    static constexpr size_t Stride = (Size + 63) / 64 * 64;

    explicit Pool(size_t Slots) : Count(Slots + 2 * BatchMost), Records(Count * Stride)
    {
    }
    char *Next()
    {
        char *record = Records.Data + At * Stride;
        if (++At == Count)
        {
            At = 0;
        }
        return record;
    }
    void Back(unsigned Number)
    {
        At = (At + Count - Number) % Count;
    }
    size_t Count;
    size_t At = 0;
    Buffer Records;
};

/* Slots, a power of two, that make about RingBytes of records. */
template <size_t Size> constexpr size_t SlotsOf()
{
    size_t slots = 1;
    while (slots * 2 * Size <= RingBytes)
    {
        slots *= 2;
    }
    return slots;
}

#endif
