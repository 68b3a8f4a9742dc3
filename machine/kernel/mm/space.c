/* SPDX-License-Identifier: MIT */
/*
 * The life of a process's address space.
 *
 *   create:  top-level table with the kernel's half copied, empty VAD tree, the page shared with user mode
 *   clean:   in the ending process, after its handles are closed: every VAD goes, then nothing may be locked any more
 *   delete:  with the process object: page tables
 */
#include "mmp.h"

/* The user's view of KUSER_SHARED_DATA: read-only, neither freed nor protected. */
static NTSTATUS MipMapSharedPage(PEPROCESS Process)
{
    ULONG_PTR page = MI_PAGE(MI_SHARED_USER_DATA_VA);
    PMMVAD vad = MiAllocateVad(MiVadShared, page, 1, MM_READONLY);
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    PFN_NUMBER pfn;
    ULONG64 value;
    PMMPTE entry;

    if (vad == NULL)
    {
        return status;
    }
    MiLockSpace(Process);
    entry = MiUserPte(Process, page, TRUE);
    if (entry != NULL && MiKernelVaToPfn(MM_SHARED_USER_DATA, &pfn, &value))
    {
        MiInsertVad(MiSpace(Process), vad);
        MiReferencePage(pfn);
        *entry = (pfn << PAGE_SHIFT) | MiUserPteBits(MM_READONLY) | MI_PTE_PHYSICAL;
        vad = NULL;
        status = STATUS_SUCCESS;
    }
    MiUnlockSpace(Process);
    if (vad != NULL)
    {
        MiFreeVad(vad);
    }
    return status;
}

static VOID MipInitializeSpace(MM_ADDRESS_SPACE *Space)
{
    RtlZeroMemory(Space, sizeof(*Space));
    ExInitializeFastMutex(&Space->AddressSpaceLock);
    ExInitializeFastMutex(&Space->WorkingSetLock);
    KeInitializeSpinLock(&Space->LockTrackersLock);
}

/**
 * Makes the address space of a process; for System the one that the machine booted with.
 *
 * @return STATUS_INSUFFICIENT_RESOURCES
 * IRQL <= APC_LEVEL. Sets Process->Pcb.DirectoryTableBase.
 */
NTSTATUS MmCreateProcessAddressSpace(PEPROCESS Process)
{
    PFN_NUMBER top;
    ULONG64 *table, *kernel = MiPhysicalToVirtual(MiKernelPml4);
    NTSTATUS status;

    MipInitializeSpace(MiSpace(Process));
    if (PsInitialSystemProcess == NULL || Process == PsInitialSystemProcess)
    {
        Process->Pcb.DirectoryTableBase = MiKernelPml4;
        Process->Space.Dead = TRUE; /* System has no user half: nothing is ever mapped, locked or looked up there */
        return STATUS_SUCCESS;
    }
    top = MiAllocatePage(MI_ALLOCATE_ZEROED | MI_ALLOCATE_USER, MiPagePageTable);
    if (top == 0)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    table = MiPfnToVirtual(top);
    RtlCopyMemory(table + 256, kernel + 256, 256 * sizeof(ULONG64)); /* complete since phase 0: it never changes */
    Process->Pcb.DirectoryTableBase = (ULONG64)top << PAGE_SHIFT;
    status = MipMapSharedPage(Process);
    if (!NT_SUCCESS(status))
    {
        Process->Space.Dead = TRUE;
        MiFreeAllUserTables(Process);
        Process->Pcb.DirectoryTableBase = 0;
        MiReleasePage(top);
    }
    return status;
}

/* Whoever still holds a handle from MmSecureVirtualMemory unlinks it from nothing. */
static VOID MipForgetSecures(PMMVAD Vad)
{
    while (!IsListEmpty(&Vad->Secures))
    {
        InitializeListHead(RemoveHeadList(&Vad->Secures));
    }
}

static VOID MipRemoveAny(PEPROCESS Process, PMMVAD Vad)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);

    MipForgetSecures(Vad);
    MiRemoveVad(space, Vad);
    MiDeleteUserRange(Process, Vad->Start, Vad->End, 0);
    if (Vad->Type == MiVadMdl)
    {
        /* The driver can no longer unmap it. The view goes with the process, as on Windows; it is worth a word. */
        HalPrint(HalStreamError, "process %p ends with a view of an MDL still mapped at %p (%Iu pages)\n",
                 Process->UniqueProcessId, MI_VA(Vad->Start), Vad->End - Vad->Start + 1);
        InterlockedDecrement64(&space->MdlViews);
        InterlockedDecrement64(&MiCounters.UserMappings);
        VfGive(VfUserMapping, MI_VA(Vad->Start), Process);
    }
    space->CommittedBytes -= Vad->Charged << PAGE_SHIFT;
    MiReturnCommit(Vad->Charged);
}

/**
 * Takes the address space of an ending process apart. Bug check 76, or CB with the driver's name where locks are
 * tracked, if pages are still locked on the process's behalf.
 *
 * IRQL <= APC_LEVEL, in the process; its last thread, handles closed.
 */
VOID MmCleanProcessAddressSpace(PEPROCESS Process)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);
    PMMVAD vad;

    if (Process->Pcb.DirectoryTableBase == 0 || Process->Pcb.DirectoryTableBase == MiKernelPml4)
    {
        return;
    }
    MiLockSpace(Process);
    space->Dead = TRUE;
    MiUnlockSpace(Process);
    for (;;)
    {
        MiLockSpace(Process);
        vad = MiFindVadFrom(space, 0);
        if (vad != NULL)
        {
            MipRemoveAny(Process, vad);
        }
        MiUnlockSpace(Process);
        if (vad == NULL)
        {
            break;
        }
        if (vad->Area != NULL)
        {
            MiDereferenceArea(vad->Area); /* may free much, and a file: without the locks */
        }
        MiFreeVad(vad);
    }
    if (space->LockedPages != 0)
    {
        MiReportLockedPages(Process);
    }
}

/** Frees the page tables. No processor has them loaded any more. IRQL <= APC_LEVEL. */
VOID MmDeleteProcessAddressSpace(PEPROCESS Process)
{
    ULONG64 top = Process->Pcb.DirectoryTableBase;

    if (top == 0 || top == MiKernelPml4)
    {
        return;
    }
    if (Process->Space.Vads != NULL)
    {
        MmCleanProcessAddressSpace(Process); /* a process that never ran */
    }
    MiLockWorkingSet(Process);
    MiFreeAllUserTables(Process);
    MiUnlockWorkingSet(Process);
    if (Process->Space.WorkingSetPages != 0 || Process->Space.PageTablePages != 0 || Process->Space.CommittedBytes != 0 ||
        Process->Space.VirtualSize != 0)
    {
        /* Every page was counted when it came, so the counts are zero when all have gone. */
        KeBugCheckEx(MEMORY_MANAGEMENT, 0x41202, Process->Space.WorkingSetPages, Process->Space.PageTablePages,
                     Process->Space.CommittedBytes);
    }
    Process->Pcb.DirectoryTableBase = 0;
    MiReleasePage(top >> PAGE_SHIFT);
}
