/* SPDX-License-Identifier: MIT */
/*
 * describe --svg: pages of user processes on the left, page frames in the middle in the order of their numbers, the
 * kernel's pages on the right, lines where a page has a frame; below, the MDLs.
 *
 *     user space              physical memory             kernel space
 *     process, view                                       MDL 1
 *      0x...  [page 0]----------[ 0x1a0 ]------------------[page 0]  + 0x0
 *      0x...  [page 1]----.  ...
 *                          '----[ 0x1b7 ]------------------[page 1]  + 0x1000
 *
 * A page keeps its colour in all places. A solid line was found by asking for the physical address behind the page; a
 * dashed one follows from the MDL, since the page lies in another process or its mapping is gone again.
 */
#include "svg.h"

#define WIDTH       1120
#define LEFT        32
#define USER_X      148 /* the pages; their addresses stand to the left */
#define USER_W      210
#define FRAME_X     500
#define FRAME_W     136
#define KERNEL_X    776
#define KERNEL_W    210
#define COLUMNS_Y   142
#define ROW_HEIGHT  26
#define GROUP_HEAD  40
#define GROUP_GAP   18
#define FRAME_GAP   16  /* between frames that aren't neighbours */
#define DRAWN_MDLS  4   /* if there are more than one more */
#define DRAWN_VIEWS 3

typedef struct FRAME
{
    UINT64 Pfn;
    int Y;
} FRAME;

/* What is drawn of the model. */
typedef struct PICTURE
{
    const MODEL *Model;
    UINT32 Mdls[DRAWN_MDLS + 1]; /* which of the model's */
    int FirstHue[DRAWN_MDLS + 1];
    UINT32 MdlCount;
    UINT32 ViewCount;
    FRAME *Frames; /* by number */
    UINT64 FrameCount;
    int Height;    /* of the columns, the highest's */
    int UserHeight;
    int KernelHeight;
} PICTURE;

static int RowsOfMdl(const SHOWN_MDL *Mdl)
{
    BOOL gap = Mdl->PageCount != 0 && Mdl->Pages[Mdl->PageCount - 1].Index != Mdl->PageCount - 1;
    return (int)Mdl->PageCount + gap;
}

/* Rows of a group that shows all drawn MDLs one after the other. */
static int RowsOfAll(const PICTURE *Picture)
{
    int rows = Picture->Model->MdlCount > Picture->MdlCount; /* dots for the MDLs left out */
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        rows += RowsOfMdl(&Picture->Model->Mdls[Picture->Mdls[i]]);
    }
    return rows;
}

/* ---- Frames ---- */

static void AddFrame(PICTURE *Picture, UINT64 Pfn)
{
    UINT64 at = 0;
    while (at < Picture->FrameCount && Picture->Frames[at].Pfn < Pfn)
    {
        at++;
    }
    if (Pfn == ISTHMUS_NO_PFN || (at < Picture->FrameCount && Picture->Frames[at].Pfn == Pfn))
    {
        return;
    }
    memmove(&Picture->Frames[at + 1], &Picture->Frames[at], (size_t)(Picture->FrameCount - at) * sizeof(FRAME));
    Picture->Frames[at].Pfn = Pfn;
    Picture->FrameCount++;
}

/* All frames that any page named; they should be one per page, and if not, the picture shows it. */
static BOOL CollectFrames(PICTURE *Picture)
{
    UINT64 most = 0;
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        most += 3 * Picture->Model->Mdls[Picture->Mdls[i]].PageCount;
    }
    Picture->Frames = calloc((size_t)most + 1, sizeof(FRAME));
    if (Picture->Frames == NULL)
    {
        return FALSE;
    }
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        const SHOWN_MDL *mdl = &Picture->Model->Mdls[Picture->Mdls[i]];
        for (UINT64 p = 0; p < mdl->PageCount; p++)
        {
            AddFrame(Picture, mdl->Pages[p].Frames.MdlPfn);
            AddFrame(Picture, mdl->Pages[p].Frames.UserPfn);
            AddFrame(Picture, mdl->Pages[p].Frames.KernelPfn);
        }
    }
    return TRUE;
}

