/* SPDX-License-Identifier: MIT */
/*
 * Symbolic links: objects whose parse method puts their target in front of the rest of the path.
 */
#include "obp.h"

VOID ObpDeleteSymbolicLink(PVOID Object)
{
    OBP_SYMBOLIC_LINK *link = Object;
    if (link->Target.Buffer != NULL)
    {
        ExFreePoolWithTag(link->Target.Buffer, OBP_TAG_NAME);
        link->Target.Buffer = NULL;
    }
}

NTSTATUS ObpParseSymbolicLink(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                              ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                              PVOID ParseContext, PVOID *Object)
{
    OBP_SYMBOLIC_LINK *link = ParseObject;
    if (RemainingName->Length == 0 && Type == ObpSymbolicLinkObjectType)
    {
        ObReferenceObject(ParseObject);
        *Object = ParseObject;
        return STATUS_SUCCESS;
    }
    ULONG rest = RemainingName->Length;
    ULONG length = link->Target.Length + rest;
    if (length > UNICODE_STRING_MAX_BYTES - sizeof(WCHAR))
    {
        return STATUS_NAME_TOO_LONG;
    }
    PWSTR buffer = ExAllocatePoolWithTag(PagedPool, length + sizeof(WCHAR), OBP_TAG_NAME);
    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(buffer, link->Target.Buffer, link->Target.Length);
    RtlCopyMemory((PUCHAR)buffer + link->Target.Length, RemainingName->Buffer, rest);
    buffer[length / sizeof(WCHAR)] = 0;
    if (CompleteName->Buffer != NULL)
    {
        ExFreePoolWithTag(CompleteName->Buffer, OBP_TAG_NAME);
    }
    CompleteName->Buffer = buffer;
    CompleteName->Length = (USHORT)length;
    CompleteName->MaximumLength = (USHORT)(length + sizeof(WCHAR));
    return STATUS_REPARSE;
}

static NTSTATUS ObpSetTarget(OBP_SYMBOLIC_LINK *Link, const VOID *Source, USHORT Length)
{
    Link->Target.Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Length + sizeof(WCHAR), OBP_TAG_NAME);
    if (Link->Target.Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Link->Target.Length = Length;
    Link->Target.MaximumLength = Length;
    RtlCopyMemory(Link->Target.Buffer, Source, Length);
    Link->Target.Buffer[Length / sizeof(WCHAR)] = 0;
    KeQuerySystemTime(&Link->CreationTime);
    return STATUS_SUCCESS;
}

/* A permanent link at start; Path has one or two components. */
NTSTATUS ObpCreateLinkByName(PCWSTR Path, PCWSTR Target)
{
    OBP_HEADER *header;
    UNICODE_STRING target;
    NTSTATUS status = ObpAllocateObject(ObpSymbolicLinkObjectType, sizeof(OBP_SYMBOLIC_LINK), &header);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    header->Flags |= OBP_PERMANENT | OBP_KERNEL_CREATED;
    RtlInitUnicodeString(&target, Target);
    status = ObpSetTarget((OBP_SYMBOLIC_LINK *)header->Body, target.Buffer, target.Length);
    if (NT_SUCCESS(status))
    {
        status = ObpPlaceByName(Path, header);
    }
    ObDereferenceObject(header->Body);
    return status;
}

/**
 * Creates a symbolic link; it lasts while a handle is open unless OBJ_PERMANENT is given.
 *
 * @param LinkTarget  an absolute path; it need not exist
 * @return STATUS_INVALID_PARAMETER for an odd or empty target, those of ObInsertObject. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateSymbolicLinkObject(_Out_ PHANDLE LinkHandle, _In_ ACCESS_MASK DesiredAccess,
                                          _In_ POBJECT_ATTRIBUTES ObjectAttributes, _In_ PUNICODE_STRING LinkTarget)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    UNICODE_STRING target;
    PVOID link = NULL;
    HANDLE handle;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(LinkHandle, sizeof(HANDLE), sizeof(HANDLE));
            ProbeForRead(LinkTarget, sizeof(*LinkTarget), sizeof(PVOID));
        }
        target = *(volatile UNICODE_STRING *)LinkTarget;
        if ((target.Length & 1) != 0 || target.Length == 0 || target.Length > UNICODE_STRING_MAX_BYTES - sizeof(WCHAR))
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (mode != KernelMode)
        {
            ProbeForRead(target.Buffer, target.Length, sizeof(WCHAR));
        }
        status = ObCreateObject(mode, ObpSymbolicLinkObjectType, ObjectAttributes, mode, NULL,
                                sizeof(OBP_SYMBOLIC_LINK), 0, 0, &link);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        status = ObpSetTarget(link, target.Buffer, target.Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    if (!NT_SUCCESS(status))
    {
        if (link != NULL)
        {
            ObDereferenceObject(link);
        }
        return status;
    }
    status = ObInsertObject(link, NULL, DesiredAccess, 0, NULL, &handle);
    if (NT_SUCCESS(status))
    {
        __try
        {
            *LinkHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}

/** Opens the link itself, not what it leads to. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtOpenSymbolicLinkObject(_Out_ PHANDLE LinkHandle, _In_ ACCESS_MASK DesiredAccess,
                                        _In_ POBJECT_ATTRIBUTES ObjectAttributes)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE handle;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(LinkHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
        status =
            ObOpenObjectByName(ObjectAttributes, ObpSymbolicLinkObjectType, mode, NULL, DesiredAccess, NULL, &handle);
        if (NT_SUCCESS(status))
        {
            *LinkHandle = handle;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    return status;
}

/**
 * Reads a link's target into the caller's string.
 *
 * @param ReturnedLength  out, optional: bytes needed including the final NUL
 * @return STATUS_BUFFER_TOO_SMALL (nothing copied). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQuerySymbolicLinkObject(_In_ HANDLE LinkHandle, _Inout_ PUNICODE_STRING LinkTarget,
                                         _Out_opt_ PULONG ReturnedLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    OBP_SYMBOLIC_LINK *link;
    NTSTATUS status = ObReferenceObjectByHandle(LinkHandle, SYMBOLIC_LINK_QUERY, ObpSymbolicLinkObjectType, mode,
                                                (PVOID *)&link, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        UNICODE_STRING out;
        ULONG needed = link->Target.Length + sizeof(WCHAR);
        if (mode != KernelMode)
        {
            ProbeForWrite(LinkTarget, sizeof(*LinkTarget), sizeof(PVOID));
        }
        out = *(volatile UNICODE_STRING *)LinkTarget;
        if (mode != KernelMode)
        {
            ProbeForWrite(out.Buffer, out.MaximumLength, sizeof(WCHAR));
            if (ReturnedLength != NULL)
            {
                ProbeForWrite(ReturnedLength, sizeof(*ReturnedLength), sizeof(ULONG));
            }
        }
        /* Without a place for the length the caller cannot want the final NUL. */
        if (out.MaximumLength < (ReturnedLength == NULL ? link->Target.Length : needed))
        {
            status = STATUS_BUFFER_TOO_SMALL;
        }
        else
        {
            RtlCopyMemory(out.Buffer, link->Target.Buffer, out.MaximumLength < needed ? link->Target.Length : needed);
            LinkTarget->Length = link->Target.Length;
        }
        if (ReturnedLength != NULL)
        {
            *ReturnedLength = needed;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    ObDereferenceObject(link);
    return status;
}
