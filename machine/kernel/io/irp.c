/* SPDX-License-Identifier: MIT */
/*
 * The life of an IRP's memory: allocation, a small cache per processor, reuse, freeing.
 *
 * The cache is a few slots per processor and size, taken and filled by one interlocked instruction each: no lock, right
 * at every IRQL, and harmless if the thread moves to another processor in between.
 */
#include "iop.h"

#define IOP_BUCKETS 2
#define IOP_SLOTS 4
#define IOP_SMALL_STACK 1
#define IOP_LARGE_STACK 6

static const CCHAR IopBucketStack[IOP_BUCKETS] = { IOP_SMALL_STACK, IOP_LARGE_STACK };

typedef struct __attribute__((aligned(64))) _IOP_IRP_CACHE
{
    PVOID volatile Slots[IOP_BUCKETS][IOP_SLOTS];
} IOP_IRP_CACHE;

static IOP_IRP_CACHE IopIrpCache[KI_MAXIMUM_PROCESSORS];
volatile LONG64 IopIrpCount;

static inline USHORT IopIrpSize(CCHAR StackSize)
{
    return (USHORT)(sizeof(IRP) + (SIZE_T)StackSize * sizeof(IO_STACK_LOCATION));
}

/* Also for memory that a driver provides: everything zero, the stack pointer past the last location. */
static inline VOID IopInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize)
{
    PIO_STACK_LOCATION Location = (PIO_STACK_LOCATION)(Irp + 1);

    /* Two constant sizes instead of one variable one, and the compiler's own memset (the kernel is built freestanding):
       straight stores instead of calls. */
    __builtin_memset_inline(Irp, 0, sizeof(IRP));
    for (CCHAR Index = 0; Index < StackSize; Index++, Location++)
    {
        __builtin_memset_inline(Location, 0, sizeof(*Location));
    }
    Irp->Type = IO_TYPE_IRP;
    Irp->Size = PacketSize;
    Irp->StackCount = StackSize;
    Irp->CurrentLocation = StackSize + 1;
    Irp->Tail.Overlay.CurrentStackLocation = Location;
    Irp->ApcEnvironment = (CCHAR)KiCurrentThread()->ApcStateIndex;
    InitializeListHead(&Irp->ThreadListEntry);
}

PIRP IopAllocateIrp(CCHAR StackSize)
{
    IOP_IRP_HEADER *Header = NULL;
    UCHAR Bucket = IOP_IRP_NO_BUCKET;

    if (StackSize <= 0)
    {
        return NULL;
    }
    if (StackSize <= IOP_LARGE_STACK)
    {
        PVOID volatile *Slots;
        Bucket = StackSize > IOP_SMALL_STACK;
        Slots = IopIrpCache[KiCurrentProcessor()].Slots[Bucket];
        for (ULONG Index = 0; Index < IOP_SLOTS && Header == NULL; Index++)
        {
            if (Slots[Index] != NULL)
            {
                Header = InterlockedExchangePointer(&Slots[Index], NULL);
            }
        }
    }
    if (Header == NULL)
    {
        CCHAR Room = Bucket == IOP_IRP_NO_BUCKET ? StackSize : IopBucketStack[Bucket];
        Header = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Header) + IopIrpSize(Room), IOP_TAG_IRP);
        if (Header == NULL)
        {
            return NULL;
        }
        Header->Bucket = Bucket;
    }
    Header->Tracked.Links.Flink = NULL;
    Header->OutputLength = 0;
    Header->Rendezvous = IOP_RENDEZVOUS_NONE;
    InterlockedIncrement64(&IopIrpCount);

    PIRP Irp = (PIRP)(Header + 1);
    IopInitializeIrp(Irp, IopIrpSize(StackSize), StackSize);
    Irp->AllocationFlags = Bucket == IOP_IRP_NO_BUCKET ? 0 : IRP_ALLOCATED_FIXED_SIZE | IRP_LOOKASIDE_ALLOCATION;
    return Irp;
}

PIRP IopAllocateDriverIrp(CCHAR StackSize, PVOID Caller)
{
    PIRP Irp = VfGranted(VfRequestIrp) ? IopAllocateIrp(StackSize) : NULL;

    if (Irp != NULL)
    {
        IopTrack(&IopTrackedIrps, &IopIrpHeader(Irp)->Tracked, Caller);
        VfTake(VfIrp, Irp, NULL, 0, 0);
    }
    return Irp;
}

