/* SPDX-License-Identifier: MIT */
/*
 * The functions of kernel32 are documented by their publisher; comments in here tell only what the
 * documentation leaves open or where the machine differs.
 *
 * Inside kernel32: from NTSTATUS to last errors, from ANSI to wide strings, and small things that its
 * files share. The ANSI and OEM code pages are UTF-8 (machine/common/rtl/utf.c says why).
 */
#ifndef ISTHMUS_KERNEL32_BASE_H
#define ISTHMUS_KERNEL32_BASE_H

#include "ntdll.h"

/* Of machine/common/rtl, exported by ntdll. */
NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR Destination, ULONG DestinationBytes, PULONG ActualBytes, PCSTR Source,
                                 ULONG SourceBytes);
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR Destination, ULONG DestinationBytes, PULONG ActualBytes, PCWSTR Source,
                                 ULONG SourceBytes);
VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING String);

#define BASE_MAX_STRING 0x7FFFu

/** Sets the last error from a status; always FALSE, so that callers can return it. */
static inline BOOL BaseFail(NTSTATUS Status)
{
    RtlSetLastWin32ErrorAndNtStatusFromNtStatus(Status);
    return FALSE;
}

static inline BOOL BaseFailWith(DWORD Error)
{
    RtlSetLastWin32Error(Error);
    return FALSE;
}

/** TRUE for a success; else FALSE with the last error set. */
static inline BOOL BaseResult(NTSTATUS Status)
{
    return NT_SUCCESS(Status) ? TRUE : BaseFail(Status);
}

static inline SIZE_T BaseLength(PCWSTR Text)
{
    SIZE_T length = 0;
    while (Text[length] != 0)
    {
        length++;
    }
    return length;
}

static inline SIZE_T BaseLengthA(PCSTR Text)
{
    SIZE_T length = 0;
    while (Text[length] != 0)
    {
        length++;
    }
    return length;
}

/** A UNICODE_STRING over Text; FALSE with ERROR_FILENAME_EXCED_RANGE if it is too long for one. */
BOOL BaseInitString(_Out_ PUNICODE_STRING String, _In_opt_ PCWSTR Text);

/* ---- ANSI to wide and back ---- */

/** A wide copy of an ANSI string; NULL stays NULL. */
typedef struct _BASE_WIDE
{
    PWSTR Text;
    WCHAR Small[128];
} BASE_WIDE, *PBASE_WIDE;

/** FALSE with the last error set if there is no memory. Always release, also after a failure. */
BOOL BaseWiden(_Out_ PBASE_WIDE Wide, _In_opt_ PCSTR Text);
VOID BaseRelease(_Inout_ PBASE_WIDE Wide);

/**
 * Copies Length wide characters and a zero into an ANSI buffer, as the A variants of the Get functions do.
 *
 * @param Size  bytes of Buffer
 * @return bytes stored without the zero; if they don't fit, the bytes needed with it and nothing stored
 */
DWORD BaseNarrow(_In_ PCWSTR Text, _In_ SIZE_T Length, _Out_ PSTR Buffer, _In_ DWORD Size);

/* ---- Handles, times, names ---- */

/** The real handle behind STD_INPUT_HANDLE and kin, which some programs pass in place of one. */
HANDLE BaseHandle(_In_ HANDLE Handle);

/** NULL for INFINITE, else Value filled with the relative time in 100 ns units. */
PLARGE_INTEGER BaseTimeout(_In_ DWORD Milliseconds, _Out_ PLARGE_INTEGER Value);

/**
 * Object attributes for a named or nameless object.
 *
 * @param Name  under \BaseNamedObjects; the string must outlive Attributes
 */
typedef struct _BASE_OBJECT
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    PWSTR Buffer;
} BASE_OBJECT, *PBASE_OBJECT;

BOOL BaseObject(_Out_ PBASE_OBJECT Object, _In_opt_ LPSECURITY_ATTRIBUTES Security, _In_opt_ PCWSTR Name,
                _In_ ULONG Attributes);
VOID BaseReleaseObject(_Inout_ PBASE_OBJECT Object);

/** What a Create function returns: the handle with last error 0 or ERROR_ALREADY_EXISTS, or NULL. */
HANDLE BaseCreated(_In_ NTSTATUS Status, _In_ HANDLE Handle);

/** The kind of device behind a file handle (FILE_DEVICE_...), 0 with the last error set if it is no file. */
ULONG BaseDeviceType(_In_ HANDLE File);

/** The directories in which programs are looked for, ';' between them, in a heap buffer; NULL: no memory. */
PWSTR BaseProgramPath(VOID);

#endif /* ISTHMUS_KERNEL32_BASE_H */
