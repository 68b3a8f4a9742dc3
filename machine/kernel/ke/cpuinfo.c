/* SPDX-License-Identifier: MIT */
/*
 * Processors, groups, nodes, affinity. There is one group and one node.
 */
#define KeNumberProcessors KeNumberProcessors_seen_by_drivers
#include "kip.h"
#undef KeNumberProcessors

volatile CCHAR KeNumberProcessors = 1;
volatile LONG KiProcessorCount = 1;

/* The count has changed: tell those who read it elsewhere. */
VOID KiAnnounceProcessors(VOID)
{
    KeNumberProcessors = (CCHAR)KiProcessorCount;
    SharedUserData->ActiveProcessorCount = (ULONG)KiProcessorCount;
}

static ULONG KiCountForGroup(USHORT Group)
{
    return Group == 0 || Group == ALL_PROCESSOR_GROUPS ? (ULONG)KiProcessorCount : 0;
}

/** Mask of the processors that run. IRQL: any. */
KAFFINITY NTAPI KeQueryActiveProcessors(VOID)
{
    return KiActiveAffinity;
}

/** Number of processors that run; *ActiveProcessors their mask. IRQL: any. */
ULONG NTAPI KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors)
{
    if (ActiveProcessors != NULL)
    {
        *ActiveProcessors = KiActiveAffinity;
    }
    return (ULONG)KiProcessorCount;
}

/** Number of processors of a group that run. IRQL: any. */
ULONG NTAPI KeQueryActiveProcessorCountEx(USHORT GroupNumber)
{
    return KiCountForGroup(GroupNumber);
}

/** Number of processors there may ever be: none is added while the machine runs, once all have started. */
ULONG NTAPI KeQueryMaximumProcessorCount(VOID)
{
    return (ULONG)KiProcessorCount;
}

/** KeQueryMaximumProcessorCount of a group. IRQL: any. */
ULONG NTAPI KeQueryMaximumProcessorCountEx(USHORT GroupNumber)
{
    return KiCountForGroup(GroupNumber);
}

/** 1. */
USHORT NTAPI KeQueryActiveGroupCount(VOID)
{
    return 1;
}

/** 1. */
USHORT NTAPI KeQueryMaximumGroupCount(VOID)
{
    return 1;
}

/** Mask of a group's processors; 0 for groups there are not. IRQL: any. */
KAFFINITY NTAPI KeQueryGroupAffinity(USHORT GroupNumber)
{
    return GroupNumber == 0 ? KiActiveAffinity : 0;
}

/** Index of the processor this runs on; meaningful only at >= DISPATCH_LEVEL. */
ULONG NTAPI KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber)
{
    ULONG number = KiCurrentProcessor();

    if (ProcNumber != NULL)
    {
        ProcNumber->Group = 0;
        ProcNumber->Number = (UCHAR)number;
        ProcNumber->Reserved = 0;
    }
    return number;
}

/** Index -> group and number. STATUS_INVALID_PARAMETER if there is no such processor. IRQL: any. */
NTSTATUS NTAPI KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcIndex >= (ULONG)KiProcessorCount)
    {
        return STATUS_INVALID_PARAMETER;
    }
    ProcNumber->Group = 0;
    ProcNumber->Number = (UCHAR)ProcIndex;
    ProcNumber->Reserved = 0;
    return STATUS_SUCCESS;
}

/** Group and number -> index, or INVALID_PROCESSOR_INDEX. IRQL: any. */
ULONG NTAPI KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group != 0 || ProcNumber->Number >= (ULONG)KiProcessorCount)
    {
        return INVALID_PROCESSOR_INDEX;
    }
    return ProcNumber->Number;
}

/** Mask and number of a node's processors; zero for nodes there are not. IRQL: any. */
VOID NTAPI KeQueryNodeActiveAffinity(USHORT NodeNumber, PGROUP_AFFINITY Affinity, PUSHORT Count)
{
    if (Affinity != NULL)
    {
        RtlZeroMemory(Affinity, sizeof(*Affinity));
        Affinity->Mask = NodeNumber == 0 ? KiActiveAffinity : 0;
    }
    if (Count != NULL)
    {
        *Count = NodeNumber == 0 ? (USHORT)KiProcessorCount : 0;
    }
}

/** Number of processors a node may have. */
USHORT NTAPI KeQueryNodeMaximumProcessorCount(USHORT NodeNumber)
{
    return NodeNumber == 0 ? (USHORT)KiProcessorCount : 0;
}

