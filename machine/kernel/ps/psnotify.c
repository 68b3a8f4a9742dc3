/* SPDX-License-Identifier: MIT */
/*
 * Notify routines of drivers: processes, threads, images.
 *
 * A routine is protected while it runs; whoever removes it waits until no call is under way. Routines are called at
 * PASSIVE_LEVEL inside a critical region, as on NT.
 */
#include "psp.h"
#include "ldr.h"

#define PSP_MAX_NOTIFY 64

typedef enum _PSP_SLOT_STATE { PspSlotFree, PspSlotActive, PspSlotLeaving } PSP_SLOT_STATE;

typedef struct _PSP_SLOT
{
    PSP_SLOT_STATE State;          /* under PspNotifyLock */
    PVOID Routine;
    BOOLEAN Extended;              /* a PCREATE_PROCESS_NOTIFY_ROUTINE_EX */
    EX_RUNDOWN_REF Rundown;
} PSP_SLOT;

static PSP_SLOT PspProcessSlots[PSP_MAX_NOTIFY], PspThreadSlots[PSP_MAX_NOTIFY], PspImageSlots[PSP_MAX_NOTIFY];
static volatile LONG PspProcessCount, PspThreadCount, PspImageCount;
static FAST_MUTEX PspNotifyLock;

VOID PspInitializeNotify(VOID)
{
    ExInitializeFastMutex(&PspNotifyLock);
}

/** Notify routines registered now. Any IRQL. */
ULONG PsQueryNotifyRoutineCount(VOID)
{
    return (ULONG)(PspProcessCount + PspThreadCount + PspImageCount);
}

/* ---- slots ---- */

static NTSTATUS PspAddRoutine(PSP_SLOT *Slots, volatile LONG *Count, PVOID Routine, BOOLEAN Extended)
{
    NTSTATUS status = STATUS_INVALID_PARAMETER; /* as NT when the array is full */

    if (!VfGranted(VfRequestCallback)) /* NT allocates a block for each registration; this table is static */
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExAcquireFastMutex(&PspNotifyLock);
    for (ULONG i = 0; i < PSP_MAX_NOTIFY; i++)
    {
        if (Slots[i].State == PspSlotFree)
        {
            Slots[i].Routine = Routine;
            Slots[i].Extended = Extended;
            ExInitializeRundownProtection(&Slots[i].Rundown);
            Slots[i].State = PspSlotActive;
            InterlockedIncrement(Count);
            status = STATUS_SUCCESS;
            break;
        }
    }
    ExReleaseFastMutex(&PspNotifyLock);
    return status;
}

