/* SPDX-License-Identifier: MIT */
/*
 * The processor's exceptions as NT's EXCEPTION_RECORDs.
 */
#include "../kip.h"
#include "ldr.h"
#include "mm.h"

#define FAST_FAIL_VECTOR 0x29
#define ASSERTION_VECTOR 0x2C
#define DEBUG_SERVICE_VECTOR 0x2D

static inline BOOLEAN KiFromUser(const KTRAP_FRAME *Frame)
{
    return (Frame->Cs & 3) != 0;
}

/*
 * D1 if a driver did it, C5 if the pool's lists led there, A if the kernel did it otherwise. A jump to nowhere leaves
 * no other address than the one that is not there; it was a driver's, as the kernel jumps nowhere.
 */
static DECLSPEC_NORETURN VOID KiFaultAtHighIrql(PKTRAP_FRAME Frame, ULONG_PTR Access)
{
    BOOLEAN driver = !LdrIsKernelAddress((PVOID)Frame->Rip) &&
                     (Access == 8 || LdrFindModule((PVOID)Frame->Rip, NULL) != NULL);
    ULONG code = driver ? 0xD1 : MmOwnsPool() ? 0xC5 : 0x0A;
    ULONG_PTR irql = (Frame->Rflags & KI_EFLAGS_IF) ? KeGetCurrentIrql() : 0xFF;
    CONTEXT context;

    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    KiFrameToContext(Frame, &context);
    KiBugCheck(code, Frame->FaultAddress, irql, Access, Frame->Rip, &context);
}

static BOOLEAN KiPageFault(PKTRAP_FRAME Frame, PEXCEPTION_RECORD Record)
{
    ULONG64 error = Frame->ErrorCode;
    ULONG_PTR access = (error & 16) ? 8 : (error & 2) ? 1 : 0;
    NTSTATUS status;

    status = MmAccessFault(error, (PVOID)Frame->FaultAddress, KiFromUser(Frame) ? UserMode : KernelMode, Frame);
    if (status == MM_FAULT_AT_HIGH_IRQL)
    {
        KiFaultAtHighIrql(Frame, access);
    }
    if (NT_SUCCESS(status) || KiIsServiceCopyFault(Frame))
    {
        return FALSE;
    }
    Record->ExceptionCode = status;
    Record->NumberParameters = 2;
    Record->ExceptionInformation[0] = access;
    Record->ExceptionInformation[1] = Frame->FaultAddress;
    if (status != STATUS_ACCESS_VIOLATION && status != STATUS_GUARD_PAGE_VIOLATION && status != STATUS_STACK_OVERFLOW &&
        status != STATUS_IN_PAGE_ERROR)
    {
        Record->ExceptionCode = STATUS_IN_PAGE_ERROR;
    }
    if (Record->ExceptionCode == STATUS_IN_PAGE_ERROR)
    {
        Record->NumberParameters = 3;
        Record->ExceptionInformation[2] = (ULONG_PTR)(LONG_PTR)status;
    }
    return TRUE;
}

/* Which of the unmasked floating-point conditions struck; the order is the processor's priority. */
static NTSTATUS KiFloatStatus(ULONG Conditions)
{
    static const NTSTATUS codes[6] = {STATUS_FLOAT_INVALID_OPERATION, STATUS_FLOAT_INVALID_OPERATION /* denormal */,
                                      STATUS_FLOAT_DIVIDE_BY_ZERO, STATUS_FLOAT_OVERFLOW, STATUS_FLOAT_UNDERFLOW,
                                      STATUS_FLOAT_INEXACT_RESULT};

    for (ULONG i = 0; i < 6; i++)
    {
        if (Conditions & (1u << i))
        {
            return codes[i];
        }
    }
    return STATUS_FLOAT_MULTIPLE_TRAPS;
}

static VOID KiX87Fault(PEXCEPTION_RECORD Record)
{
    USHORT status, control;

    __asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
    Record->ExceptionCode = KiFloatStatus(status & ~control & 0x3F);
    if (Record->ExceptionCode == STATUS_FLOAT_INVALID_OPERATION && (status & 0x40))
    {
        Record->ExceptionCode = STATUS_FLOAT_STACK_CHECK;
    }
    Record->NumberParameters = 1;
}

