/* SPDX-License-Identifier: MIT */
/*
 * Private to the picture: a few SVG elements on standard output. Lengths are CSS pixels.
 */
#pragma once

#include "describe.h"

#define HUES 12 /* colours that tell pages apart */

/* Where text stands relative to its x. */
typedef enum { TextStart, TextMiddle, TextEnd } TEXT_ANCHOR;

void SvgBegin(int Width, int Height, const char *Title, const char *Description);
void SvgEnd(void);
void SvgText(int X, int Y, TEXT_ANCHOR Anchor, const char *Class, const char *Format, ...) PRINTF_LIKE(5, 6);
void SvgBox(int X, int Y, int Width, int Height, const char *Class);
void SvgRule(int X1, int Y1, int X2, int Y2, const char *Class);
void SvgWire(int X1, int Y1, int X2, int Y2, int Hue, BOOL Dashed); /* a curve between two columns */
void SvgArrow(int X1, int Y1, int X2, int Y2, int Bend);            /* right, down or up at Bend, back or on */

/* picture.c */
int HueOf(const SHOWN_MDL *Mdl, UINT64 Which, int FirstHue); /* of a shown page */

/* picture_mdl.c */
int MdlPanelHeight(const SHOWN_MDL *Mdl);
void DrawMdlPanel(const MODEL *Model, UINT32 Which, int Y, int FirstHue, int NextY);
