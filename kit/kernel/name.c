/* SPDX-License-Identifier: MIT */
/*
 * Named regions: another process opens a region by name, if the region's security descriptor lets it.
 *
 * Names live as long as their region and go when it starts to drain. The descriptor is made by SeAssignSecurity from
 * what the maker passed and his token's defaults, and asked by SeAccessCheck with the rights of a file: reading asks
 * for FILE_READ_DATA, writing for FILE_WRITE_DATA. The rarer routines are looked up at run time, since a compatible
 * kernel may lack them; without them there are no named regions, rather than unprotected ones.
 */
#include "ist.h"

typedef NTSTATUS(NTAPI *IST_ASSIGN_SECURITY)(PSECURITY_DESCRIPTOR, PSECURITY_DESCRIPTOR, PSECURITY_DESCRIPTOR *,
                                             BOOLEAN, PSECURITY_SUBJECT_CONTEXT, PGENERIC_MAPPING, POOL_TYPE);
typedef NTSTATUS(NTAPI *IST_DEASSIGN_SECURITY)(PSECURITY_DESCRIPTOR *);
typedef BOOLEAN(NTAPI *IST_VALID_DESCRIPTOR)(PSECURITY_DESCRIPTOR, ULONG, SECURITY_INFORMATION);

static GENERIC_MAPPING IstRegionMapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE,
                                           FILE_ALL_ACCESS};

/*
 * A name in upper case, as regions keep it beside the given one. Done ahead of the lock: upper case comes from a
 * pageable table and wants PASSIVE_LEVEL, while under the lock names are compared as numbers.
 */
