/* SPDX-License-Identifier: MIT */
/* JSON. See jsonreport.h. Numbers that may exceed 53 bits (addresses, parameters) are strings of hexadecimal digits. */
#include "jsonreport.h"

#include "bugwords.h"
#include "cmdline.h"
#include "exitcodes.h"
#include "hostfile.h"
#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Text from the machine may hold any bytes: what is not UTF-8 becomes '?'. */
static json_t *JsonText(const char *Text)
{
    json_t *value = json_string(Text);
    char *copy;

    if (value != NULL)
    {
        return value;
    }
    copy = TextFormat("%s", Text);
    for (char *at = copy; *at != '\0'; at++)
    {
        *at = *at & 0x80 ? '?' : *at;
    }
    value = json_string(copy);
    free(copy);
    return value;
}

static json_t *JsonTextOrNull(const char *Text)
{
    return Text != NULL && *Text != '\0' ? JsonText(Text) : json_null();
}

static json_t *JsonHex(uint64_t Value)
{
    return json_sprintf("0x%llx", (unsigned long long)Value);
}

static const char *JsonReason(int Code)
{
    static const char *const reasons[] = {
        [NTRUN_USAGE - NTRUN_USAGE] = "usage",         [NTRUN_CANNOT_START - NTRUN_USAGE] = "cannot-start",
        [NTRUN_REFUSED - NTRUN_USAGE] = "refused",     [NTRUN_BUGCHECK - NTRUN_USAGE] = "bugcheck",
        [NTRUN_CRASHED - NTRUN_USAGE] = "crashed",     [NTRUN_TIMEOUT - NTRUN_USAGE] = "timeout",
        [NTRUN_LEFTOVERS - NTRUN_USAGE] = "leftovers",
    };

    return Code < NTRUN_USAGE ? "program" : reasons[Code - NTRUN_USAGE];
}

static json_t *JsonExit(const RESULT *Result)
{
    const RUN *run = &Result->Run;

    return json_pack("{s:i, s:s, s:o, s:o}", "code", Result->Code, "reason",
                     run->Signal != 0 ? "signal" : JsonReason(Result->Code), "message",
                     JsonTextOrNull(TextString(&Result->Message)), "signal",
                     run->Signal != 0 ? json_integer(run->Signal) : json_null());
}

static json_t *JsonProgram(const OPTIONS *Options, const REPORT *Report)
{
    json_t *status = json_null();
    json_t *name = json_null();

    if (Report->HasExit)
    {
        const char *known = ReportStatusName(Report->Exit);

        status = json_integer(Report->Exit);
        name = known != NULL ? json_string(known) : name;
    }
    return json_pack("{s:o, s:o, s:o}", "file", JsonTextOrNull(Options->Program), "status", status, "meaning", name);
}

/* ---- stacks ---- */

static json_t *JsonFrame(const FRAME *Frame, const MODULES *Modules, const SOURCE_LINE *Line, bool Inlined)
{
    const MODULE *module = ModulesFind(Modules, Frame->Address);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "address", JsonHex(Frame->Address), "module",
                     module != NULL ? JsonText(module->Name) : json_null(), "offset",
                     module != NULL ? JsonHex(Frame->Address - module->Base) : json_null(), "function",
                     Line != NULL ? JsonText(Line->Function) : json_null(), "file",
                     Line != NULL ? JsonTextOrNull(Line->File) : json_null(), "line",
                     Line != NULL && Line->Line != 0 ? json_integer(Line->Line) : json_null(), "inlined", Inlined);
}

static json_t *JsonStack(const STACK *Stack, const MODULES *Modules, const SYMBOLS *Symbols)
{
    json_t *frames = json_array();

    for (size_t i = 0; i < Stack->Count; i++)
    {
        const FRAME *frame = &Stack->Frames[i];
        const SYMBOL *symbol = SymbolsFind(Symbols, FrameCode(frame));

        if (symbol == NULL)
        {
            json_array_append_new(frames, JsonFrame(frame, Modules, NULL, false));
        }
        for (size_t l = 0; symbol != NULL && l < symbol->LineCount; l++)
        {
            json_array_append_new(frames, JsonFrame(frame, Modules, &symbol->Lines[l], l + 1 < symbol->LineCount));
        }
    }
    return frames;
}

/* ---- the bug check ---- */

