/* SPDX-License-Identifier: MIT */
/*
 * MmAccessFault: sorts page faults. Those on user addresses may be resolved (fault.c); those on kernel addresses name
 * the mistake, unless a mode of the verifier has taken the page away (pageable.c, forceirql.c).
 */
#include "mmp.h"

#define MI_FAULT_PRESENT 0x01
#define MI_FAULT_WRITE 0x02
#define MI_FAULT_RESERVED 0x08
#define MI_FAULT_FETCH 0x10

/* Another processor may have made the page accessible after this one looked. */
static BOOLEAN MipIsAccessAllowed(ULONG_PTR Va, ULONG64 ErrorCode, ULONG64 Entry)
{
    UNREFERENCED_PARAMETER(Va);
    return (Entry & MI_PTE_VALID) != 0 && ((ErrorCode & MI_FAULT_WRITE) == 0 || (Entry & MI_PTE_WRITE) != 0) &&
           ((ErrorCode & MI_FAULT_FETCH) == 0 || (Entry & MI_PTE_NX) == 0);
}

static NTSTATUS MipKernelFault(ULONG64 ErrorCode, PVOID Va, PVOID TrapFrame)
{
    BOOLEAN large, unloaded = FALSE;
    PMMPTE entry = MiLookupKernelPte((ULONG_PTR)Va, &large);
    ULONG64 value = entry != NULL ? *entry : 0;
    ULONG_PTR kind = (ErrorCode & MI_FAULT_FETCH) ? 0x10 : (ErrorCode & MI_FAULT_WRITE) ? 2 : 0;
    ULONG_PTR pc = (ULONG_PTR)KeGetTrapFramePc(TrapFrame);

    if (MiIsHidden((ULONG_PTR)Va))
    {
        return MM_FAULT_AT_HIGH_IRQL;
    }
    if (MipIsAccessAllowed((ULONG_PTR)Va, ErrorCode, value))
    {
        return STATUS_SUCCESS;
    }
    if (MiPageable && (KeGetCurrentIrql() < DISPATCH_LEVEL || MiOwnsPagedPool()) &&
        (MiBringBackKernelPage((ULONG_PTR)Va) ||
         (entry != NULL && MipIsAccessAllowed((ULONG_PTR)Va, ErrorCode, *entry)))) /* another processor was faster */
    {
        return STATUS_SUCCESS;
    }
    if (LdrFindModule(Va, &unloaded) != NULL && unloaded)
    {
        KeBugCheckEx(MI_BUGCHECK_UNLOADED_DRIVER, (ULONG_PTR)Va, kind == 2 ? 1 : kind, pc, 0);
    }
    if (value & MI_PTE_VALID)
    {
        if (kind == 2)
        {
            KeBugCheckEx(MI_BUGCHECK_WRITE_TO_READONLY, (ULONG_PTR)Va, (ULONG_PTR)value, (ULONG_PTR)TrapFrame, 0xB);
        }
        if (kind == 0x10)
        {
            KeBugCheckEx(MI_BUGCHECK_EXECUTE_OF_NOEXECUTE, (ULONG_PTR)Va, (ULONG_PTR)value, (ULONG_PTR)TrapFrame, 2);
        }
    }
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL)
    {
        return MM_FAULT_AT_HIGH_IRQL;
    }
    MiSpecialPoolFault((ULONG_PTR)Va, kind == 2 ? 1 : kind, pc);
    KeBugCheckEx(MI_BUGCHECK_PAGE_FAULT, (ULONG_PTR)Va, kind, pc, MiIsPagedPool((ULONG_PTR)Va) ? 2 : 0);
}

NTSTATUS MmAccessFault(ULONG64 ErrorCode, PVOID Va, KPROCESSOR_MODE Mode, PVOID TrapFrame)
{
    MI_ACCESS access = (ErrorCode & MI_FAULT_FETCH)   ? MiAccessExecute
                       : (ErrorCode & MI_FAULT_WRITE) ? MiAccessWrite
                                                      : MiAccessRead;
    PEPROCESS process;
    NTSTATUS status;

    if (ErrorCode & MI_FAULT_RESERVED)
    {
        /* A page table holds nonsense: nothing that retrying or raising could mend. */
        KeBugCheckEx(MI_BUGCHECK_PAGE_FAULT, (ULONG_PTR)Va, ErrorCode, (ULONG_PTR)KeGetTrapFramePc(TrapFrame), 0xE);
    }
    if (MiShowForFault((ULONG_PTR)Va))
    {
        return STATUS_SUCCESS;
    }
    if (MmIsSystemAddress(Va))
    {
        return Mode == UserMode ? STATUS_ACCESS_VIOLATION : MipKernelFault(ErrorCode, Va, TrapFrame);
    }
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL)
    {
        return MM_FAULT_AT_HIGH_IRQL;
    }
    if ((ULONG_PTR)Va > (ULONG_PTR)MM_HIGHEST_USER || PsInitialSystemProcess == NULL)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    if (Mode == KernelMode && access == MiAccessExecute)
    {
        /* Kernel code was sent to a user address. */
        KeBugCheckEx(MI_BUGCHECK_EXECUTE_OF_NOEXECUTE, (ULONG_PTR)Va, 0, (ULONG_PTR)TrapFrame, 2);
    }
    process = MiCurrentProcess();
    if (process->Space.AddressSpaceLock.Owner == KiCurrentThread() ||
        process->Space.WorkingSetLock.Owner == KiCurrentThread())
    {
        /* MM itself touched user memory with its locks held. */
        KeBugCheckEx(MEMORY_MANAGEMENT, 0x41201, (ULONG_PTR)Va, ErrorCode, (ULONG_PTR)KeGetTrapFramePc(TrapFrame));
    }
    status = MiFaultUserPage(process, MI_PAGE(Va), access);
    return status == STATUS_NO_MEMORY ? STATUS_IN_PAGE_ERROR : status;
}
