/* SPDX-License-Identifier: MIT */
/*
 * The ledger: who holds what, with the stack that took it. On by `option=ledger` (ntrun --ledger).
 *
 *     buckets ---> holding --> holding      by kind and key: giving back finds the youngest that matches
 *     VfpTaken --> oldest ... youngest      in the order of taking: reports walk it, one copy at a time
 *     VfpFree  --> ...                      what was given back is used again, never freed
 *
 * Only what a driver took is kept: a stack without a driver on it is the kernel's own business. The lock is taken at
 * HIGH_LEVEL and held for a few list operations, because locks, mappings and pool come and go at any IRQL up to
 * DISPATCH_LEVEL; holdings are copied out under it and written without it.
 */
#include "hal.h"
#include "ldr.h"
#include "ob.h"
#include "ps.h"
#include "rtl.h"
#include "vf.h"

#define VFP_LEDGER_TAG 'gdeL'
#define VFP_KERNEL_HANDLE_BITS 0xFFFFFFFF80000000ULL /* as OB makes them */
#define VFP_BUCKETS 4096
#define VFP_FRAMES 20
#define VFP_CHUNK 64         /* holdings allocated at a time */
#define VFP_REPORT_MAX 4000  /* holdings in one report; the rest is counted */

typedef struct _VFP_HOLDING
{
    struct _VFP_HOLDING *Next; /* in the bucket, or of the free ones */
    LIST_ENTRY Taken;
    ULONG64 Sequence;
    VF_HOLDING Kind;
    ULONG Tag;
    const VOID *Key;
    const VOID *Process; /* part of the key where it is one in a process; else NULL */
    ULONG64 Size;
    ULONG64 ProcessId, ThreadId; /* of who took it */
    const LDR_MODULE *Driver;    /* the innermost on the stack */
    CHAR Name[24];               /* of the object's type */
    ULONG FrameCount;
    PVOID Frames[VFP_FRAMES];
} VFP_HOLDING;

static const PCSTR VfpKindNames[VfHoldingKinds] = {
    [VfPageLock] = "page-lock",         [VfSystemMapping] = "system-mapping",
    [VfUserMapping] = "user-mapping",   [VfReservedMapping] = "reserved-mapping",
    [VfIoMapping] = "io-space-mapping", [VfMdl] = "mdl",
    [VfMdlPages] = "mdl-pages",         [VfContiguous] = "contiguous-memory",
    [VfPool] = "pool",                  [VfIrp] = "irp",
    [VfWorkItem] = "work-item",         [VfHandle] = "handle",
    [VfReference] = "reference",
};

BOOLEAN VfLedgerOn;
static VFP_HOLDING **VfpBuckets;
static VFP_HOLDING *VfpFree;
static LIST_ENTRY VfpTaken = {&VfpTaken, &VfpTaken};
static ULONG64 VfpSequence;
static ULONG VfpLost; /* not kept because there was no memory */
static volatile LONG VfpLedgerLock;

static KIRQL VfpLockLedger(VOID)
{
    KIRQL irql;

    KeRaiseIrql(HIGH_LEVEL, &irql);
    while (InterlockedExchange(&VfpLedgerLock, 1) != 0)
    {
        if (KiBugCheckActive)
        {
            break; /* who held it has been stopped */
        }
        _mm_pause();
    }
    return irql;
}

static VOID VfpUnlockLedger(KIRQL Irql)
{
    InterlockedExchange(&VfpLedgerLock, 0);
    KeLowerIrql(Irql);
}

VOID VfStartLedger(VOID)
{
    if (!VfOptionGiven("ledger"))
    {
        return;
    }
    VfpBuckets = ExAllocatePoolWithTag(NonPagedPoolNx, VFP_BUCKETS * sizeof(PVOID), VFP_LEDGER_TAG);
    if (VfpBuckets == NULL)
    {
        HalPrint(HalStreamError, "machine: no memory for the ledger; it stays off\n");
        return;
    }
    RtlZeroMemory(VfpBuckets, VFP_BUCKETS * sizeof(PVOID));
    VfLedgerOn = TRUE;
}

