/* SPDX-License-Identifier: MIT */
/*
 * ExAllocatePool* and ExFreePool*: arguments, IRQL rules, verifier rules; the work is done in pool.c and poolpages.c.
 */
#include "poolp.h"
#include "ex.h"

#define MI_POOL_TYPE_PAGED 1
#define MI_POOL_TYPE_MUST_SUCCEED 2
#define MI_POOL_TYPE_CACHE_ALIGNED 4
#define MI_POOL_TYPE_QUOTA_NO_RAISE 8
#define MI_POOL_TYPE_RAISE 16
#define MI_POOL_TYPE_SESSION 32
#define MI_POOL_TYPE_NX 512
#define MI_POOL_TYPE_ZERO 1024

#define MI_DEFAULT_TAG 'enoN'

static BOOLEAN MipIrqlAllows(const MI_POOL *Pool)
{
    return KeGetCurrentIrql() <= (Pool->Paged ? APC_LEVEL : DISPATCH_LEVEL);
}

/* A block that starts on a cache line: taken larger, with a second header before the address that leads to the first.
 */
static PVOID MipAllocateAligned(MI_REQUEST *Request)
{
    SIZE_T size = Request->Size;
    PUCHAR raw, aligned;
    PMI_BLOCK redirect;

    Request->Size = size + MI_CACHE_LINE - MI_UNIT;
    raw = MiAllocateBlock(Request);
    if (raw == NULL)
    {
        return NULL;
    }
    aligned = (PUCHAR)(((ULONG_PTR)raw + MI_CACHE_LINE - 1) & ~(ULONG_PTR)(MI_CACHE_LINE - 1));
    if (aligned != raw)
    {
        redirect = (PMI_BLOCK)aligned - 1;
        RtlZeroMemory(redirect, sizeof(*redirect));
        redirect->Flags = MI_BLOCK_REDIRECT;
        redirect->Units = (ULONG64)(aligned - raw) / MI_UNIT;
        redirect->Check = MiBlockCheck(redirect);
    }
    return aligned;
}

static PVOID MipAllocate(MI_REQUEST *Request)
{
    BOOLEAN driver = MiIsDriverCode(Request->Caller);
    SIZE_T size = Request->Size; /* as asked for */
    PVOID block;

    Request->Driver = driver;
    if (!MipIrqlAllows(Request->Pool) && KeGetCurrentIrql() != HIGH_LEVEL)
    {
        VfCheck(FALSE, Request->Pool->Paged ? 0x01 : 0x02, KeGetCurrentIrql(), Request->Type, Request->Size);
        if (driver && MiSpecialPool)
        {
            KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, KeGetCurrentIrql(), Request->Pool->Paged, Request->Size, 0x30);
        }
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 8, KeGetCurrentIrql(), Request->Type, Request->Size);
    }
    if (driver)
    {
        MI_RULE(Request->Size != 0, 0x00, KeGetCurrentIrql(), Request->Type, Request->Size);
        MI_RULE(!MiNoExecutable || Request->Pool->Index != MiPoolExecutable, 0x2000, Request->Caller, Request->Type,
                Request->Tag);
    }
    if (!VfGranted(VfRequestPool))
    {
        return NULL;
    }
    if (Request->Size > MI_LARGEST_BLOCK || (Request->CacheAligned && Request->Size > MI_LARGEST_BLOCK - MI_CACHE_LINE))
    {
        block = MiAllocatePoolPages(Request); /* page-aligned, hence cache-aligned */
    }
    else
    {
        block = driver && MiSpecialPool ? MiAllocateSpecial(Request) : NULL;
        if (block == NULL)
        {
            block = Request->CacheAligned ? MipAllocateAligned(Request) : MiAllocateBlock(Request);
        }
    }
    if (driver && block != NULL)
    {
        VfTake(VfPool, block, NULL, size, Request->Tag);
    }
    return block;
}

