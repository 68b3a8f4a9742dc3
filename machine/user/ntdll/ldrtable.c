/* SPDX-License-Identifier: MIT */
/*
 * The loader's records: the module lists of the PEB, the graph of imports, and the table of image
 * ranges that exception dispatch reads.
 *
 * That table has one writer at a time (under the loader lock) and readers without any lock, since an
 * exception may happen while the lock is held. A slot is published by its Base, written last, and
 * withdrawn by clearing Base first; chunks are never freed.
 */
#include "ntdllp.h"

#define IMAGE_CHUNK 64u

typedef struct _LDRP_RANGE
{
    PVOID Base;
    ULONG Size;
} LDRP_RANGE, *PLDRP_RANGE;

typedef struct _LDRP_CHUNK
{
    LDRP_RANGE Ranges[IMAGE_CHUNK];
    struct _LDRP_CHUNK *Next;
} LDRP_CHUNK, *PLDRP_CHUNK;

static LDRP_CHUNK LdrpFirstChunk;

RTL_CRITICAL_SECTION LdrpLoaderLock = {(PVOID)(LONG_PTR)-1, -1, 0, 0, 0, 0};
PLDRP_MODULE LdrpImageModule;
PLDRP_MODULE LdrpNtdllModule;
PEB_LDR_DATA LdrpData = {
    .Length = sizeof(PEB_LDR_DATA),
    .InLoadOrderModuleList = {&LdrpData.InLoadOrderModuleList, &LdrpData.InLoadOrderModuleList},
    .InMemoryOrderModuleList = {&LdrpData.InMemoryOrderModuleList, &LdrpData.InMemoryOrderModuleList},
    .InInitializationOrderModuleList = {&LdrpData.InInitializationOrderModuleList,
                                        &LdrpData.InInitializationOrderModuleList},
};

/* ---- Image ranges ---- */

BOOLEAN RtlpFindImage(PVOID Pc, PVOID *Base, PULONG Size)
{
    for (PLDRP_CHUNK chunk = &LdrpFirstChunk; chunk != NULL; chunk = __atomic_load_n(&chunk->Next, __ATOMIC_ACQUIRE))
    {
        for (ULONG i = 0; i < IMAGE_CHUNK; i++)
        {
            PVOID base = __atomic_load_n(&chunk->Ranges[i].Base, __ATOMIC_ACQUIRE);
            ULONG size = __atomic_load_n(&chunk->Ranges[i].Size, __ATOMIC_ACQUIRE);
            if (base != NULL && (ULONG_PTR)Pc - (ULONG_PTR)base < size &&
                __atomic_load_n(&chunk->Ranges[i].Base, __ATOMIC_ACQUIRE) == base)
            {
                *Base = base;
                *Size = size;
                return TRUE;
            }
        }
    }
    return FALSE;
}

static NTSTATUS LdrpPublishImage(PVOID Base, ULONG Size)
{
    PLDRP_CHUNK chunk = &LdrpFirstChunk;
    for (;;)
    {
        for (ULONG i = 0; i < IMAGE_CHUNK; i++)
        {
            if (chunk->Ranges[i].Base == NULL)
            {
                __atomic_store_n(&chunk->Ranges[i].Size, Size, __ATOMIC_RELEASE);
                __atomic_store_n(&chunk->Ranges[i].Base, Base, __ATOMIC_RELEASE);
                return STATUS_SUCCESS;
            }
        }
        if (chunk->Next == NULL)
        {
            PLDRP_CHUNK next = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*next));
            if (next == NULL)
            {
                return STATUS_NO_MEMORY;
            }
            __atomic_store_n(&chunk->Next, next, __ATOMIC_RELEASE);
        }
        chunk = chunk->Next;
    }
}