static VFP_HOLDING **VfpBucket(VF_HOLDING Kind, const VOID *Key)
{
    ULONG64 hash = ((ULONG64)Key >> 2) * 0x9E3779B97F4A7C15ULL + (ULONG64)Kind * 0x517CC1B727220A95ULL;

    return &VfpBuckets[hash >> 52];
}

/* Adds to the free ones, outside the lock; above DISPATCH_LEVEL no pool can be had. */
static VOID VfpGrow(VOID)
{
    VFP_HOLDING *chunk = NULL;
    KIRQL irql;

    if (KeGetCurrentIrql() <= DISPATCH_LEVEL)
    {
        chunk = ExAllocatePoolWithTag(NonPagedPoolNx, VFP_CHUNK * sizeof(VFP_HOLDING), VFP_LEDGER_TAG);
    }
    if (chunk == NULL)
    {
        return;
    }
    irql = VfpLockLedger();
    for (ULONG i = 0; i < VFP_CHUNK; i++)
    {
        chunk[i].Next = VfpFree;
        VfpFree = &chunk[i];
    }
    VfpUnlockLedger(irql);
}

static const LDR_MODULE *VfpFindDriver(PVOID *Frames, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++)
    {
        const LDR_MODULE *module = LdrIsKernelAddress(Frames[i]) ? NULL : LdrFindModule(Frames[i], NULL);

        if (module != NULL)
        {
            return module;
        }
    }
    return NULL;
}

static VOID VfpInsert(const VFP_HOLDING *New)
{
    VFP_HOLDING **bucket = VfpBucket(New->Kind, New->Key);
    VFP_HOLDING *holding;
    KIRQL irql;

    if (VfpFree == NULL) /* a hint only: checked again under the lock */
    {
        VfpGrow();
    }
    irql = VfpLockLedger();
    holding = VfpFree;
    if (holding == NULL)
    {
        VfpLost++;
    }
    else
    {
        VfpFree = holding->Next;
        *holding = *New;
        holding->Sequence = ++VfpSequence;
        holding->Next = *bucket;
        *bucket = holding;
        InsertTailList(&VfpTaken, &holding->Taken);
    }
    VfpUnlockLedger(irql);
}

/* Fills in who runs, and enters it if a driver is on the stack. */
static DECLSPEC_NOINLINE VOID VfpEnter(VFP_HOLDING *New)
{
    New->FrameCount = RtlCaptureStackBackTrace(2, VFP_FRAMES, New->Frames, NULL);
    New->Driver = VfpFindDriver(New->Frames, New->FrameCount);
    if (New->Driver != NULL)
    {
        New->ProcessId = (ULONG64)PsGetCurrentProcessId();
        New->ThreadId = (ULONG64)PsGetCurrentThreadId();
        VfpInsert(New);
    }
}

VF_SELDOM DECLSPEC_NOINLINE VOID VfpTake(VF_HOLDING Kind, const VOID *Key, const VOID *Process, ULONG64 Size, ULONG Tag)
{
    VFP_HOLDING new = {.Kind = Kind, .Key = Key, .Process = Process, .Size = Size, .Tag = Tag};

    VfpEnter(&new);
}

VF_SELDOM DECLSPEC_NOINLINE VOID VfpTakeObject(VF_HOLDING Kind, const VOID *Key, const VOID *Process, PVOID Object)
{
    VFP_HOLDING new = {.Kind = Kind, .Key = Key, .Process = Process};
    PCUNICODE_STRING name = ObTypeName(Object);

    for (ULONG i = 0; i < name->Length / sizeof(WCHAR) && i < sizeof(new.Name) - 1; i++)
    {
        new.Name[i] = (CHAR)name->Buffer[i];
    }
    VfpEnter(&new);
}

