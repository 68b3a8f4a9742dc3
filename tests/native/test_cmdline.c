/* SPDX-License-Identifier: MIT */
/* Windows command lines: what is written is split again by the rules of msvcrt and must come out unchanged. */
#include "support.h"

#include "cmdline.h"

/*
 * Splits a command line as msvcrt does, into Words. Written from the documented rules: 2n backslashes and a mark are n
 * backslashes and a border; 2n+1 and a mark are n backslashes and a plain mark; two marks inside quotes are one mark,
 * after which quoting goes on (as from 2008 on).
 */
static void Split(const char *Line, TEXT_LIST *Words)
{
    bool quoted = false;

    /* The program: up to white space outside marks, backslashes are plain. */
    TEXT word = {0};

    for (; *Line != '\0' && (quoted || (*Line != ' ' && *Line != '\t')); Line++)
    {
        if (*Line == '"')
        {
            quoted = !quoted;
        }
        else
        {
            TextAppendRepeated(&word, *Line, 1);
        }
    }
    TextListAdd(Words, "%s", TextString(&word));
    for (;;)
    {
        TextFree(&word);
        Line += strspn(Line, " \t");
        if (*Line == '\0')
        {
            return;
        }
        quoted = false;
        while (*Line != '\0' && (quoted || (*Line != ' ' && *Line != '\t')))
        {
            size_t backslashes = strspn(Line, "\\");

            Line += backslashes;
            if (*Line != '"')
            {
                TextAppendRepeated(&word, '\\', backslashes);
                if (*Line != '\0' && (quoted || (*Line != ' ' && *Line != '\t')))
                {
                    TextAppendRepeated(&word, *Line++, 1);
                }
                continue;
            }
            TextAppendRepeated(&word, '\\', backslashes / 2);
            if (backslashes % 2 == 1)
            {
                TextAppendRepeated(&word, '"', 1);
            }
            else if (quoted && Line[1] == '"')
            {
                TextAppendRepeated(&word, '"', 1);
                Line++;
            }
            else
            {
                quoted = !quoted;
            }
            Line++;
        }
        TextListAdd(Words, "%s", TextString(&word));
    }
}

static void CheckRoundTrip(char *const *Arguments, size_t Count)
{
    TEXT_LIST words = {0};
    TEXT line = {0};
    TEXT error = {0};

    assert_true(CmdlineBuild(&line, "C:\\run\\a b.exe", Arguments, Count, &error));
    Split(TextString(&line), &words);
    assert_int_equal(words.Count, Count + 1);
    assert_string_equal(words.Items[0], "C:\\run\\a b.exe");
    for (size_t i = 0; i < Count; i++)
    {
        assert_string_equal(words.Items[i + 1], Arguments[i]);
    }
    TextListFree(&words);
    TextFree(&line);
    TextFree(&error);
}

static void CheckQuoted(const char *Argument, const char *Expected)
{
    TEXT line = {0};

    CmdlineAppendArgument(&line, Argument);
    assert_string_equal(TextString(&line), Expected);
    TextFree(&line);
}

static void TestQuoting(void **State)
{
    (void)State;
    CheckQuoted("plain", "plain");
    CheckQuoted("", "\"\"");
    CheckQuoted("two words", "\"two words\"");
    CheckQuoted("tab\there", "\"tab\there\"");
    CheckQuoted("C:\\run\\x", "C:\\run\\x");
    CheckQuoted("ends\\", "ends\\");
    CheckQuoted("with space\\", "\"with space\\\\\"");
    CheckQuoted("say \"hi\"", "\"say \\\"hi\\\"\"");
    CheckQuoted("a\\\"b", "\"a\\\\\\\"b\"");
    CheckQuoted("a\\\\\"b", "\"a\\\\\\\\\\\"b\"");
    CheckQuoted("\"", "\"\\\"\"");
    CheckQuoted("*.txt", "\"*.txt\"");
    CheckQuoted("what?", "\"what?\"");
}

static void TestRoundTrip(void **State)
{
    char *const arguments[] = {
        "",       "a",      "a b",   "\"",        "\\",       "\\\\", "\\\"", "a\\ b", "a\\", "\"\"", "x\"y z",
        "\t",     "\\\\ \\\\", " lead", "trail ",    "--x=1",   "a\"b\\", "%PATH%", "^&|<>", "'",    "\\\"\\\\\"",
        "\xC3\xA4 \xE2\x82\xAC",
    };

    (void)State;
    CheckRoundTrip(arguments, sizeof(arguments) / sizeof(arguments[0]));
    CheckRoundTrip(NULL, 0);
}

