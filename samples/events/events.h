/* SPDX-License-Identifier: MIT */
/*
 * What events.sys and events.exe agree on: a control code that opens a channel to the program, and the records in it.
 *
 * The channel is the kit's: its structures (isthmus_abi.h) travel with this driver's own control code, and the program
 * reads its ring (isthmus_ring.h) where the driver has mapped it. The driver never waits: what finds no room is dropped
 * and counted.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <isthmus/isthmus_abi.h>

#define EVENTS_DEVICE_W L"\\\\.\\IsthmusEvents"

#define EVENT_NAME_BYTES 520u /* of a longer name the end is kept */

#define EVENT_PROCESS_START 1u
#define EVENT_PROCESS_END   2u
#define EVENT_THREAD_START  3u
#define EVENT_THREAD_END    4u
#define EVENT_IMAGE         5u

/* A record. NameBytes of UTF-16 follow. */
typedef struct EVENT
{
    UINT64 Time;      /* since the system's start, 100 ns */
    UINT32 Kind;      /* EVENT_* */
    UINT32 ProcessId;
    UINT32 Other;     /* the parent's id, or the thread's */
    UINT32 NameBytes; /* of an image's name, not terminated */
    UINT64 Base;      /* of an image; 0 for the kernel's own */
    UINT64 Size;      /* bytes */
} EVENT;
ISTHMUS_ASSERT_SIZE(EVENT, 40);

/* ISTHMUS_CHANNEL_CREATE (to the program, no flags) -> ISTHMUS_CHANNEL_INFO. Events come from then on. Once per handle. */
#define IOCTL_EVENTS_START ISTHMUS_CONTROL_CODE(0x900, ISTHMUS_METHOD_BUFFERED)

#endif /* EVENTS_H */
