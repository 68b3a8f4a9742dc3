/* SPDX-License-Identifier: MIT */
/*
 * describe: chooses or makes what is described, has it gathered, and shows it as text or JSON. The picture is in
 * picture.c.
 */
#include "describe.h"

#define TEXT_PAGES    16
#define PICTURE_PAGES 6
#define CHAIN_PAGES   3 /* in a picture of several MDLs */

/* ---- As text ---- */

static void PrintField(unsigned Offset, const char *Name, const char *Format, ...) PRINTF_LIKE(3, 4);
static void PrintField(unsigned Offset, const char *Name, const char *Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    printf("  0x%02X  %-27s", Offset, Name);
    vprintf(Format, arguments);
    printf("\n");
    va_end(arguments);
}

/* The fixed part, field by field; the offsets are x64's. Kernel addresses are only said to be there. */
static void PrintFixedPart(const ISTHMUS_MDL *Mdl)
{
    PrintField(0x00, "Next", "%s", Mdl->Present & ISTHMUS_MDL_HAS_NEXT ? "set: the chain goes on" : "NULL");
    PrintField(0x08, "Size", "0x%X", Mdl->Size);
    PrintField(0x0A, "MdlFlags", "0x%04X", Mdl->MdlFlags);
    for (int bit = 0; bit < 16; bit++)
    {
        if (Mdl->MdlFlags & (1u << bit))
        {
            printf("  %33s%04X  MDL_%s\n", "", 1u << bit, FlagName(bit));
        }
    }
    PrintField(0x0C, "AllocationProcessorNumber", "not told");
    PrintField(0x10, "Process", "%s", Mdl->Present & ISTHMUS_MDL_HAS_PROCESS ? "set" : "NULL, or without meaning");
    PrintField(0x18, "MappedSystemVa", "%s",
               Mdl->Present & ISTHMUS_MDL_HAS_SYSTEM_VA ? "set, a kernel address: not shown" : "without meaning");
    if (Mdl->Present & ISTHMUS_MDL_KERNEL_START)
    {
        PrintField(0x20, "StartVa", "a kernel address: not shown");
    }
    else
    {
        PrintField(0x20, "StartVa", "0x%016llx", (unsigned long long)Mdl->StartVa);
    }
    PrintField(0x28, "ByteCount", "0x%X (%s)", Mdl->ByteCount, Grouped(Mdl->ByteCount));
    PrintField(0x2C, "ByteOffset", "0x%X", Mdl->ByteOffset);
    PrintField(0x30, "page frame numbers", "%s", Grouped(Mdl->Pages));
}

static void PrintPages(const MODEL *Model, const SHOWN_MDL *Mdl)
{
    UINT64 next = 0;
    printf("\n      page  user address            MDL PFN    user PFN  kernel PFN\n");
    for (UINT64 i = 0; i < Mdl->PageCount; i++)
    {
        const SHOWN_PAGE *page = &Mdl->Pages[i];
        if (page->Index != next)
        {
            printf("       ...  %s more; --all shows them\n", Grouped(page->Index - next));
        }
        next = page->Index + 1;
        printf("  %8llu", (unsigned long long)page->Index);
        if (Mdl->UserAddress != 0)
        {
            printf("  0x%016llx", (unsigned long long)((Mdl->UserAddress & ~0xFFFull) + (page->Index << 12)));
        }
        else
        {
            printf("  %-18s", "-");
        }
        PrintPfn(page->Frames.MdlPfn);
        PrintPfn(page->Frames.UserPfn);
        PrintPfn(page->Frames.KernelPfn);
        printf("\n");
    }
    if (Model->Withheld)
    {
        printf("  Frames are shown to administrators only.\n");
    }
}

static UINT32 PartAccess(const SHOWN_MDL *Mdl)
{
    return Mdl->Writable ? ISTHMUS_ACCESS_ALL : ISTHMUS_ACCESS_READ;
}