static VOID LdrpWithdrawImage(PVOID Base)
{
    for (PLDRP_CHUNK chunk = &LdrpFirstChunk; chunk != NULL; chunk = chunk->Next)
    {
        for (ULONG i = 0; i < IMAGE_CHUNK; i++)
        {
            if (chunk->Ranges[i].Base == Base)
            {
                __atomic_store_n(&chunk->Ranges[i].Base, NULL, __ATOMIC_RELEASE);
                return;
            }
        }
    }
}

/* ---- Modules ---- */

static VOID LdrpSetNames(PLDRP_MODULE Module, PWSTR Buffer, PCUNICODE_STRING FullName)
{
    PUNICODE_STRING full = &Module->Entry.FullDllName;
    PUNICODE_STRING base = &Module->Entry.BaseDllName;
    memcpy(Buffer, FullName->Buffer, FullName->Length);
    Buffer[FullName->Length / sizeof(WCHAR)] = 0;
    full->Buffer = Buffer;
    full->Length = FullName->Length;
    full->MaximumLength = FullName->Length + sizeof(WCHAR);

    USHORT start = full->Length / sizeof(WCHAR);
    while (start > 0 && Buffer[start - 1] != L'\\')
    {
        start--;
    }
    base->Buffer = Buffer + start;
    base->Length = full->Length - start * sizeof(WCHAR);
    base->MaximumLength = base->Length + sizeof(WCHAR);
}

/**
 * Makes the record of a mapped image, checks its headers and links it in load order. The record has no
 * references: LdrpCollect takes it down again if nobody adds one. The view stays the caller's on failure.
 */
NTSTATUS LdrpCreateModule(PVOID Base, PCUNICODE_STRING FullName, PLDRP_MODULE *Module)
{
    SIZE_T size = sizeof(LDRP_MODULE) + FullName->Length + sizeof(WCHAR);
    PLDRP_MODULE module = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, size);
    if (module == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    LdrpSetNames(module, (PWSTR)(module + 1), FullName);
    module->Entry.DllBase = Base;
    module->Entry.TlsIndex = LDRP_NO_TLS;
    RtlpInitializeList(&module->Entry.InInitializationOrderLinks);
    RtlpInitializeList(&module->Entry.HashLinks);

    NTSTATUS status = LdrpOpenImage(module);
    if (NT_SUCCESS(status))
    {
        status = LdrpPublishImage(Base, module->Entry.SizeOfImage);
    }
    if (!NT_SUCCESS(status))
    {
        RtlpFree(module);
        return status;
    }
    RtlpInsertTail(&LdrpData.InLoadOrderModuleList, &module->Entry.InLoadOrderLinks);
    RtlpInsertTail(&LdrpData.InMemoryOrderModuleList, &module->Entry.InMemoryOrderLinks);
    *Module = module;
    return STATUS_SUCCESS;
}

/** Takes a module out of all lists, unmaps it and frees its record. */
VOID LdrpDestroyModule(PLDRP_MODULE Module)
{
    RtlpRemoveEntry(&Module->Entry.InLoadOrderLinks);
    RtlpRemoveEntry(&Module->Entry.InMemoryOrderLinks);
    RtlpRemoveEntry(&Module->Entry.InInitializationOrderLinks);
    LdrpUnregisterTls(Module);
    LdrpWithdrawImage(Module->Entry.DllBase);
    NtUnmapViewOfSection(NtCurrentProcess(), Module->Entry.DllBase);
    RtlpFree(Module->Edges);
    RtlpFree(Module);
}

PLDRP_MODULE LdrpFindModuleByBase(PVOID Base)
{
    PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
    for (PLIST_ENTRY entry = head->Flink; entry != head; entry = entry->Flink)
    {
        PLDRP_MODULE module = LdrpFromLoadLinks(entry);
        if (module->Entry.DllBase == Base)
        {
            return module;
        }
    }
    return NULL;
}

PLDRP_MODULE LdrpFindModuleByAddress(PVOID Address)
{
    PVOID base;
    ULONG size;
    return RtlpFindImage(Address, &base, &size) ? LdrpFindModuleByBase(base) : NULL;
}

