/* SPDX-License-Identifier: MIT */
/*
 * Remove locks: a count of operations under way that a removal waits for. The count starts at one, the device's own
 * share, which IoReleaseRemoveLockAndWaitEx gives back.
 */
#include "iop.h"

/* What a checked build of a driver has behind the common part; RemlockSize tells them apart. Blocks aren't tracked. */
#define IOP_REMOVE_LOCK_SIZE 0x20

/** Prepares a remove lock. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoInitializeRemoveLockEx(_In_ PIO_REMOVE_LOCK Lock, _In_ ULONG AllocateTag, _In_ ULONG MaxLockedMinutes,
                                    _In_ ULONG HighWatermark, _In_ ULONG RemlockSize)
{
    if (RemlockSize < IOP_REMOVE_LOCK_SIZE)
    {
        return;
    }
    RtlZeroMemory(Lock, RemlockSize);
    Lock->Common.Removed = FALSE;
    Lock->Common.IoCount = 1;
    KeInitializeEvent(&Lock->Common.RemoveEvent, SynchronizationEvent, FALSE);
}

/** Counts an operation; STATUS_DELETE_PENDING once removal has begun. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI IoAcquireRemoveLockEx(_In_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag, _In_ PCSTR File,
                                     _In_ ULONG Line, _In_ ULONG RemlockSize)
{
    InterlockedIncrement(&RemoveLock->Common.IoCount);
    if (RemoveLock->Common.Removed)
    {
        if (InterlockedDecrement(&RemoveLock->Common.IoCount) == 0)
        {
            KeSetEvent(&RemoveLock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
        }
        return STATUS_DELETE_PENDING;
    }
    return STATUS_SUCCESS;
}

/** Ends an operation. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoReleaseRemoveLockEx(_In_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag, _In_ ULONG RemlockSize)
{
    if (InterlockedDecrement(&RemoveLock->Common.IoCount) == 0)
    {
        KeSetEvent(&RemoveLock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
    }
}

/** Ends the caller's operation, lets no more begin, and waits for those under way. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoReleaseRemoveLockAndWaitEx(_In_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag, _In_ ULONG RemlockSize)
{
    RemoveLock->Common.Removed = TRUE;
    InterlockedDecrement(&RemoveLock->Common.IoCount);
    if (InterlockedDecrement(&RemoveLock->Common.IoCount) > 0)
    {
        KeWaitForSingleObject(&RemoveLock->Common.RemoveEvent, Executive, KernelMode, FALSE, NULL);
    }
}
