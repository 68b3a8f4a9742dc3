/* SPDX-License-Identifier: MIT */
/*
 * Error log entries. The machine has no event log: an entry is printed to the error console and freed.
 */
#include "iop.h"

typedef struct _IOP_ERROR_LOG
{
    PVOID IoObject;      /* referenced */
    UCHAR Size;
    __attribute__((aligned(16))) UCHAR Packet[];
} IOP_ERROR_LOG;

#define IOP_ERROR_LOG_OF(p) CONTAINING_RECORD((p), IOP_ERROR_LOG, Packet)

/** A zeroed entry of at most ERROR_LOG_MAXIMUM_SIZE bytes, or NULL. IRQL <= DISPATCH_LEVEL. */
PVOID NTAPI IoAllocateErrorLogEntry(_In_ PVOID IoObject, _In_ UCHAR EntrySize)
{
    IOP_ERROR_LOG *Entry;

    if (IoObject == NULL || EntrySize < sizeof(IO_ERROR_LOG_PACKET) || EntrySize > ERROR_LOG_MAXIMUM_SIZE)
    {
        return NULL;
    }
    Entry = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Entry) + EntrySize, IOP_TAG_PACKET);
    if (Entry == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(Entry, sizeof(*Entry) + EntrySize);
    ObReferenceObject(IoObject);
    Entry->IoObject = IoObject;
    Entry->Size = EntrySize;
    return Entry->Packet;
}

/** Frees an entry unwritten. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoFreeErrorLogEntry(_In_ PVOID ElEntry)
{
    IOP_ERROR_LOG *Entry = IOP_ERROR_LOG_OF(ElEntry);

    ObDereferenceObject(Entry->IoObject);
    ExFreePoolWithTag(Entry, IOP_TAG_PACKET);
}

/** Prints an entry and frees it. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoWriteErrorLogEntry(_In_ PVOID ElEntry)
{
    IOP_ERROR_LOG *Entry = IOP_ERROR_LOG_OF(ElEntry);
    PIO_ERROR_LOG_PACKET Packet = ElEntry;
    PDRIVER_OBJECT Driver = Entry->IoObject;

    if (((PDEVICE_OBJECT)Entry->IoObject)->Type == IO_TYPE_DEVICE)
    {
        Driver = ((PDEVICE_OBJECT)Entry->IoObject)->DriverObject;
    }
    HalPrint(HalStreamError, "event: %wZ error 0x%08lX, final status 0x%08lX, unique value %lu, major function %u\n",
             &Driver->DriverName, (ULONG)Packet->ErrorCode, (ULONG)Packet->FinalStatus, Packet->UniqueErrorValue,
             Packet->MajorFunctionCode);
    IoFreeErrorLogEntry(ElEntry);
}
