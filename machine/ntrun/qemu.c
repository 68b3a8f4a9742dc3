/* SPDX-License-Identifier: MIT */
/* QEMU's command line. See qemu.h. */
#include "qemu.h"

#include "bootblock.h"

#include <string.h>

/*
 * A console: the descriptor of a pipe is handed over as a set. QEMU would truncate what it opens, which a pipe refuses;
 * "append" makes it leave that out.
 */
static void QemuConsole(TEXT_LIST *Arguments, const char *Name, int Set, int Fd, unsigned Port)
{
    TextListAdd(Arguments, "-add-fd");
    TextListAdd(Arguments, "fd=%d,set=%d", Fd, Set);
    TextListAdd(Arguments, "-chardev");
    TextListAdd(Arguments, "file,id=%s,path=/dev/fdset/%d,append=on", Name, Set);
    TextListAdd(Arguments, "-device");
    TextListAdd(Arguments, "isa-debugcon,iobase=0x%x,chardev=%s", Port, Name);
}

void QemuArguments(TEXT_LIST *Arguments, const OPTIONS *Options, const PLACES *Places, const char *Image,
                   const QEMU_STREAMS *Streams)
{
    TextListAdd(Arguments, "%s", Places->Qemu);
    TextListAdd(Arguments, "-M");
    TextListAdd(Arguments, "%s", Options->Machine);
    TextListAdd(Arguments, "-cpu");
    TextListAdd(Arguments, "max");
    TextListAdd(Arguments, "-accel");
    TextListAdd(Arguments, Options->Icount ? "tcg" : "tcg,thread=multi");
    TextListAdd(Arguments, "-smp");
    TextListAdd(Arguments, "%u", Options->Cpus);
    TextListAdd(Arguments, "-m");
    TextListAdd(Arguments, "%u", Options->Memory);
    if (Options->Icount)
    {
        TextListAdd(Arguments, "-icount");
        TextListAdd(Arguments, "shift=%u,sleep=off", Options->IcountShift);
        TextListAdd(Arguments, "-rtc");
        TextListAdd(Arguments, "base=2026-01-01T00:00:00,clock=vm");
    }
    if (Options->FixedSeed)
    {
        TextListAdd(Arguments, "-seed");
        TextListAdd(Arguments, "%llu", (unsigned long long)Options->Seed);
    }
    if (Options->Gdb)
    {
        TextListAdd(Arguments, "-s");
        TextListAdd(Arguments, "-S");
    }
    TextListAdd(Arguments, "-nodefaults");
    TextListAdd(Arguments, "-no-user-config");
    TextListAdd(Arguments, "-no-reboot");
    TextListAdd(Arguments, "-display");
    TextListAdd(Arguments, "none");
    TextListAdd(Arguments, "-kernel");
    TextListAdd(Arguments, "%s", Places->Loader);
    TextListAdd(Arguments, "-initrd");
    TextListAdd(Arguments, "%s", Image);
    QemuConsole(Arguments, "out", 1, Streams->Output, BOOT_PORT_STDOUT);
    QemuConsole(Arguments, "err", 2, Streams->Errors, BOOT_PORT_STDERR);
    QemuConsole(Arguments, "report", 3, Streams->Report, BOOT_PORT_REPORT);
    TextListAdd(Arguments, "-device");
    TextListAdd(Arguments, "isa-debug-exit,iobase=0x%x,iosize=4", BOOT_PORT_EXIT);
}

void QemuCommandLine(TEXT *Line, const TEXT_LIST *Arguments)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=,./:+";

    for (size_t i = 0; i < Arguments->Count; i++)
    {
        const char *argument = Arguments->Items[i];

        TextAppend(Line, i != 0 ? " " : "");
        if (*argument != '\0' && argument[strspn(argument, plain)] == '\0')
        {
            TextAppend(Line, "%s", argument);
            continue;
        }
        TextAppend(Line, "'");
        for (; *argument != '\0'; argument++)
        {
            TextAppend(Line, *argument == '\'' ? "'\\''" : "%c", *argument);
        }
        TextAppend(Line, "'");
    }
}
