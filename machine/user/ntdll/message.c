/* SPDX-License-Identifier: MIT */
/* Lines for the machine's stderr: DbgPrint, the loader's refusals, the last words of a process. */
#include "ntdllp.h"

#include <stdarg.h>

/* The printf family of machine/common/rtl; stdio.h would bring inline wrappers instead. */
int __cdecl _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
int __cdecl _vsnwprintf(wchar_t *Buffer, size_t Count, const wchar_t *Format, va_list Arguments);

#define MESSAGE_CHARACTERS 512

VOID RtlpDisplay(PCWSTR Text, SIZE_T Length)
{
    while (Length != 0)
    {
        SIZE_T part = Length < 0x4000 ? Length : 0x4000;
        UNICODE_STRING string = {(USHORT)(part * sizeof(WCHAR)), (USHORT)(part * sizeof(WCHAR)), (PWSTR)Text};
        NtDisplayString(&string);
        Text += part;
        Length -= part;
    }
}

/* The file name at the end of the program's path: what a user calls the program. */
static UNICODE_STRING RtlpProgramName(VOID)
{
    UNICODE_STRING name = {0, 0, NULL};
    PRTL_USER_PROCESS_PARAMETERS parameters = NtCurrentPeb()->ProcessParameters;
    if (parameters != NULL && (parameters->Flags & RTL_USER_PROC_PARAMS_NORMALIZED))
    {
        name = parameters->ImagePathName;
        USHORT start = name.Length / sizeof(WCHAR);
        while (start > 0 && name.Buffer[start - 1] != L'\\')
        {
            start--;
        }
        name.Buffer += start;
        name.Length -= start * sizeof(WCHAR);
        name.MaximumLength = name.Length;
    }
    return name;
}

static VOID RtlpReportList(PCUNICODE_STRING Who, PCWSTR Format, va_list Arguments)
{
    WCHAR line[MESSAGE_CHARACTERS];
    SIZE_T length = 0;

    for (; length < Who->Length / sizeof(WCHAR) && length < 64; length++)
    {
        line[length] = Who->Buffer[length];
    }
    if (length != 0)
    {
        line[length++] = L':';
        line[length++] = L' ';
    }
    int written = _vsnwprintf(line + length, MESSAGE_CHARACTERS - length - 2, Format, Arguments);
    length = written < 0 ? MESSAGE_CHARACTERS - 2 : length + (SIZE_T)written;
    line[length++] = L'\n';
    RtlpDisplay(line, length);
}

VOID RtlpReport(PCWSTR Format, ...)
{
    UNICODE_STRING program = RtlpProgramName();
    va_list arguments;
    va_start(arguments, Format);
    RtlpReportList(&program, Format, arguments);
    va_end(arguments);
}

VOID RtlpReportFor(PCUNICODE_STRING Who, PCWSTR Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    RtlpReportList(Who, Format, arguments);
    va_end(arguments);
}

static ULONG RtlpDebugPrint(PCSTR Prefix, PCSTR Format, va_list Arguments)
{
    CHAR text[MESSAGE_CHARACTERS];
    WCHAR wide[MESSAGE_CHARACTERS];
    SIZE_T length = 0;
    while (Prefix[length] != 0 && length < 64)
    {
        text[length] = Prefix[length];
        length++;
    }
    int written = _vsnprintf(text + length, MESSAGE_CHARACTERS - length, Format, Arguments);
    length = written < 0 ? MESSAGE_CHARACTERS : length + (SIZE_T)written;
    for (SIZE_T i = 0; i < length; i++)
    {
        wide[i] = (UCHAR)text[i];
    }
    RtlpDisplay(wide, length);
    return STATUS_SUCCESS;
}

/** printf to the machine's stderr; at most 512 characters per call. Returns STATUS_SUCCESS. */
ULONG __cdecl DbgPrint(PCSTR Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    ULONG status = RtlpDebugPrint("", Format, arguments);
    va_end(arguments);
    return status;
}

