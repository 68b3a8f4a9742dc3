/* SPDX-License-Identifier: MIT */
/*
 * What events.sys and events.exe agree on.
 *
 * The driver writes events into a ring of slots that the program sees read-only. It never waits: when the ring is full
 * the oldest event is overwritten. An event's sequence number says where it belongs (slot = Sequence % EVENT_SLOTS) and
 * whether it is whole:
 *
 *     driver                                program, expecting number n in slot n % EVENT_SLOTS
 *     slot.Sequence = 0                     before = slot.Sequence
 *     the other fields                      copy the slot
 *     slot.Sequence = n                     after = slot.Sequence
 *                                           before == after == n: the copy is event n
 *                                           before == after  > n: events were lost, go on at that number
 *                                           else: not written yet, or just being written
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <isthmus/isthmus_abi.h>

#define EVENTS_DEVICE_W L"\\\\.\\IsthmusEvents"

#define EVENT_SLOTS 1024u
#define EVENT_NAME_CHARS 36u

#define EVENT_PROCESS_START 1u
#define EVENT_PROCESS_END   2u
#define EVENT_THREAD_START  3u
#define EVENT_THREAD_END    4u
#define EVENT_IMAGE         5u

typedef struct EVENT
{
    UINT64 Sequence; /* from 1 */
    UINT64 Time;     /* since the system's start, 100 ns */
    UINT32 Kind;     /* EVENT_* */
    UINT32 ProcessId;
    UINT32 Other;    /* the parent's id, or the thread's */
    UINT32 Reserved;
    UINT64 Base;     /* of an image; 0 for the kernel's own */
    UINT64 Size;     /* bytes */
    UINT16 Name[EVENT_NAME_CHARS]; /* the end of the image's name; not terminated if it fills the field */
    UINT64 Padding;
} EVENT;
ISTHMUS_ASSERT_SIZE(EVENT, 128);

/* EVENTS_START -> EVENTS_STARTED: maps the ring into the caller and begins. Once per handle. */
#define IOCTL_EVENTS_START ISTHMUS_CONTROL_CODE(0x900, ISTHMUS_METHOD_BUFFERED)

typedef struct EVENTS_START
{
    UINT64 Wakeup; /* handle of an event object, set after each event */
} EVENTS_START;

typedef struct EVENTS_STARTED
{
    UINT64 Ring; /* address of EVENT[EVENT_SLOTS] in the caller */
} EVENTS_STARTED;

#endif /* EVENTS_H */