static int FramesHeight(const PICTURE *Picture)
{
    int height = 0;
    for (UINT64 i = 0; i < Picture->FrameCount; i++)
    {
        BOOL neighbour = i != 0 && Picture->Frames[i - 1].Pfn + 1 == Picture->Frames[i].Pfn;
        height += ROW_HEIGHT + (i != 0 && !neighbour ? FRAME_GAP : 0);
    }
    return height;
}

static void DrawFrames(PICTURE *Picture)
{
    int y = COLUMNS_Y + GROUP_HEAD + max(0, Picture->Height - GROUP_HEAD - GROUP_GAP - FramesHeight(Picture)) / 2;
    for (UINT64 i = 0; i < Picture->FrameCount; i++)
    {
        FRAME *frame = &Picture->Frames[i];
        if (i != 0 && Picture->Frames[i - 1].Pfn + 1 != frame->Pfn)
        {
            SvgRule(FRAME_X + FRAME_W / 2, y + 3, FRAME_X + FRAME_W / 2, y + FRAME_GAP - 2, "dots");
            y += FRAME_GAP;
        }
        frame->Y = y;
        SvgBox(FRAME_X, y, FRAME_W, ROW_HEIGHT, "frame");
        SvgText(FRAME_X + FRAME_W / 2, y + 17, TextMiddle, "mono", "0x%llx", (unsigned long long)frame->Pfn);
        y += ROW_HEIGHT;
    }
    if (Picture->FrameCount == 0)
    {
        SvgText(FRAME_X + FRAME_W / 2, y + 20, TextMiddle, "muted",
                Picture->Model->Withheld ? "shown to administrators only" : "not recorded");
    }
}

