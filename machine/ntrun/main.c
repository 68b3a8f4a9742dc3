/* SPDX-License-Identifier: MIT */
/*
 * ntrun: packs drivers and a program into an image, runs it on the machine, and returns the program's exit code.
 *
 *     options -> places -> package (checked PE files, boot.cfg) -> image -> QEMU -> report -> exit code
 */
#include "exitcodes.h"
#include "image.h"
#include "jsonreport.h"
#include "ledger.h"
#include "options.h"
#include "package.h"
#include "places.h"
#include "random.h"
#include "run.h"
#include "screen.h"
#include "sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NTRUN_VERSION
#define NTRUN_VERSION "unversioned"
#endif

/* What the machine needs beside the image to come up at all. */
#define MEMORY_BESIDE_IMAGE (16ull << 20)

/* The build puts the kernel with its debug information into symbols/, beside the system directory. */
static bool MainHasSymbols(const PLACES *Places)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/../symbols/ntoskrnl.exe", Places->System);

    return length > 0 && (size_t)length < sizeof(path) && access(path, R_OK) == 0;
}

/* Tells a debugger where the kernel will lie: the seed is fixed, so the base is known. */
static void MainPrintGdbHint(const OPTIONS *Options, const PLACES *Places, const PACKAGE *Package)
{
    const PACKAGE_FILE *kernel = PackageFind(Package, "Windows/System32/ntoskrnl.exe");
    uint64_t state = Options->Seed;
    uint64_t base;
    PE_IMAGE image;

    if (kernel == NULL || PeOpenFile(&image, kernel->Data, kernel->Size) != PeOk)
    {
        return; /* PackageBuild has checked it */
    }
    base = BootKernelBase(BootRandomNext(&state), image.SizeOfImage);
    Say("the machine waits for gdb. Start gdb and type:");
    Say("    target remote :1234");
    Say("    add-symbol-file %s/%sntoskrnl.exe -o 0x%llx", Places->System, MainHasSymbols(Places) ? "../symbols/" : "",
        (unsigned long long)(base - image.ImageBase));
    Say("    hbreak KiSystemStartup");
    Say("    continue");
}

static void MainPrintReport(const REPORT *Report)
{
    const char *line = TextString(&Report->Raw);

    while (*line != '\0')
    {
        size_t length = strcspn(line, "\n");

        Say("report: %.*s", (int)length, line);
        line += length + (line[length] != '\0' ? 1 : 0);
    }
}

/* Names what the report's addresses are, and shows the ledger and the blue screen. */
static void MainShowReport(RESULT *Result, const PACKAGE *Package, const PLACES *Places)
{
    const REPORT *report = &Result->Run.Report;
    size_t onScreen = report->LedgerCount != 0 && report->HasBugcheck; /* the last one */
    size_t ledgers = report->LedgerCount - onScreen;
    bool color = isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL;
    TEXT text = {0};

    for (size_t i = 0; i < report->LedgerCount; i++)
    {
        LedgerAddSymbols(&Result->Symbols, &report->Ledgers[i]);
    }
    if (report->HasBugcheck)
    {
        ScreenAddSymbols(&Result->Symbols, &report->Stop);
    }
    if (Result->Symbols.Count != 0)
    {
        SymbolsResolve(&Result->Symbols, &report->Modules, Package, Places);
    }
    for (size_t i = 0; i < ledgers; i++)
    {
        LedgerWrite(&text, &report->Ledgers[i], &report->Modules, &Result->Symbols, color);
    }
    if (report->HasBugcheck)
    {
        ScreenWrite(&text, report, &Result->Symbols, color);
    }
    fputs(TextString(&text), stderr);
    TextFree(&text);
}

