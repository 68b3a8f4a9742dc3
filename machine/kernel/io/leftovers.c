/* SPDX-License-Identifier: MIT */
/*
 * The account at the end: what drivers asked of the I/O manager and did not give back, and where in which driver.
 */
#include "iop.h"

LIST_ENTRY IopTrackedIrps = { &IopTrackedIrps, &IopTrackedIrps };
LIST_ENTRY IopTrackedWorkItems = { &IopTrackedWorkItems, &IopTrackedWorkItems };
static KSPIN_LOCK IopTrackLock;

VOID IopTrack(PLIST_ENTRY List, IOP_TRACKED *Block, PVOID Caller)
{
    KIRQL Irql;

    if (LdrIsKernelAddress(Caller))
    {
        return;
    }
    Block->Allocator = Caller;
    KeAcquireSpinLock(&IopTrackLock, &Irql);
    InsertTailList(List, &Block->Links);
    KeReleaseSpinLock(&IopTrackLock, Irql);
}

BOOLEAN IoIsIrp(PVOID Address)
{
    BOOLEAN Found = FALSE;
    KIRQL Irql;

    if (IsListEmpty(&IopTrackedIrps) || KeGetCurrentIrql() > DISPATCH_LEVEL)
    {
        return FALSE;
    }
    KeAcquireSpinLock(&IopTrackLock, &Irql);
    for (PLIST_ENTRY Link = IopTrackedIrps.Flink; Link != &IopTrackedIrps && !Found; Link = Link->Flink)
    {
        Found = (PVOID)(CONTAINING_RECORD(Link, IOP_IRP_HEADER, Tracked.Links) + 1) == Address;
    }
    KeReleaseSpinLock(&IopTrackLock, Irql);
    return Found;
}

VOID IopUntrack(IOP_TRACKED *Block)
{
    KIRQL Irql;

    KeAcquireSpinLock(&IopTrackLock, &Irql);
    RemoveEntryList(&Block->Links);
    Block->Links.Flink = NULL;
    KeReleaseSpinLock(&IopTrackLock, Irql);
}

/*
 * The last file objects of a process that ended are closed by worker threads; their requests are given a moment, so
 * that only what really stays is counted.
 */
VOID IoQueryLeftovers(IO_LEFTOVERS *Leftovers)
{
    LARGE_INTEGER Delay = { .QuadPart = -10 * 10000 };

    for (ULONG Round = 0; Round < 50 && IopIrpCount != 0; Round++)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &Delay);
    }
    Leftovers->Irps = IopIrpCount;
    Leftovers->Devices = IopDeviceCount;
    Leftovers->Drivers = IopDriverCount;
    Leftovers->WorkItems = IopWorkItemCount;
}

static VOID IopPrintTracked(PLIST_ENTRY List, PCSTR Kind)
{
    CHAR Place[96];
    KIRQL Irql;

    KeAcquireSpinLock(&IopTrackLock, &Irql);
    for (PLIST_ENTRY Link = List->Flink; Link != List; Link = Link->Flink)
    {
        IOP_TRACKED *Block = CONTAINING_RECORD(Link, IOP_TRACKED, Links);
        HalPrint(HalStreamError, "I/O: left over: %s, allocated at %s\n", Kind,
                 LdrFormatAddress(Block->Allocator, Place, sizeof(Place)));
    }
    KeReleaseSpinLock(&IopTrackLock, Irql);
}

VOID IoPrintLeftovers(VOID)
{
    IopPrintTracked(&IopTrackedIrps, "an IRP");
    IopPrintTracked(&IopTrackedWorkItems, "a work item");
}
