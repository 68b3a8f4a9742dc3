/* SPDX-License-Identifier: MIT */
/*
 * Static thread-local storage: what __declspec(thread) and _Thread_local compile to.
 *
 *   TEB.ThreadLocalStoragePointer --> [ block of module 0 ][ block of module 1 ] ...
 *
 * A module with a TLS directory gets an index (written to its _tls_index), and every thread a block
 * for it: those that run already when the module is loaded, and new ones before their first
 * instruction. A thread whose array gets too short gets a longer one; the old one stays until the
 * thread ends, because the thread may just be reading it.
 */
#include "ntdllp.h"

#define TLS_FIRST_CAPACITY 16u
#define TLS_LARGEST_BLOCK 0x10000000u

static LIST_ENTRY LdrpThreads = {&LdrpThreads, &LdrpThreads};
static RTL_CRITICAL_SECTION LdrpThreadLock = {(PVOID)(LONG_PTR)-1, -1, 0, 0, 0, 0};
static PLDRP_MODULE *LdrpTlsModules; /* by index; NULL = free */
static ULONG LdrpTlsCapacity;

/* ---- Blocks: heap memory, aligned as the directory asks; the heap's pointer lies in front ---- */

static SIZE_T LdrpTlsAlignment(const IMAGE_TLS_DIRECTORY64 *Directory)
{
    ULONG code = (Directory->Characteristics >> 20) & 0xF;
    SIZE_T alignment = code != 0 ? (SIZE_T)1 << (code - 1) : 16;
    return alignment < 16 ? 16 : alignment;
}

static NTSTATUS LdrpAllocateBlock(PLDRP_MODULE Module, PVOID *Block)
{
    PIMAGE_TLS_DIRECTORY64 directory = Module->Tls;
    SIZE_T raw = directory->EndAddressOfRawData - directory->StartAddressOfRawData;
    SIZE_T alignment = LdrpTlsAlignment(directory);
    SIZE_T size = raw + directory->SizeOfZeroFill;
    PVOID memory = RtlpAllocate(size + alignment + sizeof(PVOID));
    if (memory == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    PUCHAR block = (PUCHAR)ALIGN_UP((PUCHAR)memory + sizeof(PVOID), alignment);
    ((PVOID *)block)[-1] = memory;
    memcpy(block, (const void *)directory->StartAddressOfRawData, raw);
    memset(block + raw, 0, directory->SizeOfZeroFill);
    *Block = block;
    return STATUS_SUCCESS;
}

static VOID LdrpFreeBlock(PVOID Block)
{
    if (Block != NULL)
    {
        RtlpFree(((PVOID *)Block)[-1]);
    }
}

/* Gives a thread room for Count slots. */
static NTSTATUS LdrpReserveSlots(PLDRP_THREAD Thread, ULONG Count)
{
    if (Count <= Thread->Capacity)
    {
        return STATUS_SUCCESS;
    }
    ULONG capacity = Thread->Capacity != 0 ? Thread->Capacity * 2 : TLS_FIRST_CAPACITY;
    capacity = capacity < Count ? Count : capacity;
    PLDRP_TLS_ARRAY array = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY,
                                            sizeof(*array) + capacity * sizeof(PVOID));
    if (array == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    if (Thread->Arrays != NULL)
    {
        memcpy(array->Slots, Thread->Arrays->Slots, Thread->Capacity * sizeof(PVOID));
    }
    array->Older = Thread->Arrays;
    Thread->Arrays = array;
    Thread->Capacity = capacity;
    __atomic_store_n(&Thread->Teb->ThreadLocalStoragePointer, array->Slots, __ATOMIC_RELEASE);
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpAddBlock(PLDRP_THREAD Thread, PLDRP_MODULE Module)
{
    PVOID block;
    NTSTATUS status = LdrpReserveSlots(Thread, Module->Entry.TlsIndex + 1u);
    if (NT_SUCCESS(status))
    {
        status = LdrpAllocateBlock(Module, &block);
    }
    if (NT_SUCCESS(status))
    {
        __atomic_store_n(&Thread->Arrays->Slots[Module->Entry.TlsIndex], block, __ATOMIC_RELEASE);
    }
    return status;
}

/* ---- Threads ---- */

static VOID LdrpFreeThreadRecord(PLDRP_THREAD Thread)
{
    RtlpRemoveEntry(&Thread->Links);
    for (ULONG i = 0; i < Thread->Capacity; i++)
    {
        LdrpFreeBlock(Thread->Arrays->Slots[i]);
    }
    while (Thread->Arrays != NULL)
    {
        PLDRP_TLS_ARRAY array = Thread->Arrays;
        Thread->Arrays = array->Older;
        RtlpFree(array);
    }
    RtlpFree(Thread);
}

static PLDRP_THREAD LdrpFindThread(PTEB Teb)
{
    for (PLIST_ENTRY entry = LdrpThreads.Flink; entry != &LdrpThreads; entry = entry->Flink)
    {
        PLDRP_THREAD thread = CONTAINING_RECORD(entry, LDRP_THREAD, Links);
        if (thread->Teb == Teb)
        {
            return thread;
        }
    }
    return NULL;
}

/** Gives the calling thread its blocks. The loader lock is held. */
NTSTATUS LdrpInitializeThreadTls(VOID)
{
    PTEB teb = NtCurrentTeb();
    NTSTATUS status = STATUS_SUCCESS;

    RtlEnterCriticalSection(&LdrpThreadLock);
    PLDRP_THREAD thread = LdrpFindThread(teb);
    if (thread != NULL)
    {
        LdrpFreeThreadRecord(thread); /* a thread that was killed had its TEB here */
    }
    thread = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*thread));
    if (thread == NULL)
    {
        RtlLeaveCriticalSection(&LdrpThreadLock);
        return STATUS_NO_MEMORY;
    }
    thread->Teb = teb;
    RtlpInsertTail(&LdrpThreads, &thread->Links);
    for (ULONG i = 0; i < LdrpTlsCapacity && NT_SUCCESS(status); i++)
    {
        if (LdrpTlsModules[i] != NULL)
        {
            status = LdrpAddBlock(thread, LdrpTlsModules[i]);
        }
    }
    RtlLeaveCriticalSection(&LdrpThreadLock);
    return status;
}

