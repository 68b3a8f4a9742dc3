/* SPDX-License-Identifier: MIT */
/*
 * DbgPrint and kin, break points, and the flags that say that no debugger is there.
 *
 * DbgPrint always prints. DbgPrintEx and vDbgPrintEx ask a filter, one mask per component: levels 0..31 are bits,
 * higher values are masks. Every component starts with DPFLTR_ERROR_LEVEL and DPFLTR_WARNING_LEVEL on; the IHV
 * components, which drivers use, with everything. DbgSetDebugFilterState changes it.
 */
#include "kip.h"
#include "rtl/unwind.h"

#define KI_COMPONENTS 256
#define KI_DBG_LENGTH 512
#define BREAKPOINT_PRINT 1

BOOLEAN KdDebuggerEnabled = FALSE;
BOOLEAN KdDebuggerNotPresent = TRUE;
ULONG NtBuildNumber = 19041 | 0xF0000000; /* free build */
ULONG Kd_WIN2000_Mask = 3;

static ULONG KiFilter[KI_COMPONENTS];     /* 0: the default of the component */

typedef VOID (NTAPI *PKI_PRINT_CALLBACK)(PSTRING Output, ULONG ComponentId, ULONG Level);
#define KI_PRINT_CALLBACKS 8
static PKI_PRINT_CALLBACK volatile KiPrintCallbacks[KI_PRINT_CALLBACKS];

static ULONG KiFilterMask(ULONG ComponentId)
{
    ULONG mask = ComponentId < KI_COMPONENTS ? KiFilter[ComponentId] : 0;

    if (mask != 0)
    {
        return mask & 0x7FFFFFFF;
    }
    return ComponentId == DPFLTR_DEFAULT_ID ||
                   (ComponentId >= DPFLTR_IHVDRIVER_ID && ComponentId <= DPFLTR_IHVBUS_ID) ||
                   ComponentId >= KI_COMPONENTS
               ? ~0U
               : (1U << DPFLTR_ERROR_LEVEL) | (1U << DPFLTR_WARNING_LEVEL);
}

static BOOLEAN KiMayPrint(ULONG ComponentId, ULONG Level)
{
    ULONG bits = Level < 32 ? 1U << Level : Level;

    return (KiFilterMask(ComponentId) & bits) != 0;
}

static VOID KiOutput(PSTR Text, int Length, ULONG ComponentId, ULONG Level)
{
    SIZE_T length = Length < 0 || Length > KI_DBG_LENGTH ? KI_DBG_LENGTH : (SIZE_T)Length;
    STRING string = {(USHORT)length, (USHORT)length, Text};

    HalWriteConsole(HalStreamError, Text, length);
    for (ULONG i = 0; i < KI_PRINT_CALLBACKS; i++)
    {
        PKI_PRINT_CALLBACK callback = KiPrintCallbacks[i];

        if (callback != NULL)
        {
            callback(&string, ComponentId, Level);
        }
    }
}

static VOID KiPrint(PCCH Prefix, PCCH Format, va_list Arguments, ULONG ComponentId, ULONG Level)
{
    char text[KI_DBG_LENGTH];
    int used = _snprintf(text, sizeof(text), "%s", Prefix);
    int length = -1;

    if (used >= 0 && used < (int)sizeof(text))
    {
        length = _vsnprintf(text + used, sizeof(text) - (SIZE_T)used, Format, Arguments);
        length = length < 0 ? -1 : used + length;
    }
    KiOutput(text, length, ComponentId, Level);
}

/** Prints to the error console; at most 512 bytes. Wide strings (%ws, %wZ) only at PASSIVE_LEVEL. IRQL: any. */
ULONG __cdecl DbgPrint(PCSTR Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    KiPrint("", Format, arguments, DPFLTR_DEFAULT_ID, DPFLTR_ERROR_LEVEL);
    va_end(arguments);
    return STATUS_SUCCESS;
}

/** DbgPrint if the component's filter lets the level through. IRQL: any. */
ULONG __cdecl DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    va_list arguments;

    if (KiMayPrint(ComponentId, Level))
    {
        va_start(arguments, Format);
        KiPrint("", Format, arguments, ComponentId, Level);
        va_end(arguments);
    }
    return STATUS_SUCCESS;
}

/** DbgPrintEx with an argument list. IRQL: any. */
ULONG NTAPI vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list ArgList)
{
    return vDbgPrintExWithPrefix("", ComponentId, Level, Format, ArgList);
}

/** vDbgPrintEx with a string before it. IRQL: any. */
ULONG NTAPI vDbgPrintExWithPrefix(PCCH Prefix, ULONG ComponentId, ULONG Level, PCCH Format, va_list ArgList)
{
    if (KiMayPrint(ComponentId, Level))
    {
        KiPrint(Prefix, Format, ArgList, ComponentId, Level);
    }
    return STATUS_SUCCESS;
}