static void TestRandomRoundTrip(void **State)
{
    static const char alphabet[] = "ab \t\\\\\"\"";
    uint64_t random = 17;

    (void)State;
    for (int round = 0; round < 3000; round++)
    {
        char words[4][12];
        char *arguments[4];

        for (size_t i = 0; i < 4; i++)
        {
            size_t length = NextRandom(&random) % 11;

            for (size_t j = 0; j < length; j++)
            {
                words[i][j] = alphabet[NextRandom(&random) % (sizeof(alphabet) - 1)];
            }
            words[i][length] = '\0';
            arguments[i] = words[i];
        }
        CheckRoundTrip(arguments, 4);
    }
}

static void CheckRefused(const char *Argument, const char *Part)
{
    char *const arguments[] = {"fine", (char *)(uintptr_t)Argument};
    TEXT line = {0};
    TEXT error = {0};

    assert_false(CmdlineBuild(&line, "C:\\run\\x.exe", arguments, 2, &error));
    assert_non_null(strstr(TextString(&error), Part));
    TextFree(&line);
    TextFree(&error);
}

static void TestRefusals(void **State)
{
    char *longest = malloc(40000);

    (void)State;
    CheckRefused("line\nbreak", "line break");
    CheckRefused("return\r", "line break");
    CheckRefused("\xFF", "UTF-8");
    memset(longest, 'x', 40000);
    longest[39999] = '\0';
    CheckRefused(longest, "longer");
    free(longest);
}

static void TestLongestLine(void **State)
{
    /* "p.exe " and n characters */
    char *argument = malloc(CMDLINE_MAX_UNITS);
    char *const arguments[] = {argument};

    (void)State;
    for (size_t extra = 0; extra < 2; extra++)
    {
        TEXT line = {0};
        TEXT error = {0};

        memset(argument, 'x', CMDLINE_MAX_UNITS);
        argument[CMDLINE_MAX_UNITS - 6 + extra] = '\0';
        assert_int_equal(CmdlineBuild(&line, "p.exe", arguments, 1, &error), extra == 0);
        TextFree(&line);
        TextFree(&error);
    }
    free(argument);
}

static void TestUtf8(void **State)
{
    static const char *const bad[] = {
        "\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "a\xFF",
    };

    (void)State;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    {
        assert_false(Utf8IsValid(bad[i]));
    }
    assert_true(Utf8IsValid(""));
    assert_true(Utf8IsValid("a\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
    assert_int_equal(Utf8Units("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), 5);
}

static void TestNames(void **State)
{
    static const char *const good[] = {"a", "a.exe", "a b", "a/b", "a\\b/c.txt", ".a", "..a", "\xC3\xA4"};
    static const char *const bad[] = {"",    ".",   "..",  "a/..", "../a", "/a",  "a/", "a//b", "a.",  "a ",
                                      "a:b", "a*b", "a?b", "a\"b", "a<b",  "a>b", "a|b", "a\nb", "C:\\a", "\xFF"};
    char longName[300];

    (void)State;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
    {
        assert_true(WindowsPathIsValid(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    {
        assert_false(WindowsPathIsValid(bad[i]));
    }
    memset(longName, 'a', sizeof(longName));
    longName[256] = '\0';
    assert_false(WindowsPathIsValid(longName));
    longName[255] = '\0';
    assert_true(WindowsPathIsValid(longName));

    assert_string_equal(PathBaseName("a/b/c.exe"), "c.exe");
    assert_string_equal(PathBaseName("c.exe"), "c.exe");
    assert_true(PathHasExtension("x.SYS", ".sys"));
    assert_false(PathHasExtension(".sys", ".sys"));
    assert_false(PathHasExtension("x.sys.exe", ".sys"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestQuoting),     cmocka_unit_test(TestRoundTrip), cmocka_unit_test(TestRandomRoundTrip),
        cmocka_unit_test(TestRefusals),    cmocka_unit_test(TestLongestLine), cmocka_unit_test(TestUtf8),
        cmocka_unit_test(TestNames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