static json_t *JsonParameters(const STOP *Stop)
{
    const BUG_WORDS *words = BugWords(Stop->Code, Stop->Parameters[0]);
    json_t *parameters = json_array();

    for (unsigned i = 0; i < 4; i++)
    {
        TEXT meaning = {0};

        BugAppendMeaning(&meaning, words, i, Stop->Parameters[i]);
        json_array_append_new(parameters, json_pack("{s:o, s:o}", "value", JsonHex(Stop->Parameters[i]), "meaning",
                                                    JsonTextOrNull(TextString(&meaning))));
        TextFree(&meaning);
    }
    return parameters;
}

static json_t *JsonWhere(const STOP *Stop)
{
    if (!Stop->HasWhere)
    {
        return json_null();
    }
    return json_pack("{s:i, s:i, s:s, s:I, s:o, s:o, s:b, s:o}", "processor", (int)Stop->Cpu, "irql", (int)Stop->Irql,
                     "irql_name", IrqlName(Stop->Irql), "uptime_ms", (json_int_t)Stop->Uptime, "thread",
                     JsonHex(Stop->Thread), "process", JsonHex(Stop->Process), "attached", Stop->Attached, "dpc",
                     Stop->Dpc != 0 ? JsonHex(Stop->Dpc) : json_null());
}

static json_t *JsonWho(const STOP *Stop)
{
    if (!Stop->HasWho)
    {
        return json_null();
    }
    return json_pack("{s:o, s:I, s:I}", "image", JsonText(TextString(&Stop->Image)), "process_id",
                     (json_int_t)Stop->ProcessId, "thread_id", (json_int_t)Stop->ThreadId);
}

static json_t *JsonRegisters(const STOP *Stop)
{
    json_t *registers = json_object();

    for (const char *at = TextString(&Stop->Registers); *at != '\0';)
    {
        size_t length = strcspn(at, "= ");
        char *name = TextFormat("%.*s", (int)length, at);

        json_object_set_new(registers, name, JsonHex(strtoull(at + length + (at[length] == '='), NULL, 16)));
        free(name);
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    return registers;
}

static json_t *JsonBugcheck(const RESULT *Result)
{
    const REPORT *report = &Result->Run.Report;
    const STOP *stop = &report->Stop;
    const BUG_WORDS *words = BugWords(stop->Code, stop->Parameters[0]);
    uint64_t code = 0;
    const MODULE *driver;

    if (!report->HasBugcheck)
    {
        return json_null();
    }
    driver = ScreenBlame(stop, &report->Modules, &code);
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "code", JsonHex(stop->Code), "name",
                     JsonTextOrNull(BugName(stop->Code)), "what", words->What, "parameters", JsonParameters(stop),
                     "driver", driver != NULL ? JsonText(driver->Name) : json_null(), "where", JsonWhere(stop), "who",
                     JsonWho(stop), "stack", JsonStack(&stop->Stack, &report->Modules, &Result->Symbols), "registers",
                     JsonRegisters(stop), "cut", stop->Cut, "advice", JsonTextOrNull(BugAdvice(words)));
}

/* ---- the rest ---- */

static json_t *JsonLeftovers(const REPORT *Report)
{
    json_t *leftovers = json_array();

    for (size_t i = 0; i < Report->LeftoverCount; i++)
    {
        json_array_append_new(leftovers, json_pack("{s:o, s:I}", "kind", JsonText(Report->Leftovers[i].Kind), "count",
                                                   (json_int_t)Report->Leftovers[i].Count));
    }
    return leftovers;
}

/* "driver.sys DLL!Routine", or "driver.sys DLL" if the whole DLL is missing. */
static json_t *JsonMissing(const REPORT *Report)
{
    json_t *missing = json_array();

    for (size_t i = 0; i < Report->Missing.Count; i++)
    {
        const char *line = Report->Missing.Items[i];
        size_t length = strcspn(line, " ");
        const char *library = line + length + (line[length] == ' ');
        size_t libraryLength = strcspn(library, "!");
        char *module = TextFormat("%.*s", (int)length, line);
        char *dll = TextFormat("%.*s", (int)libraryLength, library);

        json_array_append_new(
            missing, json_pack("{s:o, s:o, s:o}", "module", JsonText(module), "library", JsonText(dll), "routine",
                               library[libraryLength] == '!' ? JsonText(library + libraryLength + 1) : json_null()));
        free(module);
        free(dll);
    }
    return missing;
}

