/* SPDX-License-Identifier: MIT */
/*
 * Kills the program at a chosen point, as TerminateProcess from another process would, so that every point at which
 * it can die can be tried, one run each (ntrun --sweep kill).
 *
 * A process that is killed runs no further instruction of its own: its threads end where they leave the kernel, their
 * user-mode waits are cut short. So what can differ between two moments of its death is only between which two system
 * services it is, which of its waits have begun, and (for what other processors see meanwhile) which instruction
 * runs. The points are numbered as the program comes by:
 *
 *     contact   it sends its first request to a driver: what came before cannot concern one
 *     entry     of a system service: the service runs, and finds its waits ended
 *     exit      of a system service: done, but the program never sees the result
 *     wait      it waits: the wait ends, or in kernel mode goes on to its end
 *
 * and between them `instruction=N` kills when the time stamp counter has gone N further since the contact. With
 * --icount all of it comes again exactly.
 *
 * Entry and exit kill in the dying thread's own context, before and after the service. In the other cases a system
 * thread of the highest priority does it, one per processor, so that the processor that is asked does nothing else
 * first:
 *
 *     clock, KiBlock, IofCallDriver  --DPC-->  event  -->  VfpKiller
 */
#include "hal.h"
#include "ke.h"
#include "ldr.h"
#include "ps.h"
#include "rtl.h"
#include "vfp.h"

#define VFP_KILL_STATUS 137 /* what a shell says of a killed program: 128 + 9 */

typedef struct _VFP_KILLER
{
    KDPC Dpc;
    KEVENT Event;
} VFP_KILLER;

BOOLEAN VfKillOn;
static ULONG64 VfpKillPoint, VfpKillInstruction; /* 0: not asked for */
static PEPROCESS VfpProgram;                     /* referenced until VfWatchEnded */
static volatile LONG VfpContact, VfpKilled, VfpEnded;
static volatile LONG64 VfpKillPoints;
static ULONG64 VfpContactTime, VfpEndTime; /* time stamp counts */
static VFP_KILLER VfpKillers[KI_MAXIMUM_PROCESSORS];

static VOID NTAPI VfpKillDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI VfpKiller(PVOID Context)
{
    ULONG number = (ULONG)(ULONG_PTR)Context;

    KeSetSystemAffinityThread((KAFFINITY)1 << number);
    KeSetPriorityThread(KeGetCurrentThread(), HIGH_PRIORITY);
    for (;;)
    {
        KeWaitForSingleObject(&VfpKillers[number].Event, Executive, KernelMode, FALSE, NULL);
        PsKillProcess(VfpProgram, VFP_KILL_STATUS);
    }
}

NTSTATUS VfStartKillers(VOID)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; VfKillOn && i < (ULONG)KeNumberProcessors && NT_SUCCESS(status); i++)
    {
        HANDLE thread;

        KeInitializeDpc(&VfpKillers[i].Dpc, VfpKillDpc, &VfpKillers[i].Event);
        KeSetImportanceDpc(&VfpKillers[i].Dpc, HighImportance);
        KeInitializeEvent(&VfpKillers[i].Event, SynchronizationEvent, FALSE);
        status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, VfpKiller, (PVOID)(ULONG_PTR)i);
        if (NT_SUCCESS(status))
        {
            ZwClose(thread);
        }
    }
    return status;
}

VOID VfWatchProgram(PEPROCESS Process)
{
    ObReferenceObject(Process);
    VfpProgram = Process;
}

VOID VfWatchEnded(VOID)
{
    VfpEndTime = __rdtsc();
    VfpEnded = TRUE;
}

static BOOLEAN VfpIsWatched(VOID)
{
    PETHREAD thread = PsGetCurrentThread();

    return VfpProgram != NULL && !VfpEnded && !VfpKilled && !PsIsIdleThread(thread) &&
           thread->ThreadsProcess == VfpProgram;
}

