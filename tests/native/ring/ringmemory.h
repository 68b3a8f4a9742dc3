/* SPDX-License-Identifier: MIT */
/*
 * Rings on Linux: a memfd whose data pages are mapped twice in a row. Each view can have the protection its side would
 * have under Windows. Used by the native tests and by the bench.
 */
#ifndef ISTHMUS_TESTS_RINGMEMORY_H
#define ISTHMUS_TESTS_RINGMEMORY_H

#include <isthmus/isthmus_ring.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum RING_ROLE
{
    RingRoleBoth,     /* everything writable, in one piece */
    RingRoleProducer, /* description and consumer page read-only */
    RingRoleConsumer  /* description, producer page and data read-only */
} RING_ROLE;

typedef struct RING_MAPPING
{
    ISTHMUS_RING_VIEW View;
    ISTHMUS_RING_DESCRIPTION Description;
    void *Base;
    size_t Bytes;
} RING_MAPPING;

/* A new ring's memory, described; a file descriptor to map and to share, or -1. */
int RingMemoryCreate(UINT64 Capacity, UINT32 Flags);

/* Maps it. 0, or -1 with errno. */
int RingMemoryMap(int Memory, RING_ROLE Role, RING_MAPPING *Mapping);

void RingMemoryUnmap(RING_MAPPING *Mapping);

#ifdef __cplusplus
}
#endif

#endif
