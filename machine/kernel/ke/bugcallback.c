/* SPDX-License-Identifier: MIT */
/*
 * Routines that drivers registered for the moment of a bug check, and for NMIs.
 */
#include "kip.h"

static LIST_ENTRY KiCallbacks = {&KiCallbacks, &KiCallbacks};
static LIST_ENTRY KiReasonCallbacks = {&KiReasonCallbacks, &KiReasonCallbacks};
static KSPIN_LOCK KiCallbackLock;

typedef struct _KI_NMI_CALLBACK
{
    struct _KI_NMI_CALLBACK *volatile Next;
    PNMI_CALLBACK Routine;
    PVOID Context;
} KI_NMI_CALLBACK;

static KI_NMI_CALLBACK *volatile KiNmiCallbacks;

/**
 * Registers a routine to be called when a bug check has been reported.
 *
 * @param CallbackRecord  nonpaged, initialised by KeInitializeCallbackRecord
 * @return FALSE if it is registered already
 * IRQL: any.
 */
BOOLEAN NTAPI KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord,
                                         PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine, PVOID Buffer, ULONG Length,
                                         PUCHAR Component)
{
    KIRQL old = KfRaiseIrql(HIGH_LEVEL);
    BOOLEAN inserted = FALSE;

    KiAcquireRaw(&KiCallbackLock);
    if (CallbackRecord->State == BufferEmpty)
    {
        CallbackRecord->CallbackRoutine = CallbackRoutine;
        CallbackRecord->Buffer = Buffer;
        CallbackRecord->Length = Length;
        CallbackRecord->Component = Component;
        CallbackRecord->Checksum = (ULONG_PTR)CallbackRoutine + (ULONG_PTR)Buffer + Length + (ULONG_PTR)Component;
        CallbackRecord->State = BufferInserted;
        InsertTailList(&KiCallbacks, &CallbackRecord->Entry);
        inserted = TRUE;
    }
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    return inserted;
}

/** Undoes KeRegisterBugCheckCallback; FALSE if it was not registered. IRQL: any. */
BOOLEAN NTAPI KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord)
{
    KIRQL old = KfRaiseIrql(HIGH_LEVEL);
    BOOLEAN removed = FALSE;

    KiAcquireRaw(&KiCallbackLock);
    if (CallbackRecord->State == BufferInserted)
    {
        RemoveEntryList(&CallbackRecord->Entry);
        CallbackRecord->State = BufferEmpty;
        removed = TRUE;
    }
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    return removed;
}

/**
 * Registers a routine for a bug check, by reason. There are no dump files on this machine: only
 * KbCallbackSecondaryDumpData routines are called, and what they hand over is counted, not kept.
 *
 * @return FALSE if it is registered already or the reason is none a routine may ask for
 * IRQL: any.
 */
BOOLEAN NTAPI KeRegisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord,
                                               PKBUGCHECK_REASON_CALLBACK_ROUTINE CallbackRoutine,
                                               KBUGCHECK_CALLBACK_REASON Reason, PUCHAR Component)
{
    KIRQL old;
    BOOLEAN inserted = FALSE;

    if (Reason <= KbCallbackReserved1 || Reason > KbCallbackTriageDumpData)
    {
        return FALSE;
    }
    old = KfRaiseIrql(HIGH_LEVEL);
    KiAcquireRaw(&KiCallbackLock);
    if (CallbackRecord->State == BufferEmpty)
    {
        CallbackRecord->CallbackRoutine = CallbackRoutine;
        CallbackRecord->Component = Component;
        CallbackRecord->Reason = Reason;
        CallbackRecord->Checksum = (ULONG_PTR)CallbackRoutine + Reason + (ULONG_PTR)Component;
        CallbackRecord->State = BufferInserted;
        InsertTailList(&KiReasonCallbacks, &CallbackRecord->Entry);
        inserted = TRUE;
    }
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    return inserted;
}

/** Undoes KeRegisterBugCheckReasonCallback; FALSE if it was not registered. IRQL: any. */
BOOLEAN NTAPI KeDeregisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord)
{
    KIRQL old = KfRaiseIrql(HIGH_LEVEL);
    BOOLEAN removed = FALSE;

    KiAcquireRaw(&KiCallbackLock);
    if (CallbackRecord->State == BufferInserted)
    {
        RemoveEntryList(&CallbackRecord->Entry);
        CallbackRecord->State = BufferEmpty;
        removed = TRUE;
    }
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    return removed;
}