static PVOID MipAllocatePlaced(POOL_TYPE PoolType, SIZE_T Size, ULONG Tag, PVOID Caller, MI_SPECIAL_PLACE Special)
{
    ULONG type = (ULONG)PoolType;
    MI_REQUEST request = {.Size = Size, .Tag = Tag, .Type = type, .Caller = Caller, .Special = (UCHAR)Special};
    PVOID block;

    if ((type & (MI_POOL_TYPE_MUST_SUCCEED | MI_POOL_TYPE_PAGED)) == MI_POOL_TYPE_MUST_SUCCEED)
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x9A, type, Size, Tag); /* no such pool since Windows XP */
    }

    if (type & MI_POOL_TYPE_PAGED)
    {
        request.Pool = &MiPools[MiPoolPaged];
    }
    else
    {
        /* Plain NonPagedPool is executable for drivers, as on Windows; the kernel's own code has no use for that. */
        BOOLEAN executable = (type & MI_POOL_TYPE_NX) == 0 && MiIsDriverCode(Caller);
        request.Pool = &MiPools[executable ? MiPoolExecutable : MiPoolNonPaged];
    }
    request.CacheAligned = (type & MI_POOL_TYPE_CACHE_ALIGNED) != 0;
    request.Zero = (type & MI_POOL_TYPE_ZERO) != 0;
    block = MipAllocate(&request);
    if (block == NULL && (type & MI_POOL_TYPE_RAISE))
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return block;
}

static PVOID MipAllocateByType(POOL_TYPE PoolType, SIZE_T Size, ULONG Tag, PVOID Caller)
{
    return MipAllocatePlaced(PoolType, Size, Tag, Caller, MiSpecialDefault);
}

PVOID MiAllocatePoolFor(PVOID Caller, SIZE_T Size, ULONG Tag)
{
    return MipAllocateByType(NonPagedPoolNx, Size, Tag, Caller);
}

ULONG MiPoolTagOf(PVOID Address)
{
    MI_FOUND found;

    MiFindPoolBlock(Address, &found);
    return found.Tag;
}

/**
 * Allocates pool.
 *
 * @param PoolType       NonPagedPool (executable for drivers), NonPagedPoolNx, PagedPool, their cache-aligned kinds;
 *                       or with POOL_RAISE_IF_ALLOCATION_FAILURE, POOL_ZERO_ALLOCATION
 * @param NumberOfBytes  16-byte aligned below a page, page-aligned from there on; 0 breaks a verifier rule
 * @param Tag            four characters for whoever looks for leaks
 * @return the block, not zeroed; NULL if there is no memory
 * IRQL <= DISPATCH_LEVEL (paged pool <= APC_LEVEL), else C4/1, C4/2 or C2/8. Free with ExFreePool*.
 */
PVOID NTAPI ExAllocatePoolWithTag(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag)
{
    return MipAllocateByType(PoolType, NumberOfBytes, Tag, __builtin_return_address(0));
}

/** ExAllocatePoolWithTag with the tag "None". */
PVOID NTAPI ExAllocatePool(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes)
{
    return MipAllocateByType(PoolType, NumberOfBytes, MI_DEFAULT_TAG, __builtin_return_address(0));
}

/**
 * ExAllocatePoolWithTag; Priority says how dear the request is when memory is short, and with XxxSpecialPoolOverrun or
 * XxxSpecialPoolUnderrun at which end of its page the block lies if it comes from special pool.
 */
PVOID NTAPI ExAllocatePoolWithTagPriority(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag,
                                          _In_ EX_POOL_PRIORITY Priority)
{
    MI_SPECIAL_PLACE place = (Priority & 8) == 0 ? MiSpecialDefault
                             : (Priority & 1)    ? MiSpecialUnderrun
                                                 : MiSpecialOverrun;

    /* Low priority leaves the last pages to those who cannot do without. */
    if ((Priority & ~9) == LowPoolPriority && MiFreePageCount < (LONG64)MiTotalPages / 64)
    {
        return NULL;
    }
    return MipAllocatePlaced(PoolType, NumberOfBytes, Tag, __builtin_return_address(0), place);
}

/**
 * ExAllocatePoolWithTag on the account of the current process; raises STATUS_INSUFFICIENT_RESOURCES instead of
 * returning NULL unless PoolType has POOL_QUOTA_FAIL_INSTEAD_OF_RAISE. Processes here have no pool limit to exceed.
 */
