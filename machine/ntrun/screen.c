/* SPDX-License-Identifier: MIT */
/* The blue screen. See screen.h. */
#include "screen.h"

#include "bugwords.h"
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_WIDTH 100
#define REPEATS_SHOWN 2u
#define SNIPPET_REACH 2u /* lines of the source shown before and after */

#define BLUE "\x1b[97;44m"
#define BOLD "\x1b[1m"
#define PLAIN "\x1b[0m"

bool ModuleIsKernel(const MODULE *Module)
{
    return Module != NULL && strcasecmp(Module->Name, "ntoskrnl.exe") == 0;
}

static const MODULE *DriverAt(const MODULES *Modules, uint64_t Address)
{
    const MODULE *module = ModulesFind(Modules, Address);

    return module != NULL && !ModuleIsKernel(module) ? module : NULL;
}

static const MODULE *BlameParameter(const STOP *Stop, const MODULES *Modules, uint64_t *Code)
{
    const MODULE *module = NULL;

    for (int i = 0; i < 4 && module == NULL; i++)
    {
        module = DriverAt(Modules, Stop->Parameters[i]);
        *Code = module != NULL ? Stop->Parameters[i] : *Code;
    }
    if (module == NULL && Stop->Dpc != 0)
    {
        module = DriverAt(Modules, Stop->Dpc);
        *Code = module != NULL ? Stop->Dpc : *Code;
    }
    return module;
}

/* The last module of that name: an earlier one has been unloaded. */
static const MODULE *BlameNamed(const STOP *Stop, const MODULES *Modules, uint64_t *Code)
{
    for (size_t i = Modules->Count; i-- > 0 && Stop->Driver.Length != 0;)
    {
        if (strcasecmp(Modules->Items[i].Name, TextString(&Stop->Driver)) == 0)
        {
            *Code = Modules->Items[i].Base;
            return &Modules->Items[i];
        }
    }
    return NULL;
}

const MODULE *ScreenBlame(const STOP *Stop, const MODULES *Modules, uint64_t *Code)
{
    const MODULE *module = BlameNamed(Stop, Modules, Code);

    if (module == NULL && (Stop->Code == 0xCB || Stop->Code == 0xCE))
    {
        module = BlameParameter(Stop, Modules, Code);
    }

    for (size_t i = 0; i < Stop->Stack.Count && module == NULL; i++)
    {
        module = DriverAt(Modules, Stop->Stack.Frames[i].Address);
        *Code = module != NULL ? FrameCode(&Stop->Stack.Frames[i]) : *Code;
    }
    return module != NULL ? module : BlameParameter(Stop, Modules, Code);
}

/* Words in lines of up to LINE_WIDTH characters. */
static void AppendWrapped(TEXT *Text, int Indent, const char *Words)
{
    while (*Words != '\0')
    {
        size_t length = strlen(Words);

        if (length > (size_t)(LINE_WIDTH - Indent))
        {
            length = (size_t)(LINE_WIDTH - Indent);
            while (length > 40 && Words[length] != ' ')
            {
                length--;
            }
        }
        TextAppend(Text, "%*s%.*s\n", Indent, "", (int)length, Words);
        Words += length;
        Words += strspn(Words, " ");
    }
}

static void AppendSource(TEXT *Text, const SOURCE_LINE *Line)
{
    if (Line->File != NULL && Line->Line != 0)
    {
        TextAppend(Text, "%s:%u", Line->File, Line->Line);
    }
    else if (Line->File != NULL)
    {
        TextAppend(Text, "%s", Line->File);
    }
}

/* ---- the stack ---- */

static char *FrameModule(const MODULES *Modules, uint64_t Address)
{
    const MODULE *module = ModulesFind(Modules, Address);

    if (module != NULL)
    {
        return TextFormat("%s+0x%llx", module->Name, (unsigned long long)(Address - module->Base));
    }
    return TextFormat("%s", Address >> 47 == 0 ? "user mode" : "no module");
}

