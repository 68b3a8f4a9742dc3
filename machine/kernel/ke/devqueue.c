/* SPDX-License-Identifier: MIT */
/*
 * Device queues: one request is with the device (Busy), the others wait in order of arrival or of a key.
 */
#include "kip.h"

/** Makes a device queue that is not busy. IRQL: any. */
VOID NTAPI KeInitializeDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    RtlZeroMemory(DeviceQueue, sizeof(*DeviceQueue));
    DeviceQueue->Type = KiDeviceQueueObject;
    DeviceQueue->Size = sizeof(KDEVICE_QUEUE);
    InitializeListHead(&DeviceQueue->DeviceListHead);
}

static PKDEVICE_QUEUE_ENTRY KiEntry(PLIST_ENTRY Entry)
{
    return CONTAINING_RECORD(Entry, KDEVICE_QUEUE_ENTRY, DeviceListEntry);
}

static BOOLEAN KiInsertDevice(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry, BOOLEAN ByKey)
{
    KIRQL old;
    BOOLEAN busy;

    KeAcquireSpinLock(&Queue->Lock, &old);
    busy = Queue->Busy;
    if (busy)
    {
        PLIST_ENTRY place = Queue->DeviceListHead.Blink;

        while (ByKey && place != &Queue->DeviceListHead && KiEntry(place)->SortKey > Entry->SortKey)
        {
            place = place->Blink;
        }
        InsertHeadList(place, &Entry->DeviceListEntry);
    }
    else
    {
        Queue->Busy = TRUE;
    }
    Entry->Inserted = busy;
    KeReleaseSpinLock(&Queue->Lock, old);
    return busy;
}

/** Queues at the end if the device is busy (TRUE); else makes it busy, and the request may start (FALSE).
    IRQL: <= DISPATCH_LEVEL. */
BOOLEAN NTAPI KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    return KiInsertDevice(DeviceQueue, DeviceQueueEntry, FALSE);
}

/** KeInsertDeviceQueue, in order of SortKey; behind those with the same key. */
BOOLEAN NTAPI KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry, ULONG SortKey)
{
    DeviceQueueEntry->SortKey = SortKey;
    return KiInsertDevice(DeviceQueue, DeviceQueueEntry, TRUE);
}

/* Key 0 takes the first; else the first whose key is not below, or the very first if there is none. */
static PKDEVICE_QUEUE_ENTRY KiRemoveDevice(PKDEVICE_QUEUE Queue, ULONG Key, BOOLEAN OnlyIfBusy)
{
    PKDEVICE_QUEUE_ENTRY found = NULL;
    KIRQL old;

    KeAcquireSpinLock(&Queue->Lock, &old);
    if (Queue->Busy || !OnlyIfBusy)
    {
        if (IsListEmpty(&Queue->DeviceListHead))
        {
            Queue->Busy = FALSE;
        }
        else
        {
            PLIST_ENTRY entry = Queue->DeviceListHead.Flink;

            while (entry != &Queue->DeviceListHead && KiEntry(entry)->SortKey < Key)
            {
                entry = entry->Flink;
            }
            if (entry == &Queue->DeviceListHead)
            {
                entry = Queue->DeviceListHead.Flink;
            }
            found = KiEntry(entry);
            RemoveEntryList(entry);
            found->Inserted = FALSE;
        }
    }
    KeReleaseSpinLock(&Queue->Lock, old);
    return found;
}

/** The next request, or NULL: the device is idle then. IRQL: <= DISPATCH_LEVEL. */
PKDEVICE_QUEUE_ENTRY NTAPI KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    return KiRemoveDevice(DeviceQueue, 0, FALSE);
}

/** The next request at or above SortKey, wrapping round; NULL: the device is idle. IRQL: <= DISPATCH_LEVEL. */
PKDEVICE_QUEUE_ENTRY NTAPI KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    return KiRemoveDevice(DeviceQueue, SortKey, FALSE);
}

/** KeRemoveByKeyDeviceQueue that does nothing to an idle device. IRQL: <= DISPATCH_LEVEL. */
PKDEVICE_QUEUE_ENTRY NTAPI KeRemoveByKeyDeviceQueueIfBusy(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    return KiRemoveDevice(DeviceQueue, SortKey, TRUE);
}

/** Takes a request out of the queue; FALSE if it was not in it. IRQL: <= DISPATCH_LEVEL. */
BOOLEAN NTAPI KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    BOOLEAN inserted;
    KIRQL old;

    KeAcquireSpinLock(&DeviceQueue->Lock, &old);
    inserted = DeviceQueueEntry->Inserted;
    if (inserted)
    {
        RemoveEntryList(&DeviceQueueEntry->DeviceListEntry);
        DeviceQueueEntry->Inserted = FALSE;
    }
    KeReleaseSpinLock(&DeviceQueue->Lock, old);
    return inserted;
}
