/* SPDX-License-Identifier: MIT */
/*
 * Gathers what describe shows.
 */
#include "describe.h"
#include "stream.h"

#define PAGES_PER_CALL 1024

static void CopyText(char *To, size_t Room, const char *From)
{
    snprintf(To, Room, "%s", From != NULL ? From : "");
}

void FreeModel(MODEL *Model)
{
    for (UINT32 i = 0; i < Model->MdlCount; i++)
    {
        free(Model->Mdls[i].Pages);
    }
    free(Model->Mdls);
    free(Model->Views);
    ZeroMemory(Model, sizeof(*Model));
}

UINT64 PageOnce(const SHOWN_MDL *Mdl, UINT64 Index)
{
    return Mdl->Part != NULL && Index >= Mdl->Repeat ? Index - Mdl->Repeat : Index;
}

/* A channel's view has parts that are protected in different ways. */
const char *ViewAccess(const MODEL *Model, const SHOWN_VIEW *View)
{
    return Model->Kind == ISTHMUS_KIND_CHANNEL ? "by part" : AccessName(View->Access);
}

/* Room for Total pages less what the limit leaves out: the middle. A single page isn't left out, it saves no room. */
static BOOL MakePages(SHOWN_MDL *Mdl, UINT64 Total, UINT64 Limit)
{
    UINT64 count = Total > Limit && Total - 1 > Limit ? Limit : Total;
    Mdl->Pages = calloc((size_t)max(count, 1), sizeof(*Mdl->Pages));
    if (Mdl->Pages == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    for (UINT64 i = 0; i < count; i++)
    {
        Mdl->Pages[i].Index = i + 1 == count ? Total - 1 : i;
    }
    Mdl->PageCount = count;
    return TRUE;
}

/* ---- Regions ---- */

/* The frames of a segment's shown pages, by calls from the first of them that isn't known yet. */
static BOOL GatherFrames(HISTHMUS Isthmus, UINT64 Region, UINT64 View, UINT32 Segment, SHOWN_MDL *Mdl)
{
    const DWORD bytes = sizeof(ISTHMUS_DESCRIPTION) + PAGES_PER_CALL * sizeof(ISTHMUS_PAGE);
    ISTHMUS_DESCRIPTION *answer = malloc(bytes);
    BOOL done = answer != NULL;
    if (!done)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    for (UINT64 next = 0; done && next < Mdl->PageCount;)
    {
        UINT64 first = Mdl->Pages[next].Index;
        UINT64 want = min(Mdl->PageCount - next, PAGES_PER_CALL);
        done = IsthmusDescribe(Isthmus, Region, View, Segment, first, answer,
                               (DWORD)(sizeof(*answer) + want * sizeof(ISTHMUS_PAGE)));
        if (done && answer->PagesReturned == 0)
        {
            SetLastError(ERROR_INVALID_DATA);
            done = FALSE;
        }
        const ISTHMUS_PAGE *pages = (const ISTHMUS_PAGE *)(answer + 1);
        for (UINT32 i = 0; done && i < answer->PagesReturned && next < Mdl->PageCount; i++)
        {
            if (Mdl->Pages[next].Index == first + i)
            {
                Mdl->Pages[next++].Frames = pages[i];
            }
        }
        Progress("describing", next, Mdl->PageCount);
    }
    DWORD error = GetLastError();
    ProgressEnd();
    free(answer);
    SetLastError(error);
    return done;
}

static BOOL GatherSegment(HISTHMUS Isthmus, UINT64 Region, UINT64 View, UINT32 Segment, MODEL *Model, SHOWN_MDL *Mdl)
{
    ISTHMUS_DESCRIPTION d;
    if (!IsthmusDescribe(Isthmus, Region, View, Segment, 0, &d, sizeof(d)))
    {
        return FALSE;
    }
    Model->Withheld = (d.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD) != 0;
    Mdl->Mdl = d.Mdl;
    Mdl->Offset = d.SegmentOffset;
    Mdl->UserAddress = d.UserAddress;
    Mdl->KernelView = (d.Flags & ISTHMUS_DESCRIPTION_KERNEL_VIEW) != 0;
    Mdl->Repeat = d.Mdl.Pages;
    if (d.Kind == ISTHMUS_KIND_CHANNEL && Segment < STREAM_PARTS)
    {
        Mdl->Part = StreamPartName((int)Segment);
        Mdl->Writable = d.UserAddress != 0 && CanWrite((void *)(ULONG_PTR)(d.UserAddress + d.Mdl.ByteCount - 1));
        Mdl->Repeat >>= Segment == STREAM_DATA;
    }
    if (!MakePages(Mdl, d.Mdl.Pages, Model->PageLimit))
    {
        return FALSE;
    }
    if (Model->Withheld)
    {
        for (UINT64 i = 0; i < Mdl->PageCount; i++)
        {
            Mdl->Pages[i].Frames = (ISTHMUS_PAGE){ISTHMUS_NO_PFN, ISTHMUS_NO_PFN, ISTHMUS_NO_PFN};
        }
        return TRUE;
    }
    return GatherFrames(Isthmus, Region, View, Segment, Mdl);
}

typedef struct GATHER
{
    MODEL *Model;
    UINT64 OwnView;
    BOOL Full; /* memory ran out */
} GATHER;

static void AddView(GATHER *Gather, UINT64 Id, const ISTHMUS_LIST_ENTRY *Entry, BOOL Own)
{
    MODEL *model = Gather->Model;
    SHOWN_VIEW *views = realloc(model->Views, (model->ViewCount + 1) * sizeof(*views));
    if (views == NULL)
    {
        Gather->Full = TRUE;
        return;
    }
    model->Views = views;
    SHOWN_VIEW *view = &views[model->ViewCount++];
    ZeroMemory(view, sizeof(*view));
    view->Id = Id;
    view->ProcessId = Entry->ProcessId;
    view->Address = Entry->Address;
    view->Bytes = Entry->Length;
    view->Access = Entry->Access;
    view->State = Entry->State;
    view->Own = Own;
    CopyText(view->Image, sizeof(view->Image), ImageName(Entry->ProcessId));
}

static void VisitRegion(const ISTHMUS_LIST_ENTRY *Entry, void *Context)
{
    GATHER *gather = Context;
    MODEL *model = gather->Model;
    if (Entry->Id != model->Region)
    {
        return;
    }
    model->OwnerId = Entry->ProcessId;
    CopyText(model->OwnerImage, sizeof(model->OwnerImage), ImageName(Entry->ProcessId));
    CopyText(model->Name, sizeof(model->Name), EntryName(Entry));
    if (Entry->Kind == ISTHMUS_KIND_USER_BUFFER)
    {
        AddView(gather, 0, Entry, Entry->ProcessId == GetCurrentProcessId() && gather->OwnView == 0);
    }
}

static void VisitView(const ISTHMUS_LIST_ENTRY *Entry, void *Context)
{
    GATHER *gather = Context;
    if (Entry->Parent == gather->Model->Region)
    {
        AddView(gather, Entry->Id, Entry, Entry->Id == gather->OwnView);
    }
}

/* View: whose user pages to ask for, or 0. Others appear as far as the caller may list them. */
BOOL GatherRegion(HISTHMUS Isthmus, UINT64 Region, UINT64 View, MODEL *Model)
{
    ISTHMUS_DESCRIPTION d;
    GATHER gather = {Model, View, FALSE};
    if (!IsthmusDescribe(Isthmus, Region, View, 0, 0, &d, sizeof(d)))
    {
        return FALSE;
    }
    Model->Region = Region;
    Model->Bytes = d.Length;
    Model->Kind = d.Kind;
    Model->Access = d.Access;
    Model->State = d.State;
    Model->Mdls = calloc(d.Segments, sizeof(*Model->Mdls));
    if (Model->Mdls == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    Model->MdlCount = d.Segments;
    Model->PageLimit = d.Segments > 1 && d.Kind != ISTHMUS_KIND_CHANNEL ? Model->ChainLimit : Model->PageLimit;
    for (UINT32 i = 0; i < Model->MdlCount; i++)
    {
        if (!GatherSegment(Isthmus, Region, View, i, Model, &Model->Mdls[i]))
        {
            return FALSE;
        }
    }
    if (!ForEachEntry(Isthmus, ISTHMUS_LIST_REGIONS, VisitRegion, &gather) ||
        !ForEachEntry(Isthmus, ISTHMUS_LIST_VIEWS, VisitView, &gather))
    {
        return FALSE;
    }
    if (gather.Full)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    return !gather.Full;
}

/* ---- Requests ---- */

typedef struct REQUEST
{
    HANDLE Device;
    UINT64 Region;  /* nonpaged pool of the driver: where the bytes go */
    UINT32 Parts;
    DWORD Length;   /* of each part */
    BYTE *Part[1 + ISTHMUS_PARTS_MAX];
} REQUEST;

static BOOL Control(HANDLE Device, DWORD Code, void *Input, DWORD InputLength, void *Output, DWORD OutputLength)
{
    DWORD got;
    return DeviceIoControl(Device, Code, Input, InputLength, Output, OutputLength, &got, NULL);
}

/* Sends the parts by one control code. In-direct and neither take them to the driver; the others bring bytes back. */
static BOOL Transfer(const REQUEST *Request, UINT32 Method)
{
    struct
    {
        ISTHMUS_TRANSFER Query;
        ISTHMUS_PART Parts[ISTHMUS_PARTS_MAX];
    } input;
    ZeroMemory(&input, sizeof(input));
    input.Query.Header.Revision = ISTHMUS_REVISION;
    input.Query.Header.Size = sizeof(input.Query);
    input.Query.Region = Request->Region;
    input.Query.Direction = Method == ISTHMUS_METHOD_IN_DIRECT || Method == ISTHMUS_METHOD_NEITHER
                                ? ISTHMUS_TO_DRIVER
                                : ISTHMUS_FROM_DRIVER;
    input.Query.PartCount = Request->Parts - 1;
    for (UINT32 i = 1; i < Request->Parts; i++)
    {
        input.Parts[i - 1].Address = (UINT64)(ULONG_PTR)Request->Part[i];
        input.Parts[i - 1].Length = Request->Length;
    }
    return Control(Request->Device, ISTHMUS_CONTROL_CODE(0x820 + Method, Method), &input,
                   sizeof(input.Query) + input.Query.PartCount * sizeof(ISTHMUS_PART), Request->Part[0],
                   Request->Length);
}

/*
 * The frames behind a part as the process sees it: the part is shared for a moment, which makes the driver look at its
 * page tables. The frames of the request's own MDL come from the driver's record of it.
 */
static BOOL GatherUserFrames(HANDLE Device, const void *Part, DWORD Length, SHOWN_MDL *Mdl)
{
    ISTHMUS_SHARE share = {{ISTHMUS_REVISION, sizeof(share)}, (UINT64)(ULONG_PTR)Part, Length, ISTHMUS_ACCESS_READ, 0};
    ISTHMUS_REGION_INFO info;
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[ISTHMUS_REQUEST_PAGES + 1];
    } answer;
    if (!Control(Device, IOCTL_ISTHMUS_SHARE, &share, sizeof(share), &info, sizeof(info)))
    {
        return FALSE;
    }
    ISTHMUS_DESCRIBE query = {{ISTHMUS_REVISION, sizeof(query)}, info.Region, 0, 0, 0, 0};
    ISTHMUS_ID id = {{ISTHMUS_REVISION, sizeof(id)}, info.Region};
    BOOL done = Control(Device, IOCTL_ISTHMUS_DESCRIBE, &query, sizeof(query), &answer, sizeof(answer));
    for (UINT64 i = 0; done && i < Mdl->PageCount; i++)
    {
        UINT64 index = Mdl->Pages[i].Index;
        Mdl->Pages[i].Frames.UserPfn =
            index < answer.Description.PagesReturned ? answer.Pages[index].UserPfn : ISTHMUS_NO_PFN;
    }
    DWORD error = GetLastError();
    BOOL released = Control(Device, IOCTL_ISTHMUS_RELEASE, &id, sizeof(id), NULL, 0);
    if (!done)
    {
        SetLastError(error);
    }
    return done && released;
}

/* What the driver noted about the chain, and the user's side of it. Buffered has no MDL: one stands in, empty. */
static BOOL GatherChain(const REQUEST *Request, const ISTHMUS_LAST_REQUEST *Last, MODEL *Model)
{
    UINT32 noted = min(Last->MdlCount, ISTHMUS_REQUEST_MDLS);
    UINT64 firstPage = 0, offset = 0;
    Model->Lost = Last->MdlCount > noted;
    Model->MdlCount = max(noted, 1);
    Model->PageLimit = noted > 1 ? Model->ChainLimit : Model->PageLimit;
    Model->Mdls = calloc(Model->MdlCount, sizeof(*Model->Mdls));
    if (Model->Mdls == NULL)
    {
        Model->MdlCount = 0;
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    for (UINT32 i = 0; i < Model->MdlCount; i++)
    {
        SHOWN_MDL *mdl = &Model->Mdls[i];
        UINT64 start = (UINT64)(ULONG_PTR)Request->Part[i];
        UINT64 pages = ((start & 0xFFF) + Request->Length + 0xFFF) >> 12;
        if (noted != 0)
        {
            mdl->Mdl = Last->Mdls[i];
            mdl->KernelView = (mdl->Mdl.Present & ISTHMUS_MDL_HAS_SYSTEM_VA) != 0;
        }
        else
        {
            mdl->Mdl.ByteOffset = (UINT32)(start & 0xFFF);
            mdl->Mdl.ByteCount = Request->Length;
            mdl->Mdl.Pages = (UINT32)pages;
        }
        mdl->Offset = offset;
        mdl->UserAddress = start;
        if (!MakePages(mdl, pages, Model->PageLimit))
        {
            return FALSE;
        }
        for (UINT64 p = 0; p < mdl->PageCount; p++)
        {
            UINT64 at = firstPage + mdl->Pages[p].Index;
            mdl->Pages[p].Frames = (ISTHMUS_PAGE){noted != 0 && at < Last->PagesReturned ? Last->Pages[at]
                                                                                         : ISTHMUS_NO_PFN,
                                                  ISTHMUS_NO_PFN, ISTHMUS_NO_PFN};
        }
        if (!Model->Withheld && !GatherUserFrames(Request->Device, Request->Part[i], Request->Length, mdl))
        {
            return FALSE;
        }
        firstPage += pages;
        offset += Request->Length;
    }
    return TRUE;
}

static BOOL RunRequest(REQUEST *Request, UINT32 Method, MODEL *Model)
{
    ISTHMUS_ALLOCATE query = {{ISTHMUS_REVISION, sizeof(query)}, (UINT64)Request->Parts * Request->Length,
                              ISTHMUS_KIND_NONPAGED_POOL, 0};
    ISTHMUS_REGION_INFO info;
    ISTHMUS_LAST_REQUEST last;
    if (!Control(Request->Device, IOCTL_ISTHMUS_ALLOCATE, &query, sizeof(query), &info, sizeof(info)))
    {
        return FALSE;
    }
    Request->Region = info.Region;
    if (!Transfer(Request, Method) ||
        !Control(Request->Device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, &last, sizeof(last)))
    {
        return FALSE;
    }
    Model->IsRequest = TRUE;
    Model->Method = last.Method;
    Model->ControlCode = last.ControlCode;
    Model->Crc32 = last.Crc32;
    Model->Bytes = last.Length;
    Model->Withheld = (last.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD) != 0;
    return GatherChain(Request, &last, Model);
}

/* One request of this process with buffers of its own, and what the driver noted about it. */
BOOL GatherRequest(const OPTIONS *Options, UINT32 Method, MODEL *Model)
{
    REQUEST request = {.Parts = (UINT32)max(Options->Parts, 1),
                       .Length = (DWORD)(Options->Size != 0 ? Options->Size : 3 * 4096)};
    request.Device = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (request.Device == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    BOOL done = TRUE;
    for (UINT32 i = 0; done && i < request.Parts; i++)
    {
        BYTE *memory = VirtualAlloc(NULL, request.Length + Options->Offset, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        done = memory != NULL;
        if (done)
        {
            request.Part[i] = memory + Options->Offset;
            memset(request.Part[i], 'A' + (int)i, request.Length);
        }
    }
    done = done && RunRequest(&request, Method, Model);
    DWORD error = GetLastError();
    CloseHandle(request.Device);
    for (UINT32 i = 0; i < request.Parts && request.Part[i] != NULL; i++)
    {
        VirtualFree(request.Part[i] - Options->Offset, 0, MEM_RELEASE);
    }
    SetLastError(error);
    return done;
}