static VOID KiFastFail(PKTRAP_FRAME Frame, PEXCEPTION_RECORD Record)
{
    Record->ExceptionCode = STATUS_STACK_BUFFER_OVERRUN;
    Record->ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    Record->NumberParameters = 1;
    Record->ExceptionInformation[0] = Frame->Rcx;
    Frame->Rip -= 2;
    Record->ExceptionAddress = (PVOID)Frame->Rip;
    if (!KiFromUser(Frame))
    {
        CONTEXT context;

        context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
        KiFrameToContext(Frame, &context);
        KiBugCheck(0x139, (ULONG)Frame->Rcx, (ULONG_PTR)Frame, (ULONG_PTR)Record, 0, &context);
    }
    /* A program has no say in it: second chance at once. */
    KiDispatchException(Record, Frame, UserMode, FALSE);
}

static DECLSPEC_NORETURN VOID KiUnexpectedTrap(PKTRAP_FRAME Frame)
{
    CONTEXT context;

    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    KiFrameToContext(Frame, &context);
    KiBugCheck(0x7F, Frame->Vector, Frame->ErrorCode, Frame->Rip, Frame->Rsp, &context);
}

static VOID KiSimpleFault(PEXCEPTION_RECORD Record, NTSTATUS Code)
{
    Record->ExceptionCode = Code;
}

static VOID KiProtectionFault(PEXCEPTION_RECORD Record)
{
    Record->ExceptionCode = STATUS_ACCESS_VIOLATION;
    Record->NumberParameters = 2;
    Record->ExceptionInformation[0] = 0;
    Record->ExceptionInformation[1] = (ULONG_PTR)-1;
}

/* One exception, interrupts as they were when it struck. */
VOID KiHandleFault(PKTRAP_FRAME Frame)
{
    EXCEPTION_RECORD record = {0};
    KPROCESSOR_MODE mode = KiFromUser(Frame) ? UserMode : KernelMode;
    ULONG mxcsr = Frame->MxCsr;

    record.ExceptionAddress = (PVOID)Frame->Rip;
    switch (Frame->Vector)
    {
    case 0:
        KiSimpleFault(&record, STATUS_INTEGER_DIVIDE_BY_ZERO);
        break;
    case 1:
        Frame->Rflags &= ~KI_EFLAGS_TF;
        __asm__ volatile("mov %0, %%dr6" : : "r"(0ULL));
        KiSimpleFault(&record, STATUS_SINGLE_STEP);
        break;
    case 3:
        Frame->Rip--;
        record.ExceptionAddress = (PVOID)Frame->Rip;
        record.ExceptionCode = STATUS_BREAKPOINT;
        record.NumberParameters = 1;
        break;
    case 4:
        KiSimpleFault(&record, STATUS_INTEGER_OVERFLOW);
        break;
    case 5:
        KiSimpleFault(&record, STATUS_ARRAY_BOUNDS_EXCEEDED);
        break;
    case 6:
        if (KiEmulateIrqlWrite(Frame))
        {
            return;
        }
        KiSimpleFault(&record, STATUS_ILLEGAL_INSTRUCTION);
        break;
    case 11: case 12: case 13:
        KiProtectionFault(&record);
        break;
    case 14:
        if (!KiPageFault(Frame, &record))
        {
            return;
        }
        break;
    case 16:
        KiX87Fault(&record);
        break;
    case 17:
        KiSimpleFault(&record, STATUS_DATATYPE_MISALIGNMENT);
        break;
    case 19:
        record.ExceptionCode = KiFloatStatus(mxcsr & ~(mxcsr >> 7) & 0x3F);
        record.NumberParameters = 2;
        record.ExceptionInformation[1] = mxcsr;
        break;
    case FAST_FAIL_VECTOR:
        KiFastFail(Frame, &record);
        return;
    case ASSERTION_VECTOR:
        Frame->Rip -= 2;
        record.ExceptionAddress = (PVOID)Frame->Rip;
        record.ExceptionCode = STATUS_ASSERTION_FAILURE;
        break;
    case DEBUG_SERVICE_VECTOR:
        KiDebugService(Frame);
        return;
    default:
        KiUnexpectedTrap(Frame);
    }
    if (Frame->Vector == 0 || Frame->Vector == 6 || Frame->Vector == 13)
    {
        KiRefineFault(&record, Frame, mode == UserMode);
    }
    KiDispatchException(&record, Frame, mode, TRUE);
}