/* The middle of a frame's edge; FALSE if it isn't drawn. */
static BOOL FindFrame(const PICTURE *Picture, UINT64 Pfn, int *Y)
{
    for (UINT64 i = 0; i < Picture->FrameCount; i++)
    {
        if (Picture->Frames[i].Pfn == Pfn)
        {
            *Y = Picture->Frames[i].Y + ROW_HEIGHT / 2;
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- Pages ---- */

/* A page that shows another one again has that one's colour. */
int HueOf(const SHOWN_MDL *Mdl, UINT64 Which, int FirstHue)
{
    UINT64 once = PageOnce(Mdl, Mdl->Pages[Which].Index), first = 0;
    while (first < Which && Mdl->Pages[first].Index != once)
    {
        first++;
    }
    return (FirstHue + (int)first) % HUES;
}

/* Where a column's wires leave, and which frame a page has there. */
typedef struct SIDE
{
    int X;
    int Width;
    BOOL Kernel;
    BOOL Asked;         /* the frames are known from this side; else they follow from the MDL */
    UINT64 Address;     /* user: of the MDL's first page; 0: not shown */
    const char *Prefix; /* before "page 0" */
} SIDE;

/* "page 2"; of a channel what the page is for and, on the user's side, what the process may do. */
static void LabelPage(const SIDE *Side, const SHOWN_MDL *Mdl, UINT64 Index, char *Text, size_t Room)
{
    UINT64 once = PageOnce(Mdl, Index);
    const char *access = Side->Kernel ? "" : Mdl->Writable ? ", writable" : ", read-only";
    if (Mdl->Part == NULL)
    {
        snprintf(Text, Room, "%spage %s", Side->Prefix, Grouped(Index));
    }
    else if (Mdl->Mdl.Pages == 1)
    {
        snprintf(Text, Room, "%s%s", Mdl->Part, access);
    }
    else
    {
        snprintf(Text, Room, "%s page %s%s%s", Mdl->Part, Grouped(once), once != Index ? " again" : "", access);
    }
}

/* One page: the box, and in it the part that belongs to the region. */
static void DrawPage(const SIDE *Side, const SHOWN_MDL *Mdl, const SHOWN_PAGE *Page, int Y, int Hue)
{
    char class[16], label[80];
    UINT64 end = (UINT64)Mdl->Mdl.ByteOffset + Mdl->Mdl.ByteCount; /* from the first page's start */
    UINT64 start = Page->Index << 12;
    unsigned from = Page->Index == 0 ? Mdl->Mdl.ByteOffset : 0;
    unsigned to = end - start < 4096 ? (unsigned)(end - start) : 4096;
    int left = (int)(from * (unsigned)Side->Width / 4096), right = (int)(to * (unsigned)Side->Width / 4096);
    SvgBox(Side->X, Y, Side->Width, ROW_HEIGHT, "page");
    snprintf(class, sizeof(class), "share h%d", Hue);
    SvgBox(Side->X + left, Y, max(right - left, 2), ROW_HEIGHT, class);
    LabelPage(Side, Mdl, Page->Index, label, sizeof(label));
    if (from != 0 || to != 4096)
    {
        SvgText(Side->X + Side->Width / 2, Y + 17, TextMiddle, "", "%s, %s0x%X to 0x%X", label,
                Side->Prefix[0] == 0 ? "bytes " : "", from, to - 1);
    }
    else
    {
        SvgText(Side->X + Side->Width / 2, Y + 17, TextMiddle, "", "%s", label);
    }
}

static void DrawDots(int X, int Width, int Y, const char *Format, UINT64 Count)
{
    SvgRule(X + 14, Y + 4, X + 14, Y + ROW_HEIGHT - 4, "dots");
    SvgText(X + Width / 2, Y + 17, TextMiddle, "muted", Format, Grouped(Count));
}

static void DrawWire(const PICTURE *Picture, const SIDE *Side, const SHOWN_PAGE *Page, int Y, int Hue)
{
    int frameY;
    UINT64 told = Side->Kernel ? Page->Frames.KernelPfn : Page->Frames.UserPfn;
    BOOL asked = Side->Asked && told != ISTHMUS_NO_PFN;
    if (!FindFrame(Picture, Side->Asked ? told : Page->Frames.MdlPfn, &frameY))
    {
        return;
    }
    if (Side->Kernel)
    {
        SvgWire(FRAME_X + FRAME_W, frameY, Side->X, Y + ROW_HEIGHT / 2, Hue, !asked);
    }
    else
    {
        SvgWire(Side->X + Side->Width, Y + ROW_HEIGHT / 2, FRAME_X, frameY, Hue, !asked);
    }
}

/* The shown pages of one MDL in a column; returns the y below them. */
static int DrawPages(const PICTURE *Picture, const SIDE *Side, const SHOWN_MDL *Mdl, int FirstHue, int Y)
{
    UINT64 next = 0;
    for (UINT64 i = 0; i < Mdl->PageCount; i++)
    {
        const SHOWN_PAGE *page = &Mdl->Pages[i];
        int hue = HueOf(Mdl, i, FirstHue);
        if (page->Index != next)
        {
            DrawDots(Side->X, Side->Width, Y, "%s more pages", page->Index - next);
            Y += ROW_HEIGHT;
        }
        next = page->Index + 1;
        DrawPage(Side, Mdl, page, Y, hue);
        if (Side->Kernel)
        {
            SvgText(Side->X + Side->Width + 10, Y + 17, TextStart, "mono muted", "+ 0x%llx",
                    (unsigned long long)page->Index << 12);
        }
        else if (Side->Address != 0)
        {
            SvgText(Side->X - 10, Y + 17, TextEnd, "mono", "0x%012llx",
                    (unsigned long long)(Side->Address + (page->Index << 12)));
        }
        DrawWire(Picture, Side, page, Y, hue);
        Y += ROW_HEIGHT;
    }
    return Y;
}

/* ---- User space ---- */

static int GroupHeight(int Rows)
{
    return GROUP_HEAD + Rows * ROW_HEIGHT + GROUP_GAP;
}

static int DrawView(const PICTURE *Picture, const SHOWN_VIEW *View, int Y)
{
    const MODEL *model = Picture->Model;
    SvgText(USER_X, Y + 14, TextStart, "strong", "process %llu  %s", (unsigned long long)View->ProcessId, View->Image);
    if (View->Id != 0)
    {
        SvgText(USER_X, Y + 31, TextStart, "muted", "view %llu, %s", (unsigned long long)View->Id,
                ViewAccess(model, View));
    }
    else
    {
        SvgText(USER_X, Y + 31, TextStart, "muted", "the buffer it allocated");
    }
    Y += GROUP_HEAD;
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        const SHOWN_MDL *mdl = &model->Mdls[Picture->Mdls[i]];
        if (i != 0 && Picture->Mdls[i] != Picture->Mdls[i - 1] + 1)
        {
            DrawDots(USER_X, USER_W, Y, "%s more MDLs", Picture->Mdls[i] - Picture->Mdls[i - 1] - 1);
            Y += ROW_HEIGHT;
        }
        char prefix[24] = "";
        if (model->MdlCount > 1)
        {
            snprintf(prefix, sizeof(prefix), "MDL %u ", Picture->Mdls[i] + 1);
        }
        SIDE side = {USER_X, USER_W, FALSE, View->Own, (View->Address + mdl->Offset) & ~0xFFFull, prefix};
        Y = DrawPages(Picture, &side, mdl, Picture->FirstHue[i], Y);
    }
    return Y + GROUP_GAP;
}

static void DrawUser(const PICTURE *Picture)
{
    const MODEL *model = Picture->Model;
    int y = COLUMNS_Y + (Picture->Height - Picture->UserHeight) / 2;
    if (model->IsRequest)
    {
        for (UINT32 i = 0; i < Picture->MdlCount; i++)
        {
            const SHOWN_MDL *mdl = &model->Mdls[Picture->Mdls[i]];
            if (model->MdlCount > 1)
            {
                SvgText(USER_X, y + 14, TextStart, "strong", "buffer %u of the caller", Picture->Mdls[i] + 1);
            }
            else
            {
                SvgText(USER_X, y + 14, TextStart, "strong", "the caller's buffer");
            }
            SvgText(USER_X, y + 31, TextStart, "muted", "%s bytes, process %lu", Grouped(mdl->Mdl.ByteCount),
                    (unsigned long)GetCurrentProcessId());
            SIDE side = {USER_X, USER_W, FALSE, TRUE, mdl->UserAddress & ~0xFFFull, ""};
            y = DrawPages(Picture, &side, mdl, Picture->FirstHue[i], y + GROUP_HEAD) + GROUP_GAP;
        }
        return;
    }
    for (UINT32 i = 0; i < Picture->ViewCount; i++)
    {
        y = DrawView(Picture, &model->Views[i], y);
    }
    if (model->ViewCount > Picture->ViewCount)
    {
        SvgText(USER_X, y + 4, TextStart, "muted", "and %u more views", model->ViewCount - Picture->ViewCount);
    }
    if (model->ViewCount == 0)
    {
        SvgText(USER_X, y + GROUP_HEAD + 17, TextStart, "muted", "no process has a view");
    }
}

/* ---- Kernel space ---- */

static BOOL IsBuffered(const MODEL *Model)
{
    return Model->IsRequest && Model->Method == ISTHMUS_METHOD_BUFFERED;
}

static const char *KernelSource(const MODEL *Model, const SHOWN_MDL *Mdl)
{
    if (IsBuffered(Model))
    {
        return "the I/O manager's, nonpaged pool";
    }
    if (Model->IsRequest)
    {
        return "mapped during the request";
    }
    return Mdl->Mdl.MdlFlags & 0x4 ? "the pool block itself" : "MappedSystemVa";
}

/* Between the frames and the system buffer, around Y. */
static void DrawCopies(int Y)
{
    int left = FRAME_X + FRAME_W + 10, right = KERNEL_X - 8;
    SvgText((left + right) / 2, Y - 15, TextMiddle, "muted", "input, before");
    SvgArrow(left, Y - 8, right, Y - 8, right - 10);
    SvgArrow(right, Y + 8, left, Y + 8, left + 10);
    SvgText((left + right) / 2, Y + 25, TextMiddle, "muted", "output, after");
}

static void DrawKernel(const PICTURE *Picture)
{
    const MODEL *model = Picture->Model;
    int y = COLUMNS_Y + (Picture->Height - Picture->KernelHeight) / 2;
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        const SHOWN_MDL *mdl = &model->Mdls[Picture->Mdls[i]];
        if (IsBuffered(model))
        {
            SvgText(KERNEL_X, y + 14, TextStart, "strong", "AssociatedIrp.SystemBuffer");
        }
        else if (model->MdlCount > 1)
        {
            SvgText(KERNEL_X, y + 14, TextStart, "strong", "kernel view of MDL %u", Picture->Mdls[i] + 1);
        }
        else
        {
            SvgText(KERNEL_X, y + 14, TextStart, "strong", "kernel view");
        }
        if (!mdl->KernelView && !IsBuffered(model))
        {
            SvgText(KERNEL_X, y + 31, TextStart, "muted", "none");
            y += GroupHeight(RowsOfMdl(mdl));
            continue;
        }
        SvgText(KERNEL_X, y + 31, TextStart, "muted", "%s", KernelSource(model, mdl));
        y += GROUP_HEAD;
        if (IsBuffered(model))
        {
            int height = RowsOfMdl(mdl) * ROW_HEIGHT;
            SvgBox(KERNEL_X, y, KERNEL_W, height, "page");
            SvgText(KERNEL_X + KERNEL_W / 2, y + height / 2 - 2, TextMiddle, "", "%s bytes in frames of its own",
                    Grouped(mdl->Mdl.ByteCount));
            DrawCopies(y + height / 2);
            SvgText(KERNEL_X + KERNEL_W / 2, y + height / 2 + 15, TextMiddle, "muted", "a copy, not a view");
            y += height + GROUP_GAP;
            continue;
        }
        SIDE side = {KERNEL_X, KERNEL_W, TRUE, !model->IsRequest, 0, ""};
        y = DrawPages(Picture, &side, mdl, Picture->FirstHue[i], y) + GROUP_GAP;
    }
}

/* ---- All of it ---- */

static void ChooseParts(PICTURE *Picture, const MODEL *Model)
{
    int hue = 0;
    Picture->Model = Model;
    Picture->MdlCount = Model->MdlCount <= DRAWN_MDLS + 1 ? Model->MdlCount : DRAWN_MDLS;
    Picture->ViewCount = min(Model->ViewCount, DRAWN_VIEWS);
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        Picture->Mdls[i] = i + 1 == Picture->MdlCount ? Model->MdlCount - 1 : i;
        Picture->FirstHue[i] = hue;
        hue += (int)Model->Mdls[Picture->Mdls[i]].PageCount;
    }
}