static VOID KiRunReason(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    static UCHAR room[4096];
    KBUGCHECK_SECONDARY_DUMP_DATA data = {0};

    if (Record->Reason != KbCallbackSecondaryDumpData)
    {
        return;
    }
    data.InBuffer = room;
    data.InBufferLength = sizeof(room);
    data.MaximumAllowed = sizeof(room);
    Record->State = BufferStarted;
    Record->CallbackRoutine(Record->Reason, Record, &data, sizeof(data));
    Record->State = BufferFinished;
    HalPrint(HalStreamError, "  bug check callback %s: %lu bytes\n", (PCSTR)Record->Component, data.OutBufferLength);
}

/* HIGH_LEVEL, on the processor that reports, no locks: whoever held them has been stopped. A record that was changed is
   passed over. The state is set first, so that a routine that faults is not called again. */
VOID KiRunBugCheckCallbacks(VOID)
{
    for (PLIST_ENTRY entry = KiCallbacks.Flink; entry != &KiCallbacks; entry = entry->Flink)
    {
        PKBUGCHECK_CALLBACK_RECORD record = CONTAINING_RECORD(entry, KBUGCHECK_CALLBACK_RECORD, Entry);

        if (record->State == BufferInserted &&
            record->Checksum == (ULONG_PTR)record->CallbackRoutine + (ULONG_PTR)record->Buffer + record->Length +
                                    (ULONG_PTR)record->Component)
        {
            record->State = BufferStarted;
            record->CallbackRoutine(record->Buffer, record->Length);
            record->State = BufferFinished;
        }
    }
    for (PLIST_ENTRY entry = KiReasonCallbacks.Flink; entry != &KiReasonCallbacks; entry = entry->Flink)
    {
        PKBUGCHECK_REASON_CALLBACK_RECORD record = CONTAINING_RECORD(entry, KBUGCHECK_REASON_CALLBACK_RECORD, Entry);

        if (record->State == BufferInserted && record->Checksum == (ULONG_PTR)record->CallbackRoutine + record->Reason +
                                                                       (ULONG_PTR)record->Component)
        {
            KiRunReason(record);
        }
    }
}

/* ---- non-maskable interrupts ---- */

/** Registers a routine for NMIs; returns a handle for KeDeregisterNmiCallback, or NULL. IRQL: <= DISPATCH_LEVEL. */
PVOID NTAPI KeRegisterNmiCallback(PNMI_CALLBACK CallbackRoutine, PVOID Context)
{
    KI_NMI_CALLBACK *callback = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*callback), 'mNeK');
    KIRQL old;

    if (callback == NULL)
    {
        return NULL;
    }
    callback->Routine = CallbackRoutine;
    callback->Context = Context;
    old = KfRaiseIrql(HIGH_LEVEL);
    KiAcquireRaw(&KiCallbackLock);
    callback->Next = KiNmiCallbacks;
    KiFence();
    KiNmiCallbacks = callback;
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    return callback;
}

static ULONG_PTR KiNothing(ULONG_PTR Context)
{
    return 0;
}

/** Undoes KeRegisterNmiCallback. STATUS_INVALID_HANDLE if it is not registered. IRQL: <= APC_LEVEL. */
NTSTATUS NTAPI KeDeregisterNmiCallback(PVOID Handle)
{
    NTSTATUS status = STATUS_INVALID_HANDLE;
    KIRQL old = KfRaiseIrql(HIGH_LEVEL);

    KiAcquireRaw(&KiCallbackLock);
    for (KI_NMI_CALLBACK *volatile *place = &KiNmiCallbacks; *place != NULL; place = &(*place)->Next)
    {
        if (*place == Handle)
        {
            *place = (*place)->Next;
            status = STATUS_SUCCESS;
            break;
        }
    }
    KiReleaseRaw(&KiCallbackLock);
    KeLowerIrql(old);
    if (NT_SUCCESS(status))
    {
        KeIpiGenericCall(KiNothing, 0); /* no processor is inside an NMI with the old list any more */
        ExFreePoolWithTag(Handle, 'mNeK');
    }
    return status;
}

/* On the NMI stack. TRUE: one of them took it. */
BOOLEAN KiCallNmiCallbacks(VOID)
{
    BOOLEAN handled = FALSE;

    for (KI_NMI_CALLBACK *callback = KiNmiCallbacks; callback != NULL; callback = callback->Next)
    {
        handled |= callback->Routine(callback->Context, handled);
    }
    return handled;
}
