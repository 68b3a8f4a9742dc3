/* SPDX-License-Identifier: MIT */
/*
 * Who gets an exception.
 *
 *   kernel mode   first chance: the handlers on the stack (RtlDispatchException)
 *                 nobody: bug check
 *                      3B  in a thread of a program, that is inside a system service
 *                      7E  in a system thread
 *                      1E  elsewhere: DPC, interrupt, at DISPATCH_LEVEL or above, idle thread
 *   user mode     first chance: record and context go onto the user's stack, and the thread continues in
 *                 ntdll!KiUserExceptionDispatcher. No debugger is asked, there is none.
 *                 second chance, or a stack that cannot be written: the process ends with the exception's code
 */
#include "../kip.h"
#include "ps.h"
#include "rtl/unwind.h"

/* What the user's stack receives, lowest address first; ntdll and the unwinder know the places. */
typedef struct _KI_USER_EXCEPTION
{
    CONTEXT Context;
    CONTEXT_EX ContextEx;
    ULONG64 Fill;
    EXCEPTION_RECORD Record;
    ULONG64 Fill2;
    ULONG64 MachineFrame[5]; /* rip cs eflags rsp ss */
    ULONG64 Fill3;
} KI_USER_EXCEPTION;
C_ASSERT(sizeof(CONTEXT) == 0x4D0);
C_ASSERT(FIELD_OFFSET(KI_USER_EXCEPTION, Record) == 0x4F0);
C_ASSERT(FIELD_OFFSET(KI_USER_EXCEPTION, MachineFrame) == 0x590);
C_ASSERT(sizeof(KI_USER_EXCEPTION) % 16 == 0);

static VOID KiBuildUserException(KI_USER_EXCEPTION *Image, const EXCEPTION_RECORD *Record, const CONTEXT *Context)
{
    RtlZeroMemory(Image, sizeof(*Image));
    Image->Context = *Context;
    Image->Context.P1Home = Image->Context.P2Home = Image->Context.P3Home = 0;
    Image->Context.P4Home = Image->Context.P5Home = Image->Context.P6Home = 0;
    Image->Context.Dr0 = Image->Context.Dr1 = Image->Context.Dr2 = Image->Context.Dr3 = 0;
    Image->Context.Dr6 = Image->Context.Dr7 = 0;
    RtlZeroMemory(Image->Context.VectorRegister, sizeof(CONTEXT) - FIELD_OFFSET(CONTEXT, VectorRegister));
    Image->ContextEx.All.Offset = Image->ContextEx.Legacy.Offset = -(LONG)sizeof(CONTEXT);
    Image->ContextEx.Legacy.Length = sizeof(CONTEXT);
    Image->ContextEx.All.Length = sizeof(CONTEXT) + sizeof(CONTEXT_EX);
    Image->Record.ExceptionCode = Record->ExceptionCode;
    Image->Record.ExceptionFlags = Record->ExceptionFlags;
    Image->Record.ExceptionRecord = Record->ExceptionRecord;
    Image->Record.ExceptionAddress = Record->ExceptionAddress;
    Image->Record.NumberParameters = Record->NumberParameters;
    for (ULONG i = 0; i < Record->NumberParameters && i < EXCEPTION_MAXIMUM_PARAMETERS; i++)
    {
        Image->Record.ExceptionInformation[i] = Record->ExceptionInformation[i];
    }
    Image->MachineFrame[0] = Context->Rip;
    Image->MachineFrame[1] = KI_USER_CS;
    Image->MachineFrame[2] = Context->EFlags;
    Image->MachineFrame[3] = Context->Rsp;
    Image->MachineFrame[4] = KI_USER_SS;
}