/** Frees the calling thread's blocks; its thread-local variables are gone. */
VOID LdrpFreeThreadTls(VOID)
{
    PTEB teb = NtCurrentTeb();
    RtlEnterCriticalSection(&LdrpThreadLock);
    PLDRP_THREAD thread = LdrpFindThread(teb);
    teb->ThreadLocalStoragePointer = NULL;
    if (thread != NULL)
    {
        LdrpFreeThreadRecord(thread);
    }
    RtlLeaveCriticalSection(&LdrpThreadLock);
}

/** Calls Routine for the TEB of every thread. A thread that was killed may have left a TEB that is gone. */
VOID LdrpForEachTeb(VOID (*Routine)(PTEB Teb, PVOID Context), PVOID Context)
{
    RtlEnterCriticalSection(&LdrpThreadLock);
    PLIST_ENTRY entry = LdrpThreads.Flink;
    while (entry != &LdrpThreads)
    {
        PLDRP_THREAD thread = CONTAINING_RECORD(entry, LDRP_THREAD, Links);
        entry = entry->Flink;
        __try
        {
            Routine(thread->Teb, Context);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            LdrpFreeThreadRecord(thread);
        }
    }
    RtlLeaveCriticalSection(&LdrpThreadLock);
}

/* ---- Modules ---- */

static BOOLEAN LdrpIsInside(PLDRP_MODULE Module, ULONG64 Address, ULONG64 Size)
{
    ULONG64 base = (ULONG64)Module->Entry.DllBase;
    return Address >= base && Size <= Module->Entry.SizeOfImage && Address - base <= Module->Entry.SizeOfImage - Size;
}