static void MeasureColumns(PICTURE *Picture)
{
    const MODEL *model = Picture->Model;
    int kernel = 0;
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        kernel += GroupHeight(RowsOfMdl(&model->Mdls[Picture->Mdls[i]]));
    }
    int user = model->IsRequest ? kernel
                                : max((int)Picture->ViewCount, 1) * GroupHeight(RowsOfAll(Picture)) +
                                      (model->ViewCount > Picture->ViewCount ? 22 : 0);
    Picture->UserHeight = user;
    Picture->KernelHeight = kernel;
    Picture->Height = max(max(user, kernel), GROUP_HEAD + FramesHeight(Picture) + GROUP_GAP);
}

static void DrawHeads(const MODEL *Model, const char *Title, const char *Subtitle)
{
    SvgText(LEFT, 42, TextStart, "title", "%s", Title);
    SvgText(LEFT, 64, TextStart, "muted", "%s", Subtitle);
    SvgRule(LEFT, 82, WIDTH - LEFT, 82, "rule");
    SvgText(USER_X, 106, TextStart, "head", "User space");
    SvgText(USER_X, 123, TextStart, "muted", "virtual pages, by address");
    SvgText(FRAME_X + FRAME_W / 2, 106, TextMiddle, "head", "Physical memory");
    SvgText(FRAME_X + FRAME_W / 2, 123, TextMiddle, "muted", "page frames, by number");
    SvgText(KERNEL_X, 106, TextStart, "head", "Kernel space");
    SvgText(KERNEL_X, 123, TextStart, "muted",
            IsBuffered(Model) ? "what the driver is given" : "virtual pages; the address is not shown");
}

