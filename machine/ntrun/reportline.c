/* SPDX-License-Identifier: MIT */
/* The lines of a report that have parts. See docs/report.md. */
#include "reportline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACK_MAX 4096u
#define MODULES_MAX 4096u

const char *LineAfter(const char *Line, const char *Word)
{
    size_t length = strlen(Word);

    return strncmp(Line, Word, length) == 0 && Line[length] == ' ' ? Line + length + 1 : NULL;
}

bool LineHex(const char **Line, uint64_t *Value)
{
    char *end;

    if (strspn(*Line, "0123456789abcdefABCDEF") == 0)
    {
        return false; /* strtoull would take a sign, blanks, and 0x */
    }
    errno = 0;
    *Value = strtoull(*Line, &end, 16);
    if (errno != 0 || (*end != '\0' && *end != ' '))
    {
        return false;
    }
    *Line = end + strspn(end, " ");
    return true;
}

uint64_t LineField(const char *Line, const char *Name, int Base)
{
    size_t length = strlen(Name);

    for (const char *at = Line; (at = strstr(at, Name)) != NULL; at += length)
    {
        if ((at == Line || at[-1] == ' ') && at[length] == '=')
        {
            return strtoull(at + length + 1, NULL, Base);
        }
    }
    return 0;
}

bool StackAddLine(STACK *Stack, const char *Line)
{
    FRAME frame = {0};

    if (!LineHex(&Line, &frame.Address) || (strcmp(Line, "at") != 0 && strcmp(Line, "call") != 0))
    {
        return false;
    }
    frame.Exact = strcmp(Line, "at") == 0;
    if (Stack->Count < STACK_MAX)
    {
        Stack->Frames = MemoryGrow(Stack->Frames, &Stack->Capacity, Stack->Count + 1, sizeof(FRAME));
        Stack->Frames[Stack->Count++] = frame;
    }
    return true;
}

static void StopWhere(STOP *Stop, const char *Line)
{
    Stop->HasWhere = true;
    Stop->Cpu = (unsigned)LineField(Line, "cpu", 10);
    Stop->Irql = (unsigned)LineField(Line, "irql", 10);
    Stop->Uptime = LineField(Line, "uptime", 10);
    Stop->Thread = LineField(Line, "thread", 16);
    Stop->Process = LineField(Line, "process", 16);
    Stop->Attached = LineField(Line, "attached", 10) != 0;
}

static void StopWho(STOP *Stop, const char *Line)
{
    char *end;

    Stop->HasWho = true;
    Stop->ProcessId = strtoull(Line, &end, 10);
    Stop->ThreadId = strtoull(end, &end, 10);
    TextAppend(&Stop->Image, "%s", *end == ' ' ? end + 1 : end);
}

bool StopLine(STOP *Stop, const char *Line)
{
    const char *rest;

    if ((rest = LineAfter(Line, "frame")) != NULL)
    {
        return StackAddLine(&Stop->Stack, rest);
    }
    if ((rest = LineAfter(Line, "registers")) != NULL)
    {
        TextAppend(&Stop->Registers, "%s%s", Stop->Registers.Length != 0 ? " " : "", rest);
    }
    else if ((rest = LineAfter(Line, "where")) != NULL && !Stop->HasWhere)
    {
        StopWhere(Stop, rest);
    }
    else if ((rest = LineAfter(Line, "who")) != NULL && !Stop->HasWho)
    {
        StopWho(Stop, rest);
    }
    else if ((rest = LineAfter(Line, "driver")) != NULL && Stop->Driver.Length == 0)
    {
        TextAppend(&Stop->Driver, "%s", rest);
    }
    else if ((rest = LineAfter(Line, "dpc")) != NULL)
    {
        return LineHex(&rest, &Stop->Dpc);
    }
    else if (strcmp(Line, "cut") == 0)
    {
        Stop->Cut = true;
    }
    else
    {
        return false;
    }
    return true;
}

void ModulesLine(MODULES *Modules, const char *Line)
{
    MODULE module = {0};
    const char *name;

    if (!LineHex(&Line, &module.Base) || !LineHex(&Line, &module.Size) ||
        ((name = LineAfter(Line, "loaded")) == NULL && (name = LineAfter(Line, "unloaded")) == NULL))
    {
        return;
    }
    module.Unloaded = Line[0] == 'u';
    for (size_t i = 0; i < Modules->Count; i++)
    {
        MODULE *known = &Modules->Items[i];

        if (known->Base == module.Base && known->Size == module.Size && strcmp(known->Name, name) == 0)
        {
            known->Unloaded = module.Unloaded;
            return;
        }
    }
    if (Modules->Count < MODULES_MAX)
    {
        Modules->Items = MemoryGrow(Modules->Items, &Modules->Capacity, Modules->Count + 1, sizeof(MODULE));
        module.Name = TextFormat("%s", name);
        Modules->Items[Modules->Count++] = module;
    }
}

const MODULE *ModulesFind(const MODULES *Modules, uint64_t Address)
{
    const MODULE *found = NULL;

    for (size_t i = 0; i < Modules->Count; i++)
    {
        const MODULE *module = &Modules->Items[i];

        if (Address - module->Base < module->Size && (found == NULL || found->Unloaded))
        {
            found = module;
        }
    }
    return found;
}
