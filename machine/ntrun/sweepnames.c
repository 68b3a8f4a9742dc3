/* SPDX-License-Identifier: MIT */
/*
 * Functions and lines for the places that a sweep lists: the machine reports "driver.sys+0x1234", and llvm-symbolizer is
 * asked once for all of them.
 */
#include "sweepp.h"

#include "symbols.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE_SPACING (1ull << 40) /* where the modules lay does not matter, only that they lie apart */

/* Splits "driver.sys+0x1234"; false for what is no place in a module. */
static bool SplitPlace(const char *Place, size_t *Length, uint64_t *Offset)
{
    const char *plus = Place != NULL ? strrchr(Place, '+') : NULL;

    *Length = plus != NULL ? (size_t)(plus - Place) : 0;
    return plus != NULL && sscanf(plus, "+0x%" SCNx64, Offset) == 1;
}

/* The base of a module in the list, which is put there if it is not. */
static uint64_t ModuleBase(MODULES *Modules, const char *Name, size_t Length)
{
    MODULE *module;

    for (size_t i = 0; i < Modules->Count; i++)
    {
        if (strlen(Modules->Items[i].Name) == Length && memcmp(Modules->Items[i].Name, Name, Length) == 0)
        {
            return Modules->Items[i].Base;
        }
    }
    Modules->Items = MemoryGrow(Modules->Items, &Modules->Capacity, Modules->Count + 1, sizeof(*Modules->Items));
    module = &Modules->Items[Modules->Count++];
    memset(module, 0, sizeof(*module));
    module->Name = TextFormat("%.*s", (int)Length, Name);
    module->Base = Modules->Count * MODULE_SPACING;
    module->Size = MODULE_SPACING / 2;
    return module->Base;
}

/* The address of a point's place; of the call if the place is where one returns to. 0 if it has none. */
static uint64_t PointAddress(MODULES *Modules, const SWEEP_POINT *Point, bool Returns)
{
    size_t length;
    uint64_t offset;

    return SplitPlace(Point->Where, &length, &offset) ? ModuleBase(Modules, Point->Where, length) + offset - Returns : 0;
}

static void NamePoint(SWEEP_POINT *Point, const SYMBOLS *Symbols, uint64_t Address)
{
    const SYMBOL *symbol = Address != 0 ? SymbolsFind(Symbols, Address) : NULL;
    const SOURCE_LINE *line = symbol != NULL && symbol->LineCount != 0 ? &symbol->Lines[0] : NULL;
    char *named;

    if (line == NULL)
    {
        return;
    }
    if (line->File != NULL)
    {
        const char *slash = strrchr(line->File, '/');

        named = TextFormat("%s  %s %s:%u", Point->Where, line->Function, slash != NULL ? slash + 1 : line->File, line->Line);
    }
    else
    {
        named = TextFormat("%s  %s", Point->Where, line->Function);
    }
    free(Point->Where);
    Point->Where = named;
}

void SweepNamePlaces(const OPTIONS *Options, SWEEP_POINT *Points, size_t Count, bool Returns)
{
    PLACES places = {0};
    PACKAGE package = {0};
    SYMBOLS symbols = {0};
    MODULES modules = {0};
    TEXT error = {0};

    for (size_t i = 0; i < Count; i++)
    {
        SymbolsAdd(&symbols, PointAddress(&modules, &Points[i], Returns));
    }
    /* Without names the table is still right, so what goes wrong here is not told. */
    if (modules.Count != 0 && PlacesFind(&places, Options->System, &error) &&
        PackageBuild(&package, Options, &places, &error) == 0)
    {
        SymbolsResolve(&symbols, &modules, &package, &places);
        for (size_t i = 0; i < Count; i++)
        {
            NamePoint(&Points[i], &symbols, PointAddress(&modules, &Points[i], Returns));
        }
    }
    for (size_t i = 0; i < modules.Count; i++)
    {
        free(modules.Items[i].Name);
    }
    free(modules.Items);
    SymbolsFree(&symbols);
    PackageFree(&package);
    PlacesFree(&places);
    TextFree(&error);
}
