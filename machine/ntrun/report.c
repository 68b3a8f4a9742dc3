/* SPDX-License-Identifier: MIT */
/* What the machine reports about its end. See report.h. */
#include "report.h"

#include "exitcodes.h"
#include "reportline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Ends of a program that its author will want named. */
static const struct
{
    uint32_t Status;
    const char *Name;
} KnownStatus[] = {
    {0x80000003, "a breakpoint"},
    {0xC0000005, "an access violation"},
    {0xC000001D, "an illegal instruction"},
    {0xC0000094, "an integer division by zero"},
    {0xC00000FD, "a stack overflow"},
    {0xC0000135, "a DLL was not found"},
    {0xC0000139, "an imported routine was not found"},
    {0xC0000142, "a DLL did not initialise"},
    {0xC0000374, "heap corruption"},
    {0xC0000409, "fail-fast"},
};

/* Reads the number of an exit line: decimal, signed or unsigned, of 32 bits. */
static bool ReportNumber(const char *Text, uint32_t *Value)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(Text, &end, 10);
    if (end == Text || *end != '\0' || errno != 0 || value < INT32_MIN || value > UINT32_MAX)
    {
        return false;
    }
    *Value = (uint32_t)value;
    return true;
}

/* The numbers of the line; what it lacks is 0. */
static void ReportBugcheck(REPORT *Report, const char *Line)
{
    uint64_t code = 0;

    Report->HasBugcheck = true;
    TextAppend(&Report->Bugcheck, "%s", Line);
    LineHex(&Line, &code);
    Report->Stop.Code = (uint32_t)code;
    for (int i = 0; i < 4 && LineHex(&Line, &Report->Stop.Parameters[i]); i++)
    {
    }
}

/* "<kind> <count>"; a line that does not end in a number counts as one thing. */
static void ReportLeftover(REPORT *Report, const char *Line)
{
    const char *number = strrchr(Line, ' ');
    bool counted = number != NULL && number[1] != '\0' && number[1 + strspn(number + 1, "0123456789")] == '\0';
    LEFTOVER *left;

    Report->Leftovers = MemoryGrow(Report->Leftovers, &Report->LeftoverCapacity, Report->LeftoverCount + 1,
                                   sizeof(LEFTOVER));
    left = &Report->Leftovers[Report->LeftoverCount++];
    left->Kind = TextFormat("%.*s", (int)(counted ? (size_t)(number - Line) : strlen(Line)), Line);
    left->Count = counted ? strtoull(number + 1, NULL, 10) : 1;
}

static void ReportLine(REPORT *Report, const char *Line)
{
    const char *rest;

    if ((rest = LineAfter(Line, "exit")) != NULL)
    {
        Report->HasExit = ReportNumber(rest, &Report->Exit);
    }
    else if ((rest = LineAfter(Line, "bugcheck")) != NULL && !Report->HasBugcheck)
    {
        ReportBugcheck(Report, rest);
    }
    else if ((rest = LineAfter(Line, "refused")) != NULL && !Report->HasRefusal)
    {
        Report->HasRefusal = true;
        TextAppend(&Report->Refusal, "%s", rest);
    }
    else if ((rest = LineAfter(Line, "leak")) != NULL)
    {
        ReportLeftover(Report, rest);
    }
    else if ((rest = LineAfter(Line, "missing")) != NULL)
    {
        TextListAdd(&Report->Missing, "%s", rest);
    }
    else if ((rest = LineAfter(Line, "module")) != NULL)
    {
        ModulesLine(&Report->Modules, rest);
    }
    else if (!LedgerLine(Report, Line) && Report->HasBugcheck)
    {
        StopLine(&Report->Stop, Line);
    }
}

/* Ends the pending line. */
static void ReportEndLine(REPORT *Report)
{
    size_t length = Report->Pending.Length;

    if (length != 0 && Report->Pending.Data[length - 1] == '\r')
    {
        Report->Pending.Data[length - 1] = '\0';
    }
    ReportLine(Report, TextString(&Report->Pending));
    TextFree(&Report->Pending);
}

void ReportFeed(REPORT *Report, const char *Bytes, size_t Count)
{
    for (size_t i = 0; i < Count && Report->Raw.Length < REPORT_MAX; i++)
    {
        char c = Bytes[i];

        TextAppendRepeated(&Report->Raw, c, 1);
        if (c == '\n')
        {
            ReportEndLine(Report);
        }
        else if (c != '\0')
        {
            TextAppendRepeated(&Report->Pending, c, 1);
        }
    }
}

