/* SPDX-License-Identifier: MIT */
/*
 * Trimming: taking pages away from processes.
 *
 *   valid entry  -- exchanged -->  transition  -- flush on all processors -->  page file slot, or demand-zero
 *                                      |
 *                                      +-- no slot free: valid again
 *
 * A page leaves only if its entry is the one reference it has: pages locked for I/O have more, views of MDLs are
 * marked, pages of sections merely lose the entry and leave their prototype when nobody maps them any more. Everything
 * happens under the process's WorkingSetLock, so no fault and no page lock sees the state in between.
 */
#include "mmp.h"

#define MI_TRIM_BATCH 64
#define MI_PRESSURE_PERIOD_MS 3

typedef struct _MI_TRIM_BATCH
{
    ULONG Count;
    ULONG_PTR First, Last;
    struct
    {
        PMMPTE Entry;
        ULONG64 Old;
    } Pages[MI_TRIM_BATCH];
} MI_TRIM_BATCH_STATE;

static KEVENT MipPagesWanted;
static volatile BOOLEAN MipTrimmerReady;

static SIZE_T MipFinishPage(PEPROCESS Process, PMMPTE Entry, ULONG64 Old)
{
    PFN_NUMBER pfn = MI_PTE_PFN(Old);
    ULONG protection = MiPteProtection(Old);
    PFN_NUMBER slot;

    if (Old & MI_PTE_SHARED)
    {
        *Entry = MiMakeSoft(MiSoftPrototype, protection, 0);
        MiReleasePage(pfn);
    }
    else if (MiIsPageZero(pfn))
    {
        *Entry = MiMakeSoft(MiSoftDemandZero, protection, 0);
        MiReleasePage(pfn);
    }
    else
    {
        slot = MiWriteToPageFile(pfn);
        if (slot == 0)
        {
            *Entry = Old; /* stays where it is */
            return 0;
        }
        *Entry = MiMakeSoft(MiSoftPageFile, protection, slot);
        /* To the far end of the free list: when the page comes back it gets another frame, as it would on a busy
           system. */
        if (MI_REFERENCES(InterlockedDecrement64(&MiPfn(pfn)->Counts)) == 0)
        {
            MiFreePage(pfn, TRUE);
        }
    }
    Process->Space.WorkingSetPages--;
    return 1;
}

static SIZE_T MipFinishBatch(PEPROCESS Process, MI_TRIM_BATCH_STATE *Batch)
{
    SIZE_T taken = 0;

    if (Batch->Count == 0)
    {
        return 0;
    }
    KeFlushTb(&Process->Pcb, MI_VA(Batch->First), Batch->Last - Batch->First + 1);
    for (ULONG i = 0; i < Batch->Count; i++)
    {
        taken += MipFinishPage(Process, Batch->Pages[i].Entry, Batch->Pages[i].Old);
    }
    Batch->Count = 0;
    return taken;
}

static BOOLEAN MipMayTrim(ULONG64 Entry)
{
    LONG64 counts;

    if ((Entry & MI_PTE_VALID) == 0 || (Entry & (MI_PTE_PHYSICAL | MI_PTE_WS_LOCKED)) != 0)
    {
        return FALSE;
    }
    counts = MiPfn(MI_PTE_PFN(Entry))->Counts;
    return MI_LOCKS(counts) == 0 && ((Entry & MI_PTE_SHARED) || MI_REFERENCES(counts) == 1);
}

/* Random enough to surprise code that did not lock; not a secret, and the same for the same --seed. */
static ULONG64 MipRandomState;

