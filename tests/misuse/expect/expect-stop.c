/* SPDX-License-Identifier: MIT */
/*
 * expect-stop EXPECTATION command...: runs an ntrun, shows its output, and fails unless the machine ended as expected.
 *
 *   C4 B8 $mdl 8B 0       a bug check with this code and these four parameters, each of them
 *       8B                    this number, hexadecimal
 *       $mdl  $pool+68 $va-10 what the driver said of itself before: "misuse: $mdl = ffffa00000001000"
 *       driver                an address inside misuse.sys, which said where that is: $driver and $driverend
 *       kernel                an address in the kernel's half
 *       any:reason            not predictable, for this reason
 *   survives              the program ended with 0 and nothing was left over
 *   shows TEXT            the same, and TEXT was printed
 *   left TEXT             the program ended with 0, something was left over, and the machine said TEXT of it
 *
 * Exit code 0: as expected; 1: not; 2: wrong use.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_BUGCHECK 203
#define STATUS_LEFTOVERS 206
#define NOTE_MARK "misuse: $"
#define STOP_MARK "blue screen: bug check "
#define KERNEL_START 0xFFFF800000000000u
#define VALUES 5 /* the code and four parameters */
#define MAX_NOTES 64

typedef struct NOTE
{
    char Name[32];
    uint64_t Value;
} NOTE;

typedef struct OUTCOME
{
    int Status;
    char *Text; /* all that was printed */
    NOTE Notes[MAX_NOTES];
    size_t NoteCount;
} OUTCOME;

static void Die(const char *What)
{
    fprintf(stderr, "expect-stop: %s: %s\n", What, strerror(errno));
    exit(2);
}