/** Finds a module by full path or by file name; modules that are leaving are not found. */
PLDRP_MODULE LdrpFindModuleByName(PCUNICODE_STRING Name, BOOLEAN IsPath)
{
    PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
    for (PLIST_ENTRY entry = head->Flink; entry != head; entry = entry->Flink)
    {
        PLDRP_MODULE module = LdrpFromLoadLinks(entry);
        PUNICODE_STRING own = IsPath ? &module->Entry.FullDllName : &module->Entry.BaseDllName;
        if (!module->Leaving && RtlEqualUnicodeString(own, Name, TRUE))
        {
            return module;
        }
    }
    return NULL;
}

/** Notes that From needs To. */
NTSTATUS LdrpAddEdge(PLDRP_MODULE From, PLDRP_MODULE To)
{
    for (ULONG i = 0; i < From->EdgeCount; i++)
    {
        if (From->Edges[i] == To)
        {
            return STATUS_SUCCESS;
        }
    }
    if (From == To)
    {
        return STATUS_SUCCESS;
    }
    if (From->EdgeCount == From->EdgeCapacity)
    {
        ULONG capacity = From->EdgeCapacity != 0 ? From->EdgeCapacity * 2 : 8;
        PLDRP_MODULE *edges = RtlpAllocate(capacity * sizeof(*edges));
        if (edges == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        memcpy(edges, From->Edges, From->EdgeCount * sizeof(*edges));
        RtlpFree(From->Edges);
        From->Edges = edges;
        From->EdgeCapacity = capacity;
    }
    From->Edges[From->EdgeCount++] = To;
    return STATUS_SUCCESS;
}

/* ---- Unloading ---- */

/* Marks what can be reached from the modules that are held, until a pass over the list adds nothing. */
static VOID LdrpMarkReachable(VOID)
{
    PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
    BOOLEAN more;
    for (PLIST_ENTRY entry = head->Flink; entry != head; entry = entry->Flink)
    {
        PLDRP_MODULE module = LdrpFromLoadLinks(entry);
        module->Reachable = module->Entry.LoadCount != 0 && !module->Leaving;
    }
    do
    {
        more = FALSE;
        for (PLIST_ENTRY entry = head->Flink; entry != head; entry = entry->Flink)
        {
            PLDRP_MODULE module = LdrpFromLoadLinks(entry);
            for (ULONG i = 0; module->Reachable && i < module->EdgeCount; i++)
            {
                if (!module->Edges[i]->Reachable)
                {
                    module->Edges[i]->Reachable = TRUE;
                    more = TRUE;
                }
            }
        }
    } while (more);
}

/* The next module to detach: the last initialised one that nothing holds. */
static PLDRP_MODULE LdrpNextToDetach(VOID)
{
    PLIST_ENTRY head = &LdrpData.InInitializationOrderModuleList;
    for (PLIST_ENTRY entry = head->Blink; entry != head; entry = entry->Blink)
    {
        PLDRP_MODULE module = LdrpFromInitLinks(entry);
        if (!module->Reachable && !module->Leaving)
        {
            return module;
        }
    }
    return NULL;
}

/**
 * Unloads every module that nothing holds any more: first tells them, in reverse order of their
 * initialisation, then takes them down. A DllMain may load and free libraries meanwhile: the outermost
 * call looks again after each one.
 */
VOID LdrpCollect(VOID)
{
    static BOOLEAN active;
    PLDRP_MODULE module;
    if (active || LdrpData.ShutdownInProgress)
    {
        return;
    }
    active = TRUE;
    LdrpMarkReachable();
    while ((module = LdrpNextToDetach()) != NULL)
    {
        module->Leaving = TRUE;
        LdrpDetach(module, NULL);
        LdrpMarkReachable();
    }
    PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
    PLIST_ENTRY entry = head->Flink;
    while (entry != head)
    {
        module = LdrpFromLoadLinks(entry);
        entry = entry->Flink;
        if (!module->Reachable)
        {
            LdrpDestroyModule(module);
        }
    }
    active = FALSE;
}