BOOLEAN MiChosenToTrim(ULONG OneIn)
{
    ULONG64 state = MipRandomState; /* the trimmer thread's alone: others take every page */

    if (OneIn <= 1)
    {
        return TRUE;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    MipRandomState = state;
    return state % OneIn == 0;
}

/*
 * Walks the process and takes pages: with Unused, those not accessed since the last walk; with OneIn, one in so many.
 */
static SIZE_T MipTrim(PEPROCESS Process, SIZE_T Wanted, BOOLEAN Unused, ULONG OneIn)
{
    MI_TRIM_BATCH_STATE *batch = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*batch), 'rTmM');
    ULONG_PTR page = MI_LOWEST_USER_PAGE;
    SIZE_T taken = 0;
    PMMPTE entry;

    if (batch == NULL)
    {
        return 0;
    }
    batch->Count = 0;
    MiLockWorkingSet(Process);
    while (taken < Wanted && !Process->Space.Dead &&
           (entry = MiNextUserPte(Process, &page, MI_HIGHEST_USER_PAGE)) != NULL)
    {
        for (ULONG_PTR stop = min(MI_HIGHEST_USER_PAGE, page | 511); page <= stop; page++, entry++)
        {
            ULONG64 old = *entry;
            if (!MipMayTrim(old) || !MiChosenToTrim(OneIn))
            {
                continue;
            }
            if (Unused && (old & MI_PTE_ACCESSED))
            {
                InterlockedAnd64((volatile LONG64 *)entry, ~(LONG64)MI_PTE_ACCESSED); /* a second chance */
                continue;
            }
            old = (ULONG64)InterlockedExchange64(
                (volatile LONG64 *)entry, (LONG64)MiMakeSoft(MiSoftTransition, MiPteProtection(old), MI_PTE_PFN(old)));
            if (batch->Count == 0)
            {
                batch->First = page;
            }
            batch->Last = page;
            batch->Pages[batch->Count].Entry = entry;
            batch->Pages[batch->Count++].Old = old;
            if (batch->Count == MI_TRIM_BATCH)
            {
                taken += MipFinishBatch(Process, batch);
            }
        }
    }
    taken += MipFinishBatch(Process, batch);
    MiUnlockWorkingSet(Process);
    ExFreePoolWithTag(batch, 'rTmM');
    return taken;
}

SIZE_T MmTrimProcess(PEPROCESS Process)
{
    SIZE_T taken = MipTrim(Process, MAXULONG_PTR, FALSE, 1);

    return taken + MiTrimAreas();
}

NTSTATUS MmSetWorkingSetLimits(PEPROCESS Process, const QUOTA_LIMITS *Limits)
{
    if (Limits->MinimumWorkingSetSize != MAXULONG_PTR || Limits->MaximumWorkingSetSize != MAXULONG_PTR)
    {
        return STATUS_NOT_SUPPORTED;
    }
    (VOID)MmTrimProcess(Process);
    return STATUS_SUCCESS;
}

/* ---- the trimmer ---- */

static BOOLEAN MipIsShort(VOID)
{
    return MiFreePageCount < (LONG64)max(256, MiTotalPages / 32);
}

static VOID MipTrimAll(BOOLEAN Unused, ULONG OneIn)
{
    PEPROCESS process = NULL;

    while ((process = PsGetNextProcess(process)) != NULL)
    {
        if (process != PsInitialSystemProcess && ExAcquireRundownProtection(&process->RundownProtect))
        {
            (VOID)MipTrim(process, MAXULONG_PTR, Unused, OneIn);
            ExReleaseRundownProtection(&process->RundownProtect);
        }
    }
    (VOID)MiTrimAreas();
}

static VOID NTAPI MipTrimmerThread(PVOID Context)
{
    BOOLEAN pressure = VfOption(VfTrimPressure);
    LARGE_INTEGER period = {.QuadPart = -10000LL * MI_PRESSURE_PERIOD_MS};

    UNREFERENCED_PARAMETER(Context);
    KeSetPriorityThread(KeGetCurrentThread(), LOW_REALTIME_PRIORITY);
    for (;;)
    {
        KeWaitForSingleObject(&MipPagesWanted, Executive, KernelMode, FALSE, pressure ? &period : NULL);
        if (pressure)
        {
            MipTrimAll(FALSE, 8);
            MiTrimKernel();
        }
        if (MipIsShort())
        {
            MipTrimAll(TRUE, 1);
        }
        if (MipIsShort())
        {
            MipTrimAll(FALSE, 1);
        }
    }
}

VOID MiInitializeTrimmer(VOID)
{
    HANDLE thread;
    NTSTATUS status;

    MipRandomState = 88172645463325252ULL ^ (VfOptionValue("seed", 0) * 0x9E3779B97F4A7C15ULL);
    MipRandomState += MipRandomState == 0; /* the one state that stays as it is */
    KeInitializeEvent(&MipPagesWanted, SynchronizationEvent, FALSE);
    status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, MipTrimmerThread, NULL);
    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(PHASE1_INITIALIZATION_FAILED, (ULONG_PTR)status, 0, 0, 0);
    }
    ZwClose(thread);
    MipTrimmerReady = TRUE;
}

VOID MiNotifyTrimmer(VOID)
{
    if (MipTrimmerReady && MipIsShort())
    {
        KeSetEvent(&MipPagesWanted, IO_NO_INCREMENT, FALSE);
    }
}

/* A page was wanted and there was none: waits a little while the trimmer works. */
VOID MiWaitForPages(VOID)
{
    LARGE_INTEGER pause = {.QuadPart = -10000LL * 5};

    if (MipTrimmerReady)
    {
        KeSetEvent(&MipPagesWanted, IO_NO_INCREMENT, FALSE);
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
    }
}
