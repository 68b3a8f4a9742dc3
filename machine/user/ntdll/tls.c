/* SPDX-License-Identifier: MIT */
/*
 * Dynamic thread-local and fiber-local slots. (The static kind, of images, is in ldrtls.c.)
 *
 * Slots 0..63 lie in the TEB, 64..1087 in a block that a thread gets when it first stores there.
 * The bitmaps of used slots are the PEB's, under the PEB lock.
 */
#include "ntdllp.h"

#define FLS_SLOTS 128u

typedef struct _RTLP_BITMAP
{
    ULONG SizeOfBitMap;
    PULONG Buffer;
} RTLP_BITMAP;

typedef struct _RTLP_FLS_DATA
{
    LIST_ENTRY Links;
    PVOID Slots[FLS_SLOTS];
} RTLP_FLS_DATA, *PRTLP_FLS_DATA;

static RTLP_BITMAP RtlpTlsBitmap;
static RTLP_BITMAP RtlpTlsExpansionBitmap;
static RTL_CRITICAL_SECTION RtlpFlsLock = {(PVOID)(LONG_PTR)-1, -1, 0, 0, 0, 0};
static LIST_ENTRY RtlpFlsThreads = {&RtlpFlsThreads, &RtlpFlsThreads};
static PFLS_CALLBACK_FUNCTION RtlpFlsCallbacks[FLS_SLOTS];
static BOOLEAN RtlpFlsUsed[FLS_SLOTS];

static ULONG RtlpTakeBit(PULONG Bits, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++)
    {
        if (!(Bits[i / 32] & 1u << (i % 32)))
        {
            Bits[i / 32] |= 1u << (i % 32);
            return i;
        }
    }
    return Count;
}

VOID RtlpInitializeTls(VOID)
{
    PPEB peb = NtCurrentPeb();
    RtlpTlsBitmap.SizeOfBitMap = TLS_MINIMUM_AVAILABLE_SLOTS;
    RtlpTlsBitmap.Buffer = peb->TlsBitmapBits;
    RtlpTlsExpansionBitmap.SizeOfBitMap = TLS_EXPANSION_SLOT_COUNT;
    RtlpTlsExpansionBitmap.Buffer = peb->TlsExpansionBitmapBits;
    peb->TlsBitmap = (struct _RTL_BITMAP *)&RtlpTlsBitmap;
    peb->TlsExpansionBitmap = (struct _RTL_BITMAP *)&RtlpTlsExpansionBitmap;
}

/* ---- Thread-local slots ---- */

static VOID RtlpClearSlot(PTEB Teb, PVOID Context)
{
    ULONG index = *(PULONG)Context;
    if (index < TLS_MINIMUM_AVAILABLE_SLOTS)
    {
        Teb->TlsSlots[index] = NULL;
    }
    else if (Teb->TlsExpansionSlots != NULL)
    {
        Teb->TlsExpansionSlots[index - TLS_MINIMUM_AVAILABLE_SLOTS] = NULL;
    }
}

/** Takes a slot, which reads as NULL in every thread. STATUS_NO_MEMORY when all 1088 are used. */
NTSTATUS NTAPI RtlTlsAlloc(PULONG Index)
{
    PPEB peb = NtCurrentPeb();
    RtlEnterCriticalSection(&RtlpPebLock);
    ULONG index = RtlpTakeBit(peb->TlsBitmapBits, TLS_MINIMUM_AVAILABLE_SLOTS);
    if (index == TLS_MINIMUM_AVAILABLE_SLOTS)
    {
        index += RtlpTakeBit(peb->TlsExpansionBitmapBits, TLS_EXPANSION_SLOT_COUNT);
    }
    RtlLeaveCriticalSection(&RtlpPebLock);
    if (index >= TLS_MINIMUM_AVAILABLE_SLOTS + TLS_EXPANSION_SLOT_COUNT)
    {
        return STATUS_NO_MEMORY;
    }
    *Index = index;
    return STATUS_SUCCESS;
}

