/* SPDX-License-Identifier: MIT */
/*
 * SVG elements. Colours are in the style sheet, once for light and once for dark; nothing else knows them.
 */
#include "svg.h"

static const char Style[] =
    "text{font-family:'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif;font-size:12px;fill:#1f2328}\n"
    ".mono{font-family:Consolas,Menlo,'DejaVu Sans Mono',monospace;font-size:11px}\n"
    ".title{font-size:20px;font-weight:600}\n"
    ".head{font-size:14px;font-weight:600}\n"
    ".strong{font-weight:600}\n"
    ".muted{fill:#59636e}\n"
    ".ground{fill:#ffffff}\n"
    ".page{fill:#f6f8fa;stroke:#8c959f}\n"
    ".absent{fill:none;stroke:#8c959f;stroke-dasharray:3 3}\n"
    ".frame{fill:#ffffff;stroke:#59636e;stroke-width:1.3}\n"
    ".cell{fill:none;stroke:#d1d9e0}\n"
    ".rule{stroke:#d1d9e0}\n"
    ".dots{stroke:#8c959f;stroke-width:1.5;stroke-dasharray:1.5 4}\n"
    ".wire{fill:none;stroke-width:1.7}\n"
    ".dashed{stroke-dasharray:5 4}\n"
    ".arrow{fill:none;stroke:#59636e;stroke-width:1.3}\n"
    ".head-of-arrow{fill:#59636e}\n"
    ".share{fill-opacity:.22}\n";

static const char Dark[] =
    "text{fill:#e6edf3}\n"
    ".muted{fill:#9198a1}\n"
    ".ground{fill:#0d1117}\n"
    ".page{fill:#161b22;stroke:#656c76}\n"
    ".absent{stroke:#656c76}\n"
    ".frame{fill:#0d1117;stroke:#9198a1}\n"
    ".cell{stroke:#3d444d}\n"
    ".rule{stroke:#3d444d}\n"
    ".dots{stroke:#656c76}\n"
    ".arrow{stroke:#9198a1}\n"
    ".head-of-arrow{fill:#9198a1}\n"
    ".share{fill-opacity:.38}\n";

/* Neighbours differ in hue and in lightness; all can be told from white and from black. */
static const char *const Hues[HUES] = {"#2f7ed8", "#d97706", "#1a9850", "#b5179e", "#0e9aa7", "#c0392b",
                                       "#7c5cdb", "#8a7300", "#e05a8c", "#5b7083", "#5fa31d", "#9c5a2e"};

/* XML has no place for control characters, not even escaped. */
static void PrintEscaped(const char *Text)
{
    for (Text = Visible(Text); *Text != 0; Text++)
    {
        switch (*Text)
        {
        case '&':
            fputs("&amp;", stdout);
            break;
        case '<':
            fputs("&lt;", stdout);
            break;
        case '>':
            fputs("&gt;", stdout);
            break;
        default:
            putchar(*Text);
            break;
        }
    }
}

void SvgBegin(int Width, int Height, const char *Title, const char *Description)
{
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
           Width, Height, Width, Height);
    printf("<title>");
    PrintEscaped(Title);
    printf("</title>\n<desc>");
    PrintEscaped(Description);
    printf("</desc>\n<style>\n%s", Style);
    for (int i = 0; i < HUES; i++)
    {
        printf(".w%d{stroke:%s}.h%d{fill:%s}\n", i, Hues[i], i, Hues[i]);
    }
    printf("@media (prefers-color-scheme:dark){\n%s}\n</style>\n", Dark);
    SvgBox(0, 0, Width, Height, "ground");
}

void SvgEnd(void)
{
    printf("</svg>\n");
}

void SvgText(int X, int Y, TEXT_ANCHOR Anchor, const char *Class, const char *Format, ...)
{
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    char text[512];
    va_list arguments;
    va_start(arguments, Format);
    vsnprintf(text, sizeof(text), Format, arguments);
    va_end(arguments);
    printf("<text x=\"%d\" y=\"%d\" class=\"%s\"%s>", X, Y, Class, anchors[Anchor]);
    PrintEscaped(text);
    printf("</text>\n");
}

void SvgBox(int X, int Y, int Width, int Height, const char *Class)
{
    printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\"/>\n", X, Y, Width, Height, Class);
}

void SvgRule(int X1, int Y1, int X2, int Y2, const char *Class)
{
    printf("<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"%s\"/>\n", X1, Y1, X2, Y2, Class);
}

void SvgWire(int X1, int Y1, int X2, int Y2, int Hue, BOOL Dashed)
{
    int bend = (X2 - X1) / 2;
    printf("<path d=\"M%d %dC%d %d %d %d %d %d\" class=\"wire w%d%s\"/>\n", X1, Y1, X1 + bend, Y1, X2 - bend, Y2, X2,
           Y2, Hue, Dashed ? " dashed" : "");
    printf("<circle cx=\"%d\" cy=\"%d\" r=\"2.6\" class=\"h%d\"/>\n", X1, Y1, Hue);
    printf("<circle cx=\"%d\" cy=\"%d\" r=\"2.6\" class=\"h%d\"/>\n", X2, Y2, Hue);
}

void SvgArrow(int X1, int Y1, int X2, int Y2, int Bend)
{
    int back = X2 < Bend ? 6 : -6;
    printf("<path d=\"M%d %dH%dV%dH%d\" class=\"arrow\"/>\n", X1, Y1, Bend, Y2, X2 + back);
    printf("<path d=\"M%d %dl%d -4v8z\" class=\"head-of-arrow\"/>\n", X2, Y2, back + (back > 0 ? 1 : -1));
}