static void MakeTitles(const MODEL *Model, char *Title, size_t TitleRoom, char *Subtitle, size_t SubtitleRoom)
{
    if (Model->IsRequest)
    {
        static const char *const titles[] = {"METHOD_BUFFERED", "METHOD_IN_DIRECT", "METHOD_OUT_DIRECT",
                                             "METHOD_NEITHER"};
        static const char *const who[] = {"the I/O manager copies", "the I/O manager locks, the driver maps and reads",
                                          "the I/O manager locks, the driver maps and writes",
                                          "the driver captures the buffer itself"};
        snprintf(Title, TitleRoom, "%s: the caller's buffer of one request", titles[Model->Method & 3]);
        snprintf(Subtitle, SubtitleRoom, "%s bytes, control code 0x%08X: %s", Grouped(Model->Bytes), Model->ControlCode,
                 who[Model->Method & 3]);
        return;
    }
    snprintf(Title, TitleRoom, Model->Name[0] != 0 ? "Region %llu, \"%s\": %s" : "Region %llu%s: %s",
             (unsigned long long)Model->Region, Model->Name, KindName(Model->Kind));
    int length = snprintf(Subtitle, SubtitleRoom, "%s bytes, %s for the driver", Grouped(Model->Bytes),
                          AccessName(Model->Access));
    if (Model->OwnerId != 0 && length > 0 && (size_t)length < SubtitleRoom)
    {
        snprintf(Subtitle + length, SubtitleRoom - (size_t)length, "; made by process %llu %s",
                 (unsigned long long)Model->OwnerId, Model->OwnerImage);
    }
}

