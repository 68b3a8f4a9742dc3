/* SPDX-License-Identifier: MIT */
/* The loader's only output: why it does not go on. */
#include "boot.h"
#include "portio.h"

static void ConsolePut(uint16_t Port, const char *Text)
{
    for (; *Text != '\0'; Text++)
    {
        PortWrite8(Port, (uint8_t)*Text);
    }
}

static void ConsoleLine(uint16_t Port, const char *Prefix, const char *Subject, const char *Reason)
{
    ConsolePut(Port, Prefix);
    ConsolePut(Port, Subject);
    ConsolePut(Port, " ");
    ConsolePut(Port, Reason);
    ConsolePut(Port, "\n");
}

_Noreturn void BootRefuse(const char *Subject, const char *Reason)
{
    ConsoleLine(BOOT_PORT_STDERR, "loader: ", Subject, Reason);
    ConsoleLine(BOOT_PORT_REPORT, "refused ", Subject, Reason);
    PortWrite32(BOOT_PORT_EXIT, 1);
    for (;;)
    {
        __asm__ volatile("hlt");
    }
}
