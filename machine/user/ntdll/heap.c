/* SPDX-License-Identifier: MIT */
/*
 * The user-mode heap.
 *
 * A heap owns segments (address ranges reserved at once and committed as needed), cut into blocks
 * that lie back to back, and large blocks that are allocations of their own:
 *
 *   segment   | HEAP or SEGMENT header | block | block | free block | ... | end mark |  reserved, not committed
 *   block     | BLOCK header, 16 bytes | user bytes ...                |
 *
 * A BLOCK knows its own size and that of the block in front, so neighbours are found both ways and a
 * freed block merges with free neighbours at once. Free blocks hang in lists by size: one list per
 * 16-byte step up to 1 KB, then one per power of two.
 *
 * Every header carries a check value mixed with the heap's cookie. A header that does not match when
 * it is used, or a block freed twice, is corruption: the process is ended with STATUS_HEAP_CORRUPTION
 * and a line that names the block, since going on would only move the damage.
 */
#include "ntdllp.h"
#include "heapp.h"

static RTL_CRITICAL_SECTION RtlpHeapListLock = {(PVOID)(LONG_PTR)-1, -1, 0, 0, 0, 0};
static PVOID RtlpHeapList[64];
static ULONG RtlpHeapCount;

/* ---- Checks ---- */

DECLSPEC_NORETURN VOID RtlpHeapCorrupt(PRTLP_HEAP Heap, const void *Block, PCSTR What)
{
    RtlpReport(L"heap %p: %hs at %p", (PVOID)Heap, What, Block);
    NtTerminateProcess(NtCurrentProcess(), STATUS_HEAP_CORRUPTION);
    for (;;)
    {
        RtlRaiseStatus(STATUS_HEAP_CORRUPTION);
    }
}

/* ---- Large blocks ---- */

static PVOID RtlpAllocateLarge(PRTLP_HEAP Heap, SIZE_T Size)
{
    SIZE_T total = ALIGN_UP(Size + sizeof(RTLP_LARGE), NTDLL_PAGE_SIZE);
    if (total < Size || !(Heap->Flags & HEAP_GROWABLE))
    {
        return NULL;
    }
    PVOID base = NULL;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &total, MEM_RESERVE | MEM_COMMIT,
                                            Heap->Protect)))
    {
        return NULL;
    }
    PRTLP_LARGE large = base;
    large->Size = Size;
    large->Total = total;
    large->Block.Units = 0;
    large->Block.PreviousUnits = 0;
    large->Block.Slack = 0;
    large->Block.State = BLOCK_LARGE;
    RtlpSeal(Heap, &large->Block);
    RtlpInsertTail(&Heap->Large, &large->Links);
    return large + 1;
}

static VOID RtlpFreeLarge(PRTLP_HEAP Heap, PRTLP_LARGE Large)
{
    PVOID base = Large;
    SIZE_T size = 0;
    if (Large->Links.Flink->Blink != &Large->Links || Large->Links.Blink->Flink != &Large->Links)
    {
        RtlpHeapCorrupt(Heap, Large + 1, "the header of a large block was overwritten");
    }
    RtlpRemoveEntry(&Large->Links);
    NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE);
}

/* ---- The public routines ---- */

static BOOLEAN RtlpLock(PRTLP_HEAP Heap, ULONG Flags)
{
    if (Heap == NULL || Heap->Signature != HEAP_SIGNATURE)
    {
        RtlpHeapCorrupt(Heap, Heap, "this is not a heap handle");
    }
    if ((Heap->Flags | Flags) & HEAP_NO_SERIALIZE)
    {
        return FALSE;
    }
    RtlEnterCriticalSection(&Heap->Lock);
    return TRUE;
}

static VOID RtlpUnlock(PRTLP_HEAP Heap, BOOLEAN Locked)
{
    if (Locked)
    {
        RtlLeaveCriticalSection(&Heap->Lock);
    }
}

/* The block of a user pointer, verified; an address that never came from this heap ends the process. */
static PRTLP_BLOCK RtlpBlockOf(PRTLP_HEAP Heap, PVOID Memory)
{
    PRTLP_BLOCK block = (PRTLP_BLOCK)Memory - 1;
    if (((ULONG_PTR)Memory & (HEAP_UNIT - 1)) != 0)
    {
        RtlpHeapCorrupt(Heap, Memory, "a pointer that the heap did not return is used");
    }
    RtlpVerify(Heap, block);
    if (block->State != BLOCK_BUSY && block->State != BLOCK_LARGE)
    {
        RtlpHeapCorrupt(Heap, Memory, "a block that is already free is used");
    }
    return block;
}

