/* SPDX-License-Identifier: MIT */
/* The helpers of base.h, last errors and handles. */
#include "base.h"

BOOL BaseInitString(PUNICODE_STRING String, PCWSTR Text)
{
    SIZE_T length = Text != NULL ? BaseLength(Text) : 0;
    if (length > BASE_MAX_STRING - 1)
    {
        return BaseFailWith(ERROR_FILENAME_EXCED_RANGE);
    }
    String->Buffer = (PWSTR)Text;
    String->Length = (USHORT)(length * sizeof(WCHAR));
    String->MaximumLength = Text != NULL ? (USHORT)(String->Length + sizeof(WCHAR)) : 0;
    return TRUE;
}

BOOL BaseWiden(PBASE_WIDE Wide, PCSTR Text)
{
    ULONG bytes = 0;
    Wide->Text = NULL;
    if (Text == NULL)
    {
        return TRUE;
    }
    SIZE_T length = BaseLengthA(Text) + 1;
    if (length > 0x7FFFFFF)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    /* One byte never becomes more than one UTF-16 unit. */
    PWSTR buffer = Wide->Small;
    if (length > ARRAYSIZE(Wide->Small))
    {
        buffer = RtlAllocateHeap(RtlProcessHeap(), 0, length * sizeof(WCHAR));
        if (buffer == NULL)
        {
            return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
        }
    }
    Wide->Text = buffer;
    NTSTATUS status = RtlUTF8ToUnicodeN(buffer, (ULONG)(length * sizeof(WCHAR)), &bytes, Text, (ULONG)length);
    if (NT_ERROR(status))
    {
        BaseRelease(Wide);
        return BaseFail(status);
    }
    return TRUE;
}

VOID BaseRelease(PBASE_WIDE Wide)
{
    if (Wide->Text != NULL && Wide->Text != Wide->Small)
    {
        RtlFreeHeap(RtlProcessHeap(), 0, Wide->Text);
    }
    Wide->Text = NULL;
}

DWORD BaseNarrow(PCWSTR Text, SIZE_T Length, PSTR Buffer, DWORD Size)
{
    ULONG bytes = 0;
    RtlUnicodeToUTF8N(NULL, 0, &bytes, Text, (ULONG)(Length * sizeof(WCHAR)));
    if (Size < bytes + 1 || Buffer == NULL)
    {
        return bytes + 1;
    }
    RtlUnicodeToUTF8N(Buffer, Size - 1, &bytes, Text, (ULONG)(Length * sizeof(WCHAR)));
    Buffer[bytes] = 0;
    return bytes;
}

HANDLE BaseHandle(HANDLE Handle)
{
    PRTL_USER_PROCESS_PARAMETERS parameters = NtCurrentPeb()->ProcessParameters;
    switch ((ULONG_PTR)Handle)
    {
    case (ULONG_PTR)(ULONG)STD_INPUT_HANDLE:
    case (ULONG_PTR)(LONG_PTR)(LONG)STD_INPUT_HANDLE:
        return parameters->StandardInput;
    case (ULONG_PTR)(ULONG)STD_OUTPUT_HANDLE:
    case (ULONG_PTR)(LONG_PTR)(LONG)STD_OUTPUT_HANDLE:
        return parameters->StandardOutput;
    case (ULONG_PTR)(ULONG)STD_ERROR_HANDLE:
    case (ULONG_PTR)(LONG_PTR)(LONG)STD_ERROR_HANDLE:
        return parameters->StandardError;
    default:
        return Handle;
    }
}

PLARGE_INTEGER BaseTimeout(DWORD Milliseconds, PLARGE_INTEGER Value)
{
    if (Milliseconds == INFINITE)
    {
        return NULL;
    }
    Value->QuadPart = -(LONG64)Milliseconds * 10000;
    return Value;
}

BOOL BaseObject(PBASE_OBJECT Object, LPSECURITY_ATTRIBUTES Security, PCWSTR Name, ULONG Attributes)
{
    static const WCHAR directory[] = L"\\BaseNamedObjects\\";
    ULONG flags = Attributes;
    PVOID descriptor = NULL;

    Object->Buffer = NULL;
    if (Security != NULL)
    {
        flags |= Security->bInheritHandle ? OBJ_INHERIT : 0;
        descriptor = Security->lpSecurityDescriptor;
    }
    if (Name == NULL)
    {
        InitializeObjectAttributes(&Object->Attributes, NULL, flags & ~OBJ_OPENIF, NULL, descriptor);
        return TRUE;
    }
    SIZE_T length = BaseLength(Name);
    if (length > MAX_PATH)
    {
        return BaseFailWith(ERROR_FILENAME_EXCED_RANGE);
    }
    SIZE_T prefix = ARRAYSIZE(directory) - 1;
    Object->Buffer = RtlAllocateHeap(RtlProcessHeap(), 0, (prefix + length + 1) * sizeof(WCHAR));
    if (Object->Buffer == NULL)
    {
        return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    memcpy(Object->Buffer, directory, prefix * sizeof(WCHAR));
    memcpy(Object->Buffer + prefix, Name, (length + 1) * sizeof(WCHAR));
    BaseInitString(&Object->Name, Object->Buffer);
    InitializeObjectAttributes(&Object->Attributes, &Object->Name, flags, NULL, descriptor);
    return TRUE;
}

VOID BaseReleaseObject(PBASE_OBJECT Object)
{
    RtlFreeHeap(RtlProcessHeap(), 0, Object->Buffer);
    Object->Buffer = NULL;
}

HANDLE BaseCreated(NTSTATUS Status, HANDLE Handle)
{
    if (!NT_SUCCESS(Status))
    {
        BaseFail(Status);
        return NULL;
    }
    RtlSetLastWin32Error(Status == STATUS_OBJECT_NAME_EXISTS ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
    return Handle;
}

ULONG BaseDeviceType(HANDLE File)
{
    FILE_FS_DEVICE_INFORMATION device;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryVolumeInformationFile(BaseHandle(File), &ioStatus, &device, sizeof(device),
                                                   FileFsDeviceInformation);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return 0;
    }
    return device.DeviceType;
}

/* ---- Handles ---- */

BOOL WINAPI CloseHandle(HANDLE hObject)
{
    return BaseResult(NtClose(BaseHandle(hObject)));
}

BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle, HANDLE hTargetProcessHandle,
                            LPHANDLE lpTargetHandle, DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwOptions)
{
    return BaseResult(NtDuplicateObject(hSourceProcessHandle, BaseHandle(hSourceHandle), hTargetProcessHandle,
                                        lpTargetHandle, dwDesiredAccess, bInheritHandle ? OBJ_INHERIT : 0,
                                        dwOptions));
}

BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags)
{
    OBJECT_DATA_INFORMATION flags;
    NTSTATUS status = NtQueryObject(BaseHandle(hObject), ObjectDataInformation, &flags, sizeof(flags), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpdwFlags = (flags.InheritHandle ? HANDLE_FLAG_INHERIT : 0) |
                 (flags.ProtectFromClose ? HANDLE_FLAG_PROTECT_FROM_CLOSE : 0);
    return TRUE;
}

BOOL WINAPI SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags)
{
    DWORD old;
    HANDLE handle = BaseHandle(hObject);
    if (!GetHandleInformation(handle, &old))
    {
        return FALSE;
    }
    DWORD merged = (old & ~dwMask) | (dwFlags & dwMask);
    OBJECT_DATA_INFORMATION flags = {(merged & HANDLE_FLAG_INHERIT) != 0,
                                     (merged & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0};
    return BaseResult(NtSetInformationObject(handle, ObjectDataInformation, &flags, sizeof(flags)));
}

/* ---- Errors ---- */

DWORD WINAPI GetLastError(VOID)
{
    return NtCurrentTeb()->LastErrorValue;
}

VOID WINAPI SetLastError(DWORD dwErrCode)
{
    NtCurrentTeb()->LastErrorValue = dwErrCode;
}

static volatile UINT BaseErrorMode;

/** Remembered only: the machine has no boxes to show or to hold back. */
UINT WINAPI SetErrorMode(UINT uMode)
{
    return (UINT)_InterlockedExchange((volatile LONG *)&BaseErrorMode, (LONG)uMode);
}

UINT WINAPI GetErrorMode(VOID)
{
    return BaseErrorMode;
}

LPTOP_LEVEL_EXCEPTION_FILTER WINAPI SetUnhandledExceptionFilter(LPTOP_LEVEL_EXCEPTION_FILTER lpFilter)
{
    return (LPTOP_LEVEL_EXCEPTION_FILTER)RtlSetUnhandledExceptionFilter((PRTL_TOP_FILTER)lpFilter);
}

LONG WINAPI UnhandledExceptionFilter(PEXCEPTION_POINTERS ExceptionInfo)
{
    return RtlUnhandledExceptionFilter(ExceptionInfo);
}

VOID WINAPI RaiseException(DWORD dwExceptionCode, DWORD dwExceptionFlags, DWORD nNumberOfArguments,
                           const ULONG_PTR *lpArguments)
{
    EXCEPTION_RECORD record = {.ExceptionCode = dwExceptionCode,
                               .ExceptionFlags = dwExceptionFlags & EXCEPTION_NONCONTINUABLE,
                               .ExceptionAddress = (PVOID)RaiseException};
    if (lpArguments != NULL)
    {
        DWORD count = nNumberOfArguments < EXCEPTION_MAXIMUM_PARAMETERS ? nNumberOfArguments
                                                                        : EXCEPTION_MAXIMUM_PARAMETERS;
        memcpy(record.ExceptionInformation, lpArguments, count * sizeof(ULONG_PTR));
        record.NumberParameters = count;
    }
    RtlRaiseException(&record);
}

BOOL WINAPI IsDebuggerPresent(VOID)
{
    return NtCurrentPeb()->BeingDebugged;
}

VOID WINAPI DebugBreak(VOID)
{
    __debugbreak();
}

VOID WINAPI OutputDebugStringA(LPCSTR lpOutputString)
{
    BASE_WIDE wide;
    if (BaseWiden(&wide, lpOutputString))
    {
        OutputDebugStringW(wide.Text);
    }
    BaseRelease(&wide);
}

/** Goes to the machine's stderr. */
VOID WINAPI OutputDebugStringW(LPCWSTR lpOutputString)
{
    SIZE_T length = lpOutputString != NULL ? BaseLength(lpOutputString) : 0;
    while (length != 0)
    {
        SIZE_T part = length < 0x4000 ? length : 0x4000;
        UNICODE_STRING string = {(USHORT)(part * sizeof(WCHAR)), (USHORT)(part * sizeof(WCHAR)),
                                 (PWSTR)lpOutputString};
        NtDisplayString(&string);
        lpOutputString += part;
        length -= part;
    }
}