/** Gives a slot back and clears it in every thread. */
NTSTATUS NTAPI RtlTlsFree(ULONG Index)
{
    PPEB peb = NtCurrentPeb();
    PULONG bits = peb->TlsBitmapBits;
    ULONG bit = Index;
    if (Index >= TLS_MINIMUM_AVAILABLE_SLOTS)
    {
        bits = peb->TlsExpansionBitmapBits;
        bit = Index - TLS_MINIMUM_AVAILABLE_SLOTS;
        if (bit >= TLS_EXPANSION_SLOT_COUNT)
        {
            return STATUS_INVALID_PARAMETER;
        }
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    RtlEnterCriticalSection(&RtlpPebLock);
    if (bits[bit / 32] & 1u << (bit % 32))
    {
        LdrpForEachTeb(RtlpClearSlot, &Index);
        bits[bit / 32] &= ~(1u << (bit % 32));
        status = STATUS_SUCCESS;
    }
    RtlLeaveCriticalSection(&RtlpPebLock);
    return status;
}

NTSTATUS NTAPI RtlTlsSetValue(ULONG Index, PVOID Value)
{
    PTEB teb = NtCurrentTeb();
    if (Index < TLS_MINIMUM_AVAILABLE_SLOTS)
    {
        teb->TlsSlots[Index] = Value;
        return STATUS_SUCCESS;
    }
    Index -= TLS_MINIMUM_AVAILABLE_SLOTS;
    if (Index >= TLS_EXPANSION_SLOT_COUNT)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (teb->TlsExpansionSlots == NULL)
    {
        PVOID *slots = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, TLS_EXPANSION_SLOT_COUNT * sizeof(PVOID));
        if (slots == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        teb->TlsExpansionSlots = slots;
    }
    teb->TlsExpansionSlots[Index] = Value;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlTlsGetValue(ULONG Index, PVOID *Value)
{
    PTEB teb = NtCurrentTeb();
    *Value = NULL;
    if (Index < TLS_MINIMUM_AVAILABLE_SLOTS)
    {
        *Value = teb->TlsSlots[Index];
        return STATUS_SUCCESS;
    }
    Index -= TLS_MINIMUM_AVAILABLE_SLOTS;
    if (Index >= TLS_EXPANSION_SLOT_COUNT)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (teb->TlsExpansionSlots != NULL)
    {
        *Value = teb->TlsExpansionSlots[Index];
    }
    return STATUS_SUCCESS;
}

/* ---- Fiber-local slots: as above, with a destructor per slot ---- */

/** Takes a slot; Callback runs with a thread's value when the thread ends or the slot is given back. */
NTSTATUS NTAPI RtlFlsAlloc(PFLS_CALLBACK_FUNCTION Callback, PULONG Index)
{
    NTSTATUS status = STATUS_NO_MEMORY;
    RtlEnterCriticalSection(&RtlpFlsLock);
    for (ULONG i = 0; i < FLS_SLOTS; i++)
    {
        if (!RtlpFlsUsed[i])
        {
            RtlpFlsUsed[i] = TRUE;
            RtlpFlsCallbacks[i] = Callback;
            *Index = i;
            status = STATUS_SUCCESS;
            break;
        }
    }
    RtlLeaveCriticalSection(&RtlpFlsLock);
    return status;
}

NTSTATUS NTAPI RtlFlsFree(ULONG Index)
{
    if (Index >= FLS_SLOTS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    RtlEnterCriticalSection(&RtlpFlsLock);
    if (!RtlpFlsUsed[Index])
    {
        RtlLeaveCriticalSection(&RtlpFlsLock);
        return STATUS_INVALID_PARAMETER;
    }
    PFLS_CALLBACK_FUNCTION callback = RtlpFlsCallbacks[Index];
    for (PLIST_ENTRY entry = RtlpFlsThreads.Flink; entry != &RtlpFlsThreads; entry = entry->Flink)
    {
        PRTLP_FLS_DATA data = CONTAINING_RECORD(entry, RTLP_FLS_DATA, Links);
        PVOID value = data->Slots[Index];
        data->Slots[Index] = NULL;
        if (value != NULL && callback != NULL)
        {
            callback(value);
        }
    }
    RtlpFlsCallbacks[Index] = NULL;
    RtlpFlsUsed[Index] = FALSE;
    RtlLeaveCriticalSection(&RtlpFlsLock);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlFlsSetValue(ULONG Index, PVOID Value)
{
    PTEB teb = NtCurrentTeb();
    if (Index >= FLS_SLOTS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    PRTLP_FLS_DATA data = teb->FlsData;
    if (data == NULL)
    {
        data = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*data));
        if (data == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        RtlEnterCriticalSection(&RtlpFlsLock);
        RtlpInsertTail(&RtlpFlsThreads, &data->Links);
        RtlLeaveCriticalSection(&RtlpFlsLock);
        teb->FlsData = data;
    }
    data->Slots[Index] = Value;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlFlsGetValue(ULONG Index, PVOID *Value)
{
    PRTLP_FLS_DATA data = NtCurrentTeb()->FlsData;
    *Value = NULL;
    if (Index >= FLS_SLOTS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (data != NULL)
    {
        *Value = data->Slots[Index];
    }
    return STATUS_SUCCESS;
}

/** Runs the destructors for what a thread or fiber has stored, and frees its storage; NULL is none. */
VOID NTAPI RtlProcessFlsData(PVOID FlsData)
{
    PRTLP_FLS_DATA data = FlsData;
    if (data != NULL)
    {
        for (ULONG i = 0; i < FLS_SLOTS; i++)
        {
            PVOID value = data->Slots[i];
            PFLS_CALLBACK_FUNCTION callback = RtlpFlsCallbacks[i];
            data->Slots[i] = NULL;
            if (value != NULL && callback != NULL)
            {
                callback(value);
            }
        }
        RtlEnterCriticalSection(&RtlpFlsLock);
        RtlpRemoveEntry(&data->Links);
        RtlLeaveCriticalSection(&RtlpFlsLock);
        RtlpFree(data);
    }
}

/** Runs the thread's FLS destructors and frees what the two kinds of slots needed. */
VOID RtlpFreeThreadSlots(VOID)
{
    PTEB teb = NtCurrentTeb();
    RtlProcessFlsData(teb->FlsData);
    teb->FlsData = NULL;
    PVOID *slots = teb->TlsExpansionSlots;
    teb->TlsExpansionSlots = NULL;
    RtlpFree(slots);
}