/* The MDLs below the columns; returns the y below them. Measures only unless Draw. */
static int DrawPanels(const PICTURE *Picture, int Y, BOOL Draw)
{
    const MODEL *model = Picture->Model;
    if (IsBuffered(model))
    {
        if (Draw)
        {
            SvgText(LEFT, Y + 16, TextStart, "head", "No MDL");
            SvgText(LEFT, Y + 38, TextStart, "muted",
                    "Irp->MdlAddress is NULL. The I/O manager copies the input into the system buffer before the "
                    "driver runs, and Information bytes of it back when the request completes.");
        }
        return Y + 56;
    }
    for (UINT32 i = 0; i < Picture->MdlCount; i++)
    {
        const SHOWN_MDL *mdl = &model->Mdls[Picture->Mdls[i]];
        BOOL follows = i + 1 < Picture->MdlCount && Picture->Mdls[i + 1] == Picture->Mdls[i] + 1;
        int next = Y + MdlPanelHeight(mdl);
        if (Draw)
        {
            DrawMdlPanel(model, Picture->Mdls[i], Y, Picture->FirstHue[i], follows ? next : 0);
        }
        Y = next;
    }
    return Y;
}

void DescribeAsSvg(const MODEL *Model)
{
    char title[320], subtitle[320];
    PICTURE picture = {0};
    ChooseParts(&picture, Model);
    if (!CollectFrames(&picture))
    {
        ReportError("cannot draw the picture", ERROR_NOT_ENOUGH_MEMORY);
        return;
    }
    MeasureColumns(&picture);
    MakeTitles(Model, title, sizeof(title), subtitle, sizeof(subtitle));
    int panels = COLUMNS_Y + picture.Height + 34;
    int bottom = DrawPanels(&picture, panels, FALSE);

    SvgBegin(WIDTH, bottom + 34, title, subtitle);
    DrawHeads(Model, title, subtitle);
    DrawFrames(&picture);
    DrawUser(&picture);
    DrawKernel(&picture);
    SvgRule(LEFT, panels - 22, WIDTH - LEFT, panels - 22, "rule");
    DrawPanels(&picture, panels, TRUE);
    if (!IsBuffered(Model))
    {
        SvgText(LEFT, bottom + 14, TextStart, "muted",
                "One colour, one page. Solid: the frame that the page tables name. Dashed: the frame in the MDL, for a "
                "page of another process or a mapping that is gone.");
    }
    SvgEnd();
    free(picture.Frames);
}