/* STATUS_SUCCESS: the frame now leads to ntdll. */
NTSTATUS KiDispatchUserException(PEXCEPTION_RECORD Record, PCONTEXT Context, PKTRAP_FRAME Frame)
{
    const KE_USER_ENTRIES *entries = PsGetUserEntries();
    ULONG64 stack = (Context->Rsp - sizeof(KI_USER_EXCEPTION)) & ~15ULL;
    KI_USER_EXCEPTION image;

    if (entries == NULL || entries->KiUserExceptionDispatcher == NULL)
    {
        return STATUS_UNSUCCESSFUL;
    }
    KiBuildUserException(&image, Record, Context);
    __try
    {
        ProbeForWrite((PVOID)stack, sizeof(image), 16);
        RtlCopyMemory((PVOID)stack, &image, sizeof(image));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    Frame->Rsp = stack;
    Frame->Rip = (ULONG64)entries->KiUserExceptionDispatcher;
    Frame->Rflags &= ~(KI_EFLAGS_TF | 0x400ULL);
    Frame->Flags |= KTF_FLAG_FULL;
    return STATUS_SUCCESS;
}

DECLSPEC_NORETURN VOID KiUnhandledKernelException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    PKTHREAD thread = KiCurrentThread();
    ULONG_PTR code = (ULONG_PTR)(ULONG)Record->ExceptionCode;
    ULONG_PTR address = (ULONG_PTR)Record->ExceptionAddress;

    if (KeGetCurrentIrql() < DISPATCH_LEVEL && thread != KiPrcb()->IdleThread) /* DPCs run at DISPATCH_LEVEL */
    {
        if (thread->TrapFrame != NULL && !thread->SystemThread)
        {
            KiBugCheck(0x3B, code, address, (ULONG_PTR)Context, 0, Context);
        }
        KiBugCheck(0x7E, code, address, (ULONG_PTR)Record, (ULONG_PTR)Context, Context);
    }
    KiBugCheck(0x1E, code, address, Record->NumberParameters > 0 ? Record->ExceptionInformation[0] : 0,
               Record->NumberParameters > 1 ? Record->ExceptionInformation[1] : 0, Context);
}

/* The run-time library found no handler for an exception raised by kernel software. */
DECLSPEC_NORETURN VOID RtlpUnhandledException(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context)
{
    KiUnhandledKernelException(ExceptionRecord, Context);
}

static VOID KiDispatchToUser(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame, BOOLEAN FirstChance)
{
    CONTEXT context;
    NTSTATUS status = STATUS_UNSUCCESSFUL;

    if (FirstChance)
    {
        context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
        KiFrameToContext(Frame, &context);
        status = KiDispatchUserException(Record, &context, Frame);
    }
    if (!NT_SUCCESS(status))
    {
        ZwTerminateProcess(NtCurrentProcess(), Record->ExceptionCode);
    }
}

/* Interrupts as at the exception. Returns when the frame may be gone back through. */
VOID KiDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame, KPROCESSOR_MODE Mode, BOOLEAN FirstChance)
{
    CONTEXT context;

    if (Mode == UserMode)
    {
        KiDispatchToUser(Record, Frame, FirstChance);
        return;
    }
    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    KiFrameToContext(Frame, &context);
    if (!RtlDispatchException(Record, &context))
    {
        KiUnhandledKernelException(Record, &context);
    }
    KiContextToFrame(&context, Frame, CONTEXT_FULL, KernelMode);
}

/**
 * Raises an exception in the current thread's user mode: it is met at the thread's return.
 *
 * @param Record       kernel memory; copied
 * @param Context      the user-mode state that caused it, or NULL for the present one
 * @param FirstChance  FALSE: the process ends with the record's code
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER: not a user thread. Ending the process returns success as well, and
 *         the thread then dies on its way out.
 * IRQL: PASSIVE_LEVEL.
 */
NTSTATUS KeRaiseUserException(PEXCEPTION_RECORD Record, PCONTEXT Context, BOOLEAN FirstChance)
{
    PKTHREAD thread = KiCurrentThread();

    if (thread->TrapFrame == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Context != NULL)
    {
        NTSTATUS status = KeSetUserContext(Context);

        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    KiDispatchException(Record, thread->TrapFrame, UserMode, FirstChance);
    return STATUS_SUCCESS;
}