/* Runs the command with both its streams into one pipe, and keeps what comes. */
static void Run(char **Command, OUTCOME *Outcome)
{
    size_t length = 0, room = 1 << 16;
    int ends[2], status;
    ssize_t got;
    pid_t child = -1;

    Outcome->Text = malloc(room);
    if (Outcome->Text == NULL || pipe(ends) != 0 || (child = fork()) < 0)
    {
        Die("cannot start");
    }
    if (child == 0)
    {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(Command[0], Command);
        Die(Command[0]);
    }
    close(ends[1]);
    while ((got = read(ends[0], Outcome->Text + length, room - length - 1)) > 0)
    {
        length += (size_t)got;
        if (room - length < 4096 && (Outcome->Text = realloc(Outcome->Text, room *= 2)) == NULL)
        {
            Die("cannot keep the output");
        }
    }
    close(ends[0]);
    Outcome->Text[length] = 0;
    if (waitpid(child, &status, 0) != child)
    {
        Die("cannot wait");
    }
    Outcome->Status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last word on a name counts. */
static void ReadNotes(OUTCOME *Outcome)
{
    for (const char *at = strstr(Outcome->Text, NOTE_MARK); at != NULL; at = strstr(at + 1, NOTE_MARK))
    {
        NOTE note;
        size_t i = 0;

        if (sscanf(at + strlen(NOTE_MARK), "%31[a-z0-9] = %lx", note.Name, &note.Value) != 2)
        {
            continue;
        }
        while (i < Outcome->NoteCount && strcmp(Outcome->Notes[i].Name, note.Name) != 0)
        {
            i++;
        }
        if (i < MAX_NOTES)
        {
            Outcome->Notes[i] = note;
            Outcome->NoteCount += i == Outcome->NoteCount;
        }
    }
}

static bool FindNote(const OUTCOME *Outcome, const char *Name, uint64_t *Value)
{
    for (size_t i = 0; i < Outcome->NoteCount; i++)
    {
        if (strcmp(Outcome->Notes[i].Name, Name) == 0)
        {
            *Value = Outcome->Notes[i].Value;
            return true;
        }
    }
    printf("expect-stop: the driver said nothing of $%s\n", Name);
    return false;
}

/* A hexadecimal number, or a name of the driver's with an offset. */
static bool Evaluate(const OUTCOME *Outcome, const char *Term, uint64_t *Value)
{
    char name[32], *end;
    size_t length;

    if (*Term != '$')
    {
        *Value = strtoull(Term, &end, 16);
        return end != Term && *end == 0;
    }
    length = strcspn(++Term, "+-");
    if (length >= sizeof(name))
    {
        return false;
    }
    memcpy(name, Term, length);
    name[length] = 0;
    if (!FindNote(Outcome, name, Value))
    {
        return false;
    }
    if (Term[length] != 0)
    {
        uint64_t offset = strtoull(Term + length + 1, &end, 16);

        *Value += Term[length] == '+' ? offset : -offset;
        return end != Term + length + 1 && *end == 0;
    }
    return true;
}

static bool Matches(const OUTCOME *Outcome, const char *Term, uint64_t Found)
{
    uint64_t low, high;

    if (strncmp(Term, "any:", 4) == 0)
    {
        return Term[4] != 0;
    }
    if (strcmp(Term, "kernel") == 0)
    {
        return Found >= KERNEL_START;
    }
    if (strcmp(Term, "driver") == 0)
    {
        return FindNote(Outcome, "driver", &low) && FindNote(Outcome, "driverend", &high) && Found >= low &&
               Found < high;
    }
    return Evaluate(Outcome, Term, &low) && low == Found;
}

static bool CheckStop(const OUTCOME *Outcome, const char *Expectation)
{
    const char *at = strstr(Outcome->Text, STOP_MARK);
    char expected[256], *term, *rest = NULL;
    uint64_t found[VALUES];
    size_t i = 0;
    bool good = true;

    if (Outcome->Status != STATUS_BUGCHECK || at == NULL ||
        sscanf(at + strlen(STOP_MARK), "%lx %lx %lx %lx %lx", &found[0], &found[1], &found[2], &found[3], &found[4]) !=
            VALUES)
    {
        printf("expect-stop: no bug check; ended with %d, must be %s\n", Outcome->Status, Expectation);
        return false;
    }
    snprintf(expected, sizeof(expected), "%s", Expectation);
    for (term = strtok_r(expected, " ", &rest); term != NULL && i < VALUES; term = strtok_r(NULL, " ", &rest), i++)
    {
        if (!Matches(Outcome, term, found[i]))
        {
            printf("expect-stop: %s %zu is %lx, must be %s\n", i == 0 ? "the code, value" : "parameter", i, found[i],
                   term);
            good = false;
        }
    }
    if (i != VALUES || term != NULL)
    {
        printf("expect-stop: the expectation must have a code and four parameters: %s\n", Expectation);
        return false;
    }
    return good;
}

static bool Check(const OUTCOME *Outcome, const char *Expectation)
{
    if (strcmp(Expectation, "survives") == 0)
    {
        if (Outcome->Status != 0)
        {
            printf("expect-stop: ended with %d, must be 0\n", Outcome->Status);
        }
        return Outcome->Status == 0;
    }
    if (strncmp(Expectation, "shows ", 6) == 0)
    {
        bool said = strstr(Outcome->Text, Expectation + 6) != NULL;

        if (Outcome->Status != 0 || !said)
        {
            printf("expect-stop: ended with %d and %s, must be 0 and show: %s\n", Outcome->Status,
                   said ? "showed it" : "did not show it", Expectation + 6);
        }
        return Outcome->Status == 0 && said;
    }
    if (strncmp(Expectation, "left ", 5) == 0)
    {
        bool said = strstr(Outcome->Text, Expectation + 5) != NULL;

        if (Outcome->Status != STATUS_LEFTOVERS || !said)
        {
            printf("expect-stop: ended with %d and %s, must be %d and say: %s\n", Outcome->Status,
                   said ? "said so" : "did not say so", STATUS_LEFTOVERS, Expectation + 5);
        }
        return Outcome->Status == STATUS_LEFTOVERS && said;
    }
    return CheckStop(Outcome, Expectation);
}

int main(int argc, char **argv)
{
    OUTCOME outcome = {0};
    bool good;

    if (argc < 3)
    {
        fprintf(stderr, "usage: expect-stop EXPECTATION command...\n");
        return 2;
    }
    Run(argv + 2, &outcome);
    fputs(outcome.Text, stdout);
    ReadNotes(&outcome);
    good = Check(&outcome, argv[1]);
    printf("expect-stop: %s\n", good ? "as expected" : "NOT as expected");
    free(outcome.Text);
    return good ? 0 : 1;
}