/* The directory, if the image has one that makes sense. Its addresses are absolute and relocated by now. */
static NTSTATUS LdrpReadDirectory(PLDRP_MODULE Module, PIMAGE_TLS_DIRECTORY64 *Directory)
{
    uint32_t rva;
    uint32_t size;
    *Directory = NULL;
    PE_ERROR error = PeDirectory(&Module->Image, PE_DIRECTORY_TLS, &rva, &size);
    if (error == PeEnd)
    {
        return STATUS_SUCCESS;
    }
    PIMAGE_TLS_DIRECTORY64 directory = error == PeOk ? PeAt(&Module->Image, rva, sizeof(*directory)) : NULL;
    if (directory == NULL || directory->EndAddressOfRawData < directory->StartAddressOfRawData ||
        directory->SizeOfZeroFill > TLS_LARGEST_BLOCK ||
        !LdrpIsInside(Module, directory->AddressOfIndex, sizeof(ULONG)) ||
        (directory->EndAddressOfRawData != directory->StartAddressOfRawData &&
         !LdrpIsInside(Module, directory->StartAddressOfRawData,
                       directory->EndAddressOfRawData - directory->StartAddressOfRawData)) ||
        (directory->AddressOfCallBacks != 0 &&
         !LdrpIsInside(Module, directory->AddressOfCallBacks, sizeof(ULONG64))))
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    *Directory = directory;
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpTakeIndex(PLDRP_MODULE Module)
{
    ULONG index = 0;
    while (index < LdrpTlsCapacity && LdrpTlsModules[index] != NULL)
    {
        index++;
    }
    if (index == LdrpTlsCapacity)
    {
        ULONG capacity = LdrpTlsCapacity != 0 ? LdrpTlsCapacity * 2 : TLS_FIRST_CAPACITY;
        PLDRP_MODULE *modules = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, capacity * sizeof(*modules));
        if (modules == NULL || capacity >= LDRP_NO_TLS)
        {
            RtlpFree(modules);
            return STATUS_NO_MEMORY;
        }
        memcpy(modules, LdrpTlsModules, LdrpTlsCapacity * sizeof(*modules));
        RtlpFree(LdrpTlsModules);
        LdrpTlsModules = modules;
        LdrpTlsCapacity = capacity;
    }
    LdrpTlsModules[index] = Module;
    Module->Entry.TlsIndex = (USHORT)index;
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpWriteIndex(PLDRP_MODULE Module)
{
    PULONG variable = (PULONG)Module->Tls->AddressOfIndex;
    ULONG old = 0;
    BOOLEAN open = LdrpIsWritable(Module, (ULONG)((ULONG64)variable - (ULONG64)Module->Entry.DllBase));
    NTSTATUS status = open ? STATUS_SUCCESS : LdrpMakeWritable(variable, sizeof(ULONG), &old);
    if (NT_SUCCESS(status))
    {
        *variable = Module->Entry.TlsIndex;
        if (!open)
        {
            LdrpRestoreProtection(variable, sizeof(ULONG), old);
        }
    }
    return status;
}

/** Gives a module with a TLS directory its index, and all threads their blocks. The loader lock is held. */
NTSTATUS LdrpRegisterTls(PLDRP_MODULE Module)
{
    NTSTATUS status = LdrpReadDirectory(Module, &Module->Tls);
    if (!NT_SUCCESS(status) || Module->Tls == NULL)
    {
        return status;
    }
    RtlEnterCriticalSection(&LdrpThreadLock);
    status = LdrpTakeIndex(Module);
    if (NT_SUCCESS(status))
    {
        status = LdrpWriteIndex(Module);
    }
    for (PLIST_ENTRY entry = LdrpThreads.Flink; entry != &LdrpThreads && NT_SUCCESS(status); entry = entry->Flink)
    {
        status = LdrpAddBlock(CONTAINING_RECORD(entry, LDRP_THREAD, Links), Module);
    }
    RtlLeaveCriticalSection(&LdrpThreadLock);
    return status;
}

/** Takes the index and the blocks back, before the module's image goes. */
VOID LdrpUnregisterTls(PLDRP_MODULE Module)
{
    ULONG index = Module->Entry.TlsIndex;
    if (index == LDRP_NO_TLS)
    {
        return;
    }
    RtlEnterCriticalSection(&LdrpThreadLock);
    for (PLIST_ENTRY entry = LdrpThreads.Flink; entry != &LdrpThreads; entry = entry->Flink)
    {
        PLDRP_THREAD thread = CONTAINING_RECORD(entry, LDRP_THREAD, Links);
        if (index < thread->Capacity)
        {
            LdrpFreeBlock(thread->Arrays->Slots[index]);
            thread->Arrays->Slots[index] = NULL;
        }
    }
    LdrpTlsModules[index] = NULL;
    Module->Entry.TlsIndex = LDRP_NO_TLS;
    RtlLeaveCriticalSection(&LdrpThreadLock);
}

/** Runs a module's TLS callbacks, in the order of the list, which ends with a zero. */
VOID LdrpCallTlsCallbacks(PLDRP_MODULE Module, ULONG Reason, PVOID Reserved)
{
    if (Module->Tls == NULL || Module->Tls->AddressOfCallBacks == 0)
    {
        return;
    }
    ULONG64 place = Module->Tls->AddressOfCallBacks;
    while (LdrpIsInside(Module, place, sizeof(ULONG64)) && *(const ULONG64 *)place != 0)
    {
        PIMAGE_TLS_CALLBACK callback = (PIMAGE_TLS_CALLBACK) * (const ULONG64 *)place;
        callback(Module->Entry.DllBase, Reason, Reserved);
        place += sizeof(ULONG64);
    }
}