void ReportFinish(REPORT *Report)
{
    if (Report->Pending.Length != 0)
    {
        ReportEndLine(Report);
    }
}

const char *ReportStatusName(uint32_t Status)
{
    for (size_t i = 0; i < sizeof(KnownStatus) / sizeof(KnownStatus[0]); i++)
    {
        if (KnownStatus[i].Status == Status)
        {
            return KnownStatus[i].Name;
        }
    }
    return NULL;
}

static int ConcludeProgram(uint32_t Exit, TEXT *Message)
{
    const char *name = ReportStatusName(Exit);

    if (Exit < NTRUN_PROGRAM_HIGH)
    {
        return (int)Exit;
    }
    TextAppend(Message, "the program ended with 0x%08X (%u)%s%s, returned as %d", Exit, Exit,
               name != NULL ? ", " : "", name != NULL ? name : "", NTRUN_PROGRAM_HIGH);
    return NTRUN_PROGRAM_HIGH;
}

/* No word from the machine about its end. */
static int ConcludeSilence(const MACHINE_END *End, TEXT *Message)
{
    int status = End->WaitStatus;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
    {
        TextAppend(Message, "QEMU did not start the machine; its own message is above");
        return NTRUN_CANNOT_START;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    {
        TextAppend(Message, "the machine crashed: it reset itself without a blue screen (a triple fault); "
                            "--gdb shows where");
    }
    else if (WIFSIGNALED(status))
    {
        TextAppend(Message, "the machine crashed: QEMU was ended by signal %d", WTERMSIG(status));
    }
    else
    {
        TextAppend(Message, "the machine crashed: it left without a report (QEMU's status %d)", WEXITSTATUS(status));
    }
    return NTRUN_CRASHED;
}

static void ConcludeLeftovers(const REPORT *Report, TEXT *Message)
{
    TextAppend(Message, "left over at shutdown: ");
    for (size_t i = 0; i < Report->LeftoverCount; i++)
    {
        TextAppend(Message, "%s %llu; ", Report->Leftovers[i].Kind, (unsigned long long)Report->Leftovers[i].Count);
    }
    TextAppend(Message, "the program ended with %u", Report->Exit);
}

int ReportConclude(const REPORT *Report, const MACHINE_END *End, TEXT *Message)
{
    if (Report->HasBugcheck)
    {
        TextAppend(Message, "blue screen: bug check %s", TextString(&Report->Bugcheck));
        return NTRUN_BUGCHECK;
    }
    if (Report->HasRefusal)
    {
        TextAppend(Message, "refused: %s", TextString(&Report->Refusal));
        return NTRUN_REFUSED;
    }
    if (End->TimedOut)
    {
        TextAppend(Message, "time-out: the machine was stopped after %u s; --timeout allows more", End->Timeout);
        return NTRUN_TIMEOUT;
    }
    if (!Report->HasExit)
    {
        return ConcludeSilence(End, Message);
    }
    if (Report->LeftoverCount != 0)
    {
        ConcludeLeftovers(Report, Message);
        return NTRUN_LEFTOVERS;
    }
    return ConcludeProgram(Report->Exit, Message);
}

void ReportFree(REPORT *Report)
{
    TextFree(&Report->Raw);
    TextFree(&Report->Pending);
    TextFree(&Report->Bugcheck);
    TextFree(&Report->Stop.Image);
    TextFree(&Report->Stop.Driver);
    TextFree(&Report->Stop.Registers);
    free(Report->Stop.Stack.Frames);
    TextFree(&Report->Refusal);
    TextListFree(&Report->Missing);
    for (size_t i = 0; i < Report->LeftoverCount; i++)
    {
        free(Report->Leftovers[i].Kind);
    }
    free(Report->Leftovers);
    for (size_t i = 0; i < Report->Modules.Count; i++)
    {
        free(Report->Modules.Items[i].Name);
    }
    free(Report->Modules.Items);
    for (size_t i = 0; i < Report->LedgerCount; i++)
    {
        LedgerFree(&Report->Ledgers[i]);
    }
    free(Report->Ledgers);
    memset(Report, 0, sizeof(*Report));
}
