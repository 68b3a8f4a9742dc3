/* SPDX-License-Identifier: MIT */
/*
 * Binding a driver's imports. A routine that the machine does not have is refused by name, before any code of the
 * driver runs: all missing names are listed at once, so that one look tells how far a driver is from running.
 */
#include "hal.h"
#include "ldrp.h"
#include "rtl.h"
#include "vf.h"

/* Names under which drivers import what this kernel has in one image. */
static const PCSTR LdrpKernelAliases[] = {"ntoskrnl.exe", "hal.dll", "ntkrnlmp.exe", "ntkrnlpa.exe"};

static LDR_MODULE *LdrpFindProvider(PCSTR DllName)
{
    WCHAR wide[LDR_NAME_LENGTH];
    UNICODE_STRING name;
    USHORT i;

    for (i = 0; i < RTL_NUMBER_OF(LdrpKernelAliases); i++)
    {
        if (_stricmp(DllName, LdrpKernelAliases[i]) == 0)
        {
            return LdrpKernelModule();
        }
    }
    for (i = 0; i < LDR_NAME_LENGTH && DllName[i] != 0; i++)
    {
        wide[i] = (UCHAR)DllName[i];
    }
    name.Buffer = wide;
    name.Length = name.MaximumLength = i * sizeof(WCHAR);
    return LdrpFindModuleByName(&name);
}

static VOID LdrpReportMissing(const LDR_MODULE *Module, PCSTR Dll, const PE_IMPORT *Import, PULONG Missing)
{
    CHAR symbol[160];

    if (Import == NULL)
    {
        _snprintf(symbol, sizeof(symbol), "%s", Dll);
    }
    else if (Import->Name != NULL)
    {
        _snprintf(symbol, sizeof(symbol), "%s!%s", Dll, Import->Name);
    }
    else
    {
        _snprintf(symbol, sizeof(symbol), "%s!#%u", Dll, Import->Ordinal);
    }
    symbol[sizeof(symbol) - 1] = 0;
    HalPrint(HalStreamError, "%ws: imports %s, which the machine does not have\n", Module->Name, symbol);
    HalPrint(HalStreamReport, "missing %ws %s\n", Module->Name, symbol);
    (*Missing)++;
}

static NTSTATUS LdrpBindDll(LDR_MODULE *Module, const PE_IMAGE *Image, const PE_IMPORT_DLL *Dll, const LDR_MODULE *Provider,
                            PULONG Missing)
{
    PE_IMPORT import;
    PE_ERROR error;

    for (unsigned i = 0; (error = PeImport(Image, Dll, i, &import)) == PeOk; i++)
    {
        PVOID address = LdrpFindExport(Provider, import.Name, import.Ordinal);
        PVOID slot = PeAt(Image, import.SlotRva, sizeof(PVOID));

        if (slot == NULL)
        {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        if (address == NULL)
        {
            LdrpReportMissing(Module, Dll->Name, &import, Missing);
        }
        else
        {
            if (Provider == LdrpKernelModule() && import.Name != NULL)
            {
                address = VfHookFor(import.Name, address);
            }
            RtlCopyMemory(slot, &address, sizeof(address));
        }
    }
    return error == PeEnd ? STATUS_SUCCESS : STATUS_INVALID_IMAGE_FORMAT;
}

/**
 * Fills the import address table. On success each provider but the kernel holds one more reference per import
 * descriptor; LdrpReleaseImports gives them back.
 */
NTSTATUS LdrpBindImports(LDR_MODULE *Module, const PE_IMAGE *Image)
{
    NTSTATUS status = STATUS_SUCCESS;
    PE_IMPORT_DLL dll;
    PE_ERROR error;
    ULONG missingNames = 0;
    ULONG missingDlls = 0;

    for (unsigned i = 0; (error = PeImportDll(Image, i, &dll)) == PeOk; i++)
    {
        const LDR_MODULE *provider = LdrpFindProvider(dll.Name);
        if (provider == NULL)
        {
            LdrpReportMissing(Module, dll.Name, NULL, &missingDlls);
            continue;
        }
        status = LdrpBindDll(Module, Image, &dll, provider, &missingNames);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    if (error != PeEnd)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    if (missingDlls != 0)
    {
        return STATUS_DLL_NOT_FOUND;
    }
    if (missingNames != 0)
    {
        return STATUS_DRIVER_ENTRYPOINT_NOT_FOUND;
    }
    for (unsigned i = 0; PeImportDll(Image, i, &dll) == PeOk; i++)
    {
        InterlockedIncrement(&LdrpFindProvider(dll.Name)->References);
    }
    return STATUS_SUCCESS;
}

VOID LdrpReleaseImports(LDR_MODULE *Module, const PE_IMAGE *Image)
{
    PE_IMPORT_DLL dll;

    UNREFERENCED_PARAMETER(Module);
    for (unsigned i = 0; PeImportDll(Image, i, &dll) == PeOk; i++)
    {
        LDR_MODULE *provider = LdrpFindProvider(dll.Name);
        if (provider != NULL)
        {
            InterlockedDecrement(&provider->References);
        }
    }
}
