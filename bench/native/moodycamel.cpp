/* SPDX-License-Identifier: MIT */
/* moodycamel::ReaderWriterQueue: records as elements, or pointers to them. It has no batches. */
#include "bench.h"

#include <readerwriterqueue.h>

namespace
{

template <size_t Size> struct Element
{
    char Bytes[Size];
};

template <size_t Size> struct Elements
{
    static constexpr const char *Name = "ReaderWriterQueue";
    static constexpr const char *Way = "elements";
    using Record = Element<Size>;

    bool Push(const char *Source)
    {
        return Queue.try_enqueue(*reinterpret_cast<const Record *>(Source));
    }
    bool Pop(char *Target)
    {
        return Queue.try_dequeue(*reinterpret_cast<Record *>(Target));
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
    /* A queue for n has room in a block of the next power of two above n: the block of SlotsOf<Size>(). */
    moodycamel::ReaderWriterQueue<Record, SlotsOf<Size>()> Queue{SlotsOf<Size>() - 1};
};

template <size_t Size> struct Pointers
{
    static constexpr const char *Name = "ReaderWriterQueue";
    static constexpr const char *Way = "pointers";

    bool Push(const char *Source)
    {
        char *record = Free.Next();
        memcpy(record, Source, Size);
        if (!Queue.try_enqueue(record))
        {
            Free.Back(1);
            return false;
        }
        return true;
    }
    bool Pop(char *Target)
    {
        char *record;
        if (!Queue.try_dequeue(record))
        {
            return false;
        }
        memcpy(Target, record, Size);
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
    moodycamel::ReaderWriterQueue<char *> Queue{SlotsOf<Size>() - 1};
    Pool<Size> Free{2 * SlotsOf<Size>() + 1024}; /* it may have more room than was asked for */
};

} /* namespace */

void AddMoodycamel(std::vector<Measurement> &Table)
{
    AddContests<Elements>(Table);
    AddContest<Pointers<256>, 256>(Table);
    AddContest<Pointers<1500>, 1500>(Table);
    AddContest<Pointers<16384>, 16384>(Table);
}
