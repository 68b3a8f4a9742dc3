/* SPDX-License-Identifier: MIT */
/* The ledger as text. See ledger.h. */
#include "ledger.h"

#include "bugwords.h"
#include "screen.h"

#include <stdlib.h>
#include <string.h>

static const struct
{
    const char *Kind;
    const char *Unit; /* of the size, NULL if it has none */
    const char *Key;
} Kinds[] = {
    {"page-lock", "page", "MDL"},
    {"system-mapping", "page", "at"},
    {"user-mapping", "page", "at"},
    {"reserved-mapping", "page", "at"},
    {"io-space-mapping", "page", "at"},
    {"mdl", "byte", "at"},
    {"mdl-pages", "page", "MDL"},
    {"contiguous-memory", "page", "at"},
    {"pool", "byte", "at"},
    {"irp", NULL, "at"},
    {"work-item", NULL, "at"},
    {"handle", NULL, "value"},
    {"reference", NULL, "to the object"},
};

void LedgerAddSymbols(SYMBOLS *Symbols, const LEDGER *Ledger)
{
    for (size_t i = 0; i < Ledger->Count; i++)
    {
        SymbolsAddStack(Symbols, &Ledger->Items[i].Stack);
    }
}

/* True if both frames are at the same place of the source; a loop that was unrolled has several addresses for one. */
static bool SamePlace(const FRAME *Left, const FRAME *Right, const SYMBOLS *Symbols)
{
    const SYMBOL *left = SymbolsFind(Symbols, FrameCode(Left));
    const SYMBOL *right = SymbolsFind(Symbols, FrameCode(Right));

    if (Left->Address == Right->Address)
    {
        return true;
    }
    if (left == NULL || right == NULL || left->LineCount != right->LineCount)
    {
        return false;
    }
    for (size_t i = 0; i < left->LineCount; i++)
    {
        const SOURCE_LINE *a = &left->Lines[i];
        const SOURCE_LINE *b = &right->Lines[i];

        if (a->Line != b->Line || a->Line == 0 || strcmp(a->Function, b->Function) != 0 ||
            strcmp(a->File, b->File) != 0)
        {
            return false;
        }
    }
    return true;
}

static bool SameOrigin(const HOLDING *Left, const HOLDING *Right, const SYMBOLS *Symbols)
{
    if (strcmp(Left->Kind, Right->Kind) != 0 || strcmp(Left->Type, Right->Type) != 0 || Left->Tag != Right->Tag ||
        Left->Stack.Count != Right->Stack.Count)
    {
        return false;
    }
    for (size_t i = 0; i < Left->Stack.Count; i++)
    {
        if (!SamePlace(&Left->Stack.Frames[i], &Right->Stack.Frames[i], Symbols))
        {
            return false;
        }
    }
    return true;
}

static void AppendCount(TEXT *Text, uint64_t Count, const char *Unit)
{
    TextAppend(Text, "%llu %s%s", (unsigned long long)Count, Unit, Count == 1 ? "" : "s");
}

/* "page-lock: 2 pages, MDL FFFFA00000035CA0; taken by thread 60 of process 56" */
static void HoldingHead(TEXT *Text, const HOLDING *Holding, size_t Times, uint64_t Size)
{
    const char *unit = NULL;
    const char *key = "at";

    for (size_t i = 0; i < sizeof(Kinds) / sizeof(Kinds[0]); i++)
    {
        if (strcmp(Kinds[i].Kind, Holding->Kind) == 0)
        {
            unit = Kinds[i].Unit;
            key = Kinds[i].Key;
        }
    }
    TextAppend(Text, "%s", Holding->Kind);
    if (Times != 1)
    {
        TextAppend(Text, ", %zu times", Times);
    }
    TextAppend(Text, ": ");
    if (unit != NULL)
    {
        AppendCount(Text, Size, unit);
        TextAppend(Text, "%s, ", Times != 1 ? " in all" : "");
    }
    TextAppend(Text, "%s%s%s %016llX", Holding->Type, *Holding->Type != '\0' ? ", " : "", key,
               (unsigned long long)Holding->Key);
    if (Holding->Tag != 0)
    {
        TextAppend(Text, ", tag ");
        BugAppendTag(Text, Holding->Tag);
    }
    TextAppend(Text, "; taken by thread %llu of process %llu", (unsigned long long)Holding->ThreadId,
               (unsigned long long)Holding->ProcessId);
}

/* The part that tells: from the routine that the innermost driver called to the outermost driver's frame. */
static STACK DriversPart(const STACK *Stack, const MODULES *Modules)
{
    size_t first = 0;
    size_t last = 0;
    bool found = false;

    for (size_t i = 0; i < Stack->Count; i++)
    {
        const MODULE *module = ModulesFind(Modules, Stack->Frames[i].Address);

        if (module != NULL && !ModuleIsKernel(module))
        {
            first = found ? first : i;
            last = i;
            found = true;
        }
    }
    if (!found)
    {
        return *Stack;
    }
    first -= first != 0;
    return (STACK){.Frames = Stack->Frames + first, .Count = last - first + 1};
}

void LedgerWrite(TEXT *Text, const LEDGER *Ledger, const MODULES *Modules, const SYMBOLS *Symbols, bool Color)
{
    bool *shown = MemoryAllocate(Ledger->Count + 1);

    TextAppend(Text, "\nLedger %s: ", Ledger->Title);
    AppendCount(Text, Ledger->Total, "holding");
    TextAppend(Text, "\n");
    for (size_t i = 0; i < Ledger->Count; i++)
    {
        STACK stack = DriversPart(&Ledger->Items[i].Stack, Modules);
        uint64_t size = 0;
        size_t times = 0;

        if (shown[i])
        {
            continue;
        }
        for (size_t j = i; j < Ledger->Count; j++)
        {
            if (!shown[j] && SameOrigin(&Ledger->Items[i], &Ledger->Items[j], Symbols))
            {
                shown[j] = true;
                times++;
                size += Ledger->Items[j].Size;
            }
        }
        TextAppend(Text, "\n  ");
        HoldingHead(Text, &Ledger->Items[i], times, size);
        TextAppend(Text, "\n");
        ScreenStack(Text, &stack, Modules, Symbols, 4, Color);
    }
    if (Ledger->Total > Ledger->Count)
    {
        TextAppend(Text, "\n  and %llu more\n", (unsigned long long)(Ledger->Total - Ledger->Count));
    }
    if (Ledger->Lost != 0)
    {
        TextAppend(Text, "\n  incomplete: the kernel had no memory to write down %llu\n",
                   (unsigned long long)Ledger->Lost);
    }
    free(shown);
}