static void StackLine(TEXT *Text, const char *Number, bool Driver, const char *Module, int Width, const char *Function,
                      int FunctionWidth, const char *Source, int Indent, bool Color)
{
    TEXT line = {0};

    TextAppend(&line, "%*s%c %3s  %-*s  %-*s  %s", Indent - 2, "", Driver ? '>' : ' ', Number, Width, Module,
               FunctionWidth, Function, Source);
    while (line.Length != 0 && line.Data[line.Length - 1] == ' ')
    {
        line.Data[--line.Length] = '\0';
    }
    TextAppend(Text, "%s%s%s\n", Driver && Color ? BOLD : "", TextString(&line), Driver && Color ? PLAIN : "");
    TextFree(&line);
}

/* Widths of the columns: all but the longest names fit. */
static void StackWidths(const STACK *Stack, const MODULES *Modules, const SYMBOLS *Symbols, int *Module, int *Function)
{
    *Module = *Function = 0;
    for (size_t i = 0; i < Stack->Count; i++)
    {
        char *module = FrameModule(Modules, Stack->Frames[i].Address);
        const SYMBOL *symbol = SymbolsFind(Symbols, FrameCode(&Stack->Frames[i]));

        *Module = (int)strlen(module) > *Module ? (int)strlen(module) : *Module;
        for (size_t l = 0; symbol != NULL && l < symbol->LineCount; l++)
        {
            int length = (int)strlen(symbol->Lines[l].Function);

            *Function = length > *Function && length <= 40 ? length : *Function;
        }
        free(module);
    }
}

/* How many frames from Index on are the same as the one before: a recursion. */
static size_t StackRepeats(const STACK *Stack, size_t Index)
{
    size_t count = 0;

    while (Index != 0 && Index + count < Stack->Count &&
           Stack->Frames[Index + count].Address == Stack->Frames[Index - 1].Address)
    {
        count++;
    }
    return count;
}

void ScreenStack(TEXT *Text, const STACK *Stack, const MODULES *Modules, const SYMBOLS *Symbols, int Indent, bool Color)
{
    int moduleWidth, functionWidth;

    StackWidths(Stack, Modules, Symbols, &moduleWidth, &functionWidth);
    for (size_t i = 0; i < Stack->Count; i++)
    {
        size_t same = StackRepeats(Stack, i);

        if (same > REPEATS_SHOWN)
        {
            TextAppend(Text, "%*s...  %zu times more\n", Indent, "", same);
            i += same - 1;
            continue;
        }
        const FRAME *frame = &Stack->Frames[i];
        const SYMBOL *symbol = SymbolsFind(Symbols, FrameCode(frame));
        bool driver = DriverAt(Modules, frame->Address) != NULL;
        char *module = FrameModule(Modules, frame->Address);
        char *number = TextFormat("%zu", i);

        if (symbol == NULL)
        {
            char *address = TextFormat("%016llX", (unsigned long long)frame->Address);

            StackLine(Text, number, driver, module, moduleWidth, address, functionWidth, "", Indent, Color);
            free(address);
        }
        for (size_t l = 0; symbol != NULL && l < symbol->LineCount; l++)
        {
            TEXT source = {0};

            AppendSource(&source, &symbol->Lines[l]);
            /* What was inlined into the frame comes before it, without a number of its own. */
            StackLine(Text, l + 1 == symbol->LineCount ? number : "", driver,
                      l + 1 == symbol->LineCount ? module : "(inlined)", moduleWidth, symbol->Lines[l].Function,
                      functionWidth, TextString(&source), Indent, Color);
            TextFree(&source);
        }
        free(number);
        free(module);
    }
}

/* ---- the parts of the screen ---- */

static void AppendHead(TEXT *Text, const STOP *Stop, bool Color)
{
    const char *name = BugName(Stop->Code);

    TextAppend(Text, "\n%s*** STOP 0x%08X %s (0x%llX, 0x%llX, 0x%llX, 0x%llX)%s\n\n", Color ? BLUE : "", Stop->Code,
               name != NULL ? name : "not a code of Windows", (unsigned long long)Stop->Parameters[0],
               (unsigned long long)Stop->Parameters[1], (unsigned long long)Stop->Parameters[2],
               (unsigned long long)Stop->Parameters[3], Color ? PLAIN : "");
    AppendWrapped(Text, 2, BugWords(Stop->Code, Stop->Parameters[0])->What);
    TextAppend(Text, "\n");
}

