/* SPDX-License-Identifier: MIT */
/* boot.cfg: what ntrun tells the loader and the kernel. See bootconfig.h. */
#include "bootconfig.h"

#include "cmdline.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The part of a Windows system's environment that programs and their run-time libraries look for. */
static const char *const DefaultEnvironment[] = {
    "COMPUTERNAME=ISTHMUS",
    "OS=Windows_NT",
    "PATH=C:\\run;C:\\Windows\\System32",
    "PROCESSOR_ARCHITECTURE=AMD64",
    "SystemDrive=C:",
    "SystemRoot=C:\\Windows",
    "TEMP=C:\\run",
    "TMP=C:\\run",
    "windir=C:\\Windows",
};

/* True if both begin with the same NAME=, letters without case. */
static bool SameVariable(const char *Left, const char *Right)
{
    size_t length = strcspn(Left, "=");

    return strcspn(Right, "=") == length && strncasecmp(Left, Right, length) == 0;
}

/* True if an --env from number First on names the same variable. */
static bool IsSetLater(const OPTIONS *Options, const char *Variable, size_t First)
{
    for (size_t i = First; i < Options->Environment.Count; i++)
    {
        if (SameVariable(Variable, Options->Environment.Items[i]))
        {
            return true;
        }
    }
    return false;
}

static void AppendVariable(TEXT *Config, const OPTIONS *Options, const char *Variable, size_t Next)
{
    /* The last setting counts; a variable without a value does not exist on Windows. */
    if (!IsSetLater(Options, Variable, Next) && strchr(Variable, '=')[1] != '\0')
    {
        TextAppend(Config, "env=%s\n", Variable);
    }
}

bool BootConfigBuild(TEXT *Config, const OPTIONS *Options, TEXT *Error)
{
    const char *name = PathBaseName(Options->Program);
    TEXT program = {0};
    TEXT line = {0};
    TEXT processors = {0};
    bool built;

    if (!WindowsPathIsValid(name))
    {
        TextAppend(Error, "%s cannot be a file name on Windows; rename the program", name);
        return false;
    }
    TextAppend(&program, "C:\\run\\%s", name);
    built = CmdlineBuild(&line, TextString(&program), Options->Arguments, Options->ArgumentCount, Error);
    if (built)
    {
        TextAppend(Config, "program=%s\ncommandline=%s\n", TextString(&program), TextString(&line));
        for (size_t i = 0; i < sizeof(DefaultEnvironment) / sizeof(DefaultEnvironment[0]); i++)
        {
            AppendVariable(Config, Options, DefaultEnvironment[i], 0);
        }
        TextAppend(&processors, "NUMBER_OF_PROCESSORS=%u", Options->Cpus);
        AppendVariable(Config, Options, TextString(&processors), 0);
        for (size_t i = 0; i < Options->Environment.Count; i++)
        {
            AppendVariable(Config, Options, Options->Environment.Items[i], i + 1);
        }
        for (size_t i = 0; i < Options->Drivers.Count; i++)
        {
            TextAppend(Config, "driver=%s\n", PathBaseName(Options->Drivers.Items[i]));
        }
        if (Options->FixedSeed)
        {
            TextAppend(Config, "option=seed:%llu\n", (unsigned long long)Options->Seed);
        }
        for (size_t i = 0; i < Options->Settings.Count; i++)
        {
            TextAppend(Config, "option=%s\n", Options->Settings.Items[i]);
        }
    }
    TextFree(&program);
    TextFree(&line);
    TextFree(&processors);
    return built;
}
