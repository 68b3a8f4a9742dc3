/* SPDX-License-Identifier: MIT */
/*
 * Imports and forwarders. An import that can't be met is reported by name, on one line:
 *
 *   <image>: imports <dll>!<name>, which the machine does not have
 */
#include "ntdllp.h"

#define FORWARDER_DEPTH 16u

static BOOLEAN LdrpWiden(PCSTR Text, SIZE_T Length, PWCHAR Buffer, SIZE_T Characters, PUNICODE_STRING String)
{
    if (Length == 0 || Length >= Characters)
    {
        return FALSE;
    }
    for (SIZE_T i = 0; i < Length; i++)
    {
        Buffer[i] = (UCHAR)Text[i];
    }
    Buffer[Length] = 0;
    String->Buffer = Buffer;
    String->Length = (USHORT)(Length * sizeof(WCHAR));
    String->MaximumLength = String->Length + sizeof(WCHAR);
    return TRUE;
}

static SIZE_T LdrpTextLength(PCSTR Text)
{
    SIZE_T length = 0;
    while (Text[length] != 0)
    {
        length++;
    }
    return length;
}

/* Splits "DLL.Name" or "DLL.#Ordinal" at its last dot and loads the DLL. */
static NTSTATUS LdrpFollow(PLDRP_MODULE From, PCSTR Forwarder, PCWSTR SearchPath, PLDRP_MODULE *To, PCSTR *Name,
                           PULONG Ordinal)
{
    WCHAR buffer[128];
    UNICODE_STRING dll;
    SIZE_T length = LdrpTextLength(Forwarder);
    SIZE_T dot = length;
    while (dot > 0 && Forwarder[dot - 1] != '.')
    {
        dot--;
    }
    if (dot < 2 || dot == length || dot - 1 > ARRAYSIZE(buffer) - 6 ||
        !LdrpWiden(Forwarder, dot - 1, buffer, ARRAYSIZE(buffer), &dll))
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    /* The part before the last dot is a name without extension, also if it has dots of its own. */
    memcpy(buffer + dot - 1, L".dll", 5 * sizeof(WCHAR));
    dll.Length += 4 * sizeof(WCHAR);
    dll.MaximumLength += 4 * sizeof(WCHAR);

    *Name = Forwarder + dot;
    *Ordinal = 0;
    if (Forwarder[dot] == '#')
    {
        for (SIZE_T i = dot + 1; i < length; i++)
        {
            if (Forwarder[i] < '0' || Forwarder[i] > '9' || *Ordinal > 0xFFFF)
            {
                return STATUS_INVALID_IMAGE_FORMAT;
            }
            *Ordinal = *Ordinal * 10 + (ULONG)(Forwarder[i] - '0');
        }
        *Name = NULL;
    }
    NTSTATUS status = LdrpLoadModule(SearchPath, &dll, To);
    return NT_SUCCESS(status) ? LdrpAddEdge(From, *To) : status;
}

/**
 * Finds an export and follows forwarders, also to DLLs that are not loaded yet.
 *
 * @param Name      NULL: by Ordinal
 * @param Importer  depends on every DLL on the way from now on; NULL if nobody keeps the address
 * @return STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND, or why a DLL on the way can't be loaded
 */
