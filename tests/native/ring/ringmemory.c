/* SPDX-License-Identifier: MIT */
#include "ringmemory.h"

#include <sys/mman.h>
#include <unistd.h>

int RingMemoryCreate(UINT64 Capacity, UINT32 Flags)
{
    ISTHMUS_RING_DESCRIPTION description;
    int memory;

    if (IsthmusRingDescribe(Capacity, Flags, &description) != IsthmusRingOk)
    {
        return -1;
    }
    memory = memfd_create("isthmus-ring", MFD_CLOEXEC);
    if (memory < 0)
    {
        return -1;
    }
    if (ftruncate(memory, (off_t)description.TotalBytes) != 0 ||
        pwrite(memory, &description, sizeof(description), 0) != (ssize_t)sizeof(description))
    {
        close(memory);
        return -1;
    }
    return memory;
}

static int MapPart(int Memory, UINT8 *Place, UINT64 Offset, UINT64 Bytes, int Protection)
{
    const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;

    return mmap(Place, Bytes, Protection, flags, Memory, (off_t)Offset) == MAP_FAILED ? -1 : 0;
}

int RingMemoryMap(int Memory, RING_ROLE Role, RING_MAPPING *Mapping)
{
    ISTHMUS_RING_DESCRIPTION *d = &Mapping->Description;
    const int all = PROT_READ | PROT_WRITE;
    const int describe = Role == RingRoleBoth ? all : PROT_READ;
    const int produce = Role == RingRoleConsumer ? PROT_READ : all;
    const int consume = Role == RingRoleProducer ? PROT_READ : all;
    UINT8 *base;

    if (pread(Memory, d, sizeof(*d), 0) != (ssize_t)sizeof(*d))
    {
        return -1;
    }
    Mapping->Bytes = d->TotalBytes + d->DataBytes;
    base = mmap(NULL, Mapping->Bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
    {
        return -1;
    }
    Mapping->Base = base;
    if (MapPart(Memory, base, 0, ISTHMUS_RING_PAGE, describe) != 0 ||
        MapPart(Memory, base + d->ProducerOffset, d->ProducerOffset, ISTHMUS_RING_PAGE, produce) != 0 ||
        MapPart(Memory, base + d->ConsumerOffset, d->ConsumerOffset, ISTHMUS_RING_PAGE, consume) != 0 ||
        MapPart(Memory, base + d->DataOffset, d->DataOffset, d->DataBytes, produce) != 0 ||
        MapPart(Memory, base + d->DataOffset + d->DataBytes, d->DataOffset, d->DataBytes, produce) != 0)
    {
        munmap(base, Mapping->Bytes);
        return -1;
    }
    Mapping->View = IsthmusRingViewAt(base, d);
    return 0;
}

void RingMemoryUnmap(RING_MAPPING *Mapping)
{
    munmap(Mapping->Base, Mapping->Bytes);
    Mapping->Base = NULL;
}
