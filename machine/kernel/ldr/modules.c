/* SPDX-License-Identifier: MIT */
/*
 * The list of modules, and everything that asks "whose address is this": unwinding, blue screens, accounting.
 *
 * Look-ups run at any IRQL and on a dying machine, so they take no lock. A record's fields are written while its state
 * is Free or Loading, and published by the state's release store; records are never freed, only reused long after.
 */
#include "hal.h"
#include "ldrp.h"
#include "vf.h"
#include "rtl.h"
#include "rtl/sehhooks.h"

LDR_MODULE LdrpModules[LDR_MAX_MODULES]; /* [0] is the kernel */
static volatile LONG64 LdrpSequence;

VOID LdrInitialize(const BOOT_BLOCK *Block)
{
    LDR_MODULE *kernel = &LdrpModules[0];
    PE_IMAGE image;

    kernel->Base = (PVOID)Block->KernelBase;
    kernel->Size = (ULONG)Block->KernelSize;
    RtlCopyMemory(kernel->Name, L"ntoskrnl.exe", sizeof(L"ntoskrnl.exe"));
    if (PeOpenMapped(&image, kernel->Base, kernel->Size) != PeOk)
    {
        KeBugCheckEx(PHASE0_INITIALIZATION_FAILED, Block->KernelBase, Block->KernelSize, 0, 0);
    }
    kernel->EntryPoint = (PUCHAR)kernel->Base + image.EntryPoint;
    WriteRelease(&kernel->State, LdrModuleLoaded);
}

LDR_MODULE *LdrpKernelModule(VOID)
{
    return &LdrpModules[0];
}

/**
 * Takes a free record, or else the one unloaded longest ago. The caller serialises and publishes.
 */
LDR_MODULE *LdrpAllocateModule(PCUNICODE_STRING Name)
{
    LDR_MODULE *best = NULL;
    USHORT length;

    for (ULONG i = 1; i < LDR_MAX_MODULES; i++)
    {
        LDR_MODULE *module = &LdrpModules[i];
        if (module->State == LdrModuleFree)
        {
            best = module;
            break;
        }
        if (module->State == LdrModuleUnloaded && (best == NULL || module->Sequence < best->Sequence))
        {
            best = module;
        }
    }
    if (best == NULL)
    {
        return NULL;
    }
    WriteRelease(&best->State, LdrModuleLoading);
    best->References = 0;
    best->Sequence = InterlockedIncrement64(&LdrpSequence);
    length = min(Name->Length, (USHORT)((LDR_NAME_LENGTH - 1) * sizeof(WCHAR)));
    RtlZeroMemory(best->Name, sizeof(best->Name));
    RtlCopyMemory(best->Name, Name->Buffer, length);
    return best;
}

LDR_MODULE *LdrpFindModuleByName(PCUNICODE_STRING Name)
{
    for (ULONG i = 0; i < LDR_MAX_MODULES; i++)
    {
        UNICODE_STRING name;
        if (ReadAcquire(&LdrpModules[i].State) != LdrModuleLoaded)
        {
            continue;
        }
        RtlInitUnicodeString(&name, LdrpModules[i].Name);
        if (RtlEqualUnicodeString(&name, Name, TRUE))
        {
            return &LdrpModules[i];
        }
    }
    return NULL;
}

static BOOLEAN LdrpCovers(const LDR_MODULE *Module, PVOID Address)
{
    return (ULONG_PTR)Address - (ULONG_PTR)Module->Base < Module->Size;
}

const LDR_MODULE *LdrFindModule(PVOID Address, BOOLEAN *Unloaded)
{
    const LDR_MODULE *found = NULL;

    if (!MmIsSystemAddress(Address))
    {
        return NULL;
    }
    for (ULONG i = 0; i < LDR_MAX_MODULES; i++)
    {
        const LDR_MODULE *module = &LdrpModules[i];
        LONG state = ReadAcquire(&module->State);
        if ((state == LdrModuleLoaded || state == LdrModuleLoading || state == LdrModuleUnloaded) && LdrpCovers(module, Address))
        {
            found = module;
            if (Unloaded != NULL)
            {
                *Unloaded = state == LdrModuleUnloaded;
            }
            if (state != LdrModuleUnloaded)
            {
                break; /* a live one wins over a dead one that had the same range before */
            }
        }
    }
    return found;
}

BOOLEAN LdrIsKernelAddress(PVOID Address)
{
    return LdrpCovers(&LdrpModules[0], Address);
}