static json_t *JsonModules(const MODULES *Modules)
{
    json_t *modules = json_array();

    for (size_t i = 0; i < Modules->Count; i++)
    {
        const MODULE *module = &Modules->Items[i];

        json_array_append_new(modules, json_pack("{s:o, s:o, s:I, s:b}", "name", JsonText(module->Name), "base",
                                                 JsonHex(module->Base), "size", (json_int_t)module->Size, "unloaded",
                                                 module->Unloaded));
    }
    return modules;
}

static json_t *JsonLedger(const LEDGER *Ledger, const MODULES *Modules, const SYMBOLS *Symbols)
{
    json_t *holdings = json_array();

    for (size_t i = 0; i < Ledger->Count; i++)
    {
        const HOLDING *holding = &Ledger->Items[i];

        json_array_append_new(
            holdings,
            json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:o}", "kind", JsonText(holding->Kind), "key",
                      JsonHex(holding->Key), "size", (json_int_t)holding->Size, "tag",
                      holding->Tag != 0 ? JsonHex(holding->Tag) : json_null(), "type", JsonTextOrNull(holding->Type),
                      "process_id", (json_int_t)holding->ProcessId, "thread_id", (json_int_t)holding->ThreadId,
                      "stack", JsonStack(&holding->Stack, Modules, Symbols)));
    }
    return json_pack("{s:o, s:I, s:I, s:o}", "title", JsonText(Ledger->Title), "total", (json_int_t)Ledger->Total,
                     "lost", (json_int_t)Ledger->Lost, "holdings", holdings);
}

static json_t *JsonLedgers(const RESULT *Result)
{
    const REPORT *report = &Result->Run.Report;
    json_t *ledgers = json_array();

    for (size_t i = 0; i < report->LedgerCount; i++)
    {
        json_array_append_new(ledgers, JsonLedger(&report->Ledgers[i], &report->Modules, &Result->Symbols));
    }
    return ledgers;
}

static json_t *JsonStrings(const TEXT_LIST *List)
{
    json_t *strings = json_array();

    for (size_t i = 0; i < List->Count; i++)
    {
        json_array_append_new(strings, JsonText(List->Items[i]));
    }
    return strings;
}

static json_t *JsonMachine(const OPTIONS *Options)
{
    return json_pack("{s:o, s:i, s:i, s:o, s:o, s:o, s:o}", "type", JsonText(Options->Machine), "cpus",
                     (int)Options->Cpus, "memory_mb", (int)Options->Memory, "icount",
                     Options->Icount ? json_integer(Options->IcountShift) : json_null(), "seed",
                     Options->FixedSeed ? json_sprintf("%llu", (unsigned long long)Options->Seed) : json_null(),
                     "options", JsonStrings(&Options->Settings), "drivers", JsonStrings(&Options->Drivers));
}

char *JsonBuild(const RESULT *Result, const OPTIONS *Options)
{
    const REPORT *report = &Result->Run.Report;
    json_t *root =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", JSON_SCHEMA, "exit", JsonExit(Result),
                  "machine", JsonMachine(Options), "program", JsonProgram(Options, report), "refused",
                  JsonTextOrNull(TextString(&report->Refusal)), "missing_imports", JsonMissing(report), "bugcheck",
                  JsonBugcheck(Result), "leftovers", JsonLeftovers(report), "ledgers", JsonLedgers(Result), "modules",
                             JsonModules(&report->Modules));
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    char *line =
        text != NULL ? TextFormat("%s\n", text) : TextFormat("null\n"); /* without memory TextFormat ends ntrun */

    free(text);
    json_decref(root);
    return line;
}

bool JsonWrite(const char *Path, const RESULT *Result, const OPTIONS *Options, TEXT *Error)
{
    bool standard = strcmp(Path, "-") == 0;
    char *text = JsonBuild(Result, Options);
    int fd = standard ? STDOUT_FILENO : open(Path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool written = fd >= 0 && HostWriteAll(fd, text, strlen(text));

    if (!written)
    {
        TextAppend(Error, "cannot write %s: %s", standard ? "to standard output" : Path, strerror(errno));
    }
    if (!standard && fd >= 0 && close(fd) != 0 && written)
    {
        TextAppend(Error, "cannot write %s: %s", Path, strerror(errno));
        written = false;
    }
    free(text);
    return written;
}
