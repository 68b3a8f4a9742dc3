/* SPDX-License-Identifier: MIT */
/* NtDisplayString, by which ntdll speaks when a process has no console yet; and NtDelayExecution. */
#include "exp.h"
#include "hal.h"
#include "rtl.h"

#define EX_DISPLAY_LIMIT 2048 /* characters */

/* Copies a user's string, at most EX_DISPLAY_LIMIT characters of it. */
static NTSTATUS ExpCaptureText(PUNICODE_STRING String, PWCHAR Text, PULONG Bytes)
{
    __try
    {
        UNICODE_STRING local;

        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForRead(String, sizeof(*String), sizeof(PVOID));
        }
        local = *(volatile UNICODE_STRING *)String;
        *Bytes = min(local.Length & ~1UL, EX_DISPLAY_LIMIT * sizeof(WCHAR));
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForRead(local.Buffer, *Bytes, sizeof(WCHAR));
        }
        RtlCopyMemory(Text, local.Buffer, *Bytes);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/** Writes a string to the machine's error console, as UTF-8. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtDisplayString(PUNICODE_STRING String)
{
    const ULONG narrowRoom = EX_DISPLAY_LIMIT * 3;
    PWCHAR wide = ExAllocatePoolWithTag(PagedPool, EX_DISPLAY_LIMIT * sizeof(WCHAR) + narrowRoom, EX_TAG);
    ULONG bytes = 0, narrowBytes = 0;
    NTSTATUS status;

    if (wide == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = ExpCaptureText(String, wide, &bytes);
    if (NT_SUCCESS(status))
    {
        PCHAR narrow = (PCHAR)(wide + EX_DISPLAY_LIMIT);
        status = RtlUnicodeToUTF8N(narrow, narrowRoom, &narrowBytes, wide, bytes);
        HalWriteConsole(HalStreamError, narrow, narrowBytes);
    }
    ExFreePoolWithTag(wide, EX_TAG);
    return status;
}

/** Sleeps, or (Alertable) until an APC or alert comes. Interval in units of 100 ns, negative = from now. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    LARGE_INTEGER interval;

    __try
    {
        if (mode != KernelMode)
        {
            ProbeForRead(Interval, sizeof(*Interval), sizeof(ULONG));
        }
        interval = *Interval;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return KeDelayExecutionThread(mode, Alertable, &interval);
}
