/* SPDX-License-Identifier: MIT */
/* Inside advapi32: strings, last errors, and what the service manager needs of registry and tokens. */
#ifndef ISTHMUS_ADVAPI32_ADV_H
#define ISTHMUS_ADVAPI32_ADV_H

#include "ntdll.h"

NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR Destination, ULONG DestinationBytes, PULONG ActualBytes, PCSTR Source,
                                 ULONG SourceBytes);
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR Destination, ULONG DestinationBytes, PULONG ActualBytes, PCWSTR Source,
                                 ULONG SourceBytes);
VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING String);
NTSTATUS NTAPI RtlConvertSidToUnicodeString(PUNICODE_STRING String, PSID Sid, BOOLEAN Allocate);

static inline BOOL AdvFail(NTSTATUS Status)
{
    RtlSetLastWin32ErrorAndNtStatusFromNtStatus(Status);
    return FALSE;
}

static inline BOOL AdvFailWith(DWORD Error)
{
    RtlSetLastWin32Error(Error);
    return FALSE;
}

static inline BOOL AdvResult(NTSTATUS Status)
{
    return NT_SUCCESS(Status) ? TRUE : AdvFail(Status);
}

static inline PVOID AdvAllocate(SIZE_T Bytes)
{
    return RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, Bytes);
}

static inline VOID AdvFree(PVOID Memory)
{
    RtlFreeHeap(RtlProcessHeap(), 0, Memory);
}

static inline SIZE_T AdvLength(PCWSTR Text)
{
    SIZE_T length = 0;
    while (Text[length] != 0)
    {
        length++;
    }
    return length;
}

/** A wide copy of an ANSI string (UTF-8) of Bytes bytes, zero-terminated; free with AdvFree. NULL: no memory. */
PWSTR AdvWidenN(_In_ PCSTR Text, _In_ SIZE_T Bytes, _Out_opt_ PSIZE_T Characters);

/** The same for a zero-terminated string. NULL gives NULL with TRUE. */
BOOL AdvWiden(_In_opt_ PCSTR Text, _Out_ PWSTR *Wide);

/** FALSE with ERROR_FILENAME_EXCED_RANGE if Text is too long. */
BOOL AdvInitString(_Out_ PUNICODE_STRING String, _In_opt_ PCWSTR Text);

/**
 * TRUE if the calling thread's token, or its process's, has the group enabled.
 *
 * @param Token  NULL: the effective token of the caller
 */
NTSTATUS AdvHasGroup(_In_opt_ HANDLE Token, _In_ PSID Group, _Out_ PBOOL Member);

/** TRUE if the caller is an administrator. */
BOOLEAN AdvIsAdministrator(VOID);

#define SE_LOAD_DRIVER_LUID 10u

/** Enables a privilege of the process's token. STATUS_PRIVILEGE_NOT_HELD if it does not have it. */
NTSTATUS AdvEnablePrivilege(_In_ ULONG Luid);

#endif /* ISTHMUS_ADVAPI32_ADV_H */