static SIZE_T RtlpUserSize(PRTLP_BLOCK Block)
{
    if (Block->State == BLOCK_LARGE)
    {
        return CONTAINING_RECORD(Block, RTLP_LARGE, Block)->Size;
    }
    return (SIZE_T)Block->Units * HEAP_UNIT - HEAP_UNIT - Block->Slack;
}

static PVOID RtlpOutOfMemory(PRTLP_HEAP Heap, ULONG Flags)
{
    if ((Heap->Flags | Flags) & HEAP_GENERATE_EXCEPTIONS)
    {
        RtlRaiseStatus(STATUS_NO_MEMORY);
    }
    return NULL;
}

/**
 * Allocates a block, aligned to 16 bytes.
 *
 * @param HeapHandle  from RtlCreateHeap
 * @param Flags       HEAP_ZERO_MEMORY, HEAP_NO_SERIALIZE, HEAP_GENERATE_EXCEPTIONS
 * @param Size        in bytes; 0 gives a valid block of size 0
 * @return NULL if there is no memory (or STATUS_NO_MEMORY is raised, if the flags ask for it)
 */
PVOID NTAPI RtlAllocateHeap(PVOID HeapHandle, ULONG Flags, SIZE_T Size)
{
    PRTLP_HEAP heap = HeapHandle;
    PVOID memory = NULL;
    BOOLEAN locked = RtlpLock(heap, Flags);

    if (Size > HEAP_LARGEST_BLOCK)
    {
        memory = RtlpAllocateLarge(heap, Size); /* fresh pages: zero already */
    }
    else
    {
        ULONG units = RtlpUnitsFor(Size);
        PRTLP_BLOCK block = RtlpTake(heap, units);
        if (block != NULL)
        {
            block->State = BLOCK_BUSY;
            block->Slack = (USHORT)((SIZE_T)block->Units * HEAP_UNIT - HEAP_UNIT - Size);
            RtlpSeal(heap, block);
            memory = block + 1;
        }
    }
    RtlpUnlock(heap, locked);

    if (memory == NULL)
    {
        return RtlpOutOfMemory(heap, Flags);
    }
    if (((heap->Flags | Flags) & HEAP_ZERO_MEMORY) && Size <= HEAP_LARGEST_BLOCK)
    {
        memset(memory, 0, Size);
    }
    return memory;
}

/**
 * Frees a block. NULL is allowed and does nothing.
 *
 * @return TRUE; a block that is not one ends the process with STATUS_HEAP_CORRUPTION
 */
BOOLEAN NTAPI RtlFreeHeap(PVOID HeapHandle, ULONG Flags, PVOID Memory)
{
    PRTLP_HEAP heap = HeapHandle;
    if (Memory == NULL)
    {
        return TRUE;
    }
    BOOLEAN locked = RtlpLock(heap, Flags);
    PRTLP_BLOCK block = RtlpBlockOf(heap, Memory);
    if (block->State == BLOCK_LARGE)
    {
        RtlpFreeLarge(heap, CONTAINING_RECORD(block, RTLP_LARGE, Block));
    }
    else
    {
        RtlpRelease(heap, block);
    }
    RtlpUnlock(heap, locked);
    return TRUE;
}

/**
 * Changes the size of a block; it may move unless Flags has HEAP_REALLOC_IN_PLACE_ONLY.
 *
 * @return the block, or NULL with the old one untouched. HEAP_ZERO_MEMORY clears what was added.
 */
PVOID NTAPI RtlReAllocateHeap(PVOID HeapHandle, ULONG Flags, PVOID Memory, SIZE_T Size)
{
    PRTLP_HEAP heap = HeapHandle;
    if (Memory == NULL)
    {
        return NULL;
    }
    BOOLEAN locked = RtlpLock(heap, Flags);
    PRTLP_BLOCK block = RtlpBlockOf(heap, Memory);
    SIZE_T oldSize = RtlpUserSize(block);
    BOOLEAN done = FALSE;

    if (block->State == BLOCK_LARGE)
    {
        PRTLP_LARGE large = CONTAINING_RECORD(block, RTLP_LARGE, Block);
        if (Size > HEAP_LARGEST_BLOCK && Size <= large->Total - sizeof(RTLP_LARGE))
        {
            large->Size = Size;
            done = TRUE;
        }
    }
    else if (Size <= HEAP_LARGEST_BLOCK)
    {
        ULONG units = RtlpUnitsFor(Size);
        if (units <= block->Units)
        {
            RtlpTrim(heap, block, units);
            done = TRUE;
        }
        else
        {
            done = RtlpGrowInPlace(heap, block, units);
        }
        if (done)
        {
            block->Slack = (USHORT)((SIZE_T)block->Units * HEAP_UNIT - HEAP_UNIT - Size);
            RtlpSeal(heap, block);
        }
    }
    RtlpUnlock(heap, locked);

    PVOID moved = Memory;
    if (!done)
    {
        if (Flags & HEAP_REALLOC_IN_PLACE_ONLY)
        {
            return RtlpOutOfMemory(heap, Flags);
        }
        moved = RtlAllocateHeap(heap, Flags & ~HEAP_ZERO_MEMORY, Size);
        if (moved == NULL)
        {
            return NULL;
        }
        memcpy(moved, Memory, oldSize < Size ? oldSize : Size);
        RtlFreeHeap(heap, Flags, Memory);
    }
    if (((heap->Flags | Flags) & HEAP_ZERO_MEMORY) && Size > oldSize)
    {
        memset((PUCHAR)moved + oldSize, 0, Size - oldSize);
    }
    return moved;
}

