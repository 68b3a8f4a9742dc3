/* SPDX-License-Identifier: MIT */
/*
 * Reading boot.cfg. ntrun wrote it, so it is well-formed; nothing here depends on that for safety.
 */
#include "initp.h"
#include "rtl.h"

static PCSTR InitpText;
static SIZE_T InitpLength;

VOID InitpSetConfiguration(PCSTR Text, SIZE_T Length)
{
    InitpText = Text;
    InitpLength = Length;
}

BOOLEAN InitpNextLine(PCSTR Key, SIZE_T *Position, INIT_LINE *Line)
{
    SIZE_T keyLength = strlen(Key);

    while (*Position < InitpLength)
    {
        PCSTR line = InitpText + *Position;
        SIZE_T length = 0;

        while (*Position + length < InitpLength && line[length] != '\n')
        {
            length++;
        }
        *Position += length + 1;
        if (length > keyLength && memcmp(line, Key, keyLength) == 0 && line[keyLength] == '=')
        {
            Line->Value = line + keyLength + 1;
            Line->Length = length - keyLength - 1;
            return TRUE;
        }
    }
    return FALSE;
}

NTSTATUS InitpToUnicode(PCWSTR Prefix, const INIT_LINE *Line, PUNICODE_STRING String)
{
    ULONG prefixBytes = (ULONG)(wcslen(Prefix) * sizeof(WCHAR));
    ULONG bytes = 0;
    NTSTATUS status = RtlUTF8ToUnicodeN(NULL, 0, &bytes, Line->Value, (ULONG)Line->Length);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    bytes += prefixBytes;
    if (bytes + sizeof(WCHAR) > 0xFFFE)
    {
        return STATUS_NAME_TOO_LONG;
    }
    String->Buffer = ExAllocatePoolWithTag(PagedPool, bytes + sizeof(WCHAR), 'tinI');
    if (String->Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(String->Buffer, Prefix, prefixBytes);
    String->Length = (USHORT)bytes;
    String->MaximumLength = (USHORT)(bytes + sizeof(WCHAR));
    status = RtlUTF8ToUnicodeN(String->Buffer + prefixBytes / sizeof(WCHAR), bytes - prefixBytes, &bytes, Line->Value, (ULONG)Line->Length);
    String->Buffer[String->Length / sizeof(WCHAR)] = 0;
    if (!NT_SUCCESS(status))
    {
        RtlFreeUnicodeString(String);
    }
    return status;
}