PVOID NTAPI ExAllocatePoolWithQuotaTag(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag)
{
    BOOLEAN raise = (PoolType & MI_POOL_TYPE_QUOTA_NO_RAISE) == 0;
    PVOID block = MipAllocateByType(PoolType & ~(MI_POOL_TYPE_QUOTA_NO_RAISE | MI_POOL_TYPE_RAISE), NumberOfBytes, Tag,
                                    __builtin_return_address(0));

    if (block == NULL && raise)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return block;
}

/** ExAllocatePoolWithQuotaTag with the tag "None". */
PVOID NTAPI ExAllocatePoolWithQuota(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes)
{
    BOOLEAN raise = (PoolType & MI_POOL_TYPE_QUOTA_NO_RAISE) == 0;
    PVOID block = MipAllocateByType(PoolType & ~(MI_POOL_TYPE_QUOTA_NO_RAISE | MI_POOL_TYPE_RAISE), NumberOfBytes,
                                    MI_DEFAULT_TAG, __builtin_return_address(0));

    if (block == NULL && raise)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return block;
}

static PVOID MipAllocateByFlags(ULONG64 Flags, SIZE_T Size, ULONG Tag, PVOID Caller)
{
    const ULONG64 known = POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION | POOL_FLAG_CACHE_ALIGNED |
                          POOL_FLAG_RAISE_ON_FAILURE | POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE |
                          POOL_FLAG_PAGED;
    ULONG64 kind = Flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);
    MI_REQUEST request = {.Size = Size, .Tag = Tag, .Caller = Caller};
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    PVOID block = NULL;

    /* The lower half of the flags is binding: what is not known must not be ignored. */
    if ((Flags & POOL_FLAG_REQUIRED_MASK & ~known) == 0 && kind != 0 && (kind & (kind - 1)) == 0 && Tag != 0)
    {
        request.Pool = &MiPools[kind == POOL_FLAG_PAGED       ? MiPoolPaged
                                : kind == POOL_FLAG_NON_PAGED ? MiPoolNonPaged
                                                              : MiPoolExecutable];
        request.Type = kind == POOL_FLAG_PAGED ? PagedPool : kind == POOL_FLAG_NON_PAGED ? NonPagedPoolNx : NonPagedPool;
        request.Zero = (Flags & POOL_FLAG_UNINITIALIZED) == 0;
        request.CacheAligned = (Flags & POOL_FLAG_CACHE_ALIGNED) != 0;
        status = STATUS_INSUFFICIENT_RESOURCES;
        block = MipAllocate(&request);
    }
    if (block == NULL && (Flags & POOL_FLAG_RAISE_ON_FAILURE))
    {
        ExRaiseStatus(status);
    }
    return block;
}

/**
 * Allocates pool, zeroed unless POOL_FLAG_UNINITIALIZED is given.
 *
 * @param Flags          exactly one of POOL_FLAG_NON_PAGED, _NON_PAGED_EXECUTE, _PAGED; and modifiers
 * @param NumberOfBytes  as with ExAllocatePoolWithTag
 * @param Tag            not 0
 * @return the block; NULL (or a raise with POOL_FLAG_RAISE_ON_FAILURE) if an argument is wrong or there is no memory
 * IRQL as with ExAllocatePoolWithTag. Free with ExFreePool, ExFreePoolWithTag or ExFreePool2.
 */
PVOID NTAPI ExAllocatePool2(_In_ ULONG64 Flags, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag)
{
    return MipAllocateByFlags(Flags, NumberOfBytes, Tag, __builtin_return_address(0));
}

/**
 * ExAllocatePool2 with extended parameters: priority and NUMA node are accepted (there is one node); a secure pool does
 * not exist here, so a request for one fails unless it is marked optional.
 */