/** 0: one node. */
USHORT NTAPI KeQueryHighestNodeNumber(VOID)
{
    return 0;
}

/** 0. */
USHORT NTAPI KeGetCurrentNodeNumber(VOID)
{
    return 0;
}

/** Alignment that keeps data of two processors on different cache lines, in bytes. */
ULONG NTAPI KeGetRecommendedSharedDataAlignment(VOID)
{
    return 64;
}

/* ---- affinity of threads ---- */

/* Lock held at entry, released on return. The thread runs on an allowed processor then if its IRQL permits. */
static VOID KiChangeAffinity(PKTHREAD Thread, KAFFINITY Affinity, BOOLEAN On)
{
    Thread->Affinity = Affinity;
    KiReadyAffinityChanged(Thread);
    KiUnlockDispatcher(On);
}

/**
 * Restricts the running thread to some processors.
 *
 * @return the mask before, 0 if it was not restricted by this call's kind: pass it to KeRevertToUserAffinityThreadEx
 * IRQL: <= DISPATCH_LEVEL; at DISPATCH_LEVEL it moves when the IRQL falls.
 */
KAFFINITY NTAPI KeSetSystemAffinityThreadEx(KAFFINITY Affinity)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on = KiLockDispatcher();
    KAFFINITY previous = thread->SystemAffinityRestore;

    Affinity &= KiActiveAffinity;
    if (Affinity == 0)
    {
        KiUnlockDispatcher(on);
        return previous;
    }
    thread->SystemAffinityRestore = Affinity;
    KiChangeAffinity(thread, Affinity, on);
    return previous;
}

/** Undoes KeSetSystemAffinityThreadEx: back to Affinity, or to the thread's own if 0. IRQL: <= DISPATCH_LEVEL. */
VOID NTAPI KeRevertToUserAffinityThreadEx(KAFFINITY Affinity)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on = KiLockDispatcher();

    Affinity &= KiActiveAffinity;
    thread->SystemAffinityRestore = Affinity;
    KiChangeAffinity(thread, Affinity != 0 ? Affinity : thread->UserAffinity, on);
}

/** KeSetSystemAffinityThreadEx without the way back to nested ones. */
VOID NTAPI KeSetSystemAffinityThread(KAFFINITY Affinity)
{
    KeSetSystemAffinityThreadEx(Affinity);
}

/** Undoes KeSetSystemAffinityThread. */
VOID NTAPI KeRevertToUserAffinityThread(VOID)
{
    KeRevertToUserAffinityThreadEx(0);
}

/** KeSetSystemAffinityThreadEx with groups; a mask of another group is ignored. */
VOID NTAPI KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity)
{
    KAFFINITY previous = KiCurrentThread()->SystemAffinityRestore;

    if (Affinity->Group == 0)
    {
        previous = KeSetSystemAffinityThreadEx(Affinity->Mask);
    }
    if (PreviousAffinity != NULL)
    {
        RtlZeroMemory(PreviousAffinity, sizeof(*PreviousAffinity));
        PreviousAffinity->Mask = previous;
    }
}

/** Undoes KeSetSystemGroupAffinityThread. */
VOID NTAPI KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity)
{
    KeRevertToUserAffinityThreadEx(PreviousAffinity->Mask);
}

/**
 * Sets the processors a thread may use.
 *
 * @return the mask before
 * The mask has at least one active processor. IRQL: <= APC_LEVEL.
 */
KAFFINITY NTAPI KeSetAffinityThread(PKTHREAD Thread, KAFFINITY Affinity)
{
    BOOLEAN on = KiLockDispatcher();
    KAFFINITY previous = Thread->UserAffinity;

    Thread->UserAffinity = Affinity;
    if (Thread->SystemAffinityRestore == 0)
    {
        KiChangeAffinity(Thread, Affinity, on);
    }
    else
    {
        KiUnlockDispatcher(on);
    }
    return previous;
}

/** Notes where a thread would like to run; returns the processor before. The choice is not binding. */
UCHAR NTAPI KeSetIdealProcessorThread(PKTHREAD Thread, UCHAR Processor)
{
    BOOLEAN on = KiLockDispatcher();
    UCHAR previous = (UCHAR)Thread->IdealProcessor;

    if ((ULONG)Processor < (ULONG)KiProcessorCount)
    {
        Thread->IdealProcessor = Processor;
    }
    KiUnlockDispatcher(on);
    return previous;
}
