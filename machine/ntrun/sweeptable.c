/* SPDX-License-Identifier: MIT */
/* What a sweep prints. See sweepp.h. */
#include "sweepp.h"

#include "qemu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_LINES 12  /* of a failed run's output */
#define SHOWN_RUNS 5    /* failed runs whose output is shown */

static int Wider(int Width, const char *Text)
{
    int length = Text != NULL ? (int)strlen(Text) : 0;

    return length > Width ? length : Width;
}

static bool Same(const char *Left, const char *Right)
{
    return Left == Right || (Left != NULL && Right != NULL && strcmp(Left, Right) == 0);
}

static bool SameResult(const SWEEP_POINT *Left, const SWEEP_POINT *Right)
{
    return Left->Held && Right->Held && Same(Left->What, Right->What) && Same(Left->Where, Right->Where) &&
           Same(Left->Outcome, Right->Outcome);
}

static void PrintTable(const SWEEP_POINT *Points, size_t Count)
{
    int what = 4, where = 5, number = 5;
    size_t next;

    for (size_t i = 0; i < Count; i++)
    {
        what = Wider(what, Points[i].What);
        where = Wider(where, Points[i].Where);
    }
    number = snprintf(NULL, 0, "%" PRIu64, Points[Count - 1].Number) * 2 + 2;
    number = number < 5 ? 5 : number;
    printf("%*s  %-*s  %-*s  %s\n", number, "point", what, "what", where, "where", "result");
    for (size_t i = 0; i < Count; i = next)
    {
        char range[48];

        for (next = i + 1; next < Count && SameResult(&Points[i], &Points[next]); next++)
        {
        }
        if (next == i + 1)
        {
            snprintf(range, sizeof(range), "%" PRIu64, Points[i].Number);
        }
        else
        {
            /* Two dots where numbers between were left out. */
            bool all = Points[next - 1].Number - Points[i].Number == next - 1 - i;

            snprintf(range, sizeof(range), "%" PRIu64 "%s%" PRIu64, Points[i].Number, all ? "-" : "..",
                     Points[next - 1].Number);
        }
        printf("%*s  %-*s  %-*s  %s%s\n", number, range, what, Points[i].What != NULL ? Points[i].What : "-", where,
               Points[i].Where != NULL ? Points[i].Where : "-", Points[i].Held ? "" : "FAILED: ", Points[i].Outcome);
    }
}

static void PrintTotals(const SWEEP_POINT *Points, size_t Count, size_t Failed)
{
    printf("\n%zu runs: %zu held, %zu failed\n", Count, Count - Failed, Failed);
    for (size_t i = 0; i < Count; i++)
    {
        size_t times = 0;
        bool first = Points[i].Held;

        for (size_t j = 0; j < Count && first; j++)
        {
            if (Points[j].Held && Same(Points[i].Outcome, Points[j].Outcome))
            {
                first = j >= i;
                times++;
            }
        }
        if (first)
        {
            printf("%7zu  %s\n", times, Points[i].Outcome);
        }
    }
}

/* The head of a blue screen, else the last lines of what a run said. */
static void PrintOutput(const char *Output)
{
    const char *start = strstr(Output, "STOP 0x");
    int lines = 0;

    if (start == NULL)
    {
        start = Output + strlen(Output);
        while (start > Output && lines < SHOWN_LINES + 1)
        {
            start--;
            lines += *start == '\n';
        }
    }
    for (lines = 0; *start != '\0' && lines < SHOWN_LINES; lines++)
    {
        size_t length = strcspn(start, "\n");

        if (length != 0)
        {
            printf("    | %.*s\n", (int)length, start);
        }
        start += length + (start[length] != '\0' ? 1 : 0);
    }
}

static void PrintFailure(const SWEEP_POINT *Point, const TEXT_LIST *Repeat, bool Output)
{
    TEXT_LIST rest = {0};
    TEXT line = {0};

    for (size_t i = 1; i < Repeat->Count; i++)
    {
        TextListAdd(&rest, "%s", Repeat->Items[i]);
    }
    QemuCommandLine(&line, &rest);
    printf("\n%" PRIu64 ": %s\n    %s %s %s\n", Point->Number, Point->Outcome, Repeat->Items[0], Point->Option,
           TextString(&line));
    if (Output)
    {
        PrintOutput(Point->Output);
    }
    TextListFree(&rest);
    TextFree(&line);
}

size_t SweepPrint(const SWEEP_POINT *Points, size_t Count, const TEXT_LIST *Repeat)
{
    size_t failed = 0;

    PrintTable(Points, Count);
    for (size_t i = 0; i < Count; i++)
    {
        failed += !Points[i].Held;
    }
    PrintTotals(Points, Count, failed);
    if (failed != 0)
    {
        size_t shown = 0;

        printf("\nFailed, and how to repeat it:\n");
        for (size_t i = 0; i < Count; i++)
        {
            if (!Points[i].Held)
            {
                PrintFailure(&Points[i], Repeat, shown++ < SHOWN_RUNS);
            }
        }
    }
    return failed;
}