static NTSTATUS PspRemoveRoutine(PSP_SLOT *Slots, volatile LONG *Count, PVOID Routine, BOOLEAN Extended)
{
    PSP_SLOT *found = NULL;
    ExAcquireFastMutex(&PspNotifyLock);
    for (ULONG i = 0; i < PSP_MAX_NOTIFY && found == NULL; i++)
    {
        if (Slots[i].State == PspSlotActive && Slots[i].Routine == Routine && Slots[i].Extended == Extended)
        {
            found = &Slots[i];
            found->State = PspSlotLeaving;
        }
    }
    ExReleaseFastMutex(&PspNotifyLock);
    if (found == NULL)
    {
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    ExWaitForRundownProtectionRelease(&found->Rundown);
    ExAcquireFastMutex(&PspNotifyLock);
    found->Routine = NULL;
    found->State = PspSlotFree;
    InterlockedDecrement(Count);
    ExReleaseFastMutex(&PspNotifyLock);
    return STATUS_SUCCESS;
}

/* Protects slot Index if a routine is there. Release with ExReleaseRundownProtection. */
static BOOLEAN PspEnterSlot(PSP_SLOT *Slots, ULONG Index, PVOID *Routine, PBOOLEAN Extended)
{
    PSP_SLOT *slot = &Slots[Index];
    BOOLEAN entered = FALSE;
    if (slot->State != PspSlotActive)
    {
        return FALSE;
    }
    ExAcquireFastMutex(&PspNotifyLock);
    if (slot->State == PspSlotActive && ExAcquireRundownProtection(&slot->Rundown))
    {
        *Routine = slot->Routine;
        *Extended = slot->Extended;
        entered = TRUE;
    }
    ExReleaseFastMutex(&PspNotifyLock);
    return entered;
}

/* ---- who may register ---- */

#ifndef IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
#define IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY 0x0080
#endif

BOOLEAN PsIsIntegrityImage(_In_ PVOID Routine)
{
    const LDR_MODULE *module = LdrFindModule(Routine, NULL);
    if (LdrIsKernelAddress(Routine))
    {
        return TRUE;
    }
    if (module == NULL)
    {
        return FALSE;
    }
    PIMAGE_DOS_HEADER dos = module->Base;
    PIMAGE_NT_HEADERS64 headers = (PIMAGE_NT_HEADERS64)((PUCHAR)module->Base + dos->e_lfanew);
    return (headers->OptionalHeader.DllCharacteristics & IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY) != 0;
}

/* ---- registration ---- */

static NTSTATUS PspSetProcessRoutine(PVOID Routine, BOOLEAN Remove, BOOLEAN Extended)
{
    if (Remove)
    {
        return PspRemoveRoutine(PspProcessSlots, &PspProcessCount, Routine, Extended);
    }
    if (Extended && !PsIsIntegrityImage(Routine))
    {
        return STATUS_ACCESS_DENIED;
    }
    return PspAddRoutine(PspProcessSlots, &PspProcessCount, Routine, Extended);
}

/**
 * Adds or removes a routine that is called when a process begins (in its creator's context) and ends (in its last
 * thread's, handles and address space intact).
 *
 * @return STATUS_INVALID_PARAMETER (64 are registered), STATUS_PROCEDURE_NOT_FOUND (not registered). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI PsSetCreateProcessNotifyRoutine(_In_ PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, _In_ BOOLEAN Remove)
{
    return PspSetProcessRoutine((PVOID)NotifyRoutine, Remove, FALSE);
}

/**
 * The same with more information, and a veto: a failure in CreationStatus refuses the process.
 *
 * @return also STATUS_ACCESS_DENIED: the driver is not linked with /INTEGRITYCHECK. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx(_In_ PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine,
                                                 _In_ BOOLEAN Remove)
{
    return PspSetProcessRoutine((PVOID)NotifyRoutine, Remove, TRUE);
}

/**
 * PsSetCreateProcessNotifyRoutineEx; the only type is 0 (PsCreateProcessNotifySubsystems). There are no subsystem
 * processes.
 */
NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx2(_In_ ULONG NotifyType, _In_ PVOID NotifyInformation,
                                                  _In_ BOOLEAN Remove)
{
    if (NotifyType != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return PspSetProcessRoutine(NotifyInformation, Remove, TRUE);
}

/** Adds a routine called when a thread begins (in its creator's context) and ends (in its own). PASSIVE_LEVEL. */
NTSTATUS NTAPI PsSetCreateThreadNotifyRoutine(_In_ PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    NTSTATUS status = PspAddRoutine(PspThreadSlots, &PspThreadCount, (PVOID)NotifyRoutine, FALSE);
    return status == STATUS_INVALID_PARAMETER ? STATUS_INSUFFICIENT_RESOURCES : status;
}

/** Removes it; returns when no call of it is under way. STATUS_PROCEDURE_NOT_FOUND. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsRemoveCreateThreadNotifyRoutine(_In_ PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRemoveRoutine(PspThreadSlots, &PspThreadCount, (PVOID)NotifyRoutine, FALSE);
}

/** Adds a routine called when an image has been mapped, before it runs. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsSetLoadImageNotifyRoutine(_In_ PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    NTSTATUS status = PspAddRoutine(PspImageSlots, &PspImageCount, (PVOID)NotifyRoutine, FALSE);
    return status == STATUS_INVALID_PARAMETER ? STATUS_INSUFFICIENT_RESOURCES : status;
}

/** The same; PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE changes nothing: all images are of this architecture.
 * PASSIVE_LEVEL. */
NTSTATUS NTAPI PsSetLoadImageNotifyRoutineEx(_In_ PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, _In_ ULONG_PTR Flags)
{
    const ULONG_PTR conflictingArchitecture = 1;
    return (Flags & ~conflictingArchitecture) != 0 ? STATUS_INVALID_PARAMETER_2
                                                   : PsSetLoadImageNotifyRoutine(NotifyRoutine);
}

/** Removes it; returns when no call of it is under way. STATUS_PROCEDURE_NOT_FOUND. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsRemoveLoadImageNotifyRoutine(_In_ PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRemoveRoutine(PspImageSlots, &PspImageCount, (PVOID)NotifyRoutine, FALSE);
}

/* ---- calls ---- */

VOID PspCallProcessCreateNotify(PEPROCESS Process, PPS_CREATE_NOTIFY_INFO Info)
{
    PVOID routine;
    BOOLEAN extended;
    InterlockedOr(&Process->Flags, PSP_PROCESS_NOTIFIED);
    if (PspProcessCount == 0)
    {
        return;
    }
    KeEnterCriticalRegion();
    for (ULONG i = 0; i < PSP_MAX_NOTIFY; i++)
    {
        if (!PspEnterSlot(PspProcessSlots, i, &routine, &extended))
        {
            continue;
        }
        if (extended)
        {
            ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)routine)(Process, Process->UniqueProcessId, Info);
        }
        else
        {
            ((PCREATE_PROCESS_NOTIFY_ROUTINE)routine)(Process->InheritedFromUniqueProcessId, Process->UniqueProcessId,
                                                      TRUE);
        }
        ExReleaseRundownProtection(&PspProcessSlots[i].Rundown);
    }
    KeLeaveCriticalRegion();
}