/* Everything from the image on. */
static int MainRun(const OPTIONS *Options, const PLACES *Places, const PACKAGE *Package, IMAGE_FILE *Image,
                   RESULT *Result)
{
    RUN *run = &Result->Run;
    int code;

    if (!ImageCreate(Image, Package, Options->Keep, &Result->Message))
    {
        return NTRUN_CANNOT_START;
    }
    if (Image->Size + MEMORY_BESIDE_IMAGE > (uint64_t)Options->Memory << 20)
    {
        TextAppend(&Result->Message, "the files come to %llu MB and do not fit; give the machine more with --memory",
                   (unsigned long long)(Image->Size >> 20) + 1);
        return NTRUN_CANNOT_START;
    }
    if (Options->Gdb)
    {
        MainPrintGdbHint(Options, Places, Package);
    }
    if (!RunMachine(run, Options, Places, Image->Path, Image->Fd, &Result->Message))
    {
        code = NTRUN_CANNOT_START;
    }
    else
    {
        code = ReportConclude(&run->Report, &run->End, &Result->Message);
        MainShowReport(Result, Package, Places);
    }
    if (run->OutputError != 0)
    {
        Say("a part of the program's output is lost: %s", strerror(run->OutputError));
        code = code == 0 ? NTRUN_CANNOT_START : code;
    }
    SweepDeliver(&run->Report, &run->End);
    if (Options->Verbose)
    {
        MainPrintReport(&run->Report);
    }
    ImageKeepText(Image, "qemu.txt", TextString(&run->Command));
    ImageKeepText(Image, "report.txt", TextString(&run->Report.Raw));
    return code;
}

static int MainPackAndRun(const OPTIONS *Options, int *Signal)
{
    PLACES places = {0};
    PACKAGE package = {0};
    IMAGE_FILE image = {.Fd = -1};
    RESULT result = {.Code = NTRUN_CANNOT_START};
    TEXT error = {0};
    int code;

    if (PlacesFind(&places, Options->System, &result.Message))
    {
        result.Code = PackageBuild(&package, Options, &places, &result.Message);
        if (result.Code == 0)
        {
            result.Code = MainRun(Options, &places, &package, &image, &result);
        }
    }
    *Signal = result.Run.Signal;
    if (result.Message.Length != 0 && *Signal == 0)
    {
        Say("%s", TextString(&result.Message));
    }
    if (Options->Json != NULL && !JsonWrite(Options->Json, &result, Options, &error))
    {
        Say("%s", TextString(&error));
        result.Code = result.Code == 0 ? NTRUN_CANNOT_START : result.Code;
    }
    if (image.Directory != NULL)
    {
        Say("kept in %s", image.Directory);
    }
    code = result.Code;
    RunFree(&result.Run);
    SymbolsFree(&result.Symbols);
    TextFree(&result.Message);
    TextFree(&error);
    ImageFree(&image);
    PackageFree(&package);
    PlacesFree(&places);
    return code;
}

/* A closed standard stream would give its number to the next file opened: fill the places first. */
static void MainOpenStandardStreams(void)
{
    int fd;

    do
    {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
    {
        close(fd);
    }
}

static void MainHelp(void)
{
    TEXT modes = {0};

    VerifyHelp(&modes);
    printf("%s\nModes of --verify:\n%s", OptionsHelpText, TextString(&modes));
    TextFree(&modes);
}

int main(int argc, char **argv)
{
    OPTIONS options;
    TEXT error = {0};
    int signalNumber = 0;
    int code = 0;

    MainOpenStandardStreams();
    switch (OptionsParse(&options, argc, argv, &error))
    {
    case OptionsHelp:
        MainHelp();
        break;
    case OptionsVersion:
        puts("ntrun " NTRUN_VERSION);
        break;
    case OptionsWrong:
        Say("%s; \"ntrun --help\" lists what there is", TextString(&error));
        code = NTRUN_USAGE;
        break;
    case OptionsRun:
        code = options.Sweep.Kind != SweepNone ? SweepMain(&options, argc, argv, MainPackAndRun)
                                               : MainPackAndRun(&options, &signalNumber);
        break;
    }
    OptionsFree(&options);
    TextFree(&error);
    if (signalNumber != 0)
    {
        /* End as the one who sent it expects: by the signal. */
        signal(signalNumber, SIG_DFL);
        raise(signalNumber);
    }
    return code;
}
