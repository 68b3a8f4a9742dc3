/* SPDX-License-Identifier: MIT */
/*
 * The Nt*VirtualMemory services: arguments captured once, the process referenced, the work done by virtual.c,
 * protect.c and query.c on its address space. The page tables of any process are reached through the direct map, so
 * no thread attaches.
 */
#include "mmp.h"

#define MI_MAP_PROCESS 1
#define MI_MAP_SYSTEM 2

NTSTATUS MiReferenceProcess(HANDLE Handle, ACCESS_MASK Access, PEPROCESS *Process)
{
    return ObReferenceObjectByHandle(Handle, Access, PsProcessType, ExGetPreviousMode(), (PVOID *)Process, NULL);
}

/* Reads a base and a size that the caller passes by reference. */
static NTSTATUS MipCaptureRange(PVOID *BaseAddress, PSIZE_T RegionSize, PVOID *Base, PSIZE_T Size)
{
    if (ExGetPreviousMode() == KernelMode)
    {
        *Base = *BaseAddress;
        *Size = *RegionSize;
        return STATUS_SUCCESS;
    }
    __try
    {
        ProbeForWrite(BaseAddress, sizeof(*BaseAddress), sizeof(PVOID));
        ProbeForWrite(RegionSize, sizeof(*RegionSize), sizeof(SIZE_T));
        *Base = *(volatile PVOID *)BaseAddress;
        *Size = *(volatile SIZE_T *)RegionSize;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* Writes them back. The work is done by now: a caller who took the page away meanwhile has lost the answer, no more. */
static VOID MipReturnRange(PVOID *BaseAddress, PSIZE_T RegionSize, PVOID Base, SIZE_T Size)
{
    __try
    {
        *BaseAddress = Base;
        *RegionSize = Size;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
    }
}

/** Reserves and commits memory. Types MEM_COMMIT, MEM_RESERVE, MEM_RESET, MEM_TOP_DOWN. */
NTSTATUS NTAPI NtAllocateVirtualMemory(_In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress, _In_ ULONG_PTR ZeroBits,
                                       _Inout_ PSIZE_T RegionSize, _In_ ULONG AllocationType, _In_ ULONG Protect)
{
    PEPROCESS process;
    PVOID base;
    SIZE_T size;
    NTSTATUS status = MipCaptureRange(BaseAddress, RegionSize, &base, &size);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiAllocateVirtual(process, &base, &size, ZeroBits, AllocationType, Protect);
    ObDereferenceObject(process);
    if (NT_SUCCESS(status))
    {
        MipReturnRange(BaseAddress, RegionSize, base, size);
    }
    return status;
}

/** Releases or decommits memory: MEM_RELEASE or MEM_DECOMMIT. */
NTSTATUS NTAPI NtFreeVirtualMemory(_In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress, _Inout_ PSIZE_T RegionSize,
                                   _In_ ULONG FreeType)
{
    PEPROCESS process;
    PVOID base;
    SIZE_T size;
    NTSTATUS status = MipCaptureRange(BaseAddress, RegionSize, &base, &size);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiFreeVirtual(process, &base, &size, FreeType);
    ObDereferenceObject(process);
    if (NT_SUCCESS(status))
    {
        MipReturnRange(BaseAddress, RegionSize, base, size);
    }
    return status;
}

/** Changes the protection of committed pages within one allocation. */
NTSTATUS NTAPI NtProtectVirtualMemory(_In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress, _Inout_ PSIZE_T RegionSize,
                                      _In_ ULONG NewProtect, _Out_ PULONG OldProtect)
{
    PEPROCESS process;
    PVOID base;
    SIZE_T size;
    ULONG old;
    NTSTATUS status = MipCaptureRange(BaseAddress, RegionSize, &base, &size);

    if (NT_SUCCESS(status) && ExGetPreviousMode() != KernelMode)
    {
        __try
        {
            ProbeForWrite(OldProtect, sizeof(*OldProtect), sizeof(ULONG));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiProtectVirtual(process, &base, &size, NewProtect, &old);
    ObDereferenceObject(process);
    if (NT_SUCCESS(status))
    {
        MipReturnRange(BaseAddress, RegionSize, base, size);
        __try
        {
            *OldProtect = old;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
        }
    }
    return status;
}

static NTSTATUS MipLockOrUnlock(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG MapType,
                                BOOLEAN Lock)
{
    PEPROCESS process;
    PVOID base;
    SIZE_T size;
    NTSTATUS status = MipCaptureRange(BaseAddress, RegionSize, &base, &size);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (MapType == 0 || (MapType & ~(MI_MAP_PROCESS | MI_MAP_SYSTEM)) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (size == 0 || (ULONG_PTR)base > (ULONG_PTR)MM_HIGHEST_USER ||
        size > (ULONG_PTR)MM_HIGHEST_USER - (ULONG_PTR)base + 1)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = Lock ? MiLockVirtual(process, &base, &size) : MiUnlockVirtual(process, &base, &size);
    ObDereferenceObject(process);
    if (NT_SUCCESS(status))
    {
        MipReturnRange(BaseAddress, RegionSize, base, size);
    }
    return status;
}

/** Keeps pages resident (VirtualLock). */
NTSTATUS NTAPI NtLockVirtualMemory(_In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress, _Inout_ PSIZE_T RegionSize,
                                   _In_ ULONG MapType)
{
    return MipLockOrUnlock(ProcessHandle, BaseAddress, RegionSize, MapType, TRUE);
}

/** Undoes NtLockVirtualMemory; STATUS_NOT_LOCKED if one of the pages is not locked. */
NTSTATUS NTAPI NtUnlockVirtualMemory(_In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress, _Inout_ PSIZE_T RegionSize,
                                     _In_ ULONG MapType)
{
    return MipLockOrUnlock(ProcessHandle, BaseAddress, RegionSize, MapType, FALSE);
}

/** x64 keeps instruction caches coherent by itself; what is left is to check the handle. */
NTSTATUS NTAPI NtFlushInstructionCache(_In_ HANDLE ProcessHandle, _In_opt_ PVOID BaseAddress, _In_ SIZE_T Length)
{
    PEPROCESS process;
    NTSTATUS status = MiReferenceProcess(ProcessHandle, PROCESS_VM_WRITE, &process);

    UNREFERENCED_PARAMETER(BaseAddress);
    UNREFERENCED_PARAMETER(Length);
    if (NT_SUCCESS(status))
    {
        ObDereferenceObject(process);
    }
    return status;
}

/* ---- copying between address spaces ---- */

/* Up to the end of a page on either side; each side's page is held by a reference, so nothing can fault. */
static NTSTATUS MipCopyPiece(PEPROCESS From, ULONG_PTR Source, PEPROCESS To, ULONG_PTR Target, SIZE_T Size)
{
    PFN_NUMBER from, to;
    NTSTATUS status = MiReferenceUserPage(From, MI_PAGE(Source), MiAccessRead, &from);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiReferenceUserPage(To, MI_PAGE(Target), MiAccessWrite, &to);
    if (NT_SUCCESS(status))
    {
        RtlMoveMemory((PUCHAR)MiPfnToVirtual(to) + (Target & (PAGE_SIZE - 1)),
                      (PUCHAR)MiPfnToVirtual(from) + (Source & (PAGE_SIZE - 1)), Size);
        MiReleasePage(to);
    }
    MiReleasePage(from);
    return status;
}

/* One side is a kernel buffer, which is resident. */
static NTSTATUS MipCopyKernelPiece(PEPROCESS Process, ULONG_PTR User, PVOID Buffer, SIZE_T Size, BOOLEAN Write)
{
    PFN_NUMBER page;
    PUCHAR at;
    NTSTATUS status = MiReferenceUserPage(Process, MI_PAGE(User), Write ? MiAccessWrite : MiAccessRead, &page);

    if (NT_SUCCESS(status))
    {
        at = (PUCHAR)MiPfnToVirtual(page) + (User & (PAGE_SIZE - 1));
        RtlCopyMemory(Write ? at : Buffer, Write ? Buffer : at, Size);
        MiReleasePage(page);
    }
    return status;
}

/**
 * Copies between two address spaces, page by page.
 *
 * @param Mode    UserMode: both addresses must lie in user space
 * @param Copied  receives the bytes copied, also on failure
 * @return STATUS_SUCCESS, STATUS_PARTIAL_COPY (some bytes), STATUS_ACCESS_VIOLATION
 * IRQL <= APC_LEVEL.
 */
NTSTATUS MmCopyVirtualMemory(PEPROCESS From, PVOID Source, PEPROCESS To, PVOID Target, SIZE_T Size,
                             KPROCESSOR_MODE Mode, PSIZE_T Copied)
{
    ULONG_PTR source = (ULONG_PTR)Source, target = (ULONG_PTR)Target;
    BOOLEAN kernelSource = MmIsSystemAddress(Source), kernelTarget = MmIsSystemAddress(Target);
    NTSTATUS status = STATUS_SUCCESS;
    SIZE_T done = 0;

    *Copied = 0;
    if (source + Size < source || target + Size < target || (Mode != KernelMode && (kernelSource || kernelTarget)) ||
        (kernelSource && kernelTarget) || (!kernelSource && source + Size > MM_USER_PROBE_ADDRESS) ||
        (!kernelTarget && target + Size > MM_USER_PROBE_ADDRESS))
    {
        return STATUS_ACCESS_VIOLATION;
    }
    while (done < Size && NT_SUCCESS(status))
    {
        SIZE_T now = min(Size - done, PAGE_SIZE - (kernelSource ? 0 : (source & (PAGE_SIZE - 1))));
        now = min(now, PAGE_SIZE - (kernelTarget ? 0 : (target & (PAGE_SIZE - 1))));
        if (kernelSource)
        {
            status = MipCopyKernelPiece(To, target, (PVOID)source, now, TRUE);
        }
        else if (kernelTarget)
        {
            status = MipCopyKernelPiece(From, source, (PVOID)target, now, FALSE);
        }
        else
        {
            status = MipCopyPiece(From, source, To, target, now);
        }
        if (NT_SUCCESS(status))
        {
            done += now;
            source += now;
            target += now;
        }
    }
    *Copied = done;
    if (!NT_SUCCESS(status))
    {
        return done != 0 ? STATUS_PARTIAL_COPY : STATUS_ACCESS_VIOLATION;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS MipTransfer(HANDLE ProcessHandle, PVOID Remote, PVOID Local, SIZE_T Size, PSIZE_T Transferred,
                            BOOLEAN Write)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PEPROCESS process, current = MiCurrentProcess();
    SIZE_T done = 0;
    NTSTATUS status = STATUS_SUCCESS;

    if (mode != KernelMode && Transferred != NULL)
    {
        __try
        {
            ProbeForWrite(Transferred, sizeof(*Transferred), sizeof(SIZE_T));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    status = MiReferenceProcess(ProcessHandle, Write ? PROCESS_VM_WRITE : PROCESS_VM_READ, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (Size != 0)
    {
        status = Write ? MmCopyVirtualMemory(current, Local, process, Remote, Size, mode, &done)
                       : MmCopyVirtualMemory(process, Remote, current, Local, Size, mode, &done);
    }
    ObDereferenceObject(process);
    if (Transferred != NULL)
    {
        __try
        {
            *Transferred = done;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
        }
    }
    return status;
}

NTSTATUS NTAPI NtReadVirtualMemory(_In_ HANDLE ProcessHandle, _In_opt_ PVOID BaseAddress,
                                   _Out_writes_bytes_(NumberOfBytesToRead) PVOID Buffer,
                                   _In_ SIZE_T NumberOfBytesToRead, _Out_opt_ PSIZE_T NumberOfBytesRead)
{
    return MipTransfer(ProcessHandle, BaseAddress, Buffer, NumberOfBytesToRead, NumberOfBytesRead, FALSE);
}

NTSTATUS NTAPI NtWriteVirtualMemory(_In_ HANDLE ProcessHandle, _In_opt_ PVOID BaseAddress,
                                    _In_reads_bytes_(NumberOfBytesToWrite) const VOID *Buffer,
                                    _In_ SIZE_T NumberOfBytesToWrite, _Out_opt_ PSIZE_T NumberOfBytesWritten)
{
    return MipTransfer(ProcessHandle, BaseAddress, (PVOID)Buffer, NumberOfBytesToWrite, NumberOfBytesWritten, TRUE);
}
