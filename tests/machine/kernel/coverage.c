/* SPDX-License-Identifier: MIT */
/* What the groups cover: every KT_COVERS puts an entry into the section that these two markers enclose. */
#include "ktest.h"

static KTEST_COVERAGE KtFirst __attribute__((section("ktcov$a"), used, aligned(8)));
static KTEST_COVERAGE KtLast __attribute__((section("ktcov$z"), used, aligned(8)));

/* The checks so far belong to what was announced before. */
static VOID KtSettle(KTEST_RUN *Run)
{
    const KTEST_COVERAGE *coverage = Run->Covering;

    if (coverage != NULL)
    {
        KtCheck(Run, Run->Checks != Run->CoveringFrom, "KT_COVERS is followed by a check", coverage->File,
                coverage->Line);
    }
    Run->Covering = NULL;
}

VOID KtCovers(KTEST_RUN *Run, KTEST_COVERAGE *Coverage)
{
    KtSettle(Run);
    if (!Coverage->Reached)
    {
        KtSay(Run, "-- %s: %s", Coverage->Routines, Coverage->What);
    }
    Coverage->Reached = TRUE;
    Run->Covering = Coverage;
    Run->CoveringFrom = Run->Checks;
}

/* TRUE if the file is <group>.c. */
static BOOLEAN KtIsFileOf(PCSTR File, PCSTR Group)
{
    SIZE_T file = strlen(File), group = strlen(Group);

    return file > group + 3 && strcmp(File + file - 2, ".c") == 0 &&
           memcmp(File + file - 2 - group, Group, group) == 0 &&
           (File[file - 3 - group] == '/' || File[file - 3 - group] == '\\');
}

VOID KtFinishCoverage(KTEST_RUN *Run, PCSTR Group)
{
    KtSettle(Run);
    for (KTEST_COVERAGE *coverage = &KtFirst + 1; coverage < &KtLast; coverage++)
    {
        if (KtIsFileOf(coverage->File, Group))
        {
            KtCheck(Run, coverage->Reached != FALSE, "KT_COVERS was reached", coverage->File, coverage->Line);
        }
    }
}
