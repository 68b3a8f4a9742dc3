/* SPDX-License-Identifier: MIT */
/*
 * Fibers: stacks that a thread changes between by itself. Fiber-local storage goes with the fiber, thread-local storage
 * stays. The floating-point control words are always kept per fiber, as FIBER_FLAG_FLOAT_SWITCH asks for.
 */
#include "fiber.h"

#define BASE_HAS_FIBER_DATA 0x0004 /* TEB.SameTebFlags */
#define BASE_DEFAULT_COMMIT 0x4000u

static BOOL BaseIsFiber(VOID)
{
    return (NtCurrentTeb()->SameTebFlags & BASE_HAS_FIBER_DATA) != 0;
}

static BASE_FIBER *BaseAllocateFiber(PVOID Parameter)
{
    BASE_FIBER *fiber = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, sizeof(*fiber));

    if (fiber == NULL)
    {
        BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    fiber->Parameter = Parameter;
    return fiber;
}

static VOID BaseFreeStack(PVOID Base)
{
    SIZE_T size = 0;
    NtFreeVirtualMemory(NtCurrentProcess(), &Base, &size, MEM_RELEASE);
}

/* The first routine of each fiber, with the filter that is the outermost of each thread. */
static VOID BaseFiberStart(VOID)
{
    BASE_FIBER *fiber = NtCurrentTeb()->NtTib.FiberData;

    __try
    {
        fiber->Start(fiber->Parameter);
        ExitThread(0); /* a fiber that returns ends its thread */
    }
    __except (UnhandledExceptionFilter(GetExceptionInformation()))
    {
        NtTerminateProcess(NtCurrentProcess(), GetExceptionCode());
    }
}

/* Reserves a stack, commits its top, and leaves a guard page below, as a thread has it. */
static NTSTATUS BaseCreateStack(BASE_FIBER *Fiber, SIZE_T Commit, SIZE_T Reserve)
{
    const SIZE_T page = 0x1000;
    PVOID base = NULL;
    NTSTATUS status;

    Commit = (max(Commit, BASE_DEFAULT_COMMIT) + page - 1) & ~(page - 1);
    Reserve = (max(Reserve, Commit + 4 * page) + 0xFFFF) & ~(SIZE_T)0xFFFF;
    status = NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &Reserve, MEM_RESERVE, PAGE_READWRITE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PUCHAR top = (PUCHAR)base + Reserve;
    PVOID commit = top - Commit;
    PVOID guard = top - Commit - page;
    SIZE_T guardSize = page;
    status = NtAllocateVirtualMemory(NtCurrentProcess(), &commit, 0, &Commit, MEM_COMMIT, PAGE_READWRITE);
    if (NT_SUCCESS(status))
    {
        status =
            NtAllocateVirtualMemory(NtCurrentProcess(), &guard, 0, &guardSize, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    }
    if (!NT_SUCCESS(status))
    {
        BaseFreeStack(base);
        return status;
    }
    Fiber->StackBase = top;
    Fiber->StackLimit = commit;
    Fiber->DeallocationStack = base;
    return STATUS_SUCCESS;
}

LPVOID WINAPI CreateFiberEx(SIZE_T dwStackCommitSize, SIZE_T dwStackReserveSize, DWORD dwFlags,
                            LPFIBER_START_ROUTINE lpStartAddress, LPVOID lpParameter)
{
    PIMAGE_NT_HEADERS image = RtlImageNtHeader(NtCurrentPeb()->ImageBaseAddress);
    BASE_FIBER *fiber;
    NTSTATUS status;

    if ((dwFlags & ~FIBER_FLAG_FLOAT_SWITCH) != 0)
    {
        BaseFailWith(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    fiber = BaseAllocateFiber(lpParameter);
    if (fiber == NULL)
    {
        return NULL;
    }
    status =
        BaseCreateStack(fiber, dwStackCommitSize != 0 ? dwStackCommitSize : image->OptionalHeader.SizeOfStackCommit,
                        dwStackReserveSize != 0 ? dwStackReserveSize : image->OptionalHeader.SizeOfStackReserve);
    if (!NT_SUCCESS(status))
    {
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, fiber);
        BaseFail(status);
        return NULL;
    }
    BASE_FIBER_FRAME *frame = (BASE_FIBER_FRAME *)((PUCHAR)fiber->StackBase - 0x40) - 1; /* home space above it */
    frame->MxCsr = 0x1F80; /* as a new thread has them */
    frame->FpCsr = 0x27F;
    frame->Return = (PVOID)BaseFiberStart;
    fiber->StackPointer = frame;
    fiber->Start = lpStartAddress;
    fiber->OwnStack = TRUE;
    return fiber;
}

LPVOID WINAPI CreateFiber(SIZE_T dwStackSize, LPFIBER_START_ROUTINE lpStartAddress, LPVOID lpParameter)
{
    return CreateFiberEx(dwStackSize, 0, 0, lpStartAddress, lpParameter);
}

LPVOID WINAPI ConvertThreadToFiberEx(LPVOID lpParameter, DWORD dwFlags)
{
    PTEB teb = NtCurrentTeb();
    BASE_FIBER *fiber;

    if ((dwFlags & ~FIBER_FLAG_FLOAT_SWITCH) != 0)
    {
        BaseFailWith(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (BaseIsFiber())
    {
        BaseFailWith(ERROR_ALREADY_FIBER);
        return NULL;
    }
    fiber = BaseAllocateFiber(lpParameter);
    if (fiber != NULL)
    {
        fiber->StackBase = teb->NtTib.StackBase;
        fiber->StackLimit = teb->NtTib.StackLimit;
        fiber->DeallocationStack = teb->DeallocationStack;
        teb->NtTib.FiberData = fiber;
        teb->SameTebFlags |= BASE_HAS_FIBER_DATA;
    }
    return fiber;
}

LPVOID WINAPI ConvertThreadToFiber(LPVOID lpParameter)
{
    return ConvertThreadToFiberEx(lpParameter, 0);
}

/* To be called on the thread's own stack: whoever converts another fiber back loses the thread's, as on Windows. */
BOOL WINAPI ConvertFiberToThread(VOID)
{
    PTEB teb = NtCurrentTeb();
    PVOID fiber = teb->NtTib.FiberData;

    if (!BaseIsFiber())
    {
        return BaseFailWith(ERROR_ALREADY_THREAD);
    }
    teb->SameTebFlags &= (USHORT)~BASE_HAS_FIBER_DATA;
    teb->NtTib.FiberData = NULL;
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, fiber);
    return TRUE;
}

VOID WINAPI SwitchToFiber(LPVOID lpFiber)
{
    BASE_FIBER *current = NtCurrentTeb()->NtTib.FiberData;

    if (current != lpFiber) /* else there is nothing to leave and nothing saved to go on from */
    {
        BaseSwitchFiber(current, lpFiber);
    }
}

VOID WINAPI DeleteFiber(LPVOID lpFiber)
{
    BASE_FIBER *fiber = lpFiber;

    if (BaseIsFiber() && NtCurrentTeb()->NtTib.FiberData == fiber)
    {
        ExitThread(1); /* as documented: the thread ends */
    }
    RtlProcessFlsData(fiber->FlsData);
    if (fiber->OwnStack)
    {
        BaseFreeStack(fiber->DeallocationStack);
    }
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, fiber);
}

BOOL WINAPI IsThreadAFiber(VOID)
{
    return BaseIsFiber();
}