PIRP IopAllocateIrpMustSucceed(CCHAR StackSize)
{
    PIRP Irp;

    while ((Irp = IopAllocateIrp(StackSize)) == NULL)
    {
        LARGE_INTEGER Delay = { .QuadPart = -10 * 10000 };
        KeDelayExecutionThread(KernelMode, FALSE, &Delay);
    }
    return Irp;
}

/**
 * Allocates an IRP with StackSize stack locations. Its owner is the caller, who frees it with IoFreeIrp from a
 * completion routine that returns STATUS_MORE_PROCESSING_REQUIRED.
 * @return NULL if memory is short or StackSize is not positive. IRQL <= DISPATCH_LEVEL.
 */
PIRP NTAPI IoAllocateIrp(_In_ CCHAR StackSize, _In_ BOOLEAN ChargeQuota)
{
    UNREFERENCED_PARAMETER(ChargeQuota);
    return IopAllocateDriverIrp(StackSize, _ReturnAddress());
}

/**
 * Frees an IRP that IoAllocateIrp or a IoBuild routine made. No MDL of it is touched.
 * Bug check 44 if it is no IRP (any more), with the verifier C9/1; C9/2 if a thread still waits for it.
 * IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoFreeIrp(_In_ PIRP Irp)
{
    IOP_IRP_HEADER *Header = IopIrpHeader(Irp);
    PVOID volatile *Slots;

    if (Irp->Type != IO_TYPE_IRP)
    {
        if (VfOption(VfIoChecks))
        {
            KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x01, (ULONG_PTR)Irp, 0, 0);
        }
        KeBugCheckEx(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)Irp, __LINE__, 0, 0);
    }
    if (!IsListEmpty(&Irp->ThreadListEntry) && VfOption(VfIoChecks))
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x02, (ULONG_PTR)Irp, 0, 0);
    }
    /* What a late second completion or freeing will find. */
    Irp->Type = 0;
    Irp->CurrentLocation = Irp->StackCount + 2;
    if (Header->Tracked.Links.Flink != NULL)
    {
        IopUntrack(&Header->Tracked);
        VfGive(VfIrp, Irp, NULL);
    }
    InterlockedDecrement64(&IopIrpCount);
    if (Header->Bucket != IOP_IRP_NO_BUCKET)
    {
        Slots = IopIrpCache[KiCurrentProcessor()].Slots[Header->Bucket];
        for (ULONG Index = 0; Index < IOP_SLOTS; Index++)
        {
            if (Slots[Index] == NULL && InterlockedCompareExchangePointer(&Slots[Index], Header, NULL) == NULL)
            {
                return;
            }
        }
    }
    ExFreePoolWithTag(Header, IOP_TAG_IRP);
}

/**
 * Prepares memory of the caller's as an IRP. Never for an IRP of IoAllocateIrp (that is IoReuseIrp's job).
 * @param PacketSize  IoSizeOfIrp(StackSize) bytes. IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoInitializeIrp(_Out_ PIRP Irp, _In_ USHORT PacketSize, _In_ CCHAR StackSize)
{
    IopInitializeIrp(Irp, PacketSize, StackSize);
}

/**
 * Makes an IRP of IoAllocateIrp ready to be sent again, with Iostatus as its first status.
 * IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoReuseIrp(_Inout_ PIRP Irp, _In_ NTSTATUS Iostatus)
{
    UCHAR AllocationFlags = Irp->AllocationFlags;

    if (Irp->Type != IO_TYPE_IRP)
    {
        KeBugCheckEx(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)Irp, __LINE__, 0, 0);
    }
    IopInitializeIrp(Irp, Irp->Size, Irp->StackCount);
    Irp->AllocationFlags = AllocationFlags;
    Irp->IoStatus.Status = Iostatus;
}

/**
 * An IRP for part of a master request; the last associated IRP to complete completes the master. The caller sets
 * Irp->AssociatedIrp.IrpCount of the master first. Only for highest-level drivers. IRQL <= DISPATCH_LEVEL.
 */
PIRP NTAPI IoMakeAssociatedIrp(_In_ PIRP Irp, _In_ CCHAR StackSize)
{
    PIRP Associated = IopAllocateDriverIrp(StackSize, _ReturnAddress());

    if (Associated != NULL)
    {
        Associated->Flags |= IRP_ASSOCIATED_IRP;
        Associated->Tail.Overlay.Thread = Irp->Tail.Overlay.Thread;
        Associated->AssociatedIrp.MasterIrp = Irp;
    }
    return Associated;
}

/** Adds a driver-built, thread-bound IRP to the current thread's list. IRQL <= APC_LEVEL. */
VOID NTAPI IoQueueThreadIrp(_In_ PIRP Irp)
{
    IopQueueThreadIrp(Irp);
}