/* "misuse.sys: Function, file:line", or as much of it as is known. */
static void AppendPlace(TEXT *Text, const MODULES *Modules, const SYMBOLS *Symbols, uint64_t Address)
{
    const SYMBOL *symbol = SymbolsFind(Symbols, Address);
    const MODULE *module = ModulesFind(Modules, Address);

    if (module == NULL)
    {
        return;
    }
    TextAppend(Text, "%s%s", module->Name, module->Unloaded ? " (unloaded)" : "");
    if (symbol != NULL)
    {
        TextAppend(Text, ", %s", symbol->Lines[0].Function);
        if (symbol->Lines[0].File != NULL)
        {
            TextAppend(Text, ", ");
            AppendSource(Text, &symbol->Lines[0]);
        }
    }
    else
    {
        TextAppend(Text, "+0x%llx", (unsigned long long)(Address - module->Base));
    }
}

static void AppendWhere(TEXT *Text, const REPORT *Report, const SYMBOLS *Symbols, bool Color)
{
    const STOP *stop = &Report->Stop;
    uint64_t code = 0;
    const MODULE *driver = ScreenBlame(stop, &Report->Modules, &code);

    if (driver != NULL)
    {
        TextAppend(Text, "  %sProbably caused by ", Color ? BOLD : "");
        AppendPlace(Text, &Report->Modules, Symbols, code);
        TextAppend(Text, "%s\n\n", Color ? PLAIN : "");
    }
    if (stop->HasWhere)
    {
        TextAppend(Text, "  Processor   %u, IRQL %u %s, %llu.%03u s after the start\n", stop->Cpu, stop->Irql,
                   IrqlName(stop->Irql), (unsigned long long)stop->Uptime / 1000, (unsigned)(stop->Uptime % 1000));
    }
    if (stop->Dpc != 0)
    {
        TextAppend(Text, "  In the DPC  ");
        AppendPlace(Text, &Report->Modules, Symbols, stop->Dpc);
        TextAppend(Text, "\n");
    }
    if (stop->HasWho)
    {
        TextAppend(Text, "  Thread      %llu of %s, process %llu%s\n", (unsigned long long)stop->ThreadId,
                   TextString(&stop->Image), (unsigned long long)stop->ProcessId,
                   stop->Attached ? " (attached to it)" : "");
    }
}

static void AppendParameters(TEXT *Text, const REPORT *Report, const SYMBOLS *Symbols)
{
    const STOP *stop = &Report->Stop;
    const BUG_WORDS *words = BugWords(stop->Code, stop->Parameters[0]);

    TextAppend(Text, "\n  Parameters\n");
    for (unsigned i = 0; i < 4; i++)
    {
        if (words->Parameters[i] == NULL && stop->Parameters[i] == 0)
        {
            continue;
        }
        TextAppend(Text, "    %u  %016llX  ", i + 1, (unsigned long long)stop->Parameters[i]);
        BugAppendMeaning(Text, words, i, stop->Parameters[i]);
        if (ModulesFind(&Report->Modules, stop->Parameters[i]) != NULL)
        {
            TextAppend(Text, ": ");
            AppendPlace(Text, &Report->Modules, Symbols, stop->Parameters[i]);
        }
        TextAppend(Text, "\n");
    }
}

/* A line longer than the buffer is cut, not counted as several. */
static void SkipRestOfLine(const char *Read, FILE *Source)
{
    if (strchr(Read, '\n') == NULL)
    {
        for (int c = fgetc(Source); c != EOF && c != '\n';)
        {
            c = fgetc(Source);
        }
    }
}