NTSTATUS LdrpResolve(PLDRP_MODULE Exporter, PCSTR Name, ULONG Ordinal, PLDRP_MODULE Importer, PCWSTR SearchPath,
                     PVOID *Address)
{
    for (ULONG depth = 0; depth < FORWARDER_DEPTH; depth++)
    {
        PCSTR forwarder;
        NTSTATUS status = LdrpFindExport(Exporter, Name, Ordinal, Address, &forwarder);
        if (!NT_SUCCESS(status) || forwarder == NULL)
        {
            return status;
        }
        status = LdrpFollow(Exporter, forwarder, SearchPath, &Exporter, &Name, &Ordinal);
        if (NT_SUCCESS(status) && Importer != NULL)
        {
            status = LdrpAddEdge(Importer, Exporter);
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    return STATUS_INVALID_IMAGE_FORMAT; /* a circle of forwarders */
}

static VOID LdrpReportImport(PLDRP_MODULE Module, PCSTR Dll, const PE_IMPORT *Import, NTSTATUS Status)
{
    PUNICODE_STRING who = &Module->Entry.BaseDllName;
    if (Status != STATUS_ENTRYPOINT_NOT_FOUND && Status != STATUS_ORDINAL_NOT_FOUND)
    {
        RtlpReportFor(who, L"import from %hs failed with status 0x%08X", Dll, Status);
    }
    else if (Import->Name != NULL)
    {
        RtlpReportFor(who, L"imports %hs!%hs, which the machine does not have", Dll, Import->Name);
    }
    else
    {
        RtlpReportFor(who, L"imports %hs!#%u, which the machine does not have", Dll, Import->Ordinal);
    }
}

static VOID LdrpReportDll(PLDRP_MODULE Module, PCSTR Dll, NTSTATUS Status)
{
    PUNICODE_STRING who = &Module->Entry.BaseDllName;
    if (Status == STATUS_DLL_NOT_FOUND)
    {
        RtlpReportFor(who, L"imports %hs, which the machine does not have", Dll);
    }
    else if (Status == STATUS_INVALID_IMAGE_FORMAT)
    {
        RtlpReportFor(who, L"imports %hs, which is not a usable image", Dll);
    }
    else if (Status != STATUS_ENTRYPOINT_NOT_FOUND && Status != STATUS_ORDINAL_NOT_FOUND)
    {
        RtlpReportFor(who, L"imports %hs, which can't be loaded: status 0x%08X", Dll, Status);
    }
    /* else the DLL's own import was reported where it is missing */
}

/* Fills the address table for one imported DLL. */
static NTSTATUS LdrpSnapThunks(PLDRP_MODULE Module, PLDRP_MODULE Exporter, const PE_IMPORT_DLL *Dll,
                               PCWSTR SearchPath)
{
    PE_IMPORT import;
    PE_ERROR error = PeOk;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG count = 0;
    ULONG old = 0;
    PUCHAR base = Module->Entry.DllBase;

    while ((error = PeImport(&Module->Image, Dll, count, &import)) == PeOk)
    {
        count++;
    }
    if (error != PeEnd)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    if (count == 0)
    {
        return STATUS_SUCCESS;
    }
    BOOLEAN open = LdrpIsWritable(Module, Dll->AddressRva);
    PVOID table = base + Dll->AddressRva;
    SIZE_T size = (SIZE_T)count * sizeof(PVOID);
    if (!open)
    {
        status = LdrpMakeWritable(table, size, &old);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
    {
        PVOID address = NULL;
        if (PeImport(&Module->Image, Dll, i, &import) != PeOk)
        {
            status = STATUS_INVALID_IMAGE_FORMAT;
            break;
        }
        status = LdrpResolve(Exporter, import.Name, import.Ordinal, Module, SearchPath, &address);
        if (!NT_SUCCESS(status))
        {
            LdrpReportImport(Module, Dll->Name, &import, status);
            break;
        }
        memcpy(base + import.SlotRva, &address, sizeof(address));
    }
    if (!open)
    {
        LdrpRestoreProtection(table, size, old);
    }
    return status;
}

/**
 * Resolves the imports of a module, loading what it needs. Runs once per module; a circle of imports
 * comes back to a module that is at it already, whose exports can be used.
 */
NTSTATUS LdrpSnapModule(PLDRP_MODULE Module, PCWSTR SearchPath)
{
    PE_IMPORT_DLL dll;
    PE_ERROR error;

    if (Module->Snapped)
    {
        return STATUS_SUCCESS;
    }
    Module->Snapped = TRUE;
    for (ULONG i = 0; (error = PeImportDll(&Module->Image, i, &dll)) == PeOk; i++)
    {
        WCHAR buffer[260];
        UNICODE_STRING name;
        PLDRP_MODULE exporter = NULL;
        NTSTATUS status = STATUS_INVALID_IMAGE_FORMAT;
        if (LdrpWiden(dll.Name, LdrpTextLength(dll.Name), buffer, ARRAYSIZE(buffer), &name))
        {
            status = LdrpLoadModule(SearchPath, &name, &exporter);
        }
        if (!NT_SUCCESS(status))
        {
            LdrpReportDll(Module, dll.Name, status);
            return status;
        }
        status = LdrpAddEdge(Module, exporter);
        if (NT_SUCCESS(status))
        {
            status = LdrpSnapThunks(Module, exporter, &dll, SearchPath);
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    return error == PeEnd ? STATUS_SUCCESS : STATUS_INVALID_IMAGE_FORMAT;
}
