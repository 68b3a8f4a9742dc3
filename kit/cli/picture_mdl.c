/* SPDX-License-Identifier: MIT */
/*
 * The picture's lower part: an MDL as it lies in memory. Fixed part, flags by name, and the PFN array behind it.
 */
#include "svg.h"

#define ROW_HEIGHT 22
#define TOP        46 /* title and column heads */
#define LEFT       32
#define FIELDS_W   432
#define FLAGS_X    492
#define FLAGS_W    376
#define ARRAY_X    900
#define ARRAY_W    188
#define FIELD_VALUE 256 /* behind the longest name, AllocationProcessorNumber */
#define FIELDS     10

static const char *const Meanings[16] = {
    "mapped for the kernel",
    "pages are locked",
    "built over nonpaged pool",
    "of a fixed size",
    "a part of another MDL",
    "that part is mapped",
    "read by the pager",
    "locked for writing",
    "uses its parent's mapping",
    "more PTEs to free than pages",
    "AWE memory",
    "not RAM: device memory",
    "a network header",
    "mapping may fail",
    "contents don't change",
    "the memory manager's own",
};

static int CountFlags(UINT32 Flags)
{
    int count = 0;
    for (int bit = 0; bit < 16; bit++)
    {
        count += (Flags >> bit) & 1;
    }
    return count;
}

/* Rows of the PFN array: its pages, and dots where some are left out. */
static int ArrayRows(const SHOWN_MDL *Mdl)
{
    int rows = 0;
    UINT64 next = 0;
    for (UINT64 i = 0; i < Mdl->PageCount; i++)
    {
        rows += Mdl->Pages[i].Index != next ? 2 : 1;
        next = Mdl->Pages[i].Index + 1;
    }
    return rows;
}

int MdlPanelHeight(const SHOWN_MDL *Mdl)
{
    int rows = max(FIELDS, max(CountFlags(Mdl->Mdl.MdlFlags), ArrayRows(Mdl)));
    return TOP + rows * ROW_HEIGHT + 26;
}

static void DrawField(int Row, int Y, unsigned Offset, const char *Name, const char *Format, ...) PRINTF_LIKE(5, 6);
static void DrawField(int Row, int Y, unsigned Offset, const char *Name, const char *Format, ...)
{
    char value[96];
    va_list arguments;
    va_start(arguments, Format);
    vsnprintf(value, sizeof(value), Format, arguments);
    va_end(arguments);
    int y = Y + Row * ROW_HEIGHT;
    SvgBox(LEFT, y, FIELDS_W, ROW_HEIGHT, "cell");
    SvgText(LEFT + 10, y + 15, TextStart, "mono muted", "0x%02X", Offset);
    SvgText(LEFT + 46, y + 15, TextStart, "strong", "%s", Name);
    SvgText(LEFT + FIELD_VALUE, y + 15, TextStart, "mono", "%s", value);
}

static void DrawFields(const ISTHMUS_MDL *Mdl, UINT32 Which, int Y)
{
    if (Mdl->Present & ISTHMUS_MDL_HAS_NEXT)
    {
        DrawField(0, Y, 0x00, "Next", "MDL %u", Which + 2);
    }
    else
    {
        DrawField(0, Y, 0x00, "Next", "NULL");
    }
    if (Mdl->Size == 0x30 + 8 * Mdl->Pages)
    {
        DrawField(1, Y, 0x08, "Size", "0x%X = 0x30 + %u * 8", Mdl->Size, Mdl->Pages);
    }
    else
    {
        DrawField(1, Y, 0x08, "Size", "0x%X", Mdl->Size);
    }
    DrawField(2, Y, 0x0A, "MdlFlags", "0x%04X", Mdl->MdlFlags);
    DrawField(3, Y, 0x0C, "AllocationProcessorNumber", "not told");
    DrawField(4, Y, 0x10, "Process", "%s",
              Mdl->Present & ISTHMUS_MDL_HAS_PROCESS ? "the owner's EPROCESS" : "NULL or without meaning");
    DrawField(5, Y, 0x18, "MappedSystemVa", "%s",
              Mdl->Present & ISTHMUS_MDL_HAS_SYSTEM_VA ? "the kernel's view" : "without meaning");
    if (Mdl->Present & ISTHMUS_MDL_KERNEL_START)
    {
        DrawField(6, Y, 0x20, "StartVa", "a kernel address");
    }
    else
    {
        DrawField(6, Y, 0x20, "StartVa", "0x%012llx", (unsigned long long)Mdl->StartVa);
    }
    DrawField(7, Y, 0x28, "ByteCount", "0x%X (%s)", Mdl->ByteCount, Grouped(Mdl->ByteCount));
    DrawField(8, Y, 0x2C, "ByteOffset", "0x%X", Mdl->ByteOffset);
    DrawField(9, Y, 0x30, "page frame numbers", "%s, 8 bytes each", Grouped(Mdl->Pages));
}