PVOID NTAPI ExAllocatePool3(_In_ ULONG64 Flags, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag,
                            _In_reads_opt_(ExtendedParametersCount) const POOL_EXTENDED_PARAMETER *ExtendedParameters,
                            _In_ ULONG ExtendedParametersCount)
{
    for (ULONG i = 0; i < ExtendedParametersCount; i++)
    {
        ULONG64 type = ExtendedParameters[i].Type;
        if (type != PoolExtendedParameterPriority && type != PoolExtendedParameterNumaNode &&
            !ExtendedParameters[i].Optional)
        {
            if (Flags & POOL_FLAG_RAISE_ON_FAILURE)
            {
                ExRaiseStatus(STATUS_INVALID_PARAMETER);
            }
            return NULL;
        }
    }
    return MipAllocateByFlags(Flags, NumberOfBytes, Tag, __builtin_return_address(0));
}

static VOID MipFree(PVOID Address, ULONG Tag, PVOID Caller)
{
    MI_FOUND found;

    MiFindPoolBlock(Address, &found);
    if (!MipIrqlAllows(found.Pool) && KeGetCurrentIrql() != HIGH_LEVEL)
    {
        VfCheck(FALSE, found.Pool->Paged ? 0x11 : 0x12, KeGetCurrentIrql(), found.Pool->Paged, (ULONG_PTR)Address);
        if (found.Special)
        {
            KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, KeGetCurrentIrql(), found.Pool->Paged, (ULONG_PTR)Address, 0x31);
        }
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 9, KeGetCurrentIrql(), found.Pool->Paged, (ULONG_PTR)Address);
    }
    if (Tag != 0 && Tag != found.Tag)
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x0A, (ULONG_PTR)Address, found.Tag, Tag);
    }
    if (found.Driver && !found.Pool->Paged && found.Size >= sizeof(WORK_QUEUE_ITEM) && VfOption(VfChecks))
    {
        KeCheckForTimer(Address, found.Size);  /* C7: a running timer or a queued DPC in it */
        ExCheckForLive(Address, found.Size);   /* C4: a resource or a lookaside list */
        ExCheckForWorker(Address, found.Size); /* E4: a queued work item */
    }
    if (found.Driver)
    {
        VfGive(VfPool, Address, NULL);
    }
    VfForgetLocks(Address, found.Size);
    if (found.Special)
    {
        MiFreeSpecial(Address, &found, Caller);
    }
    else if (found.Block != NULL)
    {
        MiCheckSlack(found.Block);
        MiFreeBlock(found.Pool, found.Block);
    }
    else
    {
        MiFreePoolPages(found.Pool, Address, found.Pages);
    }
}

/**
 * Frees pool.
 *
 * @param P    from ExAllocatePool*, ExAllocatePool2, ExAllocatePool3; also what MM documents as freed this way
 * @param Tag  the tag of the allocation, or 0
 * IRQL <= DISPATCH_LEVEL (paged pool <= APC_LEVEL). Anything else than a live block with this tag is a bug check:
 * C2/7 freed already, C2/9 IRQL, C2/A tag, C2/40-48 never pool, 19/20 and 19/21 written over; C1 in special pool.
 */
VOID NTAPI ExFreePoolWithTag(_In_ PVOID P, _In_ ULONG Tag)
{
    MipFree(P, Tag, __builtin_return_address(0));
}

/** ExFreePoolWithTag for any tag. */
VOID NTAPI ExFreePool(_In_ PVOID P)
{
    MipFree(P, 0, __builtin_return_address(0));
}

/** ExFreePoolWithTag; no extended parameters exist for freeing. */
VOID NTAPI ExFreePool2(_In_ PVOID P, _In_ ULONG Tag,
                       _In_reads_opt_(ExtendedParametersCount) const POOL_EXTENDED_PARAMETER *ExtendedParameters,
                       _In_ ULONG ExtendedParametersCount)
{
    UNREFERENCED_PARAMETER(ExtendedParameters);
    UNREFERENCED_PARAMETER(ExtendedParametersCount);
    MipFree(P, Tag, __builtin_return_address(0));
}

/** Size in bytes and charged process of a pool block. No process is charged here. IRQL <= DISPATCH_LEVEL. */
SIZE_T NTAPI ExQueryPoolBlockSize(_In_ PVOID PoolBlock, _Out_ PBOOLEAN QuotaCharged)
{
    MI_FOUND found;

    MiFindPoolBlock(PoolBlock, &found);
    *QuotaCharged = FALSE;
    return found.Size;
}
