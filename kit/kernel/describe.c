/* SPDX-License-Identifier: MIT */
/*
 * Describe: what a region's MDL says, and which frame is behind each page seen from the MDL, the kernel and the user.
 *
 * Kernel addresses are reduced to "there is one". Frames are for administrators, since they help an attacker who looks
 * for a physical address to aim at.
 */
#include "ist.h"

/* Frames per call; a caller with more pages asks again with a later FirstPage. */
#define IST_DESCRIBE_PAGES 65536

VOID IsthmusDescribeMdl(_In_ const MDL *Mdl, _Out_ ISTHMUS_MDL *Description)
{
    RtlZeroMemory(Description, sizeof(*Description));
    Description->Size = (USHORT)Mdl->Size;
    Description->MdlFlags = (USHORT)Mdl->MdlFlags;
    Description->ByteCount = Mdl->ByteCount;
    Description->ByteOffset = Mdl->ByteOffset;
    Description->Pages = (UINT32)ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(Mdl), Mdl->ByteCount);
    if (Mdl->Next != NULL)
    {
        Description->Present |= ISTHMUS_MDL_HAS_NEXT;
    }
    /* Process and MappedSystemVa mean something only after the lock, the map or the build. */
    if ((Mdl->MdlFlags & MDL_PAGES_LOCKED) && Mdl->Process != NULL)
    {
        Description->Present |= ISTHMUS_MDL_HAS_PROCESS;
    }
    if (Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
    {
        Description->Present |= ISTHMUS_MDL_HAS_SYSTEM_VA;
    }
    if ((LONG_PTR)Mdl->StartVa < 0)
    {
        Description->Present |= ISTHMUS_MDL_KERNEL_START;
    }
    else
    {
        Description->StartVa = (UINT64)(ULONG_PTR)Mdl->StartVa;
    }
}

/* The access itself, in a call of its own: compilers that only guard calls in __try guard this one. */
DECLSPEC_NOINLINE static UCHAR IstTouch(const volatile UCHAR *Address)
{
    return *Address;
}

/* Reads a byte so that the page is there, then asks for its frame. Trimmed in between, it has no frame. */
DECLSPEC_NOINLINE static UINT64 IstUserPfn(const volatile UCHAR *Address)
{
    __try
    {
        (void)IstTouch(Address);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return ISTHMUS_NO_PFN;
    }
    PHYSICAL_ADDRESS physical = MmGetPhysicalAddress((PVOID)Address);
    return physical.QuadPart != 0 ? (UINT64)physical.QuadPart >> PAGE_SHIFT : ISTHMUS_NO_PFN;
}

static UINT64 IstKernelPfn(PVOID Address)
{
    PHYSICAL_ADDRESS physical = MmGetPhysicalAddress(Address);
    return physical.QuadPart != 0 ? (UINT64)physical.QuadPart >> PAGE_SHIFT : ISTHMUS_NO_PFN;
}

/* Where the segment lies in the current process: through a view, or as the user buffer it was made of; 0 if nowhere. */
static NTSTATUS IstDescribeFindUser(PISTHMUS_SESSION Session, PISTHMUS_REGION Region, PIST_SEGMENT Segment, UINT64 View,
                                    UINT64 *Address)
{
    *Address = 0;
    if (View == 0)
    {
        if (Region->Kind == ISTHMUS_KIND_USER_BUFFER && Region->ProcessId == PsGetCurrentProcessId())
        {
            *Address = Region->Address + Segment->Offset;
        }
        return STATUS_SUCCESS;
    }

    NTSTATUS status = STATUS_NOT_FOUND;
    IstLock();
    for (PLIST_ENTRY link = Session->Views.Flink; link != &Session->Views; link = link->Flink)
    {
        PIST_VIEW view = CONTAINING_RECORD(link, IST_VIEW, SessionLink);
        if (view->Id == View && view->Region == Region)
        {
            if (view->Account->Process == PsGetCurrentProcess())
            {
                *Address = (UINT64)(ULONG_PTR)view->Address + Segment->Offset;
            }
            status = STATUS_SUCCESS;
            break;
        }
    }
    IstUnlock();
    return status;
}

/* Within a use of the region, PASSIVE_LEVEL. */
static NTSTATUS IstDescribeSegment(PISTHMUS_SESSION Session, PISTHMUS_REGION Region, const ISTHMUS_DESCRIBE *Query,
                                   BOOLEAN Administrator, ISTHMUS_DESCRIPTION *Description, ISTHMUS_PAGE *Pages,
                                   ULONG MaximumPages)
{
    if (Query->Segment >= Region->SegmentCount)
    {
        return STATUS_INVALID_PARAMETER;
    }
    PIST_SEGMENT segment = &Region->Segments[Query->Segment];
    NTSTATUS status = IstDescribeFindUser(Session, Region, segment, Query->View, &Description->UserAddress);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Description->Region = Region->Id;
    Description->Length = Region->Length;
    Description->SegmentOffset = segment->Offset;
    Description->FirstPage = Query->FirstPage;
    Description->Kind = Region->Kind;
    Description->Access = Region->Access;
    Description->State = Region->State;
    Description->Segment = Query->Segment;
    Description->Segments = Region->SegmentCount;
    Description->PageStride = sizeof(ISTHMUS_PAGE);
    Description->Flags = segment->Kernel != NULL ? ISTHMUS_DESCRIPTION_KERNEL_VIEW : 0;
    IsthmusDescribeMdl(segment->Mdl, &Description->Mdl);
    if (!Administrator)
    {
        Description->Flags |= ISTHMUS_DESCRIPTION_PFN_WITHHELD;
        return STATUS_SUCCESS;
    }

    UINT64 total = Description->Mdl.Pages;
    PPFN_NUMBER frames = MmGetMdlPfnArray(segment->Mdl);
    PUCHAR kernel = segment->Kernel != NULL ? (PUCHAR)PAGE_ALIGN(segment->Kernel) : NULL;
    UINT64 user = Description->UserAddress & ~(UINT64)(PAGE_SIZE - 1);
    ULONG count = 0;
    MaximumPages = min(MaximumPages, IST_DESCRIBE_PAGES);
    for (UINT64 page = Query->FirstPage; page < total && count < MaximumPages; page++, count++)
    {
        Pages[count].MdlPfn = frames[page];
        Pages[count].KernelPfn = kernel != NULL ? IstKernelPfn(kernel + page * PAGE_SIZE) : ISTHMUS_NO_PFN;
        Pages[count].UserPfn = user != 0 ? IstUserPfn((const volatile UCHAR *)(ULONG_PTR)(user + page * PAGE_SIZE))
                                         : ISTHMUS_NO_PFN;
    }
    Description->PagesReturned = count;
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusDescribe(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_DESCRIBE *Query,
                         _In_ BOOLEAN Administrator, _Out_ ISTHMUS_DESCRIPTION *Description,
                         _Out_writes_opt_(MaximumPages) ISTHMUS_PAGE *Pages, _In_ ULONG MaximumPages)
{
    PISTHMUS_REGION region;
    RtlZeroMemory(Description, sizeof(*Description));
    Description->Header.Revision = ISTHMUS_REVISION;
    Description->Header.Size = sizeof(*Description);

    NTSTATUS status = IsthmusRegionEnter(Session, Query->Region, 0, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IstDescribeSegment(Session, region, Query, Administrator, Description, Pages, MaximumPages);
    IsthmusRegionLeave(region);
    return status;
}
