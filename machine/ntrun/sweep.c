/* SPDX-License-Identifier: MIT */
/*
 * Sweeps. See sweep.h.
 *
 *     one run that only counts   ->   the points   ->   one run for each   ->   table, and what failed
 *
 * All runs count instructions, so that point n is the same in each of them up to the moment at which it goes wrong.
 */
#include "sweepp.h"

#include "exitcodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILLED 137            /* what the machine gives a program that it kills */
#define CRASHED 0xC0000000u   /* from here on a program's exit code is the exception that ended it */

typedef struct SWEEPER
{
    const OPTIONS *Options;
    SWEEP_POINT *Points;
    size_t Count;
    size_t Capacity;
    uint32_t Exit; /* of the program when nothing goes wrong */
} SWEEPER;

/* The words of the report's line that begins with Word, or false. */
static bool FindLine(const SWEEP_POINT *Point, const char *Word, const char *Format, void *A, void *B, void *C)
{
    const char *line = TextString(&Point->Report.Raw);

    while (*line != '\0')
    {
        size_t length = strcspn(line, "\n");

        if (strncmp(line, Word, strlen(Word)) == 0)
        {
            char *copy = strndup(line, length);
            int read = copy != NULL ? sscanf(copy, Format, A, B, C) : 0;

            free(copy);
            return read >= 2;
        }
        line += length + (line[length] != '\0' ? 1 : 0);
    }
    return false;
}

/* What the machine says about the point it came by. */
static void ReadPoint(SWEEP_POINT *Point, SWEEP_KIND Kind)
{
    char a[64] = "", b[96] = "", c[128] = "";

    switch (Kind)
    {
    case SweepFailures:
    case SweepSites:
        if (FindLine(Point, "refusal ", "refusal %*u %63s %95s %127s", a, b, c))
        {
            Point->What = TextFormat("%-11s %s", a, strcmp(b, "-") == 0 ? "" : b);
            Point->Where = TextFormat("%s", c);
        }
        break;
    case SweepKill:
        if (FindLine(Point, "kill ", "kill %*u %63s %95s%127s", a, b, c))
        {
            Point->What = TextFormat("%s", a);
            Point->Where = TextFormat("%s", b);
        }
        break;
    default:
        Point->What = TextFormat("seed");
        Point->Where = TextFormat("-");
        break;
    }
}

static char *LeftoverText(const REPORT *Report)
{
    TEXT text = {0};

    for (size_t i = 0; i < Report->LeftoverCount; i++)
    {
        TextAppend(&text, "%s%s %" PRIu64, i == 0 ? "left over: " : ", ", Report->Leftovers[i].Kind,
                   Report->Leftovers[i].Count);
    }
    return text.Data;
}

/* Decides whether the run held, and says in words how it ended. The gravest counts. */
static void Judge(SWEEP_POINT *Point, SWEEP_KIND Kind, uint32_t Usual)
{
    const REPORT *report = &Point->Report;

    Point->Held = false;
    if (report->HasBugcheck)
    {
        Point->Outcome = TextFormat("blue screen: bug check %s", TextString(&report->Bugcheck));
    }
    else if (strstr(TextString(&report->Raw), SWEEP_HANGS) != NULL)
    {
        Point->Outcome = TextFormat("it hangs");
    }
    else if (!report->HasExit && !report->HasRefusal)
    {
        Point->Outcome = TextFormat("the machine crashed or did not start (ntrun's code %d)", Point->Code);
    }
    else if (report->LeftoverCount != 0)
    {
        Point->Outcome = LeftoverText(report);
    }
    else if (Point->What == NULL)
    {
        Point->Outcome = TextFormat("did not come by this point");
    }
    else if (report->HasRefusal)
    {
        Point->Held = Kind == SweepFailures || Kind == SweepSites;
        Point->Outcome = TextFormat("%s", TextString(&report->Refusal));
    }
    else if (report->Exit >= CRASHED)
    {
        Point->Outcome = TextFormat("the program crashed: 0x%08" PRIX32, report->Exit);
    }
    else if (Kind == SweepSchedules && report->Exit != Usual)
    {
        Point->Outcome = TextFormat("exit %" PRIu32 " instead of %" PRIu32, report->Exit, Usual);
    }
    else
    {
        Point->Held = true;
        Point->Outcome = Kind == SweepKill && report->Exit == KILLED ? TextFormat("killed")
                                                                     : TextFormat("exit %" PRIu32, report->Exit);
    }
}

