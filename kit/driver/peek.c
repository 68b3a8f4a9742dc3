/* SPDX-License-Identifier: MIT */
/*
 * Why all this is needed: what a driver sees at a plain user address, depending on where it looks from.
 *
 * In the caller's thread the address means the caller's memory. In a system thread, or attached to another process, the
 * same number means something else or nothing. Through the mapping of a region the bytes are right from anywhere.
 *
 * Why this is safe to have in a driver: it reads only, at most ISTHMUS_PEEK_MAX bytes, at addresses that ProbeForRead
 * takes for user addresses, with every fault caught. It is there only with the Demo option of the service's Parameters
 * key, for administrators, and it attaches only to a process that opened this driver itself: nobody's memory can be
 * read with it that didn't come here to be read.
 */
#include "shell.h"

/* One look, carried out by whichever thread the context asks for. */
typedef struct _SHELL_LOOK
{
    ULONG_PTR Address;
    PISTHMUS_REGION Region; /* entered; NULL: look at Address */
    UINT64 Offset;
    ULONG Length;
    NTSTATUS Status;
    UCHAR Bytes[ISTHMUS_PEEK_MAX];
} SHELL_LOOK, *PSHELL_LOOK;

/* Reads byte by byte, in a call of its own: compilers that only guard calls in __try guard this one. */
DECLSPEC_NOINLINE static VOID ShellReadBytes(UCHAR *To, const volatile UCHAR *From, ULONG Length)
{
    for (ULONG i = 0; i < Length; i++)
    {
        To[i] = From[i];
    }
}

static VOID ShellLook(PSHELL_LOOK Look)
{
    if (Look->Region != NULL)
    {
        Look->Status = IsthmusRegionRead(Look->Region, Look->Offset, Look->Bytes, Look->Length);
        return;
    }
    __try
    {
        ProbeForRead((PVOID)Look->Address, Look->Length, 1);
        ShellReadBytes(Look->Bytes, (const volatile UCHAR *)Look->Address, Look->Length);
        Look->Status = STATUS_SUCCESS;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Look->Status = GetExceptionCode();
    }
}

static VOID NTAPI ShellLookThread(PVOID Context)
{
    ShellLook(Context);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Looks from a system thread and waits until the thread has ended: it runs our code. */
static NTSTATUS ShellLookFromSystem(PSHELL_LOOK Look)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS status = PsCreateSystemThread(&handle, SYNCHRONIZE, &attributes, NULL, NULL, ShellLookThread, Look);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    ZwWaitForSingleObject(handle, FALSE, NULL);
    ZwClose(handle);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellLookFromProcess(PSHELL_LOOK Look, UINT64 ProcessId)
{
    PEPROCESS process;
    KAPC_STATE state;
    NTSTATUS status = PsLookupProcessByProcessId((HANDLE)(ULONG_PTR)ProcessId, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (!IsthmusProcessHasSession(process))
    {
        ObDereferenceObject(process);
        return STATUS_ACCESS_DENIED;
    }
    KeStackAttachProcess((PKPROCESS)process, &state);
    ShellLook(Look);
    KeUnstackDetachProcess(&state);
    ObDereferenceObject(process);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellCheckPeek(const ISTHMUS_PEEK *Query)
{
    if (!ShellOptions.Demo)
    {
        return STATUS_NOT_SUPPORTED;
    }
    if (!IsthmusCallerIsAdministrator())
    {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    if (Query->Length == 0 || Query->Length > ISTHMUS_PEEK_MAX || Query->Context > ISTHMUS_PEEK_PROCESS ||
        (Query->Context != ISTHMUS_PEEK_PROCESS && Query->ProcessId != 0) ||
        (Query->Region != 0 ? Query->Address != 0 : Query->Offset != 0) || Query->Address > MAXULONG_PTR)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

NTSTATUS ShellPeek(_In_ PSHELL_FILE File, _In_ const ISTHMUS_PEEK *Query, _Out_ ISTHMUS_PEEK_RESULT *Result)
{
    SHELL_LOOK look;
    NTSTATUS status = ShellCheckPeek(Query);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    RtlZeroMemory(&look, sizeof(look));
    look.Address = (ULONG_PTR)Query->Address;
    look.Offset = Query->Offset;
    look.Length = Query->Length;
    if (Query->Region != 0)
    {
        status = IsthmusRegionEnter(File->Session, Query->Region, ISTHMUS_ACCESS_READ, &look.Region);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }

    switch (Query->Context)
    {
    case ISTHMUS_PEEK_CALLER:
        ShellLook(&look);
        break;
    case ISTHMUS_PEEK_SYSTEM:
        status = ShellLookFromSystem(&look);
        break;
    default:
        status = ShellLookFromProcess(&look, Query->ProcessId);
        break;
    }
    if (look.Region != NULL)
    {
        IsthmusRegionLeave(look.Region);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }

    RtlZeroMemory(Result, sizeof(*Result));
    Result->Header.Revision = ISTHMUS_REVISION;
    Result->Header.Size = sizeof(*Result);
    Result->Status = (UINT32)look.Status;
    if (NT_SUCCESS(look.Status))
    {
        Result->Length = look.Length;
        RtlCopyMemory(Result->Bytes, look.Bytes, look.Length);
    }
    return STATUS_SUCCESS;
}
