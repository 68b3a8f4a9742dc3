/* SPDX-License-Identifier: MIT */
/*
 * The buffered control codes: one row of the table and one small function each.
 *
 * Input and output share the system buffer, so each function copies its input before it writes its output. The table
 * checks lengths, revision and size; the function checks what the fields mean.
 */
#include "shell.h"

/* One call: the caller's file, the system buffer and both lengths, as the table has checked them. */
typedef struct _SHELL_CALL
{
    PSHELL_FILE File;
    PIRP Irp;
    PVOID Buffer;
    ULONG InputLength;
    ULONG OutputLength;
    ULONG_PTR Information; /* bytes of output */
} SHELL_CALL, *PSHELL_CALL;

typedef NTSTATUS SHELL_FUNCTION(PSHELL_CALL Call);

NTSTATUS ShellCheckHeader(_In_ const ISTHMUS_HEADER *Header, _In_ ULONG Size)
{
    if (Header->Revision != ISTHMUS_REVISION)
    {
        return STATUS_REVISION_MISMATCH;
    }
    return Header->Size == Size ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}

static NTSTATUS ShellVersion(PSHELL_CALL Call)
{
    ISTHMUS_VERSION *answer = Call->Buffer;
    RTL_OSVERSIONINFOW system;
    RtlZeroMemory(&system, sizeof(system));
    system.dwOSVersionInfoSize = sizeof(system);
    RtlGetVersion(&system);

    RtlZeroMemory(answer, sizeof(*answer));
    answer->Header.Revision = ISTHMUS_REVISION;
    answer->Header.Size = sizeof(*answer);
    answer->Driver = ISTHMUS_VERSION_NUMBER;
    answer->SystemMajor = system.dwMajorVersion;
    answer->SystemMinor = system.dwMinorVersion;
    answer->SystemBuild = system.dwBuildNumber;
    answer->Capabilities = IsthmusSystemCapabilities() | (ShellOptions.Demo ? ISTHMUS_CAN_PEEK : 0) |
                           (IsthmusCallerIsAdministrator() ? ISTHMUS_CALLER_IS_ADMIN : 0);
    answer->PageSize = PAGE_SIZE;
    answer->Session = IsthmusSessionId(Call->File->Session);
    answer->SegmentBytes = IsthmusSegmentBytes();
    Call->Information = sizeof(*answer);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellShare(PSHELL_CALL Call)
{
    ISTHMUS_SHARE query = *(ISTHMUS_SHARE *)Call->Buffer;
    if (query.Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Call->Information = sizeof(ISTHMUS_REGION_INFO);
    return IsthmusRegionShare(Call->File->Session, query.Address, query.Length, query.Access, Call->Irp->RequestorMode,
                              Call->Buffer);
}

static NTSTATUS ShellAllocate(PSHELL_CALL Call)
{
    ISTHMUS_ALLOCATE query = *(ISTHMUS_ALLOCATE *)Call->Buffer;
    if (query.Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Call->Information = sizeof(ISTHMUS_REGION_INFO);
    return IsthmusRegionAllocate(Call->File->Session, query.Kind, query.Length, Call->Buffer);
}

static NTSTATUS ShellRelease(PSHELL_CALL Call)
{
    ISTHMUS_ID *query = Call->Buffer;
    return ShellRegionRelease(Call->File, query->Id);
}

/* The name in an ISTHMUS_NAME, checked. */
static NTSTATUS ShellTakeName(ISTHMUS_NAME *Query, UNICODE_STRING *Name)
{
    if (Query->NameLength == 0 || Query->NameLength > sizeof(Query->Name) || Query->NameLength % sizeof(WCHAR) != 0 ||
        Query->Reserved != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Name->Buffer = (PWSTR)Query->Name;
    Name->Length = (USHORT)Query->NameLength;
    Name->MaximumLength = (USHORT)Query->NameLength;
    return STATUS_SUCCESS;
}

static NTSTATUS ShellName(PSHELL_CALL Call)
{
    ISTHMUS_NAME *query = Call->Buffer; /* no output: the buffer stays as it is */
    UNICODE_STRING name;
    NTSTATUS status = ShellTakeName(query, &name);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (query->Access != 0 || query->SecurityLength > ISTHMUS_SECURITY_MAX)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Call->InputLength != sizeof(*query) + query->SecurityLength)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    return IsthmusRegionName(Call->File->Session, query->Region, &name,
                             query->SecurityLength != 0 ? (PSECURITY_DESCRIPTOR)(query + 1) : NULL,
                             query->SecurityLength);
}

static NTSTATUS ShellOpen(PSHELL_CALL Call)
{
    ISTHMUS_NAME query = *(ISTHMUS_NAME *)Call->Buffer;
    UNICODE_STRING name;
    NTSTATUS status = ShellTakeName(&query, &name);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (query.Region != 0 || query.SecurityLength != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Call->Information = sizeof(ISTHMUS_REGION_INFO);
    return IsthmusRegionOpen(Call->File->Session, &name, query.Access, Call->Irp->RequestorMode, Call->Buffer);
}

/*
 * Views of nonpaged pool and of pages are for administrators, unless AllowUserPages says otherwise.
 *
 * A program can have a view's pages locked by any driver: it starts a read into the view and, while that is pending,
 * releases the region. NT answers a driver that frees nonpaged pool or MDL pages under such a lock with bug check
 * 4E/9A, and has no call that tells a driver of the lock beforehand. Paged pool doesn't have the problem: a page that
 * is locked when the block is freed stays until it is unlocked.
 */
static NTSTATUS ShellMayMap(PSHELL_FILE File, UINT64 Region)
{
    PISTHMUS_REGION region;
    NTSTATUS status = IsthmusRegionEnter(File->Session, Region, 0, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    UINT32 kind = IsthmusRegionKind(region);
    IsthmusRegionLeave(region);
    BOOLEAN fragile = kind == ISTHMUS_KIND_NONPAGED_POOL || kind == ISTHMUS_KIND_PAGES;
    return !fragile || ShellOptions.UserPages || !IsthmusSystemHasTokens() || IsthmusCallerIsAdministrator()
               ? STATUS_SUCCESS
               : STATUS_PRIVILEGE_NOT_HELD;
}

static NTSTATUS ShellMap(PSHELL_CALL Call)
{
    ISTHMUS_MAP query = *(ISTHMUS_MAP *)Call->Buffer;
    if (query.Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = ShellMayMap(Call->File, query.Region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Call->Information = sizeof(ISTHMUS_VIEW_INFO);
    return IsthmusViewMap(Call->File->Session, query.Region, query.Access, Call->Buffer);
}

static NTSTATUS ShellUnmap(PSHELL_CALL Call)
{
    ISTHMUS_ID *query = Call->Buffer;
    return IsthmusViewUnmap(Call->File->Session, query->Id);
}

static NTSTATUS ShellChecksum(PSHELL_CALL Call)
{
    ISTHMUS_RANGE query = *(ISTHMUS_RANGE *)Call->Buffer;
    ISTHMUS_CHECKSUM *answer = Call->Buffer;
    PISTHMUS_REGION region;
    UINT32 crc = 0;

    NTSTATUS status = IsthmusRegionEnter(Call->File->Session, query.Region, ISTHMUS_ACCESS_READ, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusRegionChecksum(region, query.Offset, query.Length, &crc);
    IsthmusRegionLeave(region);

    RtlZeroMemory(answer, sizeof(*answer));
    answer->Header.Revision = ISTHMUS_REVISION;
    answer->Header.Size = sizeof(*answer);
    answer->Length = query.Length;
    answer->Crc32 = crc;
    Call->Information = sizeof(*answer);
    return status;
}

static NTSTATUS ShellWatch(PSHELL_CALL Call)
{
    ISTHMUS_WATCH query = *(ISTHMUS_WATCH *)Call->Buffer;
    return IsthmusRegionWatch(Call->File->Session, &query);
}

static NTSTATUS ShellDescribe(PSHELL_CALL Call)
{
    ISTHMUS_DESCRIBE query = *(ISTHMUS_DESCRIBE *)Call->Buffer;
    ISTHMUS_DESCRIPTION *answer = Call->Buffer;
    if (query.Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IsthmusDescribe(Call->File->Session, &query, IsthmusCallerIsAdministrator(), answer,
                                      (ISTHMUS_PAGE *)(answer + 1),
                                      (Call->OutputLength - sizeof(*answer)) / sizeof(ISTHMUS_PAGE));
    Call->Information = sizeof(*answer) + (ULONG_PTR)answer->PagesReturned * sizeof(ISTHMUS_PAGE);
    return status;
}

static NTSTATUS ShellList(PSHELL_CALL Call)
{
    ISTHMUS_LIST query = *(ISTHMUS_LIST *)Call->Buffer;
    ISTHMUS_LIST_PAGE *answer = Call->Buffer;
    ULONG count = 0;
    BOOLEAN more = FALSE;
    if (query.Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IsthmusList(query.What, query.After, IsthmusCallerIsAdministrator(),
                                  (ISTHMUS_LIST_ENTRY *)(answer + 1),
                                  (Call->OutputLength - sizeof(*answer)) / sizeof(ISTHMUS_LIST_ENTRY), &count, &more);
    answer->Header.Revision = ISTHMUS_REVISION;
    answer->Header.Size = sizeof(*answer);
    answer->What = query.What;
    answer->Count = count;
    answer->Stride = sizeof(ISTHMUS_LIST_ENTRY);
    answer->More = more;
    Call->Information = sizeof(*answer) + (ULONG_PTR)count * sizeof(ISTHMUS_LIST_ENTRY);
    return status;
}

static NTSTATUS ShellStatistics(PSHELL_CALL Call)
{
    IsthmusQueryStatistics(Call->Buffer);
    Call->Information = sizeof(ISTHMUS_STATISTICS);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellTarget(PSHELL_CALL Call)
{
    ISTHMUS_TARGET *query = Call->Buffer;
    PISTHMUS_REGION region;
    if (query->Region != 0)
    {
        /* Only to refuse a wrong id now; each read and write looks the region up again. */
        NTSTATUS status = IsthmusRegionEnter(Call->File->Session, query->Region, ISTHMUS_ACCESS_READ, &region);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        IsthmusRegionLeave(region);
    }
    InterlockedExchange64(&Call->File->Target, (LONG64)query->Region);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellLastRequest(PSHELL_CALL Call)
{
    IsthmusRequestQueryLast(Call->File->Session, IsthmusCallerIsAdministrator(), Call->Buffer);
    Call->Information = sizeof(ISTHMUS_LAST_REQUEST);
    return STATUS_SUCCESS;
}

static NTSTATUS ShellPeekControl(PSHELL_CALL Call)
{
    ISTHMUS_PEEK query = *(ISTHMUS_PEEK *)Call->Buffer;
    Call->Information = sizeof(ISTHMUS_PEEK_RESULT);
    return ShellPeek(Call->File, &query, Call->Buffer);
}

static NTSTATUS ShellChannel(PSHELL_CALL Call)
{
    ISTHMUS_CHANNEL_CREATE query = *(ISTHMUS_CHANNEL_CREATE *)Call->Buffer;
    Call->Information = sizeof(ISTHMUS_CHANNEL_INFO);
    return ShellChannelCreate(Call->File, &query, Call->Irp->RequestorMode, Call->Buffer);
}

static NTSTATUS ShellChannelQuery(PSHELL_CALL Call)
{
    ISTHMUS_ID query = *(ISTHMUS_ID *)Call->Buffer;
    Call->Information = sizeof(ISTHMUS_CHANNEL_STATE);
    return ShellChannelState(Call->File, query.Id, Call->Buffer);
}

static NTSTATUS ShellChannelFill(PSHELL_CALL Call)
{
    return ShellChannelSource(Call->File, Call->Buffer); /* no output: the buffer stays as it is */
}

/* Input: exactly this long, or at least if more may follow. Output: at least this long. */
static const struct
{
    ULONG Code;
    ULONG Input;
    ULONG Output;
    BOOLEAN MoreInput;
    SHELL_FUNCTION *Function;
} ShellTable[] = {
    {IOCTL_ISTHMUS_VERSION, 0, sizeof(ISTHMUS_VERSION), FALSE, ShellVersion},
    {IOCTL_ISTHMUS_SHARE, sizeof(ISTHMUS_SHARE), sizeof(ISTHMUS_REGION_INFO), FALSE, ShellShare},
    {IOCTL_ISTHMUS_ALLOCATE, sizeof(ISTHMUS_ALLOCATE), sizeof(ISTHMUS_REGION_INFO), FALSE, ShellAllocate},
    {IOCTL_ISTHMUS_RELEASE, sizeof(ISTHMUS_ID), 0, FALSE, ShellRelease},
    {IOCTL_ISTHMUS_NAME, sizeof(ISTHMUS_NAME), 0, TRUE, ShellName},
    {IOCTL_ISTHMUS_OPEN, sizeof(ISTHMUS_NAME), sizeof(ISTHMUS_REGION_INFO), FALSE, ShellOpen},
    {IOCTL_ISTHMUS_MAP, sizeof(ISTHMUS_MAP), sizeof(ISTHMUS_VIEW_INFO), FALSE, ShellMap},
    {IOCTL_ISTHMUS_UNMAP, sizeof(ISTHMUS_ID), 0, FALSE, ShellUnmap},
    {IOCTL_ISTHMUS_CHECKSUM, sizeof(ISTHMUS_RANGE), sizeof(ISTHMUS_CHECKSUM), FALSE, ShellChecksum},
    {IOCTL_ISTHMUS_WATCH, sizeof(ISTHMUS_WATCH), 0, FALSE, ShellWatch},
    {IOCTL_ISTHMUS_DESCRIBE, sizeof(ISTHMUS_DESCRIBE), sizeof(ISTHMUS_DESCRIPTION), FALSE, ShellDescribe},
    {IOCTL_ISTHMUS_LIST, sizeof(ISTHMUS_LIST), sizeof(ISTHMUS_LIST_PAGE), FALSE, ShellList},
    {IOCTL_ISTHMUS_STATISTICS, 0, sizeof(ISTHMUS_STATISTICS), FALSE, ShellStatistics},
    {IOCTL_ISTHMUS_TARGET, sizeof(ISTHMUS_TARGET), 0, FALSE, ShellTarget},
    {IOCTL_ISTHMUS_LAST_REQUEST, 0, sizeof(ISTHMUS_LAST_REQUEST), FALSE, ShellLastRequest},
    {IOCTL_ISTHMUS_PEEK, sizeof(ISTHMUS_PEEK), sizeof(ISTHMUS_PEEK_RESULT), FALSE, ShellPeekControl},
    {IOCTL_ISTHMUS_CHANNEL, sizeof(ISTHMUS_CHANNEL_CREATE), sizeof(ISTHMUS_CHANNEL_INFO), FALSE, ShellChannel},
    {IOCTL_ISTHMUS_CHANNEL_STATE, sizeof(ISTHMUS_ID), sizeof(ISTHMUS_CHANNEL_STATE), FALSE, ShellChannelQuery},
    {IOCTL_ISTHMUS_CHANNEL_SOURCE, sizeof(ISTHMUS_CHANNEL_SOURCE), 0, FALSE, ShellChannelFill},
};

NTSTATUS ShellBufferedControl(_In_ PSHELL_FILE File, _In_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    SHELL_CALL call = {
        .File = File,
        .Irp = Irp,
        .Buffer = Irp->AssociatedIrp.SystemBuffer,
        .InputLength = stack->Parameters.DeviceIoControl.InputBufferLength,
        .OutputLength = stack->Parameters.DeviceIoControl.OutputBufferLength,
    };
    *Information = 0;

    for (ULONG i = 0; i < ARRAYSIZE(ShellTable); i++)
    {
        if (ShellTable[i].Code != Code)
        {
            continue;
        }
        if (call.InputLength < ShellTable[i].Input ||
            (call.InputLength > ShellTable[i].Input && !ShellTable[i].MoreInput))
        {
            return STATUS_INFO_LENGTH_MISMATCH;
        }
        if (call.OutputLength < ShellTable[i].Output)
        {
            return STATUS_BUFFER_TOO_SMALL;
        }
        if (ShellTable[i].Input != 0)
        {
            NTSTATUS status = ShellCheckHeader(call.Buffer, ShellTable[i].Input);
            if (!NT_SUCCESS(status))
            {
                return status;
            }
        }
        NTSTATUS status = ShellTable[i].Function(&call);
        *Information = call.Information;
        return status;
    }
    return STATUS_INVALID_DEVICE_REQUEST;
}
