/* SPDX-License-Identifier: MIT */
/*
 * Starting the other processors: INIT, STARTUP, one at a time, each with its own stack. Their numbers are their APIC
 * ids, 0 to N - 1; N is what the loader learnt from QEMU, or option=cpus:N. The page for the first instructions and
 * the identity map they run in are the loader's; both are given back when all have started.
 */
#include "halp.h"
#include "mm.h"
#include "vf.h"

#define HALP_WAIT_MS 1000

#define TRAMPOLINE_GDTR 0xF00
#define TRAMPOLINE_GDT 0xF10
#define TRAMPOLINE_FAR32 0xF30
#define TRAMPOLINE_FAR64 0xF38
#define TRAMPOLINE_CR3 0xF40
#define TRAMPOLINE_STACK 0xF48
#define TRAMPOLINE_ENTRY 0xF50
#define TRAMPOLINE_ARGUMENT 0xF58

extern const UCHAR HalpTrampoline[], HalpTrampoline32[], HalpTrampoline64[], HalpTrampolineEnd[];

static volatile LONG HalpReached; /* the processor that reported last */
static volatile LONG HalpRelease; /* all have been started: go on */

/* Described in hal.h. */
VOID HalProcessorReached(ULONG Number)
{
    InterlockedExchange(&HalpReached, (LONG)Number);
    while (!HalpRelease)
    {
        _mm_pause();
    }
}

static VOID HalpWriteFar(PUCHAR Page, ULONG Offset, ULONG Base, const UCHAR *Target, USHORT Selector)
{
    *(ULONG *)(Page + Offset) = Base + (ULONG)(Target - HalpTrampoline);
    *(USHORT *)(Page + Offset + 4) = Selector;
}

static VOID HalpPreparePage(PUCHAR Page, ULONG Physical)
{
    ULONG64 *gdt = (ULONG64 *)(Page + TRAMPOLINE_GDT);

    RtlCopyMemory(Page, HalpTrampoline, (SIZE_T)(HalpTrampolineEnd - HalpTrampoline));
    gdt[0] = 0;
    gdt[1] = 0x00CF9B000000FFFFULL;
    gdt[2] = 0x00CF93000000FFFFULL;
    gdt[3] = 0x00209B0000000000ULL;
    *(USHORT *)(Page + TRAMPOLINE_GDTR) = 4 * 8 - 1;
    *(ULONG *)(Page + TRAMPOLINE_GDTR + 2) = Physical + TRAMPOLINE_GDT;
    HalpWriteFar(Page, TRAMPOLINE_FAR32, Physical, HalpTrampoline32, 0x08);
    HalpWriteFar(Page, TRAMPOLINE_FAR64, Physical, HalpTrampoline64, 0x18);
    *(ULONG64 *)(Page + TRAMPOLINE_CR3) = KeBootBlock->Pml4Physical;
    *(ULONG64 *)(Page + TRAMPOLINE_ENTRY) = (ULONG64)KiProcessorStartup;
}

static BOOLEAN HalpStartProcessor(PUCHAR Page, ULONG Physical, ULONG Number)
{
    ULONG64 stack;
    PVOID processor = KiCreateProcessor(Number, &stack);

    if (processor == NULL)
    {
        return FALSE;
    }
    *(ULONG64 *)(Page + TRAMPOLINE_STACK) = stack;
    *(ULONG64 *)(Page + TRAMPOLINE_ARGUMENT) = (ULONG64)processor;
    HalpSendInit(Number);
    KeStallExecutionProcessor(10);
    for (ULONG attempt = 0; attempt < 2; attempt++)
    {
        HalpSendStartup(Number, Physical >> PAGE_SHIFT);
        for (ULONG waited = 0; waited < HALP_WAIT_MS * 100 && HalpReached != (LONG)Number; waited++)
        {
            KeStallExecutionProcessor(10);
        }
        if (HalpReached == (LONG)Number)
        {
            return TRUE;
        }
    }
    HalPrint(HalStreamError, "machine: processor %lu did not start\n", Number);
    return FALSE; /* it may still come: what it was given is not freed */
}

static VOID HalpStartProcessors(VOID)
{
    ULONG count = KeBootBlock->ProcessorCount != 0 ? KeBootBlock->ProcessorCount : 1;
    ULONG physical = (ULONG)KeBootBlock->TrampolinePhysical;
    PUCHAR page = (PUCHAR)(KeBootBlock->DirectMapBase + physical);
    LONG started = 1;
    LARGE_INTEGER pause;

    count = (ULONG)VfOptionValue("cpus", count);
    count = count > KI_MAXIMUM_PROCESSORS ? KI_MAXIMUM_PROCESSORS : count;
    if (count <= 1 || physical == 0)
    {
        return;
    }
    HalpPreparePage(page, physical);
    for (ULONG number = 1; number < count && HalpStartProcessor(page, physical, number); number++)
    {
        started++;
    }
    InterlockedExchange(&HalpRelease, 1);
    pause.QuadPart = -10000;
    while (KiProcessorCount < started)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
    }
}

/* Described in hal.h. PASSIVE_LEVEL. */
VOID HalStartProcessors(VOID)
{
    HalpStartProcessors();
    MmReleaseLoaderMemory(); /* the identity map goes: address 0 and its neighbours are nobody's from here on */
}