/** DbgPrint with component and level, which the machine does not filter by. */
ULONG __cdecl DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    UNREFERENCED_PARAMETER(ComponentId);
    UNREFERENCED_PARAMETER(Level);
    va_list arguments;
    va_start(arguments, Format);
    ULONG status = RtlpDebugPrint("", Format, arguments);
    va_end(arguments);
    return status;
}

ULONG NTAPI vDbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, va_list Arguments)
{
    UNREFERENCED_PARAMETER(ComponentId);
    UNREFERENCED_PARAMETER(Level);
    return RtlpDebugPrint("", Format, Arguments);
}

ULONG NTAPI vDbgPrintExWithPrefix(PCSTR Prefix, ULONG ComponentId, ULONG Level, PCSTR Format, va_list Arguments)
{
    UNREFERENCED_PARAMETER(ComponentId);
    UNREFERENCED_PARAMETER(Level);
    return RtlpDebugPrint(Prefix, Format, Arguments);
}

PCSTR RtlpStatusName(NTSTATUS Status)
{
    static const struct
    {
        NTSTATUS Status;
        PCSTR Name;
    } names[] = {
        {STATUS_ACCESS_VIOLATION, "access violation"},
        {STATUS_IN_PAGE_ERROR, "in-page error"},
        {STATUS_STACK_OVERFLOW, "stack overflow"},
        {STATUS_GUARD_PAGE_VIOLATION, "guard page violation"},
        {STATUS_DATATYPE_MISALIGNMENT, "misaligned data"},
        {STATUS_BREAKPOINT, "breakpoint"},
        {STATUS_SINGLE_STEP, "single step"},
        {STATUS_ILLEGAL_INSTRUCTION, "illegal instruction"},
        {STATUS_PRIVILEGED_INSTRUCTION, "privileged instruction"},
        {STATUS_INTEGER_DIVIDE_BY_ZERO, "integer division by zero"},
        {STATUS_INTEGER_OVERFLOW, "integer overflow"},
        {STATUS_FLOAT_DIVIDE_BY_ZERO, "float division by zero"},
        {STATUS_FLOAT_INVALID_OPERATION, "invalid float operation"},
        {STATUS_FLOAT_OVERFLOW, "float overflow"},
        {STATUS_FLOAT_UNDERFLOW, "float underflow"},
        {STATUS_FLOAT_INEXACT_RESULT, "inexact float result"},
        {STATUS_FLOAT_DENORMAL_OPERAND, "denormal float operand"},
        {STATUS_FLOAT_STACK_CHECK, "float stack check"},
        {STATUS_FLOAT_MULTIPLE_FAULTS, "multiple float faults"},
        {STATUS_FLOAT_MULTIPLE_TRAPS, "multiple float traps"},
        {STATUS_ARRAY_BOUNDS_EXCEEDED, "array bounds exceeded"},
        {STATUS_NONCONTINUABLE_EXCEPTION, "noncontinuable exception"},
        {STATUS_INVALID_DISPOSITION, "invalid disposition"},
        {STATUS_BAD_STACK, "bad stack"},
        {STATUS_INVALID_HANDLE, "invalid handle"},
        {STATUS_HEAP_CORRUPTION, "heap corruption"},
        {STATUS_STACK_BUFFER_OVERRUN, "stack buffer overrun"},
        {STATUS_ASSERTION_FAILURE, "assertion failure"},
        {STATUS_NO_MEMORY, "no memory"},
        {STATUS_RESOURCE_NOT_OWNED, "lock not owned"},
        {STATUS_DLL_NOT_FOUND, "DLL not found"},
        {STATUS_ENTRYPOINT_NOT_FOUND, "entry point not found"},
        {STATUS_ORDINAL_NOT_FOUND, "ordinal not found"},
        {STATUS_DLL_INIT_FAILED, "DLL initialisation failed"},
        {STATUS_INVALID_IMAGE_FORMAT, "bad image"},
    };
    for (ULONG i = 0; i < ARRAYSIZE(names); i++)
    {
        if (names[i].Status == Status)
        {
            return names[i].Name;
        }
    }
    return NULL;
}