/** The size of a block in bytes, as it was asked for. */
SIZE_T NTAPI RtlSizeHeap(PVOID HeapHandle, ULONG Flags, PVOID Memory)
{
    PRTLP_HEAP heap = HeapHandle;
    BOOLEAN locked = RtlpLock(heap, Flags);
    SIZE_T size = RtlpUserSize(RtlpBlockOf(heap, Memory));
    RtlpUnlock(heap, locked);
    return size;
}

BOOLEAN NTAPI RtlLockHeap(PVOID HeapHandle)
{
    RtlpLock(HeapHandle, 0);
    return TRUE;
}

BOOLEAN NTAPI RtlUnlockHeap(PVOID HeapHandle)
{
    RtlpUnlock(HeapHandle, !(((PRTLP_HEAP)HeapHandle)->Flags & HEAP_NO_SERIALIZE));
    return TRUE;
}

/** The size of the largest free block in bytes. Free neighbours are always merged, so nothing is left to compact. */
SIZE_T NTAPI RtlCompactHeap(PVOID HeapHandle, ULONG Flags)
{
    PRTLP_HEAP heap = HeapHandle;
    ULONG largest = 0;
    BOOLEAN locked = RtlpLock(heap, Flags);
    for (ULONG bin = 0; bin < HEAP_BINS; bin++)
    {
        for (PLIST_ENTRY entry = heap->Bins[bin].Flink; entry != &heap->Bins[bin]; entry = entry->Flink)
        {
            PRTLP_BLOCK block = RtlpBlockOfLinks(entry);
            largest = block->Units > largest ? block->Units : largest;
        }
    }
    RtlpUnlock(heap, locked);
    return largest != 0 ? ((SIZE_T)largest - 1) * HEAP_UNIT : 0;
}

static BOOLEAN RtlpRegisterHeap(PRTLP_HEAP Heap)
{
    BOOLEAN fits = FALSE;
    PPEB peb = NtCurrentPeb();
    RtlEnterCriticalSection(&RtlpHeapListLock);
    if (RtlpHeapCount < ARRAYSIZE(RtlpHeapList))
    {
        RtlpHeapList[RtlpHeapCount++] = Heap;
        fits = TRUE;
    }
    peb->NumberOfHeaps = RtlpHeapCount;
    RtlLeaveCriticalSection(&RtlpHeapListLock);
    return fits;
}

static VOID RtlpForgetHeap(PRTLP_HEAP Heap)
{
    RtlEnterCriticalSection(&RtlpHeapListLock);
    for (ULONG i = 0; i < RtlpHeapCount; i++)
    {
        if (RtlpHeapList[i] == Heap)
        {
            RtlpHeapList[i] = RtlpHeapList[--RtlpHeapCount];
            break;
        }
    }
    NtCurrentPeb()->NumberOfHeaps = RtlpHeapCount;
    RtlLeaveCriticalSection(&RtlpHeapListLock);
}

/** Copies up to Count heap handles; returns how many heaps there are. */
ULONG NTAPI RtlGetProcessHeaps(ULONG Count, PVOID *Heaps)
{
    RtlEnterCriticalSection(&RtlpHeapListLock);
    ULONG total = RtlpHeapCount;
    for (ULONG i = 0; i < total && i < Count; i++)
    {
        Heaps[i] = RtlpHeapList[i];
    }
    RtlLeaveCriticalSection(&RtlpHeapListLock);
    return total;
}

/**
 * Creates a heap.
 *
 * @param Flags        HEAP_GROWABLE, HEAP_NO_SERIALIZE, HEAP_GENERATE_EXCEPTIONS, HEAP_CREATE_ENABLE_EXECUTE,
 *                     HEAP_ZERO_MEMORY
 * @param HeapBase     must be NULL, as must Lock and Parameters: a heap in the caller's memory is refused
 * @param ReserveSize  bytes to reserve at first; the limit of a heap that is not growable
 * @param CommitSize   bytes to commit at first
 * @return the heap, or NULL
 */
