/* SPDX-License-Identifier: MIT */
/*
 * Quotas: each limit, of one process and of all together, set in the registry, reached, and given back.
 */
#include "check.h"

#define PAGE 4096
#define UNIT (4 * PAGE) /* of the limits that count bytes */
#define MINE 4          /* units that one process may have */
#define ALL 6           /* units that all may have */
#define MANY 16         /* more than any limit here */

typedef enum WHAT
{
    Sessions,
    Regions,
    Views,
    LockedBytes,
    AllocatedBytes,
    Kinds
} WHAT;

static const struct
{
    const char *Name;
    const wchar_t *Process, *Total;
    UINT64 Unit;
} Limits[Kinds] = {
    {"sessions", L"ProcessSessions", L"TotalSessions", 1},
    {"regions", L"ProcessRegions", L"TotalRegions", 1},
    {"views", L"ProcessViews", L"TotalViews", 1},
    {"locked bytes", L"ProcessLockedBytes", L"TotalLockedBytes", UNIT},
    {"allocated bytes", L"ProcessAllocatedBytes", L"TotalAllocatedBytes", UNIT},
};

typedef struct HOLD
{
    HISTHMUS Base;   /* one session, and for views one region in it */
    UINT64 Region;
    HISTHMUS More[MANY];
    UINT64 Ids[MANY];
    int Count;
    DWORD Error;     /* of the first that was refused */
} HOLD;

static BOOL TakeOne(HOLD *Hold, WHAT What)
{
    static BYTE buffer[UNIT + PAGE];
    BYTE *aligned = (BYTE *)(((ULONG_PTR)buffer + PAGE - 1) & ~(ULONG_PTR)(PAGE - 1));
    switch (What)
    {
    case Sessions:
        Hold->More[Hold->Count] = IsthmusOpen(0);
        return Hold->More[Hold->Count] != NULL;
    case Regions:
        return IsthmusAllocate(Hold->Base, ISTHMUS_KIND_PAGED_POOL, PAGE, &Hold->Ids[Hold->Count]);
    case Views:
        return IsthmusMap(Hold->Base, Hold->Region, ISTHMUS_ACCESS_ALL, &Hold->Ids[Hold->Count]) != NULL;
    case LockedBytes:
        return IsthmusShare(Hold->Base, aligned, UNIT, ISTHMUS_ACCESS_ALL, &Hold->Ids[Hold->Count]);
    default:
        return IsthmusAllocate(Hold->Base, ISTHMUS_KIND_PAGES, UNIT, &Hold->Ids[Hold->Count]);
    }
}

/* Takes until it is refused; how many there were, the base session included if sessions are counted. */
static int TakeAll(HOLD *Hold, WHAT What)
{
    ZeroMemory(Hold, sizeof(*Hold));
    Hold->Base = IsthmusOpen(0);
    if (Hold->Base == NULL ||
        (What == Views && !IsthmusAllocate(Hold->Base, ISTHMUS_KIND_PAGED_POOL, PAGE, &Hold->Region)))
    {
        Hold->Error = GetLastError();
        return 0;
    }
    while (Hold->Count < MANY && TakeOne(Hold, What))
    {
        Hold->Count++;
    }
    Hold->Error = GetLastError();
    return Hold->Count + (What == Sessions);
}

static void GiveBack(HOLD *Hold, WHAT What)
{
    for (int i = 0; What == Sessions && i < Hold->Count; i++)
    {
        IsthmusClose(Hold->More[i]);
    }
    IsthmusClose(Hold->Base);
}

/* A second process: the exit code is what it got, or 100 plus that if the refusal was for another reason. */
int LimitsChild(const char *What)
{
    HOLD hold;
    int got = TakeAll(&hold, (WHAT)atoi(What));
    return hold.Error == ERROR_NOT_ENOUGH_QUOTA ? got : 100 + got;
}

static UINT64 LimitOf(const ISTHMUS_STATISTICS *Statistics, WHAT What, BOOL Total)
{
    switch (What)
    {
    case Sessions:
        return Total ? Statistics->LimitTotalSessions : Statistics->LimitProcessSessions;
    case Regions:
        return Total ? Statistics->LimitTotalRegions : Statistics->LimitProcessRegions;
    case Views:
        return Total ? Statistics->LimitTotalViews : Statistics->LimitProcessViews;
    case LockedBytes:
        return Total ? Statistics->LimitTotalLocked : Statistics->LimitProcessLocked;
    default:
        return Total ? Statistics->LimitTotalAllocated : Statistics->LimitProcessAllocated;
    }
}

static void TestLimit(WHAT What)
{
    HOLD hold, again;
    ISTHMUS_STATISTICS full, empty;
    char arguments[32];
    int got = TakeAll(&hold, What);
    Check(got == MINE && hold.Error == ERROR_NOT_ENOUGH_QUOTA, "%s: this process got %d of %d, then error %lu",
          Limits[What].Name, got, MINE, (unsigned long)hold.Error);
    snprintf(arguments, sizeof(arguments), "limits %d", What);
    DWORD others = WaitExit(StartSelf(arguments, NULL));
    Check(others == ALL - MINE, "%s: a second process got %lu, the rest of %d", Limits[What].Name,
          (unsigned long)others, ALL);
    IsthmusStatistics(hold.Base, &full);
    Check(LimitOf(&full, What, FALSE) == MINE * Limits[What].Unit && LimitOf(&full, What, TRUE) == ALL * Limits[What].Unit &&
              full.Refusals == 2,
          "%s: limits %llu and %llu, %llu refusals counted", Limits[What].Name,
          (unsigned long long)LimitOf(&full, What, FALSE), (unsigned long long)LimitOf(&full, What, TRUE),
          (unsigned long long)full.Refusals);
    GiveBack(&hold, What);
    got = TakeAll(&again, What);
    IsthmusStatistics(again.Base, &empty);
    Check(got == MINE && empty.Refusals == 3, "%s: given back, %d can be had again", Limits[What].Name, got);
    GiveBack(&again, What);
}

void TestLimits(void)
{
    for (WHAT what = Sessions; what < Kinds; what++)
    {
        /* Once as a 32-bit number, once as a 64-bit one. */
        if (CheckDone(SetParameter(Limits[what].Process, REG_DWORD, MINE * Limits[what].Unit) &&
                          SetParameter(Limits[what].Total, REG_QWORD, ALL * Limits[what].Unit) && Restart(),
                      "restart the driver with limits for %s", Limits[what].Name))
        {
            TestLimit(what);
        }
        CheckDone(ClearParameter(Limits[what].Process) && ClearParameter(Limits[what].Total), "take the limits away");
    }
    CheckDone(Restart(), "restart the driver as it was");
}