/* The driver's line and its neighbours, if the source is here. */
static void AppendSnippet(TEXT *Text, const REPORT *Report, const SYMBOLS *Symbols, bool Color)
{
    uint64_t code = 0;
    const SYMBOL *symbol;
    FILE *source;
    char line[400];
    unsigned number = 0;

    ScreenBlame(&Report->Stop, &Report->Modules, &code);
    symbol = SymbolsFind(Symbols, code);
    if (symbol == NULL || symbol->Lines[0].File == NULL || symbol->Lines[0].Line == 0)
    {
        return;
    }
    source = SymbolsOpenSource(Symbols, symbol->Lines[0].File);
    if (source == NULL)
    {
        return;
    }
    TextAppend(Text, "\n  %s\n", symbol->Lines[0].File);
    while (number < symbol->Lines[0].Line + SNIPPET_REACH && fgets(line, sizeof(line), source) != NULL)
    {
        SkipRestOfLine(line, source);
        bool here = ++number == symbol->Lines[0].Line;

        line[strcspn(line, "\r\n")] = '\0';
        if (number + SNIPPET_REACH >= symbol->Lines[0].Line)
        {
            TextAppend(Text, "%s  %c %5u  %s%s\n", here && Color ? BOLD : "", here ? '>' : ' ', number, line,
                       here && Color ? PLAIN : "");
        }
    }
    fclose(source);
}

/* "rax=1 rbx=2 ..." as four columns. */
static void AppendRegisters(TEXT *Text, const STOP *Stop)
{
    const char *at = TextString(&Stop->Registers);

    if (*at == '\0')
    {
        return;
    }
    TextAppend(Text, "\n  Registers\n");
    for (unsigned i = 0; *at != '\0'; i++)
    {
        size_t length = strcspn(at, "=");
        uint64_t value = strtoull(at + length + (at[length] == '='), NULL, 16);

        TextAppend(Text, "%s%-5.*s %016llx%s", i % 4 == 0 ? "    " : "  ", (int)length, at, (unsigned long long)value,
                   i % 4 == 3 ? "\n" : "");
        at += strcspn(at, " ");
        at += strspn(at, " ");
        if (*at == '\0' && i % 4 != 3)
        {
            TextAppend(Text, "\n");
        }
    }
}

void ScreenAddSymbols(SYMBOLS *Symbols, const STOP *Stop)
{
    SymbolsAddStack(Symbols, &Stop->Stack);
    for (int i = 0; i < 4; i++)
    {
        SymbolsAdd(Symbols, Stop->Parameters[i]);
    }
    SymbolsAdd(Symbols, Stop->Dpc);
}

void ScreenWrite(TEXT *Text, const REPORT *Report, const SYMBOLS *Symbols, bool Color)
{
    const STOP *stop = &Report->Stop;
    const char *advice = BugAdvice(BugWords(stop->Code, stop->Parameters[0]));

    AppendHead(Text, stop, Color);
    AppendWhere(Text, Report, Symbols, Color);
    AppendParameters(Text, Report, Symbols);
    TextAppend(Text, "\n  Stack\n");
    ScreenStack(Text, &stop->Stack, &Report->Modules, Symbols, 4, Color);
    if (stop->Stack.Count == 0)
    {
        TextAppend(Text, "    not known\n");
    }
    if (stop->Cut)
    {
        TextAppend(Text, "    (a fault, or the length, ended the machine's report here)\n");
    }
    AppendSnippet(Text, Report, Symbols, Color);
    AppendRegisters(Text, stop);
    if (Report->LedgerCount != 0 && Report->Ledgers[Report->LedgerCount - 1].Count != 0)
    {
        LedgerWrite(Text, &Report->Ledgers[Report->LedgerCount - 1], &Report->Modules, Symbols, Color);
    }
    if (advice != NULL)
    {
        TextAppend(Text, "\n  What to do\n");
        AppendWrapped(Text, 4, advice);
    }
    for (size_t i = 0; i < Symbols->Problems.Count; i++)
    {
        TextAppend(Text, "%s  (%s)\n", i == 0 ? "\n" : "", Symbols->Problems.Items[i]);
    }
    TextAppend(Text, "\n");
}
