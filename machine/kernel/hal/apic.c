/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (xAPIC, memory-mapped): interrupts between processors, end of interrupt, the timer.
 *
 * Processor numbers are APIC ids. Vectors' high nibbles are IRQLs: the task priority register is CR8, so the APIC
 * itself holds back what the IRQL forbids, software interrupts (a processor's interrupts to itself) included.
 */
#include "halp.h"
#include "mm.h"
#include "vf.h"

#define APIC_PHYSICAL 0xFEE00000ULL

#define APIC_EOI 0x0B0
#define APIC_SPURIOUS 0x0F0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3E0

#define APIC_ENABLE 0x100
#define APIC_MASKED 0x10000
#define APIC_PERIODIC 0x20000
#define APIC_DIVIDE_1 0xB
#define ICR_PENDING 0x1000
#define ICR_ASSERT 0x4000
#define ICR_SELF 0x40000
#define ICR_OTHERS 0xC0000
#define ICR_NMI 0x400
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600
#define SPURIOUS_VECTOR 0xDF /* as KE has it */

static volatile UCHAR *HalpApic; /* NULL until HalInitialize */

static ULONG HalpRead(ULONG Register)
{
    return *(volatile ULONG *)(HalpApic + Register);
}

static VOID HalpWrite(ULONG Register, ULONG Value)
{
    *(volatile ULONG *)(HalpApic + Register) = Value;
}

VOID HalpMapLocalApic(VOID)
{
    PHYSICAL_ADDRESS address;

    address.QuadPart = APIC_PHYSICAL;
    HalpApic = MmMapIoSpace(address, PAGE_SIZE, MmNonCached);
    if (HalpApic == NULL)
    {
        KeBugCheckEx(0x5C, 1, 0, 0, 0); /* HAL_INITIALIZATION_FAILED */
    }
}

/* Described in hal.h. On the processor itself. */
VOID HalInitializeLocalApic(VOID)
{
    HalpWrite(APIC_LVT_TIMER, APIC_MASKED);
    HalpWrite(APIC_LVT_LINT0, APIC_MASKED);
    HalpWrite(APIC_LVT_LINT1, APIC_MASKED);
    HalpWrite(APIC_LVT_ERROR, APIC_MASKED);
    HalpWrite(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
    HalpWrite(APIC_SPURIOUS, APIC_ENABLE | SPURIOUS_VECTOR);
}

/* Described in hal.h. */
VOID HalEndOfInterrupt(VOID)
{
    HalpWrite(APIC_EOI, 0);
}

/* The two halves belong together: an interrupt handler on this processor may send as well. */
static VOID HalpSend(ULONG ApicId, ULONG Command)
{
    BOOLEAN enabled = (__builtin_ia32_readeflags_u64() & 0x200) != 0;

    if (HalpApic == NULL)
    {
        return; /* one processor, and nothing it could interrupt itself with */
    }
    KiDisable();
    while (HalpRead(APIC_ICR_LOW) & ICR_PENDING)
    {
        _mm_pause();
    }
    HalpWrite(APIC_ICR_HIGH, ApicId << 24);
    HalpWrite(APIC_ICR_LOW, Command);
    if (enabled)
    {
        KiEnable();
    }
}

/* Described in hal.h. */
VOID HalSendIpi(ULONG TargetProcessor, UCHAR Vector)
{
    HalpSend(TargetProcessor, ICR_ASSERT | Vector);
}

/* Described in hal.h. */
VOID HalSendIpiToOthers(UCHAR Vector)
{
    HalpSend(0, ICR_OTHERS | ICR_ASSERT | Vector);
}

/* Described in hal.h. Processors that have not started ignore it. */
VOID HalSendNmiToOthers(VOID)
{
    HalpSend(0, ICR_OTHERS | ICR_ASSERT | ICR_NMI);
}

/* Described in hal.h. */
VOID HalRequestSoftwareInterrupt(KIRQL Irql)
{
    if (HalpApic != NULL)
    {
        /* One write, so nothing can come between. */
        HalpWrite(APIC_ICR_LOW, ICR_SELF | ICR_ASSERT | (Irql == APC_LEVEL ? KI_APC_VECTOR : KI_DPC_VECTOR));
    }
}

VOID HalpSendInit(ULONG ApicId)
{
    HalpSend(ApicId, ICR_ASSERT | ICR_INIT);
}

VOID HalpSendStartup(ULONG ApicId, ULONG Page)
{
    HalpSend(ApicId, ICR_ASSERT | ICR_STARTUP | Page);
}

/* Described in hal.h. */
VOID HalStartClock(VOID)
{
    HalpWrite(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
    if (VfNudgesOn())
    {
        HalpWrite(APIC_LVT_TIMER, KI_CLOCK_VECTOR);
        HalpStartNudges();
    }
    else
    {
        HalpWrite(APIC_LVT_TIMER, APIC_PERIODIC | KI_CLOCK_VECTOR);
        HalpWrite(APIC_TIMER_INITIAL, HALP_TICK);
    }
}

VOID HalpStartTimer(ULONG Count)
{
    HalpWrite(APIC_TIMER_INITIAL, Count);
}

VOID HalpStartStopwatch(VOID)
{
    HalpWrite(APIC_LVT_TIMER, APIC_MASKED);
    HalpWrite(APIC_TIMER_INITIAL, 0xFFFFFFFF);
}

ULONG HalpReadStopwatch(VOID)
{
    return HalpRead(APIC_TIMER_CURRENT);
}