static void PrintHead(const MODEL *Model)
{
    if (Model->IsRequest)
    {
        printf("%srequest%s  METHOD_%s, control code 0x%08X, %s bytes, CRC-32 %08X\n", Bold(), Plain(),
               MethodName(Model->Method), Model->ControlCode, Grouped(Model->Bytes), Model->Crc32);
        return;
    }
    printf("%sregion %llu%s  %s, %s bytes, %s, %s\n", Bold(), (unsigned long long)Model->Region, Plain(),
           KindName(Model->Kind), Grouped(Model->Bytes), AccessName(Model->Access), StateName(Model->State));
    if (Model->Name[0] != 0)
    {
        printf("  name     %s\n", Visible(Model->Name));
    }
    if (Model->OwnerId != 0)
    {
        printf("  made by  process %llu %s\n", (unsigned long long)Model->OwnerId, Model->OwnerImage);
    }
    for (UINT32 i = 0; i < Model->ViewCount; i++)
    {
        const SHOWN_VIEW *view = &Model->Views[i];
        char what[32] = "buffer";
        if (view->Id != 0)
        {
            snprintf(what, sizeof(what), "view %llu", (unsigned long long)view->Id);
        }
        printf("  %-9s0x%016llx, %s, process %llu %s%s\n", what, (unsigned long long)view->Address,
               ViewAccess(Model, view), (unsigned long long)view->ProcessId, view->Image,
               view->Own ? " (this one)" : "");
    }
}

void DescribeAsText(const MODEL *Model)
{
    PrintHead(Model);
    if (Model->IsRequest && Model->Method == ISTHMUS_METHOD_BUFFERED)
    {
        printf("\n  No MDL: the I/O manager copies between the caller's buffer and AssociatedIrp.SystemBuffer.\n");
        PrintPages(Model, &Model->Mdls[0]);
        return;
    }
    for (UINT32 i = 0; i < Model->MdlCount; i++)
    {
        const SHOWN_MDL *mdl = &Model->Mdls[i];
        printf("\n%sMDL %u of %u%s  bytes %s to %s", Bold(), i + 1, Model->MdlCount, Plain(), Grouped(mdl->Offset),
               Grouped(mdl->Offset + mdl->Mdl.ByteCount - 1));
        if (mdl->Part != NULL)
        {
            printf(": %s, %s for this process%s", mdl->Part, AccessName(PartAccess(mdl)),
                   mdl->Repeat < mdl->Mdl.Pages ? "; all pages twice in a row" : "");
        }
        printf("\n");
        PrintFixedPart(&mdl->Mdl);
        PrintPages(Model, mdl);
    }
    if (Model->Lost)
    {
        printf("\nThe chain had more MDLs than the driver keeps a record of.\n");
    }
}

/* ---- As JSON; docs/describe.md tells what the members mean ---- */

static void JsonProcess(UINT64 Id, const char *Image)
{
    JsonOpen("process", '{');
    JsonNumber("id", Id);
    JsonText("image", Image[0] != 0 ? Image : NULL);
    JsonClose('}');
}

static void JsonFrame(const char *Key, UINT64 Pfn)
{
    if (Pfn == ISTHMUS_NO_PFN)
    {
        JsonText(Key, NULL);
    }
    else
    {
        JsonNumber(Key, Pfn);
    }
}

static void JsonMdl(const ISTHMUS_MDL *Mdl)
{
    JsonOpen("mdl", '{');
    JsonBool("next", (Mdl->Present & ISTHMUS_MDL_HAS_NEXT) != 0);
    JsonNumber("size", Mdl->Size);
    JsonNumber("mdlFlags", Mdl->MdlFlags);
    JsonOpen("flagNames", '[');
    for (int bit = 0; bit < 16; bit++)
    {
        if (Mdl->MdlFlags & (1u << bit))
        {
            char name[48];
            snprintf(name, sizeof(name), "MDL_%s", FlagName(bit));
            JsonText(NULL, name);
        }
    }
    JsonClose(']');
    JsonBool("process", (Mdl->Present & ISTHMUS_MDL_HAS_PROCESS) != 0);
    JsonBool("mappedSystemVa", (Mdl->Present & ISTHMUS_MDL_HAS_SYSTEM_VA) != 0);
    if (Mdl->Present & ISTHMUS_MDL_KERNEL_START)
    {
        JsonText("startVa", NULL);
    }
    else
    {
        JsonHex("startVa", Mdl->StartVa);
    }
    JsonNumber("byteCount", Mdl->ByteCount);
    JsonNumber("byteOffset", Mdl->ByteOffset);
    JsonNumber("pageCount", Mdl->Pages);
    JsonClose('}');
}