VOID PspCallProcessExitNotify(PEPROCESS Process)
{
    PVOID routine;
    BOOLEAN extended;
    if ((Process->Flags & PSP_PROCESS_NOTIFIED) == 0 || PspProcessCount == 0)
    {
        return;
    }
    KeEnterCriticalRegion();
    for (ULONG i = 0; i < PSP_MAX_NOTIFY; i++)
    {
        if (!PspEnterSlot(PspProcessSlots, i, &routine, &extended))
        {
            continue;
        }
        if (extended)
        {
            ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)routine)(Process, Process->UniqueProcessId, NULL);
        }
        else
        {
            ((PCREATE_PROCESS_NOTIFY_ROUTINE)routine)(Process->InheritedFromUniqueProcessId, Process->UniqueProcessId,
                                                      FALSE);
        }
        ExReleaseRundownProtection(&PspProcessSlots[i].Rundown);
    }
    KeLeaveCriticalRegion();
}

VOID PspCallThreadNotify(PETHREAD Thread, BOOLEAN Create)
{
    PVOID routine;
    BOOLEAN extended;
    if (Create)
    {
        InterlockedOr(&Thread->Flags, PSP_THREAD_NOTIFIED);
    }
    if (PspThreadCount == 0 || (Thread->Flags & PSP_THREAD_NOTIFIED) == 0)
    {
        return;
    }
    KeEnterCriticalRegion();
    for (ULONG i = 0; i < PSP_MAX_NOTIFY; i++)
    {
        if (PspEnterSlot(PspThreadSlots, i, &routine, &extended))
        {
            ((PCREATE_THREAD_NOTIFY_ROUTINE)routine)(Thread->Cid.UniqueProcess, Thread->Cid.UniqueThread, Create);
            ExReleaseRundownProtection(&PspThreadSlots[i].Rundown);
        }
    }
    KeLeaveCriticalRegion();
}

VOID PsCallImageNotifyRoutines(_In_ PCUNICODE_STRING FullImageName, _In_ HANDLE ProcessId, _In_ PVOID Base,
                               _In_ SIZE_T Size, _In_opt_ PFILE_OBJECT File, _In_ BOOLEAN SystemImage)
{
    PVOID routine;
    BOOLEAN extended;
    if (PspImageCount == 0)
    {
        return;
    }
    IMAGE_INFO_EX info = {.Size = sizeof(info), .FileObject = File};
    info.ImageInfo.ImageAddressingMode = IMAGE_ADDRESSING_MODE_32BIT;
    info.ImageInfo.SystemModeImage = SystemImage;
    info.ImageInfo.ExtendedInfoPresent = TRUE;
    info.ImageInfo.ImageBase = Base;
    info.ImageInfo.ImageSize = Size;
    KeEnterCriticalRegion();
    for (ULONG i = 0; i < PSP_MAX_NOTIFY; i++)
    {
        if (PspEnterSlot(PspImageSlots, i, &routine, &extended))
        {
            ((PLOAD_IMAGE_NOTIFY_ROUTINE)routine)((PUNICODE_STRING)FullImageName, ProcessId, &info.ImageInfo);
            ExReleaseRundownProtection(&PspImageSlots[i].Rundown);
        }
    }
    KeLeaveCriticalRegion();
}

VOID PsReportMappedImage(_In_ PEPROCESS Process, _In_opt_ PFILE_OBJECT File, _In_ PVOID Base, _In_ SIZE_T Size)
{
    const ULONG room = sizeof(OBJECT_NAME_INFORMATION) + 0x800;
    UNICODE_STRING none = {0};
    ULONG needed;
    if (PspImageCount == 0 || Process != PsGetCurrentProcess())
    {
        return;
    }
    POBJECT_NAME_INFORMATION name = File == NULL ? NULL : ExAllocatePoolWithTag(PagedPool, room, PSP_TAG_MISC);
    BOOLEAN named = name != NULL && NT_SUCCESS(ObQueryNameString(File, name, room, &needed));
    PsCallImageNotifyRoutines(named ? &name->Name : &none, Process->UniqueProcessId, Base, Size, File, FALSE);
    if (name != NULL)
    {
        ExFreePoolWithTag(name, PSP_TAG_MISC);
    }
}

/* The program and ntdll, which were mapped before the process had a thread to say so: in its first thread, before user
   mode. */
VOID PspReportFirstImages(PEPROCESS Process)
{
    UNICODE_STRING ntdll = RTL_CONSTANT_STRING(L"\\SystemRoot\\System32\\ntdll.dll");
    MM_IMAGE_INFORMATION image;
    if (PspImageCount == 0)
    {
        return;
    }
    MmGetImageInformation(Process->SectionObject, &image);
    PsReportMappedImage(Process, Process->ImageFile, Process->SectionBaseAddress, image.Size);
    MmGetImageInformation(PspNtdllSection, &image);
    PsCallImageNotifyRoutines(&ntdll, Process->UniqueProcessId, Process->NtdllBase, image.Size, NULL, FALSE);
}
