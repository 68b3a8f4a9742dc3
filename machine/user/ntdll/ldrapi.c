/* SPDX-License-Identifier: MIT */
/* The loader's public routines. Each holds the loader lock while it works. */
#include "ntdllp.h"

static VOID LdrpReference(PLDRP_MODULE Module, BOOLEAN Pin)
{
    if (Module->Entry.LoadCount != LDRP_PINNED)
    {
        Module->Entry.LoadCount = Pin ? LDRP_PINNED : Module->Entry.LoadCount + 1;
    }
}

/* References a loaded module and initialises it if that has not been done; undoes both on failure. */
static NTSTATUS LdrpStart(PLDRP_MODULE Module)
{
    PVOID reserved = LdrpStaticReserved;
    LdrpReference(Module, FALSE);
    LdrpStaticReserved = NULL;
    NTSTATUS status = LdrpAttach(Module);
    LdrpStaticReserved = reserved;
    if (!NT_SUCCESS(status) && Module->Entry.LoadCount != LDRP_PINNED)
    {
        Module->Entry.LoadCount--;
    }
    return status;
}

/**
 * Loads a DLL or adds a reference to it; its DllMain has run when this returns.
 *
 * @param SearchPath       directories separated by ';', NULL = the process's
 * @param Characteristics  not used by the loader
 * @param Name             file name (".dll" is added if it has no extension) or path
 * @return STATUS_DLL_NOT_FOUND, STATUS_ENTRYPOINT_NOT_FOUND, STATUS_INVALID_IMAGE_FORMAT, STATUS_DLL_INIT_FAILED ...
 */