static void JsonSegment(const MODEL *Model, const SHOWN_MDL *Mdl)
{
    JsonOpen(NULL, '{');
    JsonNumber("offset", Mdl->Offset);
    if (Mdl->UserAddress != 0)
    {
        JsonHex("userAddress", Mdl->UserAddress);
    }
    else
    {
        JsonText("userAddress", NULL);
    }
    JsonBool("kernelView", Mdl->KernelView);
    if (Mdl->Part != NULL)
    {
        JsonText("part", Mdl->Part);
        JsonText("access", AccessName(PartAccess(Mdl)));
        JsonNumber("repeatsFrom", Mdl->Repeat);
    }
    if (Model->IsRequest && Model->Method == ISTHMUS_METHOD_BUFFERED)
    {
        JsonText("mdl", NULL);
    }
    else
    {
        JsonMdl(&Mdl->Mdl);
    }
    JsonOpen("pages", '[');
    for (UINT64 i = 0; i < Mdl->PageCount; i++)
    {
        JsonOpen(NULL, '{');
        JsonNumber("index", Mdl->Pages[i].Index);
        JsonFrame("mdlPfn", Mdl->Pages[i].Frames.MdlPfn);
        JsonFrame("userPfn", Mdl->Pages[i].Frames.UserPfn);
        JsonFrame("kernelPfn", Mdl->Pages[i].Frames.KernelPfn);
        JsonClose('}');
    }
    JsonClose(']');
    JsonClose('}');
}

static void JsonRegion(const MODEL *Model)
{
    JsonOpen("region", '{');
    JsonNumber("id", Model->Region);
    JsonText("name", Model->Name[0] != 0 ? Model->Name : NULL);
    JsonText("kind", KindName(Model->Kind));
    JsonText("access", AccessName(Model->Access));
    JsonText("state", StateName(Model->State));
    JsonNumber("bytes", Model->Bytes);
    if (Model->OwnerId != 0)
    {
        JsonProcess(Model->OwnerId, Model->OwnerImage);
    }
    else
    {
        JsonText("process", NULL);
    }
    JsonClose('}');
    JsonOpen("views", '[');
    for (UINT32 i = 0; i < Model->ViewCount; i++)
    {
        const SHOWN_VIEW *view = &Model->Views[i];
        JsonOpen(NULL, '{');
        if (view->Id != 0)
        {
            JsonNumber("id", view->Id);
        }
        else
        {
            JsonText("id", NULL);
        }
        JsonProcess(view->ProcessId, view->Image);
        JsonHex("address", view->Address);
        JsonNumber("bytes", view->Bytes);
        JsonText("access", ViewAccess(Model, view));
        JsonBool("own", view->Own);
        JsonClose('}');
    }
    JsonClose(']');
}

void DescribeAsJson(const MODEL *Model)
{
    char text[16];
    JsonOpen(NULL, '{');
    JsonNumber("schema", 1);
    JsonBool("framesWithheld", Model->Withheld);
    if (Model->IsRequest)
    {
        JsonOpen("request", '{');
        JsonText("method", MethodName(Model->Method));
        JsonHex("controlCode", Model->ControlCode);
        JsonNumber("bytes", Model->Bytes);
        snprintf(text, sizeof(text), "%08x", Model->Crc32);
        JsonText("crc32", text);
        JsonBool("chainCut", Model->Lost);
        JsonClose('}');
    }
    else
    {
        JsonRegion(Model);
    }
    JsonOpen("mdls", '[');
    for (UINT32 i = 0; i < Model->MdlCount; i++)
    {
        JsonSegment(Model, &Model->Mdls[i]);
    }
    JsonClose(']');
    JsonClose('}');
}

/* ---- The command ---- */

static BOOL ParseMethod(const wchar_t *Name, UINT32 *Method)
{
    for (UINT32 i = 0; i < 4; i++)
    {
        if (strcmp(MethodName(i), Utf8(Name)) == 0)
        {
            *Method = i;
            return TRUE;
        }
    }
    return FALSE;
}

