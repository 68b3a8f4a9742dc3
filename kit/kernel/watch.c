/* SPDX-License-Identifier: MIT */
/*
 * Watches: a timer DPC that answers changes of one byte of a region by changing another. It is there to show, and to
 * test, that both sides see each other's writes with no call between them, from a context that has nothing to do with
 * the program's: DISPATCH_LEVEL, whatever process happens to run.
 *
 *             start                    each millisecond the DPC looks; rounds or time used up
 *   [ idle ] -------> [ active: timer set or DPC queued ] ------------------------------------> Done set, [ idle ]
 *                                  |
 *                                  +-- stop (the region drains): the timer is cancelled, or, if the DPC is already on
 *                                      its way, the DPC sees Stopping, doesn't set the timer again and sets Done
 */
#include "ist.h"

#define IST_WATCH_PERIOD   (-10000LL) /* 1 ms, relative, in 100 ns */
#define IST_WATCH_MAXIMUM  64         /* at once: each costs a DPC per millisecond */

static VOID NTAPI IstWatchDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PIST_WATCH watch = Context;
    LARGE_INTEGER due;
    BOOLEAN done = FALSE;
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);

    KeAcquireSpinLockAtDpcLevel(&watch->Lock);
    if (!watch->Stopping)
    {
        UCHAR now = *watch->Question;
        if (now != watch->LastSeen)
        {
            watch->LastSeen = now;
            *watch->Answer = (UCHAR)~now;
            watch->Rounds--;
        }
    }
    if (watch->Stopping || watch->Rounds == 0 || KeQueryInterruptTime() >= watch->Deadline)
    {
        watch->Active = FALSE;
        done = TRUE;
    }
    else
    {
        due.QuadPart = IST_WATCH_PERIOD;
        KeSetTimer(&watch->Timer, due, &watch->Dpc);
    }
    KeReleaseSpinLockFromDpcLevel(&watch->Lock);

    if (done)
    {
        IstCount(IstCountWatches, -1);
        KeSetEvent(&watch->Done, IO_NO_INCREMENT, FALSE); /* the watch may be gone after this */
    }
}

VOID IstWatchInitialize(_Out_ PIST_WATCH Watch)
{
    KeInitializeSpinLock(&Watch->Lock);
    KeInitializeTimer(&Watch->Timer);
    KeInitializeDpc(&Watch->Dpc, IstWatchDpc, Watch);
    KeInitializeEvent(&Watch->Done, NotificationEvent, TRUE);
}

/* Ends a watch, if there is one, and returns when its DPC won't run again. PASSIVE_LEVEL, IstLibrary.Lock not held. */
VOID IstWatchStop(_Inout_ PIST_WATCH Watch)
{
    KIRQL irql;
    BOOLEAN cancelled = FALSE;
    if (!Watch->Used)
    {
        return;
    }
    KeAcquireSpinLock(&Watch->Lock, &irql);
    Watch->Stopping = TRUE;
    if (Watch->Active && KeCancelTimer(&Watch->Timer))
    {
        Watch->Active = FALSE;
        cancelled = TRUE;
    }
    KeReleaseSpinLock(&Watch->Lock, irql);

    if (cancelled)
    {
        IstCount(IstCountWatches, -1);
        KeSetEvent(&Watch->Done, IO_NO_INCREMENT, FALSE);
    }
    else
    {
        KeWaitForSingleObject(&Watch->Done, Executive, KernelMode, FALSE, NULL);
    }
}

NTSTATUS IsthmusRegionWatch(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_WATCH *Watch)
{
    PISTHMUS_REGION region;
    SIZE_T bytes;
    LARGE_INTEGER due;

    if (Watch->Rounds == 0 || Watch->Rounds > 65535 || Watch->Timeout == 0 || Watch->Timeout > 60000 ||
        Watch->Question == Watch->Answer)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IsthmusRegionEnter(Session, Watch->Region, ISTHMUS_ACCESS_ALL, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PIST_WATCH watch = &region->Watch;
    PUCHAR question = IsthmusRegionSpan(region, Watch->Question, &bytes);
    PUCHAR answer = IsthmusRegionSpan(region, Watch->Answer, &bytes);
    if (question == NULL || answer == NULL)
    {
        status = STATUS_INVALID_PARAMETER;
        goto Exit;
    }
    if (InterlockedIncrement64(&IstLibrary.Counts[IstCountWatches]) > IST_WATCH_MAXIMUM)
    {
        IstCount(IstCountWatches, -1);
        IstCount(IstCountRefusals, 1);
        status = STATUS_QUOTA_EXCEEDED;
        goto Exit;
    }

    /* Under the lock the region can't begin to drain between the look at its state and the timer's start. */
    IstLock();
    if (region->State != IstRegionLive)
    {
        status = STATUS_NOT_LOCKED;
    }
    else if (KeReadStateEvent(&watch->Done) == 0)
    {
        status = STATUS_DEVICE_BUSY;
    }
    else
    {
        KeClearEvent(&watch->Done);
        watch->Used = TRUE;
        watch->Active = TRUE;
        watch->Question = question;
        watch->Answer = answer;
        watch->LastSeen = *(volatile UCHAR *)question;
        watch->Rounds = Watch->Rounds;
        watch->Deadline = KeQueryInterruptTime() + (ULONGLONG)Watch->Timeout * 10000;
        due.QuadPart = IST_WATCH_PERIOD;
        KeSetTimer(&watch->Timer, due, &watch->Dpc);
    }
    IstUnlock();
    if (!NT_SUCCESS(status))
    {
        IstCount(IstCountWatches, -1);
    }

Exit:
    IsthmusRegionLeave(region);
    return status;
}
