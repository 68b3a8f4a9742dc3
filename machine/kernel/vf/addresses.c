/* SPDX-License-Identifier: MIT */
/*
 * The verifier's rules on user addresses in kernel-mode calls: a driver that passes one on vouches for memory that a
 * program can change or take away at any moment, and in another process it is somebody else's.
 *
 *   E0  a routine that keeps a structure in its caller's memory was given a user address
 *   E1  an event, mutex, semaphore or timer is to live at a user address or in paged pool
 *   E2  an IRP with RequestorMode KernelMode has a user address in it
 *   E3  a ZwXxx routine was given a user address (vf/pointers.def says where addresses are expected)
 *   E4  a ZwXxx routine was given a malformed UNICODE_STRING
 *   E6  such a routine was called above PASSIVE_LEVEL, or with special kernel APCs disabled
 *
 * Only calls from drivers are looked at. Which routines of Windows check E0 and E1 is not documented: here those that
 * initialise.
 */
#include "vf.h"
#include "ke.h"
#include "io.h"
#include "ldr.h"
#include "mm.h"

BOOLEAN VfIsChecked(PVOID Caller)
{
    return VfOption(VfChecks) && !LdrIsKernelAddress(Caller) && LdrFindModule(Caller, NULL) != NULL;
}

static BOOLEAN VfpIsUser(ULONG_PTR Address)
{
    return Address != 0 && !MmIsSystemAddress((PVOID)Address);
}

VOID VfCheckStructure(PVOID Structure, SIZE_T Size, PVOID Caller)
{
    if (VfpIsUser((ULONG_PTR)Structure) && VfIsChecked(Caller))
    {
        VfCheck(FALSE, 0xE0, (ULONG_PTR)Structure, Size, 0);
    }
}

VOID VfCheckSynchronization(PVOID Object, PVOID Caller)
{
    if ((!MmIsSystemAddress(Object) || MmIsPagedPool(Object)) && VfIsChecked(Caller))
    {
        VfCheck(FALSE, 0xE1, (ULONG_PTR)Object, 0, 0);
    }
}

VOID VfCheckIrpAddresses(PIRP Irp, PVOID Caller)
{
    const ULONG_PTR addresses[] = {(ULONG_PTR)Irp->UserBuffer, (ULONG_PTR)Irp->UserIosb, (ULONG_PTR)Irp->UserEvent,
                                   (ULONG_PTR)Irp->MdlAddress, (ULONG_PTR)Irp->AssociatedIrp.SystemBuffer};

    if (!VfIsChecked(Caller))
    {
        return;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(addresses); i++)
    {
        VfCheck(!VfpIsUser(addresses[i]), 0xE2, (ULONG_PTR)Irp, addresses[i], 0);
    }
}

static VOID VfpCheckString(const UNICODE_STRING *String, PVOID Caller)
{
    ULONG_PTR caller = (ULONG_PTR)Caller;

    if (String == NULL)
    {
        return;
    }
    VfCheck(!VfpIsUser((ULONG_PTR)String), 0xE3, caller, (ULONG_PTR)String, 0);
    VfCheck((String->Length & 1) == 0 && String->Length <= String->MaximumLength &&
                (String->Buffer != NULL || String->Length == 0),
            0xE4, caller, (ULONG_PTR)String, 0);
    VfCheck(!VfpIsUser((ULONG_PTR)String->Buffer), 0xE3, caller, (ULONG_PTR)String->Buffer, 0);
}

/* Called by the ZwXxx routines that cmake/ntoskrnl-exports.cmake makes. */
VOID VfCheckService(PCSTR Kinds, const ULONG_PTR *Arguments, PVOID Caller)
{
    if (!VfIsChecked(Caller))
    {
        return;
    }
    VfCheck(!KeAreAllApcsDisabled(), 0xE6, (ULONG_PTR)Caller, KeGetCurrentIrql(),
            (ULONG_PTR)(LONG_PTR)KeGetCurrentThread()->SpecialApcDisable);
    for (ULONG i = 0; Kinds[i] != 0; i++)
    {
        const OBJECT_ATTRIBUTES *attributes = (const OBJECT_ATTRIBUTES *)Arguments[i];

        if (Kinds[i] == '-' || Arguments[i] == 0)
        {
            continue;
        }
        VfCheck(!VfpIsUser(Arguments[i]), 0xE3, (ULONG_PTR)Caller, Arguments[i], 0);
        if (Kinds[i] == 'o')
        {
            VfpCheckString(attributes->ObjectName, Caller);
        }
        else if (Kinds[i] == 's')
        {
            VfpCheckString((const UNICODE_STRING *)Arguments[i], Caller);
        }
    }
}