PVOID NTAPI RtlCreateHeap(ULONG Flags, PVOID HeapBase, SIZE_T ReserveSize, SIZE_T CommitSize, PVOID Lock,
                          PRTL_HEAP_PARAMETERS Parameters)
{
    if (HeapBase != NULL || Lock != NULL || Parameters != NULL)
    {
        return NULL;
    }
    SIZE_T minimum = sizeof(RTLP_HEAP) + 0x1000;
    SIZE_T reserve = ReserveSize != 0 ? ReserveSize : HEAP_FIRST_RESERVE;
    reserve = ALIGN_UP(reserve < CommitSize + minimum ? CommitSize + minimum : reserve, NTDLL_PAGE_SIZE);
    if (reserve < CommitSize || reserve < ReserveSize || reserve > HEAP_LARGEST_SEGMENT)
    {
        return NULL;
    }
    SIZE_T commit = ALIGN_UP(CommitSize < minimum ? minimum : CommitSize, NTDLL_PAGE_SIZE);
    ULONG protect = (Flags & HEAP_CREATE_ENABLE_EXECUTE) ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;

    PVOID base = NULL;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &reserve, MEM_RESERVE, protect)))
    {
        return NULL;
    }
    PVOID commitBase = base;
    PRTLP_HEAP heap = base;
    SIZE_T release = 0;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &commitBase, 0, &commit, MEM_COMMIT, protect)))
    {
        NtFreeVirtualMemory(NtCurrentProcess(), &base, &release, MEM_RELEASE);
        return NULL;
    }

    LARGE_INTEGER counter;
    NtQueryPerformanceCounter(&counter, NULL);
    heap->Signature = HEAP_SIGNATURE;
    heap->Flags = Flags;
    heap->Protect = protect;
    heap->Cookie = (ULONG)(counter.QuadPart * 2654435761u) ^ (ULONG)((ULONG_PTR)base >> 12);
    heap->NextReserve = HEAP_FIRST_RESERVE;
    RtlpInitializeList(&heap->Segments);
    RtlpInitializeList(&heap->Large);
    for (ULONG i = 0; i < HEAP_BINS; i++)
    {
        RtlpInitializeList(&heap->Bins[i]);
    }
    RtlInitializeCriticalSectionAndSpinCount(&heap->Lock, 1000);
    RtlpFormatSegment(heap, &heap->FirstSegment, base, sizeof(RTLP_HEAP), commit, reserve);

    if (!RtlpRegisterHeap(heap))
    {
        NtFreeVirtualMemory(NtCurrentProcess(), &base, &release, MEM_RELEASE);
        return NULL;
    }
    return heap;
}

/**
 * Destroys a heap with everything in it.
 *
 * @return NULL, or the handle if it is the process heap, which stays
 */
PVOID NTAPI RtlDestroyHeap(PVOID HeapHandle)
{
    PRTLP_HEAP heap = HeapHandle;
    if (heap == RtlProcessHeap())
    {
        return heap;
    }
    RtlpLock(heap, 0);
    RtlpForgetHeap(heap);
    heap->Signature = 0;
    RtlDeleteCriticalSection(&heap->Lock);

    while (!RtlpIsListEmpty(&heap->Large))
    {
        RtlpFreeLarge(heap, CONTAINING_RECORD(heap->Large.Flink, RTLP_LARGE, Links));
    }
    PLIST_ENTRY entry = heap->Segments.Flink;
    while (entry != &heap->Segments)
    {
        PRTLP_SEGMENT segment = CONTAINING_RECORD(entry, RTLP_SEGMENT, Links);
        PVOID base = segment->Base;
        SIZE_T size = 0;
        entry = entry->Flink;
        if (segment != &heap->FirstSegment)
        {
            NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE);
        }
    }
    PVOID base = heap;
    SIZE_T size = 0;
    NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE);
    return NULL;
}

/* ---- For the rest of ntdll ---- */

NTSTATUS RtlpInitializeHeaps(VOID)
{
    PPEB peb = NtCurrentPeb();
    peb->ProcessHeaps = RtlpHeapList;
    peb->MaximumNumberOfHeaps = ARRAYSIZE(RtlpHeapList);
    peb->ProcessHeap = RtlCreateHeap(HEAP_GROWABLE, NULL, 0, 0, NULL, NULL);
    return peb->ProcessHeap != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* Taken before the other threads are stopped, so that none of them dies with the heap half changed. */
VOID RtlpLockProcessHeapForExit(VOID)
{
    RtlLockHeap(RtlProcessHeap());
}

PVOID RtlpAllocate(SIZE_T Bytes)
{
    return RtlAllocateHeap(RtlProcessHeap(), 0, Bytes);
}

VOID RtlpFree(PVOID Memory)
{
    RtlFreeHeap(RtlProcessHeap(), 0, Memory);
}
