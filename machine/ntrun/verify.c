/* SPDX-License-Identifier: MIT */
/* --verify. See verify.h. */
#include "verify.h"

#include <string.h>

typedef struct VERIFY_MODE
{
    const char *Name;
    const char *Setting; /* the kernel's option; with Default set, the one that switches the mode off */
    bool Default;        /* on unless `none` is given */
    bool InAll;
    const char *Help;
} VERIFY_MODE;

static const VERIFY_MODE Modes[] = {
    {"special-pool", "specialpool", false, true,
     "a page for each of a driver's pool blocks, its end at an unmapped page"},
    {"special-pool:underrun", "specialpool:underrun", false, false,
     "the same, with the block at the start of its page"},
    {"force-irql", "forceirql", false, true,
     "pageable memory is gone whenever a driver is at DISPATCH_LEVEL or above"},
    {"trim", "trim", false, true, "user pages, paged pool and pageable sections leave at random moments"},
    {"deadlock", "deadlock", false, true, "the order in which drivers take locks"},
    {"track", "notrack", true, true, "who locked pages and made mappings; on by default"},
    {"io", "noio", true, true, "what drivers do with IRPs (bug check C9); on by default"},
};

#define MODE_COUNT (sizeof(Modes) / sizeof(Modes[0]))

static bool VerifyAdd(VERIFY *Verify, const char *Name, size_t Length)
{
    if (Length == 4 && memcmp(Name, "none", 4) == 0)
    {
        Verify->None = true;
        return true;
    }
    if (Length == 3 && memcmp(Name, "all", 3) == 0)
    {
        for (size_t i = 0; i < MODE_COUNT; i++)
        {
            Verify->Modes |= Modes[i].InAll ? 1u << i : 0;
        }
        return true;
    }
    for (size_t i = 0; i < MODE_COUNT; i++)
    {
        if (strlen(Modes[i].Name) == Length && memcmp(Modes[i].Name, Name, Length) == 0)
        {
            Verify->Modes |= 1u << i;
            return true;
        }
    }
    return false;
}

bool VerifyParse(VERIFY *Verify, const char *List, TEXT *Error)
{
    for (;;)
    {
        size_t length = strcspn(List, ",");

        if (!VerifyAdd(Verify, List, length))
        {
            TextAppend(Error, "--verify has no mode \"%.*s\"; the modes are", (int)length, List);
            for (size_t i = 0; i < MODE_COUNT; i++)
            {
                TextAppend(Error, " %s,", Modes[i].Name);
            }
            TextAppend(Error, " all and none");
            return false;
        }
        if (List[length] == '\0')
        {
            return true;
        }
        List += length + 1;
    }
}

void VerifySettings(const VERIFY *Verify, TEXT_LIST *Settings)
{
    bool any = false;

    for (size_t i = 0; i < MODE_COUNT; i++)
    {
        bool chosen = (Verify->Modes >> i & 1) != 0;

        any |= chosen;
        if (Modes[i].Default ? Verify->None && !chosen : chosen)
        {
            TextListAdd(Settings, "%s", Modes[i].Setting);
        }
    }
    if (Verify->None && !any)
    {
        TextListAdd(Settings, "noverifier"); /* the rules of 0xC4 belong to no mode: they are on if any check is */
    }
}

void VerifyHelp(TEXT *Help)
{
    for (size_t i = 0; i < MODE_COUNT; i++)
    {
        TextAppend(Help, "  %-21s  %s\n", Modes[i].Name, Modes[i].Help);
    }
    TextAppend(Help, "  %-21s  %s\n", "all", "all of these that go together (special pool: overruns)");
    TextAppend(Help, "  %-21s  %s\n", "none", "no checks; with a mode beside it, that mode alone and the rules of C4");
}
