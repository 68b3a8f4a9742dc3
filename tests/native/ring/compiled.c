/* SPDX-License-Identifier: MIT */
/* Uses every part of the ring once; compiled as C and as C++, for Linux, Windows and kernel mode, never run. */
#ifdef RING_KERNEL
#include <ntddk.h>
#endif
#include <isthmus/isthmus_ring.h>

int RingUseProducer(ISTHMUS_RING_PRODUCER *Producer, const ISTHMUS_RING_VIEW *View);
int RingUseMany(ISTHMUS_RING_MANY_PRODUCERS *Many, const ISTHMUS_RING_VIEW *View, UINT64 *Ready);
int RingUseConsumer(ISTHMUS_RING_CONSUMER *Consumer, const ISTHMUS_RING_VIEW *View);

int RingUseProducer(ISTHMUS_RING_PRODUCER *Producer, const ISTHMUS_RING_VIEW *View)
{
    int wake = 0;

    if (IsthmusRingProducerOpen(Producer, View) != IsthmusRingOk)
    {
        return -1;
    }
    if (IsthmusRingWrite(Producer, "record", 6, &wake) == IsthmusRingFull &&
        IsthmusRingProducerSleep(Producer, 6) == IsthmusRingFull)
    {
        IsthmusRingProducerAwake(Producer);
        IsthmusRingDropped(Producer, 1);
        IsthmusRingDiscard(Producer);
    }
    return wake + IsthmusRingProducerClose(Producer) + (int)IsthmusRingError(&Producer->End);
}

int RingUseMany(ISTHMUS_RING_MANY_PRODUCERS *Many, const ISTHMUS_RING_VIEW *View, UINT64 *Ready)
{
    ISTHMUS_RING_SLOT slot;
    int wake = 0;

    if (IsthmusRingManyOpen(Many, View, Ready) != IsthmusRingOk)
    {
        return -1;
    }
    if (IsthmusRingManyWrite(Many, "record", 6, &wake) != IsthmusRingOk)
    {
        IsthmusRingManyDropped(Many, 1);
    }
    if (IsthmusRingManyReserve(Many, 100, &slot) == IsthmusRingOk)
    {
        IsthmusRingManyDiscard(Many, &slot);
        IsthmusRingManyPublish(Many);
        wake += IsthmusRingManyWakeConsumer(Many);
    }
    return wake + IsthmusRingManyClose(Many);
}

int RingUseConsumer(ISTHMUS_RING_CONSUMER *Consumer, const ISTHMUS_RING_VIEW *View)
{
    ISTHMUS_RING_DESCRIPTION description;
    ISTHMUS_RING_SPIN spin;
    UINT8 buffer[64];
    UINT32 length = 0;

    if (IsthmusRingDescribe(4096, 0, &description) != IsthmusRingOk ||
        IsthmusRingConsumerOpen(Consumer, View) != IsthmusRingOk)
    {
        return -1;
    }
    IsthmusRingSpinStart(&spin, 100);
    if (IsthmusRingRead(Consumer, buffer, sizeof(buffer), &length) == IsthmusRingEmpty && !IsthmusRingSpin(&spin) &&
        IsthmusRingConsumerSleep(Consumer) == IsthmusRingEmpty)
    {
        IsthmusRingConsumerAwake(Consumer);
        IsthmusRingSpinEnd(&spin, 1);
    }
    IsthmusRingPeerGone(&Consumer->End, ISTHMUS_RING_DIED);
    IsthmusRingBury(View->Producer, &description);
    return (int)length + IsthmusRingWakeProducer(Consumer) + IsthmusRingConsumerClose(Consumer);
}
