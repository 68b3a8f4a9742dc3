/* SPDX-License-Identifier: MIT */
/*
 * The ring: a stream of variable-size records through memory that two sides share. One implementation, header-only,
 * for drivers (WDK or mingw-w64 DDK headers, no C run-time), for programs on Windows (32 and 64 bits), and for Linux;
 * C11 and later, C++11 and later. Not one function calls the operating system: who must be woken is told to the caller.
 *
 *        producer's side                                             consumer's side
 *   +-----------------------+     description (read-only)       +-----------------------+
 *   | Next, Published       |   +---------------------------+   | Next, Released        |
 *   | the peer's position,  |-->| producer page             |-->| the peer's position,  |
 *   |   as last checked     |   |  position status counters |   |   as last checked     |
 *   |                       |   +---------------------------+   |                       |
 *   |  private memory       |<--| consumer page             |<--|  private memory       |
 *   |                       |   |  position status counters |   |                       |
 *   |                       |   +---------------------------+   |                       |
 *   |   writes records      |-->| data          | data again|-->|   reads records       |
 *   +-----------------------+   +---------------------------+   +-----------------------+
 *
 *                          bits 0-31  length          32-63  flags
 *   a record in the ring:  [ header, 8 bytes ][ data, Length bytes ][ up to 7 bytes to the next multiple of 8 ]
 *
 * Positions are bytes since the ring was made: 64 bits, only ever growing (a century at 5 GB/s), so that "full" and
 * "empty" are differences, and a lap is never mistaken for another. A record's place is its position modulo the
 * capacity, and because the data pages are mapped twice in a row it is contiguous there, even at the end.
 *
 * Trust. Each side believes its own private positions and nothing else. What the peer writes is read once, into a
 * local, and used if it can be true: a position that is a multiple of 8, did not go back, and leaves between nothing
 * and one capacity to read; a header whose record ends within what was published. Anything else breaks the ring for
 * this side: a sticky IsthmusRingBroken, with the reason (IsthmusRingError) also shown to the peer. On
 * IsthmusRingBroken and IsthmusRingEnd a side closes its end, and sets the peer's event if told to: a peer that
 * sleeps hears of it.
 *
 * The usual loops:
 *
 *   producer                                          consumer
 *     r = IsthmusRingReserve(p, n, &data);              while ((r = IsthmusRingPeek(c, &record)) == IsthmusRingOk)
 *     if (r == IsthmusRingOk)                               use(record.Data, record.Length);
 *     {                                                 IsthmusRingRelease(c);
 *         fill(data, n);                                if (IsthmusRingWakeProducer(c)) set the space event
 *         IsthmusRingCommit(p, n);                      if (r == IsthmusRingEmpty &&
 *         IsthmusRingPublish(p);                            IsthmusRingConsumerSleep(c) == IsthmusRingEmpty)
 *     }                                                 {
 *     if (IsthmusRingWakeConsumer(p))                       wait on the data event
 *         set the data event                                IsthmusRingConsumerAwake(c);
 *                                                       }
 *
 *   part               file              what it explains
 *   shared memory      ring/layout.h     description, control pages, results
 *   sleeping           ring/wait.h       the wake-up handshake and its fences, end of stream, spinning
 *   caches             ring/ahead.h      lines fetched ahead; when the peer is looked at again
 *   one producer       ring/producer.h   batches, overwriting the oldest
 *   many producers     ring/many.h       reserving without a lock, committing out of order
 *   the consumer       ring/consumer.h   what is checked
 *   processor          ring/atomic.h     loads, stores, fences
 */
#ifndef ISTHMUS_RING_H
#define ISTHMUS_RING_H

#if defined(_NTDDK_) || defined(_NTIFS_) || defined(_WDMDDK_) || defined(_NTDDK_INCLUDED_)
/* The kernel's headers are in use and give UINT32 and UINT64. */
#elif defined(_WIN32)
#include <windows.h>
#else
#include <stdint.h>
#include <string.h>
typedef uint8_t UINT8;
typedef uint32_t UINT32;
typedef int64_t INT64;
typedef uint64_t UINT64;
typedef uintptr_t UINT_PTR;
#endif

#ifndef ISTHMUS_RING_COPY
#define ISTHMUS_RING_COPY(To, From, Bytes) memcpy((To), (From), (Bytes))
#endif

/* Static functions only: the same in C and C++. */
#include "ring/atomic.h"
#include "ring/layout.h"
#include "ring/wait.h"
#include "ring/ahead.h"
#include "ring/producer.h"
#include "ring/many.h"
#include "ring/consumer.h"

#endif
