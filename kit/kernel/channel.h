/* SPDX-License-Identifier: MIT */
/* Private to channel.c and channelring.c. */
#pragma once

#include "ist.h"

typedef struct _ISTHMUS_CHANNEL
{
    union
    {
        ISTHMUS_RING_PRODUCER Producer;   /* to the program */
        ISTHMUS_RING_MANY_PRODUCERS Many; /* to the program, ISTHMUS_CHANNEL_MANY */
        ISTHMUS_RING_CONSUMER Consumer;   /* to the driver */
    } Ring;
    PISTHMUS_REGION Region;
    PVOID Block;       /* what the structure was allocated as */
    PKEVENT OwnEvent;  /* the driver's threads wait on it; referenced, until no use is left */
    PKEVENT PeerEvent; /* the program waits on it */
    KEVENT Ending;     /* set when the region drains */
    UINT32 Direction;
    UINT32 Flags;
    UINT64 *Ready;     /* many producers: ISTHMUS_RING_MANY_READY_BYTES; else NULL */
} ISTHMUS_CHANNEL;

/* The part that all ends have. */
FORCEINLINE IST_RING_END *IstChannelRingEnd(PISTHMUS_CHANNEL Channel)
{
    if (Channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER)
    {
        return &Channel->Ring.Consumer.End;
    }
    return Channel->Flags & ISTHMUS_CHANNEL_MANY ? &Channel->Ring.Many.End : &Channel->Ring.Producer.End;
}