/* Where the youngest holding that matches hangs in its bucket; of those, one of Driver's if it has one. NULL: none. */
static VFP_HOLDING **VfpFind(VF_HOLDING Kind, const VOID *Key, const VOID *Process, const LDR_MODULE *Driver)
{
    VFP_HOLDING **found = NULL;

    for (VFP_HOLDING **link = VfpBucket(Kind, Key); *link != NULL; link = &(*link)->Next)
    {
        if ((*link)->Kind == Kind && (*link)->Key == Key && (*link)->Process == Process &&
            (found == NULL || ((*found)->Driver != Driver && (*link)->Driver == Driver)))
        {
            found = link;
        }
    }
    return found;
}

/* Takes it out of its bucket. */
static VFP_HOLDING *VfpRemove(VF_HOLDING Kind, const VOID *Key, const VOID *Process, const LDR_MODULE *Driver)
{
    VFP_HOLDING **found = VfpFind(Kind, Key, Process, Driver);
    VFP_HOLDING *holding;

    if (found == NULL)
    {
        return NULL;
    }
    holding = *found;
    *found = holding->Next;
    RemoveEntryList(&holding->Taken);
    holding->Next = VfpFree;
    VfpFree = holding;
    return holding;
}

/* Its stack, and its place in the order of taking, stay. */
VF_SELDOM DECLSPEC_NOINLINE VOID VfpMove(VF_HOLDING Kind, const VOID *Key, const VOID *NewKey, ULONG64 NewSize)
{
    KIRQL irql = VfpLockLedger();
    VFP_HOLDING **found = VfpFind(Kind, Key, NULL, NULL);

    if (found != NULL)
    {
        VFP_HOLDING *holding = *found;
        VFP_HOLDING **bucket = VfpBucket(Kind, NewKey);

        *found = holding->Next;
        holding->Key = NewKey;
        holding->Size = NewSize;
        holding->Next = *bucket;
        *bucket = holding;
    }
    VfpUnlockLedger(irql);
}

VF_SELDOM DECLSPEC_NOINLINE VOID VfpGive(VF_HOLDING Kind, const VOID *Key, const VOID *Process, PVOID Caller)
{
    const LDR_MODULE *driver = Caller != NULL ? LdrFindModule(Caller, NULL) : NULL;
    KIRQL irql = VfpLockLedger();

    VfpRemove(Kind, Key, Process, driver);
    VfpUnlockLedger(irql);
}

DECLSPEC_NOINLINE VOID VfpForget(VF_HOLDING Kind, const VOID *Key)
{
    KIRQL irql = VfpLockLedger();

    while (VfpRemove(Kind, Key, NULL, NULL) != NULL)
    {
    }
    VfpUnlockLedger(irql);
}

DECLSPEC_NOINLINE BOOLEAN VfpIsDriver(PVOID Caller)
{
    return !LdrIsKernelAddress(Caller) && LdrFindModule(Caller, NULL) != NULL;
}

/* ---- reports ---- */

typedef struct _VFP_FILTER
{
    const LDR_MODULE *Driver; /* NULL: any */
    const ULONG_PTR *Keys;    /* NULL: any */
    ULONG KeyCount;
} VFP_FILTER;

static BOOLEAN VfpPasses(const VFP_FILTER *Filter, const VFP_HOLDING *Holding)
{
    if (Filter->Driver != NULL && Holding->Driver != Filter->Driver)
    {
        return FALSE;
    }
    for (ULONG i = 0; i < Filter->KeyCount; i++)
    {
        if ((ULONG_PTR)Holding->Key == Filter->Keys[i])
        {
            return TRUE;
        }
    }
    return Filter->Keys == NULL;
}

/* Copies the oldest holding that was taken after *Sequence; FALSE if there is none. */
static BOOLEAN VfpNext(const VFP_FILTER *Filter, PULONG64 Sequence, VFP_HOLDING *Copy)
{
    KIRQL irql = VfpLockLedger();
    BOOLEAN found = FALSE;

    for (PLIST_ENTRY link = VfpTaken.Flink; link != &VfpTaken && !found; link = link->Flink)
    {
        VFP_HOLDING *holding = CONTAINING_RECORD(link, VFP_HOLDING, Taken);

        if (holding->Sequence > *Sequence && VfpPasses(Filter, holding))
        {
            *Copy = *holding;
            *Sequence = holding->Sequence;
            found = TRUE;
        }
    }
    VfpUnlockLedger(irql);
    return found;
}

