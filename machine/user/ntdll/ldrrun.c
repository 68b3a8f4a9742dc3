/* SPDX-License-Identifier: MIT */
/*
 * DllMain: who is called when.
 *
 *   process attach   a module after all it imports from (depth first), its TLS callbacks first
 *   thread attach    in the order of initialisation, the program's TLS callbacks last
 *   detach           the reverse
 *
 * All of it under the loader lock.
 */
#include "ntdllp.h"

typedef BOOL(NTAPI *PDLL_MAIN)(PVOID Base, ULONG Reason, PVOID Reserved);

PVOID LdrpStaticReserved;

static BOOLEAN LdrpCallEntry(PLDRP_MODULE Module, ULONG Reason, PVOID Reserved)
{
    if (!(Module->Entry.Flags & LDRP_IMAGE_DLL) || Module->Entry.EntryPoint == NULL)
    {
        return TRUE;
    }
    return ((PDLL_MAIN)Module->Entry.EntryPoint)(Module->Entry.DllBase, Reason, Reserved) != FALSE;
}

/**
 * Initialises a module after those it imports from; each only once. A circle is broken where it is
 * entered, as on Windows.
 *
 * @return STATUS_DLL_INIT_FAILED if a DllMain said no; that module has then been told to detach
 */
NTSTATUS LdrpAttach(PLDRP_MODULE Module)
{
    if (Module->Visited)
    {
        return STATUS_SUCCESS;
    }
    Module->Visited = TRUE;
    for (ULONG i = 0; i < Module->EdgeCount; i++)
    {
        NTSTATUS status = LdrpAttach(Module->Edges[i]);
        if (!NT_SUCCESS(status))
        {
            Module->Visited = FALSE;
            return status;
        }
    }
    if (!(Module->Entry.Flags & LDRP_IMAGE_DLL))
    {
        return STATUS_SUCCESS; /* the program: its own turn comes when all DLLs are ready */
    }
    RtlpInsertTail(&LdrpData.InInitializationOrderModuleList, &Module->Entry.InInitializationOrderLinks);
    Module->Attached = TRUE;
    Module->Entry.Flags |= LDRP_PROCESS_ATTACH_CALLED | LDRP_ENTRY_PROCESSED;
    LdrpCallTlsCallbacks(Module, DLL_PROCESS_ATTACH, LdrpStaticReserved);
    if (LdrpCallEntry(Module, DLL_PROCESS_ATTACH, LdrpStaticReserved))
    {
        return STATUS_SUCCESS;
    }
    RtlpReportFor(&Module->Entry.BaseDllName, L"DllMain refused to start");
    LdrpDetach(Module, NULL);
    Module->Visited = FALSE;
    return STATUS_DLL_INIT_FAILED;
}

/** Tells a module that the process lets it go (Reserved NULL) or ends. */
VOID LdrpDetach(PLDRP_MODULE Module, PVOID Reserved)
{
    if (Module->Attached)
    {
        Module->Attached = FALSE;
        LdrpCallEntry(Module, DLL_PROCESS_DETACH, Reserved);
        LdrpCallTlsCallbacks(Module, DLL_PROCESS_DETACH, Reserved);
    }
}

static BOOLEAN LdrpWantsThreadCalls(PLDRP_MODULE Module)
{
    return Module->Attached && !(Module->Entry.Flags & LDRP_DONT_CALL_FOR_THREADS);
}

/** Tells all modules that this thread starts. */
VOID LdrpNotifyAttach(VOID)
{
    PLIST_ENTRY head = &LdrpData.InInitializationOrderModuleList;
    for (PLIST_ENTRY entry = head->Flink; entry != head; entry = entry->Flink)
    {
        PLDRP_MODULE module = LdrpFromInitLinks(entry);
        if (LdrpWantsThreadCalls(module))
        {
            LdrpCallTlsCallbacks(module, DLL_THREAD_ATTACH, NULL);
            LdrpCallEntry(module, DLL_THREAD_ATTACH, NULL);
        }
    }
    LdrpCallTlsCallbacks(LdrpImageModule, DLL_THREAD_ATTACH, NULL);
}

/** Tells all modules that this thread ends, and frees what it had. */
VOID NTAPI LdrShutdownThread(VOID)
{
    RtlpFreeThreadSlots();
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLIST_ENTRY head = &LdrpData.InInitializationOrderModuleList;
    for (PLIST_ENTRY entry = head->Blink; entry != head; entry = entry->Blink)
    {
        PLDRP_MODULE module = LdrpFromInitLinks(entry);
        if (LdrpWantsThreadCalls(module))
        {
            LdrpCallEntry(module, DLL_THREAD_DETACH, NULL);
            LdrpCallTlsCallbacks(module, DLL_THREAD_DETACH, NULL);
        }
    }
    LdrpCallTlsCallbacks(LdrpImageModule, DLL_THREAD_DETACH, NULL);
    LdrpFreeThreadTls();
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    RtlpDeleteThreadWait();
}

/** Tells all modules that the process ends. The caller is the only thread left; nothing is unmapped or freed. */
VOID NTAPI LdrShutdownProcess(VOID)
{
    if (LdrpData.ShutdownInProgress)
    {
        return;
    }
    LdrpData.ShutdownInProgress = TRUE;
    LdrpData.ShutdownThreadId = NtCurrentTeb()->ClientId.UniqueThread;
    RtlpFreeThreadSlots();

    PLIST_ENTRY head = &LdrpData.InInitializationOrderModuleList;
    for (PLIST_ENTRY entry = head->Blink; entry != head; entry = entry->Blink)
    {
        LdrpDetach(LdrpFromInitLinks(entry), (PVOID)1);
    }
    if (LdrpImageModule->Attached)
    {
        LdrpImageModule->Attached = FALSE;
        LdrpCallTlsCallbacks(LdrpImageModule, DLL_PROCESS_DETACH, (PVOID)1);
    }
}
