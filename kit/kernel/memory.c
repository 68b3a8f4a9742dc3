/* SPDX-License-Identifier: MIT */
/*
 * A region's memory: one MDL per segment, made, locked or allocated, mapped for the kernel, and all of it undone.
 *
 *   kind            pages come from             the MDL gets them by           kernel view
 *   user buffer     the process                 MmProbeAndLockPages, its mode  MmGetSystemAddressForMdlSafe
 *   nonpaged pool   ExAllocatePoolWithTag       MmBuildMdlForNonPagedPool      the block itself
 *   paged pool      ExAllocatePoolWithTag       MmProbeAndLockPages            MmGetSystemAddressForMdlSafe: the own
 *                                                                              address may still fault when trimmed
 *   pages           MmAllocatePagesForMdl(Ex)   the same call                  MmGetSystemAddressForMdlSafe
 *
 * What a program is going to see is whole pages, zeroed: a pool block that shared a page with its neighbours would
 * show them, so blocks are sized in pages and checked to start on one.
 *
 * Every call is followed by a look at the MDL's flags. A compatible kernel that accepts a call and does nothing (Wine)
 * is found out here, and the region refused, before anything relies on a mapping that isn't there.
 */
#include "ist.h"

#ifndef MM_ALLOCATE_FULLY_REQUIRED
#define MM_ALLOCATE_FULLY_REQUIRED 0x00000004
#endif

/*
 * MmProbeAndLockPages with its exception turned into a status. Not inlined, so that compilers that only guard calls
 * in __try guard this one. <= APC_LEVEL.
 */