const LDR_MODULE *LdrNextModule(LONG *Index)
{
    while (++*Index < LDR_MAX_MODULES)
    {
        if (ReadAcquire(&LdrpModules[*Index].State) == LdrModuleLoaded)
        {
            return &LdrpModules[*Index];
        }
    }
    return NULL;
}

VOID LdrReportModules(VOID)
{
    for (ULONG i = 0; i < LDR_MAX_MODULES; i++)
    {
        const LDR_MODULE *module = &LdrpModules[i];
        LONG state = ReadAcquire(&module->State);

        if (state == LdrModuleLoaded || state == LdrModuleUnloaded)
        {
            HalPrint(HalStreamReport, "module %p %lx %s %ws\n", module->Base, module->Size,
                     state == LdrModuleUnloaded ? "unloaded" : "loaded", module->Name);
        }
    }
}

PCSTR LdrFormatAddress(PVOID Address, PCHAR Buffer, SIZE_T Size)
{
    BOOLEAN unloaded = FALSE;
    const LDR_MODULE *module = LdrFindModule(Address, &unloaded);

    if (module == NULL)
    {
        _snprintf(Buffer, Size, "%p", Address);
    }
    else
    {
        _snprintf(Buffer, Size, "%s%ws+0x%lx", unloaded ? "unloaded " : "", module->Name,
                  (ULONG)((ULONG_PTR)Address - (ULONG_PTR)module->Base));
    }
    Buffer[Size - 1] = 0;
    return Buffer;
}

PCSTR LdrKernelExportName(PVOID Address)
{
    const LDR_MODULE *kernel = &LdrpModules[0];
    PUCHAR base = kernel->Base;
    ULONG rva = (ULONG)((PUCHAR)Address - base);
    PIMAGE_NT_HEADERS64 headers = (PIMAGE_NT_HEADERS64)(base + ((PIMAGE_DOS_HEADER)base)->e_lfanew);
    PIMAGE_EXPORT_DIRECTORY exports =
        (PIMAGE_EXPORT_DIRECTORY)(base + headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT].VirtualAddress);
    PULONG functions = (PULONG)(base + exports->AddressOfFunctions);
    PULONG names = (PULONG)(base + exports->AddressOfNames);
    PUSHORT ordinals = (PUSHORT)(base + exports->AddressOfNameOrdinals);

    for (ULONG i = 0; i < exports->NumberOfNames; i++)
    {
        if (functions[ordinals[i]] == rva)
        {
            return (PCSTR)(base + names[i]);
        }
    }
    return NULL;
}

/* RTL's question while unwinding; kernel addresses only. */
BOOLEAN RtlpFindImage(PVOID Pc, PVOID *Base, PULONG Size)
{
    BOOLEAN unloaded = FALSE;
    const LDR_MODULE *module = LdrFindModule(Pc, &unloaded);

    if (module == NULL || unloaded)
    {
        return FALSE;
    }
    *Base = module->Base;
    *Size = module->Size;
    return TRUE;
}

PVOID LdrpFindExport(const LDR_MODULE *Module, PCSTR Name, ULONG Ordinal)
{
    PE_IMAGE image;
    PE_EXPORT found;

    if (PeOpenMapped(&image, Module->Base, Module->Size) != PeOk ||
        (Name != NULL ? PeFindExport(&image, Name, &found) : PeFindExportByOrdinal(&image, Ordinal, &found)) != PeOk ||
        found.Forwarder != NULL)
    {
        return NULL;
    }
    return (PUCHAR)Module->Base + found.Rva;
}

/**
 * Finds a routine of the kernel or the HAL (both are this image) by name.
 *
 * @param SystemRoutineName  the export's name; ASCII characters only can match
 * @return its address, or NULL if the machine does not have it
 * IRQL PASSIVE_LEVEL.
 */
PVOID NTAPI MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
    CHAR name[128];
    USHORT count = SystemRoutineName->Length / sizeof(WCHAR);
    PVOID routine;

    if (count == 0 || count >= sizeof(name))
    {
        return NULL;
    }
    for (USHORT i = 0; i < count; i++)
    {
        if (SystemRoutineName->Buffer[i] > 0x7E)
        {
            return NULL;
        }
        name[i] = (CHAR)SystemRoutineName->Buffer[i];
    }
    name[count] = 0;
    routine = LdrpFindExport(LdrpKernelModule(), name, 0);
    return routine != NULL ? VfHookFor(name, routine) : NULL;
}