static NTSTATUS IstNameFold(PCUNICODE_STRING Name, WCHAR Folded[ISTHMUS_NAME_CHARS])
{
    USHORT count = Name->Length / sizeof(WCHAR);
    if (count == 0 || count > ISTHMUS_NAME_CHARS || Name->Length % sizeof(WCHAR) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    for (USHORT i = 0; i < count; i++)
    {
        Folded[i] = RtlUpcaseUnicodeChar(Name->Buffer[i]);
    }
    return STATUS_SUCCESS;
}

/* The live region with this folded name, or NULL. Lock held. */
static PISTHMUS_REGION IstNameFindLocked(const WCHAR *Folded, USHORT Length)
{
    for (PLIST_ENTRY link = IstLibrary.Regions.Flink; link != &IstLibrary.Regions; link = link->Flink)
    {
        PISTHMUS_REGION region = CONTAINING_RECORD(link, ISTHMUS_REGION, Link);
        if (region->State == IstRegionLive && region->NameLength == Length &&
            RtlCompareMemory(Folded, region->FoldedName, Length) == Length)
        {
            return region;
        }
    }
    return NULL;
}

/* SeAssignSecurity for the current thread; free the result with IstSecurityFree. PASSIVE_LEVEL. */
static NTSTATUS IstSecurityMake(PSECURITY_DESCRIPTOR Wanted, ULONG WantedLength, PSECURITY_DESCRIPTOR *Made)
{
    IST_ASSIGN_SECURITY assign = (IST_ASSIGN_SECURITY)IstFindRoutine(L"SeAssignSecurity");
    IST_VALID_DESCRIPTOR valid = (IST_VALID_DESCRIPTOR)IstFindRoutine(L"RtlValidRelativeSecurityDescriptor");
    SECURITY_SUBJECT_CONTEXT subject;
    NTSTATUS status;

    *Made = NULL;
    if (!IstLibrary.Tokens || assign == NULL || valid == NULL || IstFindRoutine(L"SeDeassignSecurity") == NULL)
    {
        return STATUS_NOT_SUPPORTED;
    }
    if (Wanted != NULL && !valid(Wanted, WantedLength, 0))
    {
        return STATUS_INVALID_SECURITY_DESCR;
    }
    SeCaptureSubjectContext(&subject);
    status = assign(NULL, Wanted, Made, FALSE, &subject, &IstRegionMapping, PagedPool);
    SeReleaseSubjectContext(&subject);
    return status;
}

static VOID IstSecurityFree(PSECURITY_DESCRIPTOR *Security)
{
    if (*Security == NULL)
    {
        return;
    }
    /* It was found when the descriptor was made. */
    IST_DEASSIGN_SECURITY deassign = (IST_DEASSIGN_SECURITY)IstFindRoutine(L"SeDeassignSecurity");
    if (deassign != NULL)
    {
        deassign(Security);
    }
    *Security = NULL;
}

/* Frees the descriptor of a region that drains; its name is out of reach since it isn't live. PASSIVE_LEVEL. */
VOID IstNameForget(_Inout_ PISTHMUS_REGION Region)
{
    IstSecurityFree(&Region->Security);
}

NTSTATUS IsthmusRegionName(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ PCUNICODE_STRING Name,
                           _In_reads_bytes_opt_(SecurityLength) PSECURITY_DESCRIPTOR Security,
                           _In_ ULONG SecurityLength)
{
    WCHAR folded[ISTHMUS_NAME_CHARS];
    PISTHMUS_REGION region;
    PSECURITY_DESCRIPTOR made = NULL;

    NTSTATUS status = IstNameFold(Name, folded);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusRegionEnter(Session, Region, 0, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IstSecurityMake(Security, SecurityLength, &made);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }

    IstLock();
    PIST_GRANT grant = IstGrantFindLocked(Session, Region);
    if (region->State != IstRegionLive)
    {
        status = STATUS_NOT_LOCKED;
    }
    else if (grant == NULL || !grant->Maker)
    {
        status = STATUS_ACCESS_DENIED;
    }
    else if (region->NameLength != 0)
    {
        status = STATUS_INVALID_DEVICE_STATE;
    }
    else if (IstNameFindLocked(folded, Name->Length) != NULL)
    {
        status = STATUS_OBJECT_NAME_COLLISION;
    }
    else
    {
        RtlCopyMemory(region->Name, Name->Buffer, Name->Length);
        RtlCopyMemory(region->FoldedName, folded, Name->Length);
        region->NameLength = Name->Length;
        region->Security = made;
        made = NULL;
    }
    IstUnlock();

Exit:
    IstSecurityFree(&made);
    IsthmusRegionLeave(region);
    return status;
}

/* Asks a region's descriptor for the current thread. Within a use, PASSIVE_LEVEL. */
static NTSTATUS IstNameCheckAccess(PISTHMUS_REGION Region, UINT32 Access, KPROCESSOR_MODE Mode)
{
    SECURITY_SUBJECT_CONTEXT subject;
    ACCESS_MASK wanted = (Access & ISTHMUS_ACCESS_READ ? FILE_READ_DATA : 0) |
                         (Access & ISTHMUS_ACCESS_WRITE ? FILE_WRITE_DATA : 0);
    ACCESS_MASK granted = 0;
    NTSTATUS status = STATUS_ACCESS_DENIED;

    /* A region has a name only where there are tokens. */
    SeCaptureSubjectContext(&subject);
    if (SeAccessCheck(Region->Security, &subject, FALSE, wanted, 0, NULL, &IstRegionMapping, Mode, &granted, &status))
    {
        status = STATUS_SUCCESS;
    }
    else if (NT_SUCCESS(status))
    {
        status = STATUS_ACCESS_DENIED;
    }
    SeReleaseSubjectContext(&subject);
    return status;
}

NTSTATUS IsthmusRegionOpen(_Inout_ PISTHMUS_SESSION Session, _In_ PCUNICODE_STRING Name, _In_ UINT32 Access,
                           _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_REGION_INFO *Info)
{
    WCHAR folded[ISTHMUS_NAME_CHARS];
    if (!(Access & ISTHMUS_ACCESS_READ) || (Access & ~ISTHMUS_ACCESS_ALL))
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IstNameFold(Name, folded);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    /* The use keeps region and descriptor while they are looked at without the lock. */
    IstLock();
    PISTHMUS_REGION region = IstNameFindLocked(folded, Name->Length);
    status = region == NULL ? STATUS_OBJECT_NAME_NOT_FOUND : IstRegionEnterLocked(region);
    IstUnlock();
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IstNameCheckAccess(region, Access, Mode);
    if (NT_SUCCESS(status) && (region->Access & Access) != Access)
    {
        status = STATUS_ACCESS_DENIED;
    }
    if (NT_SUCCESS(status))
    {
        status = IstGrantAdd(Session, region, Access, FALSE);
    }
    if (NT_SUCCESS(status))
    {
        IstRegionInfo(region, Access, Info);
    }
    IsthmusRegionLeave(region);
    return status;
}
