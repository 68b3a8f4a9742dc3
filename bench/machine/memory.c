/* SPDX-License-Identifier: MIT */
/* MDLs step by step: what one costs to allocate, lock, map, unmap, unlock and free, by its number of pages. */
#include "driver.h"

/* What two looks at the counter cost by themselves. */
static UINT64 Idle(VOID)
{
    UINT64 start = __rdtsc();
    return __rdtsc() - start;
}

/* The step that ended now; the next one begins. */
static VOID Note(UINT64 *Step, UINT64 *Start)
{
    UINT64 now = __rdtsc();
    UINT64 idle = Idle();

    *Step = now - *Start - idle;
    *Start = __rdtsc();
}

/* Everything at once, as most drivers do it. Raises. */
static VOID LockOnce(const COSTS_MEMORY *Memory)
{
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Memory->Buffer, (ULONG)Memory->Bytes, FALSE, FALSE, NULL);

    if (mdl == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    __try
    {
        MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
        if (MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute) == NULL)
        {
            ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
        }
    }
    __finally
    {
        if (mdl->MdlFlags & MDL_PAGES_LOCKED)
        {
            MmUnlockPages(mdl);
        }
        IoFreeMdl(mdl);
    }
}

static NTSTATUS LockSteps(const COSTS_MEMORY *Memory, COSTS_STEPS *Steps)
{
    NTSTATUS status = STATUS_SUCCESS;
    UINT64 start = __rdtsc();
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Memory->Buffer, (ULONG)Memory->Bytes, FALSE, FALSE, NULL);
    PVOID view;

    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Note(&Steps->Allocate, &start);
    __try
    {
        MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
        IoFreeMdl(mdl);
        return status;
    }
    Note(&Steps->Lock, &start);
    view = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    Note(&Steps->Map, &start);
    if (view != NULL)
    {
        MmUnmapLockedPages(view, mdl);
    }
    else
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    Note(&Steps->Unmap, &start);
    MmUnlockPages(mdl);
    Note(&Steps->Unlock, &start);
    IoFreeMdl(mdl);
    Note(&Steps->Free, &start);
    return status;
}

static NTSTATUS LockWhole(const COSTS_MEMORY *Memory, COSTS_STEPS *Steps)
{
    UINT64 start = __rdtsc();

    __try
    {
        LockOnce(Memory);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    Note(&Steps->Whole, &start);
    return STATUS_SUCCESS;
}

static NTSTATUS Lock(const COSTS_MEMORY *Memory, COSTS_STEPS *Steps)
{
    NTSTATUS status = LockSteps(Memory, Steps);
    return NT_SUCCESS(status) ? LockWhole(Memory, Steps) : status;
}

static NTSTATUS UserMap(PVOID Pool, ULONG Bytes, COSTS_STEPS *Steps)
{
    NTSTATUS status = STATUS_SUCCESS;
    UINT64 start = __rdtsc();
    PMDL mdl = IoAllocateMdl(Pool, Bytes, FALSE, FALSE, NULL);
    PVOID view = NULL;

    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(mdl);
    Note(&Steps->Allocate, &start);
    __try
    {
        view = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    Note(&Steps->Map, &start);
    if (view != NULL)
    {
        MmUnmapLockedPages(view, mdl);
    }
    Note(&Steps->Unmap, &start);
    IoFreeMdl(mdl);
    Note(&Steps->Free, &start);
    return status;
}

static NTSTATUS UserMapSamples(const COSTS_MEMORY *Memory, COSTS_STEPS *Steps)
{
    NTSTATUS status = STATUS_SUCCESS;
    PVOID pool = ExAllocatePoolWithTag(IsthmusNonPagedPoolType(), (SIZE_T)Memory->Bytes, COSTS_TAG);

    if (pool == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(pool, (SIZE_T)Memory->Bytes); /* the program is about to see it */
    status = UserMap(pool, (ULONG)Memory->Bytes, &Steps[0]);
    for (ULONG i = 0; i < Memory->Samples && NT_SUCCESS(status); i++)
    {
        status = UserMap(pool, (ULONG)Memory->Bytes, &Steps[i]);
    }
    ExFreePoolWithTag(pool, COSTS_TAG);
    return status;
}

/* What the kit adds: the session's account, the region's id and lists, pages copied on write made the process's own. */
static NTSTATUS Share(PCOSTS_FILE File, const COSTS_MEMORY *Memory, COSTS_STEPS *Steps)
{
    ISTHMUS_REGION_INFO info;
    UINT64 start = __rdtsc();
    NTSTATUS status = IsthmusRegionShare(File->Session, Memory->Buffer, Memory->Bytes, ISTHMUS_ACCESS_ALL, UserMode,
                                         &info);

    Note(&Steps->Allocate, &start);
    if (NT_SUCCESS(status))
    {
        status = IsthmusRegionRelease(File->Session, info.Region);
        Note(&Steps->Free, &start);
    }
    return status;
}

NTSTATUS CostsMemory(_Inout_ PCOSTS_FILE File, _Inout_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    COSTS_STEPS *steps = Irp->AssociatedIrp.SystemBuffer;
    COSTS_MEMORY memory;
    NTSTATUS status = STATUS_SUCCESS;

    *Information = 0;
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(memory))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    memory = *(COSTS_MEMORY *)Irp->AssociatedIrp.SystemBuffer;
    if (memory.Samples == 0 || memory.Samples > COSTS_SAMPLES_MAX || memory.Bytes == 0 || memory.Bytes > MAXLONG ||
        stack->Parameters.DeviceIoControl.OutputBufferLength != memory.Samples * sizeof(*steps))
    {
        return STATUS_INVALID_PARAMETER;
    }
    RtlZeroMemory(steps, (SIZE_T)memory.Samples * sizeof(*steps));
    if (Code == COSTS_USER_MAP)
    {
        status = UserMapSamples(&memory, steps);
    }
    for (ULONG i = 0; i <= memory.Samples && NT_SUCCESS(status) && Code != COSTS_USER_MAP; i++)
    {
        COSTS_STEPS *sample = &steps[i == 0 ? 0 : i - 1]; /* the first round is a warm-up: written over */
        status = Code == COSTS_LOCK ? Lock(&memory, sample) : Share(File, &memory, sample);
    }
    *Information = (ULONG_PTR)memory.Samples * sizeof(*steps);
    return status;
}