static void DrawFlags(UINT32 Flags, int Y)
{
    int row = 0;
    for (int bit = 0; bit < 16; bit++)
    {
        if (!(Flags & (1u << bit)))
        {
            continue;
        }
        int y = Y + row++ * ROW_HEIGHT;
        SvgText(FLAGS_X, y + 15, TextStart, "mono muted", "%04X", 1u << bit);
        SvgText(FLAGS_X + 36, y + 15, TextStart, "mono", "%s", FlagName(bit));
        SvgText(FLAGS_X + FLAGS_W, y + 15, TextEnd, "muted", "%s", Meanings[bit]);
        SvgRule(FLAGS_X, y + ROW_HEIGHT, FLAGS_X + FLAGS_W, y + ROW_HEIGHT, "rule");
    }
    if (row == 0)
    {
        SvgText(FLAGS_X, Y + 15, TextStart, "muted", "none");
    }
}

static void DrawArray(const MODEL *Model, const SHOWN_MDL *Mdl, int Y, int FirstHue)
{
    int row = 0;
    UINT64 next = 0;
    for (UINT64 i = 0; i < Mdl->PageCount; i++, row++)
    {
        const SHOWN_PAGE *page = &Mdl->Pages[i];
        char class[8];
        if (page->Index != next)
        {
            int x = ARRAY_X + ARRAY_W / 2, y = Y + row++ * ROW_HEIGHT;
            SvgRule(x, y + 4, x, y + ROW_HEIGHT - 3, "dots");
        }
        next = page->Index + 1;
        int y = Y + row * ROW_HEIGHT;
        snprintf(class, sizeof(class), "h%d", HueOf(Mdl, i, FirstHue));
        SvgBox(ARRAY_X, y, 5, ROW_HEIGHT, class);
        SvgBox(ARRAY_X, y, ARRAY_W, ROW_HEIGHT, "cell");
        SvgText(ARRAY_X + 14, y + 15, TextStart, "mono muted", "0x%llX", 0x30 + 8 * (unsigned long long)page->Index);
        SvgText(ARRAY_X + 106, y + 15, TextEnd, "mono muted", "[%llu]", (unsigned long long)page->Index);
        if (page->Frames.MdlPfn != ISTHMUS_NO_PFN)
        {
            SvgText(ARRAY_X + ARRAY_W - 10, y + 15, TextEnd, "mono", "0x%llx", (unsigned long long)page->Frames.MdlPfn);
        }
        else
        {
            SvgText(ARRAY_X + ARRAY_W - 10, y + 15, TextEnd, "muted", Model->Withheld ? "withheld" : "not recorded");
        }
    }
}

/* NextY: where the panel of the next MDL in the chain begins; 0 if there is none. */
void DrawMdlPanel(const MODEL *Model, UINT32 Which, int Y, int FirstHue, int NextY)
{
    const SHOWN_MDL *mdl = &Model->Mdls[Which];
    if (mdl->Part != NULL)
    {
        SvgText(LEFT, Y + 16, TextStart, "head", "MDL %u of %u: %s%s", Which + 1, Model->MdlCount, mdl->Part,
                mdl->Repeat < mdl->Mdl.Pages ? ", all pages listed twice" : "");
    }
    else if (Model->MdlCount > 1)
    {
        SvgText(LEFT, Y + 16, TextStart, "head", "MDL %u of %u", Which + 1, Model->MdlCount);
    }
    else
    {
        SvgText(LEFT, Y + 16, TextStart, "head", "The MDL");
    }
    SvgText(LEFT, Y + 38, TextStart, "muted", "fixed part, 0x30 bytes");
    SvgText(FLAGS_X, Y + 38, TextStart, "muted", "MdlFlags 0x%04X", mdl->Mdl.MdlFlags);
    SvgText(ARRAY_X, Y + 38, TextStart, "muted", "page frame numbers");
    DrawFields(&mdl->Mdl, Which, Y + TOP);
    DrawFlags(mdl->Mdl.MdlFlags, Y + TOP);
    DrawArray(Model, mdl, Y + TOP, FirstHue);
    if (NextY != 0 && (mdl->Mdl.Present & ISTHMUS_MDL_HAS_NEXT))
    {
        SvgArrow(LEFT + FIELDS_W, Y + TOP + ROW_HEIGHT / 2, LEFT + 96, NextY + 12, LEFT + FIELDS_W + 14);
    }
}