/* As the driver has it: a kernel handle has the upper bits set. */
static ULONG64 VfpShownKey(const VFP_HOLDING *Holding)
{
    BOOLEAN kernelHandle = Holding->Kind == VfHandle && Holding->Process == PsInitialSystemProcess;

    return (ULONG64)Holding->Key | (kernelHandle ? VFP_KERNEL_HANDLE_BITS : 0);
}

static VOID VfpReport(PCSTR Title, const VFP_FILTER *Filter)
{
    ULONG64 sequence = 0;
    ULONG count = 0;
    VFP_HOLDING holding;

    LdrReportModules();
    HalPrint(HalStreamReport, "ledger %s\n", Title);
    while (VfpNext(Filter, &sequence, &holding))
    {
        if (++count > VFP_REPORT_MAX)
        {
            continue;
        }
        HalPrint(HalStreamReport, "hold %s key=%llx size=%llu tag=%lx pid=%llu tid=%llu name=%s\n",
                 VfpKindNames[holding.Kind], VfpShownKey(&holding), holding.Size, holding.Tag, holding.ProcessId,
                 holding.ThreadId, holding.Name);
        for (ULONG i = 0; i < holding.FrameCount; i++)
        {
            HalPrint(HalStreamReport, "taken %p call\n", holding.Frames[i]);
        }
    }
    HalPrint(HalStreamReport, "ledger-end %lu %lu\n", count, VfpLost);
}

VOID VfReportLedger(PCSTR Title, const VOID *Module)
{
    VFP_FILTER filter = {.Driver = Module};

    if (VfLedgerOn)
    {
        VfpReport(Title, &filter);
    }
}

VOID VfReportLedgerFor(const ULONG_PTR *Keys, ULONG Count)
{
    VFP_FILTER filter = {.Keys = Keys, .KeyCount = Count};

    if (VfLedgerOn)
    {
        VfpReport("of the bug check", &filter);
    }
}

NTSTATUS VfQueryLedger(VF_LEDGER *Ledger, ULONG Length, PULONG ReturnLength)
{
    static const VFP_FILTER all;
    ULONG room = Length < FIELD_OFFSET(VF_LEDGER, Holdings)
                     ? 0 : (Length - FIELD_OFFSET(VF_LEDGER, Holdings)) / sizeof(VF_LEDGER_HOLDING);
    ULONG64 sequence = 0;
    ULONG count = 0;
    VFP_HOLDING holding;

    if (!VfLedgerOn)
    {
        return STATUS_NOT_SUPPORTED;
    }
    while (VfpNext(&all, &sequence, &holding))
    {
        if (count < room)
        {
            VF_LEDGER_HOLDING *record = &Ledger->Holdings[count];

            RtlZeroMemory(record, sizeof(*record));
            record->Kind = holding.Kind;
            record->Key = VfpShownKey(&holding);
            record->Size = holding.Size;
            record->ProcessId = holding.ProcessId;
            record->ThreadId = holding.ThreadId;
            _snprintf(record->Driver, sizeof(record->Driver) - 1, "%ws", holding.Driver->Name);
            for (ULONG i = 0; i < holding.FrameCount && record->Offset == 0; i++)
            {
                ULONG64 offset = (ULONG64)holding.Frames[i] - (ULONG64)holding.Driver->Base;
                record->Offset = offset < holding.Driver->Size ? offset : 0;
            }
        }
        count++;
    }
    *ReturnLength = FIELD_OFFSET(VF_LEDGER, Holdings) + count * sizeof(VF_LEDGER_HOLDING);
    if (Length < *ReturnLength)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    Ledger->Count = count;
    Ledger->Lost = VfpLost;
    return STATUS_SUCCESS;
}
