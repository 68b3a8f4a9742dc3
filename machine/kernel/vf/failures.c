/* SPDX-License-Identifier: MIT */
/*
 * Low-resources simulation: requests for memory, mappings, pages, IRPs and the like that drivers cause are refused, as
 * if there was none left.
 *
 * Whose request it is, the stack tells. The walk goes from the request outwards through the kernel's own frames:
 *
 *     MipAllocate, ObpAllocateObject, ..., ZwCreateEvent     the kernel's
 *     mydriver.sys+0x1234                                    the first frame outside: the site, and the request counts
 *
 * So what the kernel allocates on behalf of a call of the driver (objects, names, handles) counts as well as what the
 * driver allocates itself. A request does not count when the first frame outside is no driver's (a program's call),
 * when an interrupt or a fault lies between (the driver did not ask), or when it serves one of the routines that
 * cannot fail on NT (VfpCannotFail): those are the machine's to keep working.
 *
 * What may be refused follows Driver Verifier's own list ("Low Resources Simulation" in the driver kit's documentation),
 * and adds what is made of pool below it: objects, names, registrations of callbacks.
 */
#include "hal.h"
#include "ke.h"
#include "ldr.h"
#include "rtl.h"
#include "vfp.h"

#define VFP_MAX_FRAMES 48
#define VFP_MAX_SITES 512
#define VFP_MAX_TOLD 100 /* refusals that are told one by one */

typedef enum _VFP_MODE
{
    VfpCount, /* nothing is refused, only counted */
    VfpNth,
    VfpEvery,
    VfpRandom,
    VfpSite,
} VFP_MODE;

static const PCSTR VfpRequestNames[] = {
    [VfRequestPool] = "pool",
    [VfRequestMdl] = "MDL",
    [VfRequestLock] = "lock",
    [VfRequestKernelView] = "kernel-view",
    [VfRequestUserView] = "user-view",
    [VfRequestPages] = "pages",
    [VfRequestAddresses] = "addresses",
    [VfRequestContiguous] = "contiguous",
    [VfRequestIoSpace] = "io-space",
    [VfRequestIrp] = "IRP",
    [VfRequestCallback] = "callback",
};

BOOLEAN VfFailuresOn;
static VFP_MODE VfpMode;
static ULONG64 VfpNumber, VfpSeed;
static volatile LONG64 VfpPoints, VfpRefused;
static PVOID volatile VfpSites[VFP_MAX_SITES]; /* in the order in which they were met; never taken out */

/* Below these nothing is refused: they have no way to say no. The trap entries stand for what interrupted the driver, and
   what the ledger takes for itself is not the driver's. */
extern const UCHAR KiTrapEntry[], KiParanoidEntry[];
static const PVOID VfpCannotFail[] = {
    (PVOID)KiTrapEntry,
    (PVOID)KiParanoidEntry,
    (PVOID)VfpTake,
    (PVOID)VfpTakeObject,
    (PVOID)IofCompleteRequest,
    (PVOID)ObfDereferenceObject,
    (PVOID)ZwClose,
    (PVOID)KeStackAttachProcess,
    (PVOID)KeUnstackDetachProcess,
    (PVOID)MmUnlockPages,
    (PVOID)MmUnmapLockedPages,
    (PVOID)IoDeleteDevice,
    (PVOID)PsTerminateSystemThread,
    (PVOID)ExAcquireResourceSharedLite,
    (PVOID)ExAcquireResourceExclusiveLite,
    (PVOID)ExAcquireSharedStarveExclusive,
    (PVOID)ExAcquireSharedWaitForExclusive,
};

/* Who asks: where in which driver, and which routine of the kernel was called there. NULL if the stack does not show one
   that is exported, as when ExAllocatePoolWithTag goes on by a jump. */
typedef struct _VFP_ASKER
{
    PVOID Site;
    PCSTR Routine;
} VFP_ASKER;

static BOOLEAN VfpMayFail(PVOID Function)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(VfpCannotFail); i++)
    {
        if (Function == VfpCannotFail[i])
        {
            return FALSE;
        }
    }
    return TRUE;
}