static SWEEP_POINT *AddPoint(SWEEPER *Sweeper, uint64_t Number, const char *Option, const char *Word)
{
    SWEEP_POINT *point;

    Sweeper->Points =
        MemoryGrow(Sweeper->Points, &Sweeper->Capacity, Sweeper->Count + 1, sizeof(*Sweeper->Points));
    point = &Sweeper->Points[Sweeper->Count++];
    memset(point, 0, sizeof(*point));
    point->Number = Number;
    point->Setting = TextFormat("%s:%s=%" PRIu64, Option, Word, Number);
    point->Option = TextFormat("--%s %s=%" PRIu64, Option, Word, Number);
    return point;
}

/* Numbers 1 to Total, or Limit of them at equal distances. */
static void AddPoints(SWEEPER *Sweeper, uint64_t Total, uint64_t Limit, const char *Option, const char *Word)
{
    uint64_t count = Limit != 0 && Limit < Total ? Limit : Total;

    for (uint64_t i = 0; i < count; i++)
    {
        AddPoint(Sweeper, (uint64_t)((double)i * (double)Total / (double)count) + 1, Option, Word);
    }
}

/* Moments between the points: half as many, one at a place of its own in each of so many equal parts. */
static void AddInstructions(SWEEPER *Sweeper, uint64_t Length)
{
    uint64_t count = (Sweeper->Count + 1) / 2;
    uint64_t part = count != 0 ? Length / count : 0;

    for (uint64_t i = 0; i < count && part != 0; i++)
    {
        AddPoint(Sweeper, i * part + (i + 1) * 0x9E3779B97F4A7C15ull % part + 1, "kill", "instruction");
    }
}

static void AddSeeds(SWEEPER *Sweeper)
{
    for (uint64_t i = 1; i <= Sweeper->Options->Sweep.Runs; i++)
    {
        SWEEP_POINT *point;
        uint64_t seed = Sweeper->Options->Seed + i;

        Sweeper->Points =
            MemoryGrow(Sweeper->Points, &Sweeper->Capacity, Sweeper->Count + 1, sizeof(*Sweeper->Points));
        point = &Sweeper->Points[Sweeper->Count++];
        memset(point, 0, sizeof(*point));
        point->Number = seed;
        point->HasSeed = true;
        point->Setting = TextFormat("shuffle");
        point->Option = TextFormat("--shuffle --seed %" PRIu64, seed);
    }
}

/* Runs once with nothing going wrong, and counts. False after a message: there is nothing to sweep. */
static bool Plan(SWEEPER *Sweeper, SWEEP_RUNNER *Runner)
{
    static const char *const countings[] = {
        [SweepFailures] = "fail:count", [SweepSites] = "fail:count", [SweepKill] = "kill:count", [SweepSchedules] = NULL};
    const SWEEP *sweep = &Sweeper->Options->Sweep;
    SWEEP_POINT count = {0};
    uint64_t total = 0, second = 0;

    count.Setting = countings[sweep->Kind] != NULL ? TextFormat("%s", countings[sweep->Kind]) : NULL;
    SweepRunAll(Sweeper->Options, &count, 1, false, Runner);
    if (count.Code >= NTRUN_PROGRAM_HIGH)
    {
        fputs(count.Output, stderr);
        Say("the program does not come through by itself (code %d), so nothing is swept", count.Code);
        return false;
    }
    Sweeper->Exit = count.Report.Exit;
    switch (sweep->Kind)
    {
    case SweepFailures:
    case SweepSites:
        FindLine(&count, "requests ", "requests %" SCNu64 " sites %" SCNu64 "%*s", &total, &second, NULL);
        printf("sweep: %" PRIu64 " requests of the drivers, from %" PRIu64 " places\n", total, second);
        AddPoints(Sweeper, sweep->Kind == SweepSites ? second : total, sweep->Runs, "fail",
                  sweep->Kind == SweepSites ? "site" : "nth");
        break;
    case SweepKill:
        FindLine(&count, "killpoints ", "killpoints %" SCNu64 " %" SCNu64 "%*s", &total, &second, NULL);
        printf("sweep: %" PRIu64 " points and %" PRIu64 " instructions from the program's first request to a driver on\n",
               total, second);
        AddPoints(Sweeper, total, sweep->Runs, "kill", "point");
        AddInstructions(Sweeper, second);
        break;
    default:
        AddSeeds(Sweeper);
        break;
    }
    if (Sweeper->Count == 0)
    {
        Say(sweep->Kind == SweepKill ? "the program sent no driver a request, so there is no point to sweep"
                                     : "the drivers requested nothing, so there is no point to sweep");
    }
    return Sweeper->Count != 0;
}

