/* SPDX-License-Identifier: MIT */
/* The values of --fail, --kill and --sweep. See faults.h. */
#include "faults.h"

#include <stddef.h>
#include <string.h>

/* Moves past a word if the text begins with it. */
static bool Skip(const char **Text, const char *Word)
{
    size_t length = strlen(Word);

    if (strncmp(*Text, Word, length) != 0)
    {
        return false;
    }
    *Text += length;
    return true;
}

/* Reads a decimal number of 64 bits and moves past it. */
static bool ReadNumber(const char **Text, uint64_t *Value)
{
    const char *start = *Text;

    for (*Value = 0; **Text >= '0' && **Text <= '9'; (*Text)++)
    {
        uint64_t digit = (uint64_t)(**Text - '0');

        if (*Value > (UINT64_MAX - digit) / 10)
        {
            return false;
        }
        *Value = *Value * 10 + digit;
    }
    return *Text != start;
}

/* One of the words, each ending in '=', and a number above 0; what follows stays in *Text. */
static bool ReadChoice(const char **Text, const char *const *Words, size_t Count, size_t *Chosen, uint64_t *Value)
{
    for (*Chosen = 0; *Chosen < Count; ++*Chosen)
    {
        if (Skip(Text, Words[*Chosen]))
        {
            return ReadNumber(Text, Value) && *Value != 0;
        }
    }
    return false;
}

bool FaultsCheckFail(const char *Value, TEXT *Error)
{
    static const char *const words[] = {"random=", "nth=", "every=", "site="};
    uint64_t number;
    size_t word;

    if (ReadChoice(&Value, words, 4, &word, &number) &&
        (*Value == '\0' || (word == 0 && Skip(&Value, ",seed=") && ReadNumber(&Value, &number) && *Value == '\0')))
    {
        return true;
    }
    TextAppend(Error, "--fail wants nth=N, every=N, site=N or random=N[,seed=S]");
    return false;
}

bool FaultsCheckKill(const char *Value, TEXT *Error)
{
    static const char *const words[] = {"point=", "instruction="};
    uint64_t number;
    size_t word;

    if (ReadChoice(&Value, words, 2, &word, &number) && *Value == '\0')
    {
        return true;
    }
    TextAppend(Error, "--kill wants point=N or instruction=N");
    return false;
}

bool FaultsReadSweep(SWEEP *Sweep, const char *Value, TEXT *Error)
{
    static const struct
    {
        const char *Word;
        SWEEP_KIND Kind;
    } kinds[] = {
        {"failures", SweepFailures}, {"sites", SweepSites}, {"kill", SweepKill}, {"schedules", SweepSchedules}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    {
        const char *rest = Value;

        if (!Skip(&rest, kinds[i].Word))
        {
            continue;
        }
        Sweep->Kind = kinds[i].Kind;
        Sweep->Runs = 0;
        if (*rest == '\0' ? Sweep->Kind != SweepSchedules
                          : Skip(&rest, "=") && ReadNumber(&rest, &Sweep->Runs) && Sweep->Runs != 0 && *rest == '\0')
        {
            return true;
        }
    }
    TextAppend(Error, "--sweep wants failures[=N], sites[=N], kill[=N] or schedules=N");
    return false;
}
