/* SPDX-License-Identifier: MIT */
/*
 * kit-test.exe: attacks the running isthmus.sys and checks that it refuses what it must, does what it should, and
 * leaves nothing behind. Arguments are names of groups; without any, all run but those that restart the driver with other
 * parameters and the one for systems that can't map. The exit code is the number of failed checks, at most 100.
 */
#include "check.h"

static const struct
{
    const char *Name;
    void (*Run)(void);
    BOOL Default;
} Groups[] = {
    {"abi", TestAbi, TRUE},           {"addresses", TestAddresses, TRUE},
    {"regions", TestRegions, TRUE},   {"views", TestViews, TRUE},
    {"requests", TestRequests, TRUE}, {"names", TestNames, TRUE},
    {"peek", TestPeek, TRUE},         {"lifetime", TestLifetime, TRUE},
    {"races", TestRaces, TRUE},       {"channels", TestChannels, TRUE},
    {"configuration", TestConfiguration, FALSE},
    {"trust", TestTrust, FALSE},      {"refusals", TestRefusals, FALSE},
    {"limits", TestLimits, FALSE},    {"large", TestLarge, FALSE},
    {"shared", TestShared, TRUE},     {"stopped", TestStopped, FALSE},
};

#define GROUP_COUNT (sizeof(Groups) / sizeof(Groups[0]))

static void RunGroup(unsigned Index)
{
    ISTHMUS_STATISTICS before;
    printf("%s\n", Groups[Index].Name);
    TakeCounters(&before);
    Groups[Index].Run();
    CheckSame(&before, Groups[Index].Name);
    fflush(stdout);
}

int main(int Count, char **Arguments)
{
    if (Count > 1 && strcmp(Arguments[1], "child") == 0)
    {
        return ChildMain(Count - 2, Arguments + 2);
    }
    for (int i = 1; i < Count; i++)
    {
        unsigned group = 0;
        while (group < GROUP_COUNT && strcmp(Arguments[i], Groups[group].Name) != 0)
        {
            group++;
        }
        if (group == GROUP_COUNT)
        {
            fprintf(stderr, "kit-test: there is no group %s\n", Arguments[i]);
            return 101;
        }
        RunGroup(group);
    }
    for (unsigned group = 0; Count < 2 && group < GROUP_COUNT; group++)
    {
        if (Groups[group].Default)
        {
            RunGroup(group);
        }
    }
    printf("%d checks, %d failed\n", Checks, Failures);
    return Failures > 100 ? 100 : Failures;
}