static UINT64 SizeOf(const OPTIONS *Options, UINT32 Kind)
{
    return Options->Size != 0 ? Options->Size : Kind == ISTHMUS_KIND_CHANNEL ? 2 * 4096 : 3 * 4096;
}

/* What the options ask for; FALSE if they contradict each other, with the message printed. */
static BOOL CheckOptions(const OPTIONS *Options, UINT32 *Kind, UINT32 *Method)
{
    const char *wrong = NULL;
    BOOL toDriver = Options->To != NULL && wcscmp(Options->To, L"driver") == 0;
    BOOL makes = Options->Kind != NULL || Options->Request != NULL || Options->Size != 0 || Options->Offset != 0;
    UINT64 parts = max(Options->Parts, 1);
    *Kind = Options->Kind != NULL ? ParseKind(Options->Kind) : ISTHMUS_KIND_USER_BUFFER;
    UINT64 size = SizeOf(Options, *Kind);
    *Method = ~0u;
    if (Options->WordCount != 0 && makes)
    {
        wrong = "a NAME says which region; --kind, --request, --size and --offset make a new one";
    }
    else if (Options->Kind != NULL && Options->Request != NULL)
    {
        wrong = "--kind and --request are different things to describe";
    }
    else if (*Kind == 0)
    {
        wrong = "--kind is user, nonpaged, paged, pages or channel";
    }
    else if (Options->To != NULL &&
             (*Kind != ISTHMUS_KIND_CHANNEL || (!toDriver && wcscmp(Options->To, L"program") != 0)))
    {
        wrong = "--to is program or driver, for --kind channel";
    }
    else if (*Kind == ISTHMUS_KIND_CHANNEL && (size < 4096 || (size & (size - 1)) != 0))
    {
        wrong = "the --size of a channel is a power of two from 4K";
    }
    else if (Options->Offset >= 4096 || (Options->Offset != 0 && *Kind != ISTHMUS_KIND_USER_BUFFER))
    {
        wrong = "--offset is below 4096, and for buffers of this process";
    }
    else if (Options->Json + Options->Svg > 1)
    {
        wrong = "--json and --svg are different forms";
    }
    else if (Options->All && Options->Pages != 0)
    {
        wrong = "--all and --pages contradict each other";
    }
    else if (Options->Request != NULL && !ParseMethod(Options->Request, Method))
    {
        wrong = "--request is buffered, in-direct, out-direct or neither";
    }
    else if (Options->Parts != 0 && *Method != ISTHMUS_METHOD_IN_DIRECT && *Method != ISTHMUS_METHOD_OUT_DIRECT)
    {
        wrong = "--parts is for --request in-direct or out-direct";
    }
    else if (parts > 1 + ISTHMUS_PARTS_MAX)
    {
        wrong = "--parts is at most 8";
    }
    else if (Options->Request != NULL && (size > 64 * 4096 || ((Options->Offset + size + 4095) >> 12) * parts >
                                                                  ISTHMUS_REQUEST_PAGES))
    {
        wrong = "a request is described up to 64 pages in all: ask for a smaller --size or fewer --parts";
    }
    if (wrong != NULL)
    {
        fprintf(stderr, "isthmus: %s; see isthmus help describe.\n", wrong);
    }
    return wrong == NULL;
}

typedef struct VIEW_SEARCH
{
    UINT64 Region;
    UINT64 View;
} VIEW_SEARCH;

static void FindView(const ISTHMUS_LIST_ENTRY *Entry, void *Context)
{
    VIEW_SEARCH *search = Context;
    if (Entry->Parent == search->Region)
    {
        search->View = Entry->Id;
    }
}