/* Options that a run's own command line does not repeat, each with a value. */
static bool IsLeftOut(const char *Word, const OPTIONS *Options, bool *Separate)
{
    static const char *const names[] = {"--sweep", "--jobs", "--seed"};
    size_t count = Options->Sweep.Kind == SweepSchedules ? 3 : 2;

    for (size_t i = 0; i < count; i++)
    {
        size_t length = strlen(names[i]);

        if (strncmp(Word, names[i], length) == 0 && (Word[length] == '\0' || Word[length] == '='))
        {
            *Separate = Word[length] == '\0';
            return true;
        }
    }
    return false;
}

/* The command line of one run, as the user would type it: without the sweep, its own option added later. */
static void MakeRepeat(TEXT_LIST *Repeat, const OPTIONS *Options, int Argc, char **Argv)
{
    bool own = true;

    TextListAdd(Repeat, "ntrun");
    if (Options->Sweep.Kind == SweepFailures || Options->Sweep.Kind == SweepSites)
    {
        TextListAdd(Repeat, "--icount");
    }
    for (int i = 1; i < Argc; i++)
    {
        const char *word = Argv[i];
        bool separate;

        own = own && word != Options->Program;
        if (!own || !IsLeftOut(word, Options, &separate))
        {
            TextListAdd(Repeat, "%s", word);
        }
        else
        {
            i += separate;
        }
    }
}

static void FreePoints(SWEEPER *Sweeper)
{
    for (size_t i = 0; i < Sweeper->Count; i++)
    {
        SWEEP_POINT *point = &Sweeper->Points[i];

        free(point->Setting);
        free(point->Option);
        free(point->What);
        free(point->Where);
        free(point->Output);
        free(point->Outcome);
        ReportFree(&point->Report);
    }
    free(Sweeper->Points);
}

int SweepMain(OPTIONS *Options, int Argc, char **Argv, SWEEP_RUNNER *Runner)
{
    SWEEPER sweeper = {.Options = Options};
    TEXT_LIST repeat = {0};
    size_t failed = 0;

    if (!Plan(&sweeper, Runner))
    {
        FreePoints(&sweeper);
        return NTRUN_CANNOT_START;
    }
    printf("       %zu runs, %u at a time\n\n", sweeper.Count, Options->Sweep.Jobs);
    fflush(stdout);
    SweepRunAll(Options, sweeper.Points, sweeper.Count, true, Runner);
    for (size_t i = 0; i < sweeper.Count; i++)
    {
        ReadPoint(&sweeper.Points[i], Options->Sweep.Kind);
        Judge(&sweeper.Points[i], Options->Sweep.Kind, sweeper.Exit);
    }
    SweepNamePlaces(Options, sweeper.Points, sweeper.Count, Options->Sweep.Kind != SweepKill);
    MakeRepeat(&repeat, Options, Argc, Argv);
    failed = SweepPrint(sweeper.Points, sweeper.Count, &repeat);
    TextListFree(&repeat);
    FreePoints(&sweeper);
    return failed != 0;
}