/* FALSE if the request is no driver's, or may not be refused. */
static BOOLEAN VfpFindAsker(VFP_ASKER *Asker)
{
    PVOID frames[VFP_MAX_FRAMES];
    ULONG count = RtlWalkFrameChain(frames, VFP_MAX_FRAMES, 0);
    PVOID function = NULL;

    for (ULONG i = 0; i < count; i++)
    {
        ULONG64 base;
        PRUNTIME_FUNCTION entry;

        if (!LdrIsKernelAddress(frames[i]))
        {
            Asker->Site = frames[i];
            Asker->Routine = function != NULL ? LdrKernelExportName(function) : NULL;
            return MmIsSystemAddress(frames[i]) && LdrFindModule(frames[i], NULL) != NULL;
        }
        entry = RtlLookupFunctionEntry((ULONG64)frames[i] - 1, &base, NULL);
        function = entry != NULL ? (PVOID)(base + entry->BeginAddress) : NULL;
        if (!VfpMayFail(function))
        {
            return FALSE;
        }
    }
    return FALSE;
}

/* The number of a call site, from 1; VFP_MAX_SITES + 1 for all that find no room. */
static ULONG VfpSiteNumber(PVOID Site)
{
    for (ULONG i = 0; i < VFP_MAX_SITES; i++)
    {
        PVOID seen = InterlockedCompareExchangePointer(&VfpSites[i], Site, NULL);

        if (seen == NULL || seen == Site)
        {
            return i + 1;
        }
    }
    return VFP_MAX_SITES + 1;
}

static ULONG VfpSiteCount(VOID)
{
    ULONG count = 0;

    while (count < VFP_MAX_SITES && VfpSites[count] != NULL)
    {
        count++;
    }
    return count;
}

static BOOLEAN VfpRefuses(ULONG64 Point, ULONG Site)
{
    switch (VfpMode)
    {
    case VfpNth:
        return Point == VfpNumber;
    case VfpEvery:
        return Point % VfpNumber == 0;
    case VfpRandom:
        return VfpMix(VfpSeed + Point) % VfpNumber == 0; /* a point's fate does not hang on the others' */
    case VfpSite:
        return Site == VfpNumber;
    default:
        return FALSE;
    }
}

VF_SELDOM BOOLEAN VfGrant(VF_REQUEST Request)
{
    CHAR place[96];
    VFP_ASKER asker;
    ULONG64 point;
    ULONG site;

    if (!VfpFindAsker(&asker))
    {
        return TRUE;
    }
    point = (ULONG64)InterlockedIncrement64(&VfpPoints);
    site = VfpSiteNumber(asker.Site);
    if (!VfpRefuses(point, site))
    {
        return TRUE;
    }
    if (InterlockedIncrement64(&VfpRefused) <= VFP_MAX_TOLD)
    {
        LdrFormatAddress(asker.Site, place, sizeof(place));
        HalPrint(HalStreamReport, "refusal %llu %s %s %s\n", point, VfpRequestNames[Request],
                 asker.Routine != NULL ? asker.Routine : "-", place);
        HalPrint(HalStreamError, "machine: request %llu of the drivers is refused: %s%s%s, at %s\n", point,
                 VfpRequestNames[Request], asker.Routine != NULL ? " in " : "",
                 asker.Routine != NULL ? asker.Routine : "", place);
    }
    return FALSE;
}

VOID VfpReportFailures(VOID)
{
    if (VfFailuresOn)
    {
        HalPrint(HalStreamReport, "requests %lld sites %lu refused %lld\n", VfpPoints, VfpSiteCount(), VfpRefused);
        HalPrint(HalStreamError, "machine: the drivers made %lld requests at %lu places; %lld refused\n", VfpPoints,
                 VfpSiteCount(), VfpRefused);
    }
}

/* option=fail:count | nth=N | every=N | site=N | random=N[,seed=S] */
BOOLEAN VfpParseFailures(VFP_TEXT Text)
{
    static const struct
    {
        PCSTR Name;
        VFP_MODE Mode;
    } modes[] = {{"nth=", VfpNth}, {"every=", VfpEvery}, {"site=", VfpSite}, {"random=", VfpRandom}};

    VfFailuresOn = TRUE;
    if (VfpSkip(&Text, "count"))
    {
        return Text.Length == 0;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(modes); i++)
    {
        if (VfpSkip(&Text, modes[i].Name))
        {
            VfpMode = modes[i].Mode;
            return VfpReadNumber(&Text, &VfpNumber) && VfpNumber != 0 &&
                   (Text.Length == 0 || (VfpMode == VfpRandom && VfpSkip(&Text, ",seed=") &&
                                         VfpReadNumber(&Text, &VfpSeed) && Text.Length == 0));
        }
    }
    return FALSE;
}
