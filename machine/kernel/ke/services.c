/* SPDX-License-Identifier: MIT */
/*
 * The table of system services, made from services.def: a number in eax is an index here.
 */
#include "kip.h"
#include "vf.h"

/* Only addresses are needed, so the services are declared without their types. */
#define SERVICE(Name, Count) extern const UCHAR Ki_##Name[] __asm__(#Name);
#include "services.def"
#undef SERVICE

const PVOID KiServiceTable[] = {
#define SERVICE(Name, Count) (PVOID)Ki_##Name,
#include "services.def"
#undef SERVICE
};

const UCHAR KiServiceArguments[] = {
#define SERVICE(Name, Count) Count,
#include "services.def"
#undef SERVICE
};

static const PCSTR KiServiceNames[] = {
#define SERVICE(Name, Count) #Name,
#include "services.def"
#undef SERVICE
};

const ULONG KiServiceLimit = sizeof(KiServiceArguments);

/* The entry code reserves room for sixteen arguments beyond the registers. */
#define SERVICE(Name, Count) C_ASSERT(Count <= 20);
#include "services.def"
#undef SERVICE

/* 1: VF looks on when a service begins and ends. */
UCHAR KiServiceWatch;

/* Described in ke.h. */
VOID KeWatchServices(VOID)
{
    KiServiceWatch = VfKillOn || VfShuffleOn;
}

/* Before and after a service, by the system call's entry code. A service that comes back with the IRQL or the APC counts
   changed is a bug check in a moment; nothing is done in between. */
VOID KiServiceWatched(ULONG_PTR Leaving)
{
    if (KeGetCurrentIrql() != PASSIVE_LEVEL || KiCurrentThread()->CombinedApcDisable != 0)
    {
        return;
    }
    if (VfShuffleOn && !Leaving)
    {
        VfShuffleHere(TRUE);
    }
    if (VfKillOn)
    {
        VfKillAtService(Leaving != 0);
    }
}

/* Described in ke.h. */
PCSTR KeCurrentServiceName(VOID)
{
    const KTRAP_FRAME *frame = (const KTRAP_FRAME *)KiCurrentThread()->InitialStack - 1;

    return frame->Vector != KI_SYSCALL_MARK ? "no-service"
           : (ULONG)frame->Rax < KiServiceLimit ? KiServiceNames[(ULONG)frame->Rax] : "unknown-service";
}