/* A channel at rest. It ends with the session. */
static BOOL MakeChannel(HISTHMUS Isthmus, const OPTIONS *Options, UINT64 *Region, UINT64 *View)
{
    VIEW_SEARCH search = {0, 0};
    DWORD direction = Options->To != NULL && wcscmp(Options->To, L"driver") == 0 ? ISTHMUS_CHANNEL_TO_DRIVER
                                                                                 : ISTHMUS_CHANNEL_TO_PROGRAM;
    HISTHMUSCHANNEL channel =
        IsthmusChannelOpen(Isthmus, direction, SizeOf(Options, ISTHMUS_KIND_CHANNEL), 0);
    search.Region = IsthmusChannelId(channel);
    if (channel == NULL || !ForEachEntry(Isthmus, ISTHMUS_LIST_VIEWS, FindView, &search))
    {
        ReportError("cannot make the channel", GetLastError());
        return FALSE;
    }
    *Region = search.Region;
    *View = search.View;
    return TRUE;
}

/* Opens or makes the region; View is 0 for a buffer of this process, and where a view can't be had. */
static BOOL FindRegion(HISTHMUS Isthmus, const OPTIONS *Options, UINT32 Kind, UINT64 *Region, UINT64 *View)
{
    UINT64 size = SizeOf(Options, Kind);
    *View = 0;
    if (Options->WordCount == 1)
    {
        if (!IsthmusOpenNamed(Isthmus, Options->Words[0], ISTHMUS_ACCESS_READ, Region))
        {
            ReportError("cannot open the region", GetLastError());
            return FALSE;
        }
        /* Without a view the pages are still told from the MDL's and the kernel's side. */
        if (IsthmusMap(Isthmus, *Region, ISTHMUS_ACCESS_READ, View) == NULL)
        {
            *View = 0;
        }
        return TRUE;
    }
    if (Kind == ISTHMUS_KIND_CHANNEL)
    {
        return MakeChannel(Isthmus, Options, Region, View);
    }
    if (Kind != ISTHMUS_KIND_USER_BUFFER)
    {
        if (IsthmusAllocate(Isthmus, Kind, size, Region) &&
            IsthmusMap(Isthmus, *Region, ISTHMUS_ACCESS_ALL, View) != NULL)
        {
            return TRUE;
        }
        ReportError("cannot have the memory allocated and mapped", GetLastError());
        return FALSE;
    }
    SIZE_T room = size <= SIZE_MAX - Options->Offset ? (SIZE_T)(size + Options->Offset) : SIZE_MAX;
    BYTE *memory = VirtualAlloc(NULL, room, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory == NULL)
    {
        ReportError("cannot allocate the buffer", ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    if (!IsthmusShare(Isthmus, memory + Options->Offset, size, ISTHMUS_ACCESS_ALL, Region))
    {
        ReportError("cannot share the buffer", GetLastError());
        return FALSE;
    }
    return TRUE;
}

/* Most pages of each MDL, if there is one or Several. */
static UINT64 PageLimit(const OPTIONS *Options, BOOL Several)
{
    if (Options->Pages != 0)
    {
        return Options->Pages;
    }
    if (Options->All || Options->Json)
    {
        return ~0ull;
    }
    return Options->Svg ? (Several ? CHAIN_PAGES : PICTURE_PAGES) : TEXT_PAGES;
}

static void Show(const OPTIONS *Options, const MODEL *Model)
{
    if (Options->Json)
    {
        DescribeAsJson(Model);
    }
    else if (Options->Svg)
    {
        DescribeAsSvg(Model);
    }
    else
    {
        DescribeAsText(Model);
    }
}

int CommandDescribe(const OPTIONS *Options)
{
    UINT32 kind, method;
    UINT64 region, view;
    MODEL model = {0};
    BOOL done = FALSE;
    if (!CheckOptions(Options, &kind, &method))
    {
        return EXIT_USAGE;
    }
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    model.PageLimit = PageLimit(Options, FALSE);
    model.ChainLimit = PageLimit(Options, TRUE);
    if (Options->Request != NULL)
    {
        done = GatherRequest(Options, method, &model);
        if (!done)
        {
            ReportError("cannot make the request", GetLastError());
        }
    }
    else if (FindRegion(isthmus, Options, kind, &region, &view))
    {
        done = GatherRegion(isthmus, region, view, &model);
        if (!done)
        {
            ReportError("cannot describe the region", GetLastError());
        }
    }
    if (done)
    {
        Show(Options, &model);
    }
    FreeModel(&model);
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}
