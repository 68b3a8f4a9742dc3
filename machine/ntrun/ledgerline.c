/* SPDX-License-Identifier: MIT */
/* The lines of a ledger. See docs/report.md. */
#include "reportline.h"

#include <stdlib.h>
#include <string.h>

#define LEDGERS_MAX 1024u

static void LedgerBegin(REPORT *Report, const char *Title)
{
    if (Report->LedgerCount < LEDGERS_MAX)
    {
        Report->Ledgers =
            MemoryGrow(Report->Ledgers, &Report->LedgerCapacity, Report->LedgerCount + 1, sizeof(LEDGER));
        Report->Ledgers[Report->LedgerCount++] = (LEDGER){.Title = TextFormat("%s", Title)};
        Report->InLedger = true;
    }
}

/* "<kind> key=... size=... tag=... pid=... tid=... name=<to the end>" */
static void LedgerHold(LEDGER *Ledger, const char *Line)
{
    const char *name = strstr(Line, " name=");
    HOLDING holding = {
        .Kind = TextFormat("%.*s", (int)strcspn(Line, " "), Line),
        .Key = LineField(Line, "key", 16),
        .Size = LineField(Line, "size", 10),
        .Tag = (uint32_t)LineField(Line, "tag", 16),
        .ProcessId = LineField(Line, "pid", 10),
        .ThreadId = LineField(Line, "tid", 10),
        .Type = TextFormat("%s", name != NULL ? name + strlen(" name=") : ""),
    };

    Ledger->Items = MemoryGrow(Ledger->Items, &Ledger->Capacity, Ledger->Count + 1, sizeof(HOLDING));
    Ledger->Items[Ledger->Count++] = holding;
    Ledger->Total = Ledger->Count;
}

static void LedgerEnd(REPORT *Report, LEDGER *Ledger, const char *Line)
{
    char *end;

    Ledger->Total = strtoull(Line, &end, 10);
    Ledger->Lost = strtoull(end, NULL, 10);
    if (Ledger->Total < Ledger->Count)
    {
        Ledger->Total = Ledger->Count;
    }
    Report->InLedger = false;
}

bool LedgerLine(REPORT *Report, const char *Line)
{
    LEDGER *ledger = Report->InLedger ? &Report->Ledgers[Report->LedgerCount - 1] : NULL;
    const char *rest;

    if ((rest = LineAfter(Line, "ledger")) != NULL)
    {
        LedgerBegin(Report, rest);
        return true;
    }
    if (ledger == NULL)
    {
        return false;
    }
    if ((rest = LineAfter(Line, "hold")) != NULL)
    {
        LedgerHold(ledger, rest);
    }
    else if ((rest = LineAfter(Line, "taken")) != NULL && ledger->Count != 0)
    {
        return StackAddLine(&ledger->Items[ledger->Count - 1].Stack, rest);
    }
    else if ((rest = LineAfter(Line, "ledger-end")) != NULL)
    {
        LedgerEnd(Report, ledger, rest);
    }
    else
    {
        return false;
    }
    return true;
}

void LedgerFree(LEDGER *Ledger)
{
    for (size_t i = 0; i < Ledger->Count; i++)
    {
        free(Ledger->Items[i].Kind);
        free(Ledger->Items[i].Type);
        free(Ledger->Items[i].Stack.Frames);
    }
    free(Ledger->Items);
    free(Ledger->Title);
    memset(Ledger, 0, sizeof(*Ledger));
}
