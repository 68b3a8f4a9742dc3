/* SPDX-License-Identifier: MIT */
/* boost::lockfree::spsc_queue: records as elements, or pointers to them; arrays for batches. */
#include "bench.h"

#include <boost/lockfree/spsc_queue.hpp>

namespace
{

template <size_t Size> struct Element
{
    char Bytes[Size];
};

template <size_t Size> struct Elements
{
    static constexpr const char *Name = "boost spsc_queue";
    static constexpr const char *Way = "elements";
    using Record = Element<Size>;

    bool Push(const char *Source)
    {
        return Queue.push(*reinterpret_cast<const Record *>(Source));
    }
    bool Pop(char *Target)
    {
        return Queue.pop(*reinterpret_cast<Record *>(Target));
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        return static_cast<unsigned>(Queue.push(reinterpret_cast<const Record *>(Source), Count));
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        return static_cast<unsigned>(Queue.pop(reinterpret_cast<Record *>(Target), Most));
    }
    boost::lockfree::spsc_queue<Record> Queue{SlotsOf<Size>()};
};

template <size_t Size> struct Pointers
{
    static constexpr const char *Name = "boost spsc_queue";
    static constexpr const char *Way = "pointers";

    bool Push(const char *Source)
    {
        return PushMany(Source, 1) == 1;
    }
    bool Pop(char *Target)
    {
        return PopMany(Target, 1) == 1;
    }
    unsigned PushMany(const char *Source, unsigned Count)
    {
        char *records[BatchMost];
        unsigned count = static_cast<unsigned>(Queue.write_available());
        count = count < Count ? count : Count;
        for (unsigned i = 0; i < count; i++)
        {
            records[i] = Free.Next();
            memcpy(records[i], Source + i * Size, Size);
        }
        return static_cast<unsigned>(Queue.push(records, count));
    }
    unsigned PopMany(char *Target, unsigned Most)
    {
        char *records[BatchMost];
        unsigned count = static_cast<unsigned>(Queue.pop(records, Most));
        for (unsigned i = 0; i < count; i++)
        {
            memcpy(Target + i * Size, records[i], Size);
        }
        return count;
    }
    boost::lockfree::spsc_queue<char *> Queue{SlotsOf<Size>()};
    Pool<Size> Free{SlotsOf<Size>()};
};

} /* namespace */

void AddBoost(std::vector<Measurement> &Table)
{
    AddContests<Elements>(Table);
    AddContest<Pointers<256>, 256>(Table);
    AddContest<Pointers<1500>, 1500>(Table);
    AddContest<Pointers<16384>, 16384>(Table);
}
