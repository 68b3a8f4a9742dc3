/* SPDX-License-Identifier: MIT */
/* From Unix arguments to a Windows command line. See cmdline.h. */
#include "cmdline.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * How a Windows program splits its command line: white space separates, "..." holds together. A backslash is itself,
 * unless a run of them ends at a quotation mark: then two stand for one, and an odd one makes the mark a plain
 * character. Hence: double the run before each inner mark, add one for the mark; double the run before the closing
 * mark. argv[0] is split by a simpler rule, in which backslashes mean nothing.
 */
void CmdlineAppendArgument(TEXT *Line, const char *Argument)
{
    size_t backslashes = 0;

    if (Argument[0] != '\0' && strpbrk(Argument, " \t\v\"*?") == NULL)
    {
        TextAppend(Line, "%s", Argument);
        return;
    }
    TextAppendRepeated(Line, '"', 1);
    for (; *Argument != '\0'; Argument++)
    {
        if (*Argument == '"')
        {
            TextAppendRepeated(Line, '\\', backslashes + 1);
        }
        backslashes = *Argument == '\\' ? backslashes + 1 : 0;
        TextAppendRepeated(Line, *Argument, 1);
    }
    TextAppendRepeated(Line, '\\', backslashes);
    TextAppendRepeated(Line, '"', 1);
}

bool CmdlineBuild(TEXT *Line, const char *Program, char *const *Arguments, size_t Count, TEXT *Error)
{
    bool quote = strpbrk(Program, " \t\v") != NULL;

    TextAppend(Line, quote ? "\"%s\"" : "%s", Program);
    for (size_t i = 0; i < Count; i++)
    {
        if (!Utf8IsValid(Arguments[i]))
        {
            TextAppend(Error, "argument %zu of the program is not UTF-8", i + 1);
            return false;
        }
        if (strpbrk(Arguments[i], "\r\n") != NULL)
        {
            TextAppend(Error, "argument %zu of the program holds a line break, which cannot be passed on", i + 1);
            return false;
        }
        TextAppend(Line, " ");
        CmdlineAppendArgument(Line, Arguments[i]);
    }
    if (Utf8Units(TextString(Line)) > CMDLINE_MAX_UNITS)
    {
        TextAppend(Error, "the program's arguments are longer than the %u characters Windows allows",
                   CMDLINE_MAX_UNITS);
        return false;
    }
    return true;
}

/* Decodes one character. Returns its length in bytes, or 0 if it is malformed. */
static size_t Utf8Decode(const char *Text, uint32_t *Character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)Text;
    uint32_t value;
    size_t length;

    if (bytes[0] < 0x80)
    {
        *Character = bytes[0];
        return 1;
    }
    length = (bytes[0] & 0xE0) == 0xC0 ? 2 : (bytes[0] & 0xF0) == 0xE0 ? 3 : (bytes[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (length == 0)
    {
        return 0;
    }
    value = bytes[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
    {
        if ((bytes[i] & 0xC0) != 0x80) /* true at the terminating NUL as well */
        {
            return 0;
        }
        value = value << 6 | (bytes[i] & 0x3F);
    }
    if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
    {
        return 0;
    }
    *Character = value;
    return length;
}

bool Utf8IsValid(const char *Text)
{
    while (*Text != '\0')
    {
        uint32_t character;
        size_t length = Utf8Decode(Text, &character);

        if (length == 0)
        {
            return false;
        }
        Text += length;
    }
    return true;
}

size_t Utf8Units(const char *Text)
{
    size_t units = 0;

    while (*Text != '\0')
    {
        uint32_t character = 0;
        size_t length = Utf8Decode(Text, &character);

        units += character > 0xFFFF ? 2 : 1;
        Text += length != 0 ? length : 1;
    }
    return units;
}

/* One component of a path. */
static bool WindowsNameIsValid(const char *Name, size_t Length)
{
    if (Length == 0 || Length > 255 || Name[Length - 1] == '.' || Name[Length - 1] == ' ')
    {
        return false; /* this covers "." and ".." */
    }
    for (size_t i = 0; i < Length; i++)
    {
        if ((unsigned char)Name[i] < 0x20 || strchr("<>:\"|?*", Name[i]) != NULL)
        {
            return false;
        }
    }
    return true;
}

bool WindowsPathIsValid(const char *Name)
{
    if (!Utf8IsValid(Name))
    {
        return false;
    }
    for (;;)
    {
        size_t length = strcspn(Name, "/\\");

        if (!WindowsNameIsValid(Name, length))
        {
            return false;
        }
        if (Name[length] == '\0')
        {
            return true;
        }
        Name += length + 1;
    }
}

const char *PathBaseName(const char *Path)
{
    const char *slash = strrchr(Path, '/');

    return slash != NULL ? slash + 1 : Path;
}

bool PathHasExtension(const char *Name, const char *Extension)
{
    size_t length = strlen(Name);
    size_t extension = strlen(Extension);

    return length > extension && strcasecmp(Name + length - extension, Extension) == 0;
}
