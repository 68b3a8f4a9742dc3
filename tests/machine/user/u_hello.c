/* SPDX-License-Identifier: MIT */
/*
 * What the C run-time gives an ordinary program: arguments, environment, standard streams, formatted output, exit code.
 * Run as: u_hello one "two words" "" "a\"quote" back\slash\ ; with GREETING=good morning in the environment and a
 * standard input of two lines, "first line" and "42 0x2A".
 */
#include "check.h"
#include <stdlib.h>
#include <stdint.h>

static int AtExitRan;

static void AtExit(void)
{
    AtExitRan++;
    printf("at exit\n");
}

static void TestArguments(int argc, char **argv)
{
    static const char *const expected[] = {"one", "two words", "", "a\"quote", "back\\slash\\"};

    CHECK_EQUAL(argc, 6);
    for (int i = 0; i < argc; i++)
    {
        printf("argument %d: <%s>\n", i, argv[i]);
    }
    for (int i = 1; i < argc && i < 6; i++)
    {
        CHECK(strcmp(argv[i], expected[i - 1]) == 0);
    }
    CHECK(argc > 0 && strstr(argv[0], "u_hello") != NULL);
    CHECK(argv[argc] == NULL);
    CHECK(strstr(GetCommandLineA(), "two words") != NULL);
}

static void TestEnvironment(void)
{
    char buffer[64];

    CHECK(getenv("GREETING") != NULL && strcmp(getenv("GREETING"), "good morning") == 0);
    CHECK_EQUAL(GetEnvironmentVariableA("greeting", buffer, sizeof(buffer)), 12); /* names know no case */
    CHECK_EQUAL(GetEnvironmentVariableA("GREETING", buffer, 5), 13);              /* too small: what is needed */
    CHECK(getenv("NO_SUCH_VARIABLE") == NULL);
    CHECK(SetEnvironmentVariableA("ADDED", "value"));
    CHECK_EQUAL(GetEnvironmentVariableA("ADDED", buffer, sizeof(buffer)), 5);
    CHECK(SetEnvironmentVariableA("ADDED", NULL));
    CHECK_FAILS(GetEnvironmentVariableA("ADDED", buffer, sizeof(buffer)), ERROR_ENVVAR_NOT_FOUND);
    CHECK_EQUAL(ExpandEnvironmentStringsA("%GREETING%!", buffer, sizeof(buffer)), 14);
    CHECK(strcmp(buffer, "good morning!") == 0);
}

static void TestFormats(void)
{
    char text[200];

    snprintf(text, sizeof(text), "%d %5d|%-5d|%05d %x %X %#x %o %u", -1, 42, 42, 42, 255, 255, 255, 8, 4000000000u);
    CHECK(strcmp(text, "-1    42|42   |00042 ff FF 0xff 10 4000000000") == 0);
    snprintf(text, sizeof(text), "%lld %llx %s %.3s %10s|%-10s|%c%%", -5000000000LL, 0x123456789ABCLL, "text", "abcdef",
             "right", "left", 'c');
    CHECK(strcmp(text, "-5000000000 123456789abc text abc      right|left      |c%") == 0);
    snprintf(text, sizeof(text), "%.2f %8.3f %e %g %g", 3.14159, -2.5, 12345.678, 0.0001, 1e20);
    CHECK(strcmp(text, "3.14   -2.500 1.234568e+004 0.0001 1e+020") == 0 ||
          strcmp(text, "3.14   -2.500 1.234568e+04 0.0001 1e+20") == 0);
    CHECK_EQUAL(snprintf(text, 5, "%s", "too long"), 8);
    CHECK(strcmp(text, "too ") == 0);
    CHECK_EQUAL(atoi(" -123x"), (ULONG64)-123);
    CHECK_EQUAL(strtoul("0x7fff", NULL, 0), 0x7FFF);
    CHECK(strtod("2.5e3", NULL) == 2500.0);
    int a = 0, b = 0;
    char word[16];
    CHECK_EQUAL(sscanf("12 word 0x1F", "%d %15s %x", &a, word, &b), 3);
    CHECK(a == 12 && b == 31 && strcmp(word, "word") == 0);
}

static void TestStreams(void)
{
    char line[64];
    unsigned decimal = 0, hexadecimal = 0;

    CHECK(fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "first line\n") == 0);
    CHECK_EQUAL(scanf("%u %x", &decimal, &hexadecimal), 2);
    CHECK(decimal == 42 && hexadecimal == 42);
    while (getchar() != EOF)
    {
    }
    CHECK(feof(stdin));
    CHECK(fprintf(stderr, "to standard error\n") > 0);
    CHECK(GetStdHandle(STD_OUTPUT_HANDLE) != NULL && GetStdHandle(STD_OUTPUT_HANDLE) != INVALID_HANDLE_VALUE);
}

static int CompareNumbers(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void TestLibrary(void)
{
    int numbers[100], sorted = 1, key = 50;

    for (int i = 0; i < 100; i++)
    {
        numbers[i] = (i * 37) % 100;
    }
    qsort(numbers, 100, sizeof(int), CompareNumbers);
    for (int i = 0; i < 100; i++)
    {
        sorted &= numbers[i] == i;
    }
    CHECK(sorted);
    CHECK(bsearch(&key, numbers, 100, sizeof(int), CompareNumbers) == &numbers[50]);
    for (int i = 1; i < 5000; i += 7)
    {
        char *block = malloc((size_t)i), *larger;
        CHECK(block != NULL && ((uintptr_t)block & 15) == 0);
        memset(block, i, (size_t)i);
        larger = realloc(block, (size_t)i * 3);
        CHECK(larger != NULL && larger[i - 1] == (char)i && larger[0] == (char)i);
        free(larger);
    }
    char *zero = calloc(100, 10);
    CHECK(zero != NULL && zero[0] == 0 && zero[999] == 0);
    free(zero);
}

int main(int argc, char **argv)
{
    atexit(AtExit);
    TestArguments(argc, argv);
    TestEnvironment();
    TestFormats();
    TestStreams();
    TestLibrary();
    return Done("u_hello");
}
