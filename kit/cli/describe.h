/* SPDX-License-Identifier: MIT */
/*
 * Private to describe*.c: what is known about a region or a request, gathered first and then shown in one of three
 * forms. Nothing here is worked out from what ought to be: each frame was told by the driver.
 */
#pragma once

#include "cli.h"

/* One page that is shown. A region's pages are counted within their MDL. */
typedef struct SHOWN_PAGE
{
    UINT64 Index;
    ISTHMUS_PAGE Frames;
} SHOWN_PAGE;

typedef struct SHOWN_MDL
{
    ISTHMUS_MDL Mdl;
    UINT64 Offset;      /* of its first byte within the whole */
    UINT64 UserAddress; /* of its first byte in this process; 0 if it isn't there */
    BOOL KernelView;    /* the driver has, or had during the request, a mapping */
    const char *Part;   /* of a channel: what the pages are for; else NULL */
    BOOL Writable;      /* with Part: this process can write there (tried) */
    UINT64 Repeat;      /* with Part: the pages from this one on are the first ones again; else all there are */
    SHOWN_PAGE *Pages;  /* in order, perhaps with a gap before the last */
    UINT64 PageCount;
} SHOWN_MDL;

/* One place in a process where the whole region can be seen: a view, or the buffer it was made of. */
typedef struct SHOWN_VIEW
{
    UINT64 Id; /* 0: the buffer itself */
    UINT64 ProcessId;
    UINT64 Address;
    UINT64 Bytes;
    UINT32 Access;
    UINT32 State;
    BOOL Own; /* its frames were asked for; those of others follow from the MDL */
    char Image[64];
} SHOWN_VIEW;

typedef struct MODEL
{
    BOOL IsRequest;
    BOOL Withheld; /* frames: the caller isn't an administrator */
    UINT64 PageLimit;  /* most pages kept per MDL */
    UINT64 ChainLimit; /* the same where there are several MDLs */
    UINT64 Bytes;

    /* A region */
    UINT64 Region;
    UINT32 Kind;
    UINT32 Access;
    UINT32 State;
    UINT64 OwnerId; /* 0: not told */
    char OwnerImage[64];
    char Name[3 * ISTHMUS_NAME_CHARS + 1];
    SHOWN_VIEW *Views;
    UINT32 ViewCount;

    /* A request */
    UINT32 Method;
    UINT32 ControlCode;
    UINT32 Crc32;
    BOOL Lost; /* the chain was longer than the driver's record */

    SHOWN_MDL *Mdls; /* a region's segments, or a request's chain */
    UINT32 MdlCount;
} MODEL;

/* gather.c: each FALSE leaves the reason in GetLastError. */
BOOL GatherRegion(HISTHMUS Isthmus, UINT64 Region, UINT64 View, MODEL *Model);
BOOL GatherRequest(const OPTIONS *Options, UINT32 Method, MODEL *Model);
void FreeModel(MODEL *Model);
UINT64 PageOnce(const SHOWN_MDL *Mdl, UINT64 Index); /* the page, or the one that it shows again */
const char *ViewAccess(const MODEL *Model, const SHOWN_VIEW *View);

/* The three forms. */
void DescribeAsText(const MODEL *Model);
void DescribeAsJson(const MODEL *Model);
void DescribeAsSvg(const MODEL *Model);