NTSTATUS NTAPI LdrLoadDll(PCWSTR SearchPath, PULONG Characteristics, PUNICODE_STRING Name, PVOID *Base)
{
    UNREFERENCED_PARAMETER(Characteristics);
    PLDRP_MODULE module = NULL;
    *Base = NULL;
    if (LdrpData.ShutdownInProgress)
    {
        return STATUS_DLL_INIT_FAILED;
    }
    RtlEnterCriticalSection(&LdrpLoaderLock);
    NTSTATUS status = LdrpLoadModule(SearchPath, Name, &module);
    if (NT_SUCCESS(status))
    {
        status = LdrpStart(module);
    }
    if (NT_SUCCESS(status))
    {
        *Base = module->Entry.DllBase;
    }
    else
    {
        LdrpCollect();
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

/** Takes a reference back; with the last one the DLL goes, and those that only it needed. */
NTSTATUS NTAPI LdrUnloadDll(PVOID Base)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (LdrpData.ShutdownInProgress)
    {
        return STATUS_SUCCESS;
    }
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = LdrpFindModuleByBase(Base);
    if (module == NULL)
    {
        status = STATUS_DLL_NOT_FOUND;
    }
    else if (module->Entry.LoadCount != LDRP_PINNED && module->Entry.LoadCount != 0)
    {
        module->Entry.LoadCount--;
        LdrpCollect();
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

/** Finds a loaded DLL by name. Flags as LDR_GET_DLL_HANDLE_EX_: a reference is added unless they say otherwise. */
NTSTATUS NTAPI LdrGetDllHandleEx(ULONG Flags, PCWSTR SearchPath, PULONG Characteristics, PUNICODE_STRING Name,
                                 PVOID *Base)
{
    UNREFERENCED_PARAMETER(SearchPath);
    UNREFERENCED_PARAMETER(Characteristics);
    PLDRP_MODULE module;
    RtlEnterCriticalSection(&LdrpLoaderLock);
    NTSTATUS status = LdrpFindLoaded(Name, &module);
    if (NT_SUCCESS(status))
    {
        if (!(Flags & LDR_GET_DLL_HANDLE_EX_UNCHANGED_REFCOUNT) || (Flags & LDR_GET_DLL_HANDLE_EX_PIN))
        {
            LdrpReference(module, (Flags & LDR_GET_DLL_HANDLE_EX_PIN) != 0);
        }
        if (Base != NULL)
        {
            *Base = module->Entry.DllBase;
        }
    }
    else if (Base != NULL)
    {
        *Base = NULL;
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

/** Finds a loaded DLL by name, without a reference. */
NTSTATUS NTAPI LdrGetDllHandle(PCWSTR SearchPath, PULONG Characteristics, PUNICODE_STRING Name, PVOID *Base)
{
    return LdrGetDllHandleEx(LDR_GET_DLL_HANDLE_EX_UNCHANGED_REFCOUNT, SearchPath, Characteristics, Name, Base);
}

/** Adds a reference to a loaded DLL, or pins it (LDR_ADDREF_DLL_PIN). */
NTSTATUS NTAPI LdrAddRefDll(ULONG Flags, PVOID Base)
{
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = LdrpFindModuleByBase(Base);
    if (module != NULL)
    {
        LdrpReference(module, (Flags & LDR_ADDREF_DLL_PIN) != 0);
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return module != NULL ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

/* Initialises the modules that were loaded behind Last, or takes them down again if Status says so. */
static NTSTATUS LdrpStartNew(PLIST_ENTRY Last, NTSTATUS Status)
{
    PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
    PVOID reserved = LdrpStaticReserved;
    LdrpStaticReserved = NULL;
    for (PLIST_ENTRY entry = Last->Flink; entry != head && NT_SUCCESS(Status); entry = entry->Flink)
    {
        Status = LdrpAttach(LdrpFromLoadLinks(entry));
    }
    LdrpStaticReserved = reserved;
    if (!NT_SUCCESS(Status))
    {
        LdrpCollect();
    }
    return Status;
}

/**
 * Finds an export, following forwarders; a DLL that a forwarder names is loaded and initialised.
 *
 * @param Name     NULL or empty: by Ordinal
 */
NTSTATUS NTAPI LdrGetProcedureAddress(PVOID Base, PANSI_STRING Name, ULONG Ordinal, PVOID *Address)
{
    CHAR buffer[256];
    PSTR name = NULL;
    NTSTATUS status = STATUS_DLL_NOT_FOUND;

    *Address = NULL;
    if (Name != NULL && Name->Length != 0)
    {
        name = Name->Length < sizeof(buffer) ? buffer : RtlpAllocate((SIZE_T)Name->Length + 1);
        if (name == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        memcpy(name, Name->Buffer, Name->Length);
        name[Name->Length] = 0;
    }
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = LdrpFindModuleByBase(Base);
    if (module != NULL)
    {
        /* What a forwarder brings in lies behind the present end of the list. */
        PLIST_ENTRY head = &LdrpData.InLoadOrderModuleList;
        PLIST_ENTRY last = head->Blink;
        status = LdrpResolve(module, name, Ordinal, NULL, NULL, Address);
        if (head->Blink != last)
        {
            status = LdrpStartNew(last, status);
        }
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    if (name != NULL && name != buffer)
    {
        RtlpFree(name);
    }
    return status;
}

/** The loader's entry for the module that covers an address; valid while the loader lock or a reference is held. */
NTSTATUS NTAPI LdrFindEntryForAddress(PVOID Address, PLDR_DATA_TABLE_ENTRY *Entry)
{
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = LdrpFindModuleByAddress(Address);
    *Entry = module != NULL ? &module->Entry : NULL;
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return module != NULL ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES;
}

/** Spares a DLL the calls for threads. STATUS_DLL_NOT_FOUND; a DLL with static TLS needs them: nothing changes. */
NTSTATUS NTAPI LdrDisableThreadCalloutsForDll(PVOID Base)
{
    NTSTATUS status = STATUS_DLL_NOT_FOUND;
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = LdrpFindModuleByBase(Base);
    if (module != NULL)
    {
        status = STATUS_SUCCESS;
        if (module->Tls == NULL)
        {
            module->Entry.Flags |= LDRP_DONT_CALL_FOR_THREADS;
        }
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

/**
 * Copies the full path of a module (NULL = the program) with a final zero.
 *
 * @return STATUS_BUFFER_TOO_SMALL with Name->Length = bytes needed without the zero
 */
NTSTATUS NTAPI LdrGetDllFullName(PVOID Base, PUNICODE_STRING Name)
{
    NTSTATUS status = STATUS_DLL_NOT_FOUND;
    RtlEnterCriticalSection(&LdrpLoaderLock);
    PLDRP_MODULE module = Base != NULL ? LdrpFindModuleByBase(Base) : LdrpImageModule;
    if (module != NULL)
    {
        PUNICODE_STRING full = &module->Entry.FullDllName;
        status = STATUS_BUFFER_TOO_SMALL;
        SIZE_T room = Name->MaximumLength;
        SIZE_T part = full->Length + sizeof(WCHAR) <= room ? full->Length
                      : room >= sizeof(WCHAR)              ? room - sizeof(WCHAR)
                                                           : 0;
        part &= ~(SIZE_T)1;
        if (room >= sizeof(WCHAR))
        {
            memcpy(Name->Buffer, full->Buffer, part);
            Name->Buffer[part / sizeof(WCHAR)] = 0;
        }
        if (part == full->Length)
        {
            status = STATUS_SUCCESS;
        }
        Name->Length = full->Length;
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

NTSTATUS NTAPI LdrLockLoaderLock(ULONG Flags, PULONG Disposition, PULONG_PTR Cookie)
{
    if (Flags & ~3u)
    {
        return STATUS_INVALID_PARAMETER_1;
    }
    *Cookie = 0;
    if (Flags & 2)
    {
        if (Disposition == NULL)
        {
            return STATUS_INVALID_PARAMETER_2;
        }
        *Disposition = RtlTryEnterCriticalSection(&LdrpLoaderLock) ? 1 : 2;
        *Cookie = *Disposition == 1;
        return STATUS_SUCCESS;
    }
    RtlEnterCriticalSection(&LdrpLoaderLock);
    if (Disposition != NULL)
    {
        *Disposition = 1;
    }
    *Cookie = 1;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI LdrUnlockLoaderLock(ULONG Flags, ULONG_PTR Cookie)
{
    UNREFERENCED_PARAMETER(Flags);
    return Cookie != 0 ? RtlLeaveCriticalSection(&LdrpLoaderLock) : STATUS_SUCCESS;
}