DECLSPEC_NOINLINE static NTSTATUS IstProbeAndLockRaising(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    __try
    {
        MmProbeAndLockPages(Mdl, Mode, Operation);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* Locks an MDL's pages. On success one MmUnlockPages is owed. <= APC_LEVEL. */
NTSTATUS IstProbeAndLock(_Inout_ PMDL Mdl, _In_ KPROCESSOR_MODE Mode, _In_ LOCK_OPERATION Operation)
{
    NTSTATUS status = IstProbeAndLockRaising(Mdl, Mode, Operation);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    return Mdl->MdlFlags & MDL_PAGES_LOCKED ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

/* As MEMORY_BASIC_INFORMATION, which not every set of headers has. */
typedef struct _IST_MEMORY_RANGE
{
    PVOID Base;
    PVOID AllocationBase;
    ULONG AllocationProtect;
    SIZE_T Bytes;
    ULONG State;
    ULONG Protect;
    ULONG Type;
} IST_MEMORY_RANGE;

typedef NTSTATUS(NTAPI *IST_QUERY_MEMORY)(HANDLE, PVOID, ULONG, PVOID, SIZE_T, PSIZE_T);

/*
 * Writes back what is there, in one step, so that no other thread's write is undone. May raise. A compare-and-exchange
 * that changes nothing still is a write to the processor; "or 0" wouldn't do, compilers make a read of it.
 */
DECLSPEC_NOINLINE static VOID IstTouchForWrite(ULONG_PTR Page)
{
    InterlockedCompareExchange((volatile LONG *)Page, 0, 0);
}

DECLSPEC_NOINLINE static BOOLEAN IstBreakCopyOnWrite(ULONG_PTR Page, ULONG_PTR End)
{
    __try
    {
        for (; Page < End; Page += PAGE_SIZE)
        {
            IstTouchForWrite(Page);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return FALSE;
    }
    return TRUE;
}

/*
 * Gives the process its own copy of the range's copy-on-write pages. A lock for reading takes a page as it is: static
 * data that was never written, or a FILE_MAP_COPY view. The program's first write afterwards would go to a new page,
 * and the two sides would no longer see the same memory. (A lock for writing makes the copy itself.) Pages of other
 * protections are left alone, and so is a range that changes meanwhile: the lock that follows has the last word.
 */
static VOID IstUnshareCopyOnWrite(ULONG_PTR Address, SIZE_T Bytes)
{
    IST_QUERY_MEMORY query = (IST_QUERY_MEMORY)IstFindRoutine(L"ZwQueryVirtualMemory");
    ULONG_PTR page = Address & ~(ULONG_PTR)(PAGE_SIZE - 1), end = Address + Bytes;
    IST_MEMORY_RANGE range;
    while (query != NULL && page < end &&
           NT_SUCCESS(query(ZwCurrentProcess(), (PVOID)page, 0, &range, sizeof(range), NULL)))
    {
        ULONG_PTR next = (ULONG_PTR)range.Base + range.Bytes;
        if (next <= page)
        {
            return;
        }
        if (range.State == MEM_COMMIT && (range.Protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) &&
            !IstBreakCopyOnWrite(page, min(next, end)))
        {
            return;
        }
        page = next;
    }
}

/* Makes the kernel view of a segment whose pages are there. NoWrite is left out where the system doesn't know it. */
NTSTATUS IstSegmentMapKernel(_Inout_ PIST_SEGMENT Segment, _In_ BOOLEAN NoWrite)
{
    ULONG priority = IstLibrary.MapPriority | (NoWrite ? IstLibrary.MapNoWrite : 0);
    Segment->Kernel = MmGetSystemAddressForMdlSafe(Segment->Mdl, priority);
    if (Segment->Kernel == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Segment->Mapped = TRUE;
    IstCount(IstCountKernelMappings, 1);
    return STATUS_SUCCESS;
}

NTSTATUS IstSegmentMakeMdl(_Inout_ PIST_SEGMENT Segment, _In_opt_ PVOID Address)
{
    /* SegmentBytes is at most 1 GB, so the length fits. */
    Segment->Mdl = IoAllocateMdl(Address, (ULONG)Segment->Bytes, FALSE, FALSE, NULL);
    if (Segment->Mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    IstCount(IstCountMdls, 1);
    return STATUS_SUCCESS;
}

/* Locks the user buffer segment by segment and maps each. On failure the caller releases what was done. */
NTSTATUS IstSegmentsLockUser(_Inout_ PISTHMUS_REGION Region, _In_ KPROCESSOR_MODE Mode)
{
    LOCK_OPERATION operation = Region->Access & ISTHMUS_ACCESS_WRITE ? IoModifyAccess : IoReadAccess;
    UINT64 offset = 0;
    SIZE_T lead = (SIZE_T)(Region->Address & (PAGE_SIZE - 1));

    for (ULONG i = 0; i < Region->SegmentCount; i++)
    {
        PIST_SEGMENT segment = &Region->Segments[i];
        SIZE_T room = IstLibrary.SegmentBytes - (i == 0 ? lead : 0);
        segment->Offset = offset;
        segment->Bytes = (SIZE_T)min((UINT64)room, Region->Length - offset);
        NTSTATUS status = IstSegmentMakeMdl(segment, (PVOID)(ULONG_PTR)(Region->Address + offset));
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        if (operation == IoReadAccess)
        {
            IstUnshareCopyOnWrite((ULONG_PTR)(Region->Address + offset), segment->Bytes);
        }
        status = IstProbeAndLock(segment->Mdl, Mode, operation);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        segment->Locked = TRUE;
        IstCount(IstCountLocks, 1);
        if (segment->Mdl->MdlFlags & MDL_IO_SPACE)
        {
            return STATUS_NOT_SUPPORTED; /* a device's memory: no RAM to share, and cached as the device needs it */
        }
        status = IstSegmentMapKernel(segment, operation == IoReadAccess);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        offset += segment->Bytes;
    }
    return STATUS_SUCCESS;
}

/* Allocates a segment of pool, zeroed, and describes it; paged pool is locked, and not mapped yet. */
NTSTATUS IstSegmentAllocatePool(_Inout_ PIST_SEGMENT Segment, _In_ BOOLEAN Paged)
{
    Segment->Pool = ExAllocatePoolWithTag(Paged ? PagedPool : IstLibrary.NonPaged, Segment->Bytes, IST_TAG);
    if (Segment->Pool == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if ((ULONG_PTR)Segment->Pool & (PAGE_SIZE - 1))
    {
        return STATUS_NOT_SUPPORTED;
    }
    RtlZeroMemory(Segment->Pool, Segment->Bytes);

    NTSTATUS status = IstSegmentMakeMdl(Segment, Segment->Pool);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (!Paged)
    {
        MmBuildMdlForNonPagedPool(Segment->Mdl);
        if (!(Segment->Mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL))
        {
            return STATUS_NOT_SUPPORTED;
        }
        Segment->Kernel = Segment->Pool;
        return STATUS_SUCCESS;
    }
    status = IstProbeAndLock(Segment->Mdl, KernelMode, IoModifyAccess);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Segment->Locked = TRUE;
    IstCount(IstCountLocks, 1);
    return STATUS_SUCCESS;
}

static NTSTATUS IstSegmentAllocatePages(PIST_SEGMENT Segment)
{
    PHYSICAL_ADDRESS low, high, skip;
    low.QuadPart = 0;
    high.QuadPart = -1;
    skip.QuadPart = 0;
    /* Without the flag "don't zero": the pages come zeroed. */
    if (IstLibrary.AllocatePages != NULL)
    {
        Segment->Mdl = IstLibrary.AllocatePages(low, high, skip, Segment->Bytes, MmCached, MM_ALLOCATE_FULLY_REQUIRED);
    }
    else
    {
        Segment->Mdl = MmAllocatePagesForMdl(low, high, skip, Segment->Bytes);
    }
    if (Segment->Mdl == NULL)
    {
        /* Where the newer routine is missing, the older one may be there in name only. */
        return IstLibrary.AllocatePages != NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_NOT_SUPPORTED;
    }
    IstCount(IstCountPageAllocations, 1);
    if (MmGetMdlByteCount(Segment->Mdl) < Segment->Bytes)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return IstSegmentMapKernel(Segment, FALSE);
}

/* Allocates the kernel's kinds, whole zeroed pages. On failure the caller releases what was done. */
NTSTATUS IstSegmentsAllocate(_Inout_ PISTHMUS_REGION Region)
{
    UINT64 offset = 0;
    for (ULONG i = 0; i < Region->SegmentCount; i++)
    {
        PIST_SEGMENT segment = &Region->Segments[i];
        segment->Offset = offset;
        segment->Bytes = (SIZE_T)min((UINT64)IstLibrary.SegmentBytes, Region->Charged - offset);
        NTSTATUS status = Region->Kind == ISTHMUS_KIND_PAGES
                              ? IstSegmentAllocatePages(segment)
                              : IstSegmentAllocatePool(segment, Region->Kind == ISTHMUS_KIND_PAGED_POOL);
        if (NT_SUCCESS(status) && Region->Kind == ISTHMUS_KIND_PAGED_POOL)
        {
            status = IstSegmentMapKernel(segment, FALSE);
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        offset += segment->Bytes;
    }
    return STATUS_SUCCESS;
}

/* Undoes the second listing of a channel's data pages; the pages' own MDL is the segment's again. */
static VOID IstSegmentUndouble(PIST_SEGMENT Segment)
{
    if (Segment->Mapped)
    {
        MmUnmapLockedPages(Segment->Kernel, Segment->Mdl);
        Segment->Mapped = FALSE;
        IstCount(IstCountKernelMappings, -1);
    }
    Segment->Mdl->MdlFlags &= ~MDL_PAGES_LOCKED; /* it borrowed the other's lock and has none to give back */
    IoFreeMdl(Segment->Mdl);
    IstCount(IstCountMdls, -1);
    Segment->Mdl = Segment->Single;
    Segment->Single = NULL;
}

static VOID IstSegmentRelease(PIST_SEGMENT Segment, UINT32 Kind)
{
    if (Segment->Single != NULL)
    {
        IstSegmentUndouble(Segment);
    }
    if (Segment->Mapped)
    {
        IstCount(IstCountKernelMappings, -1);
    }
    if (Kind == ISTHMUS_KIND_PAGES)
    {
        if (Segment->Mdl != NULL)
        {
            if (Segment->Mapped)
            {
                MmUnmapLockedPages(Segment->Kernel, Segment->Mdl);
            }
            MmFreePagesFromMdl(Segment->Mdl);
            ExFreePool(Segment->Mdl);
            IstCount(IstCountPageAllocations, -1);
        }
    }
    else
    {
        if (Segment->Locked)
        {
            MmUnlockPages(Segment->Mdl); /* drops the kernel view first */
            IstCount(IstCountLocks, -1);
        }
        if (Segment->Mdl != NULL)
        {
            IoFreeMdl(Segment->Mdl);
            IstCount(IstCountMdls, -1);
        }
        if (Segment->Pool != NULL)
        {
            ExFreePoolWithTag(Segment->Pool, IST_TAG);
        }
    }
    RtlZeroMemory(Segment, sizeof(*Segment));
}

/* Releases the memory, all or what was made of it. Nothing uses or views it any more. <= APC_LEVEL, any process. */
VOID IstSegmentsRelease(_Inout_ PISTHMUS_REGION Region)
{
    for (ULONG i = Region->SegmentCount; i-- > 0;)
    {
        IstSegmentRelease(&Region->Segments[i], Region->Kind);
    }
}