/** DbgPrint; there is nobody to type Ctrl-C. */
ULONG __cdecl DbgPrintReturnControlC(PCCH Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    KiPrint("", Format, arguments, DPFLTR_DEFAULT_ID, DPFLTR_ERROR_LEVEL);
    va_end(arguments);
    return STATUS_SUCCESS;
}

/** Whether a level of a component is printed: TRUE, FALSE. IRQL: any. */
NTSTATUS NTAPI DbgQueryDebugFilterState(ULONG ComponentId, ULONG Level)
{
    return KiMayPrint(ComponentId, Level) ? (NTSTATUS)TRUE : (NTSTATUS)FALSE;
}

/** Switches levels of a component on or off. STATUS_INVALID_PARAMETER_1 for components there are not. IRQL: any. */
NTSTATUS NTAPI DbgSetDebugFilterState(ULONG ComponentId, ULONG Level, BOOLEAN State)
{
    ULONG bits = Level < 32 ? 1U << Level : Level;
    ULONG mask;

    if (ComponentId >= KI_COMPONENTS)
    {
        return STATUS_INVALID_PARAMETER_1;
    }
    mask = KiFilterMask(ComponentId);
    KiFilter[ComponentId] = 0x80000000 | (State ? mask | bits : mask & ~bits);
    return STATUS_SUCCESS;
}

/**
 * Adds or removes a routine that sees everything printed.
 *
 * @return STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES: all places taken; STATUS_NOT_FOUND
 * IRQL: PASSIVE_LEVEL. The routine is called at any IRQL.
 */
NTSTATUS NTAPI DbgSetDebugPrintCallback(PDEBUG_PRINT_CALLBACK DebugPrintCallback, BOOLEAN Enable)
{
    PVOID routine = (PVOID)DebugPrintCallback;

    for (ULONG i = 0; i < KI_PRINT_CALLBACKS; i++)
    {
        PVOID volatile *place = (PVOID volatile *)&KiPrintCallbacks[i];

        if (InterlockedCompareExchangePointer(place, Enable ? routine : NULL, Enable ? NULL : routine) ==
            (Enable ? NULL : routine))
        {
            return STATUS_SUCCESS;
        }
    }
    return Enable ? STATUS_INSUFFICIENT_RESOURCES : STATUS_NOT_FOUND;
}

/** A break point: an exception that only a debugger or the caller's own handler takes; else a bug check. IRQL: any. */
VOID NTAPI DbgBreakPoint(VOID)
{
    __asm__ volatile("int3");
}

/** DbgBreakPoint with a reason, which nobody reads here. */
VOID NTAPI DbgBreakPointWithStatus(ULONG Status)
{
    __asm__ volatile("int3" : : "c"(Status));
}

/** TRUE: there is no debugger. */
BOOLEAN NTAPI KdRefreshDebuggerNotPresent(VOID)
{
    return TRUE;
}

/** STATUS_DEBUGGER_INACTIVE: there is none to switch off. */
NTSTATUS NTAPI KdDisableDebugger(VOID)
{
    return STATUS_DEBUGGER_INACTIVE;
}

/** STATUS_DEBUGGER_INACTIVE: there is none to switch on. */
NTSTATUS NTAPI KdEnableDebugger(VOID)
{
    return STATUS_DEBUGGER_INACTIVE;
}

/* int 2D. Without a debugger NT still takes prints (eax 1: rcx text, edx length, r8d component, r9d level), and
   otherwise raises a break point. The instruction is followed by an int3 that is passed over. */
VOID KiDebugService(PKTRAP_FRAME Frame)
{
    BOOLEAN user = (Frame->Cs & 3) != 0;
    EXCEPTION_RECORD record = {0};

    if (Frame->Rax == BREAKPOINT_PRINT)
    {
        char text[KI_DBG_LENGTH];
        ULONG length = (ULONG)Frame->Rdx < sizeof(text) ? (ULONG)Frame->Rdx : sizeof(text);

        __try
        {
            if (user)
            {
                ProbeForRead((PVOID)Frame->Rcx, length, 1);
            }
            RtlCopyMemory(text, (PVOID)Frame->Rcx, length);
            if (KiMayPrint((ULONG)Frame->R8, (ULONG)Frame->R9))
            {
                KiOutput(text, (int)length, (ULONG)Frame->R8, (ULONG)Frame->R9);
            }
            Frame->Rax = STATUS_SUCCESS;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Frame->Rax = (ULONG64)(LONG64)GetExceptionCode();
        }
        Frame->Rip++;
        return;
    }
    record.ExceptionCode = STATUS_BREAKPOINT;
    record.ExceptionAddress = (PVOID)Frame->Rip;
    record.NumberParameters = 1;
    record.ExceptionInformation[0] = Frame->Rax;
    Frame->Rip++;
    KiDispatchException(&record, Frame, user ? UserMode : KernelMode, TRUE);
}