/* TRUE once, for the point that was asked for. */
static BOOLEAN VfpIsTheEnd(PCSTR Kind, PCSTR Where)
{
    ULONG64 point = (ULONG64)InterlockedIncrement64(&VfpKillPoints);

    if (point != VfpKillPoint || InterlockedExchange(&VfpKilled, TRUE))
    {
        return FALSE;
    }
    HalPrint(HalStreamReport, "kill %llu %s %s\n", point, Kind, Where);
    HalPrint(HalStreamError, "machine: the program is killed at point %llu: %s, %s\n", point, Kind, Where);
    return TRUE;
}

static VOID VfpAskKiller(VOID)
{
    KeInsertQueueDpc(&VfpKillers[KeGetCurrentProcessorNumber()].Dpc, NULL, NULL);
}

VOID VfKillAtService(BOOLEAN Leaving)
{
    if (VfpContact && VfpIsWatched() && VfpIsTheEnd(Leaving ? "exit" : "entry", KeCurrentServiceName()))
    {
        PsKillProcess(VfpProgram, VFP_KILL_STATUS);
    }
}

VOID VfKillAtWait(VOID)
{
    if (VfpContact && VfpIsWatched() && VfpIsTheEnd("wait", KeCurrentServiceName()))
    {
        VfpAskKiller();
    }
}

VF_SELDOM VOID VfKillAtCall(PVOID Routine)
{
    if (!VfpContact && VfpIsWatched() && !LdrIsKernelAddress(Routine) && !InterlockedExchange(&VfpContact, TRUE))
    {
        VfpContactTime = __rdtsc();
        if (VfpIsTheEnd("contact", KeCurrentServiceName()))
        {
            VfpAskKiller();
        }
        HalRearmClock();
    }
}

ULONG64 VfpKillDue(VOID)
{
    return VfpKillInstruction != 0 && VfpContact && !VfpKilled && !VfpEnded ? VfpContactTime + VfpKillInstruction
                                                                           : MAXULONG64;
}

VOID VfpKillAtClock(ULONG64 Now, PVOID Pc)
{
    CHAR place[96];

    if (Now < VfpKillDue() || InterlockedExchange(&VfpKilled, TRUE))
    {
        return;
    }
    if (PsIsIdleThread(PsGetCurrentThread()) || PsGetCurrentThread()->ThreadsProcess != VfpProgram)
    {
        _snprintf(place, sizeof(place), "%s", "on-another-processor");
    }
    else if (MmIsSystemAddress(Pc))
    {
        LdrFormatAddress(Pc, place, sizeof(place));
    }
    else
    {
        _snprintf(place, sizeof(place), "%s", "in-user-mode");
    }
    HalPrint(HalStreamReport, "kill %llu instruction %s\n", VfpKillInstruction, place);
    HalPrint(HalStreamError, "machine: the program is killed %llu instructions after its first request to a driver: %s\n",
             VfpKillInstruction, place);
    VfpAskKiller();
}

VOID VfpReportKill(VOID)
{
    if (VfKillOn)
    {
        ULONG64 length = VfpContact ? VfpEndTime - VfpContactTime : 0;

        HalPrint(HalStreamReport, "killpoints %lld %llu\n", VfpKillPoints, length);
        HalPrint(HalStreamError, "machine: the program came by %lld points in %llu instructions, and was %s\n",
                 VfpKillPoints, length, VfpKilled ? "killed" : "not killed");
    }
}

/* option=kill:count | point=N | instruction=N */
BOOLEAN VfpParseKill(VFP_TEXT Text)
{
    ULONG64 *number = NULL;

    VfKillOn = TRUE;
    if (VfpSkip(&Text, "count"))
    {
        return Text.Length == 0;
    }
    if (VfpSkip(&Text, "point="))
    {
        number = &VfpKillPoint;
    }
    else if (VfpSkip(&Text, "instruction="))
    {
        number = &VfpKillInstruction;
    }
    return number != NULL && VfpReadNumber(&Text, number) && *number != 0 && Text.Length == 0;
}
