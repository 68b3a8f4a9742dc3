/* SPDX-License-Identifier: MIT */
/*
 * NtQueryVirtualMemory: what lies at an address, which file a view shows, what a page is made of.
 */
#include "mmp.h"

typedef enum _MI_MEMORY_CLASS
{
    MiMemoryBasicInformation = 0,
    MiMemoryMappedFilenameInformation = 2,
    MiMemoryWorkingSetExInformation = 4,
} MI_MEMORY_CLASS;

typedef struct _MI_BASIC_INFORMATION /* MEMORY_BASIC_INFORMATION */
{
    PVOID BaseAddress;
    PVOID AllocationBase;
    ULONG AllocationProtect;
    USHORT PartitionId;
    SIZE_T RegionSize;
    ULONG State;
    ULONG Protect;
    ULONG Type;
} MI_BASIC_INFORMATION;
C_ASSERT(sizeof(MI_BASIC_INFORMATION) == 0x30);

typedef struct _MI_WORKING_SET_EX
{
    PVOID VirtualAddress;
    union
    {
        ULONG64 Flags;
        struct
        {
            ULONG64 Valid : 1;
            ULONG64 ShareCount : 3;
            ULONG64 Win32Protection : 11;
            ULONG64 Shared : 1;
            ULONG64 Node : 6;
            ULONG64 Locked : 1;
            ULONG64 LargePage : 1;
            ULONG64 Rest : 40;
        };
    };
} MI_WORKING_SET_EX;
C_ASSERT(sizeof(MI_WORKING_SET_EX) == 16);

/* State and protection of one page, as one number to compare: 0 is reserved only. */
static ULONG MipDescribePage(PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry)
{
    ULONG protection = MiPageProtection(Vad, Page, Entry);

    return protection == MI_INVALID_PROTECTION ? 0 : MiWin32Protection(protection);
}

/* Where the run of equal pages that begins at Page ends (inside the VAD). */
static ULONG_PTR MipEndOfRun(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Page, ULONG State)
{
    ULONG_PTR at = Page;

    while (at <= Vad->End)
    {
        ULONG_PTR stop = min(Vad->End, at | 511);
        PMMPTE entry = MiUserPte(Process, at, FALSE);
        if (entry == NULL && Vad->Type != MiVadImage)
        {
            if (MipDescribePage(Vad, at, NULL) != State)
            {
                return at - 1;
            }
            at = stop + 1; /* without a page table all are alike */
            continue;
        }
        for (; at <= stop; at++)
        {
            if (MipDescribePage(Vad, at, entry) != State)
            {
                return at - 1;
            }
            entry = entry != NULL ? entry + 1 : NULL;
        }
    }
    return Vad->End;
}

static VOID MipQueryBasic(PEPROCESS Process, ULONG_PTR Page, MI_BASIC_INFORMATION *Information)
{
    static const ULONG types[] = {MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE, MEM_PRIVATE, MEM_PRIVATE};
    PMMVAD vad;

    RtlZeroMemory(Information, sizeof(*Information));
    Information->BaseAddress = MI_VA(Page);
    MiLockSpace(Process);
    vad = MiFindVadFrom(MiSpace(Process), Page);
    if (vad == NULL || vad->Start > Page)
    {
        ULONG_PTR end = vad != NULL ? vad->Start : MI_HIGHEST_USER_PAGE + 1;
        Information->RegionSize = (end - Page) << PAGE_SHIFT;
        Information->State = MEM_FREE;
        Information->Protect = PAGE_NOACCESS;
    }
    else
    {
        ULONG state = MipDescribePage(vad, Page, MiUserPte(Process, Page, FALSE));
        Information->AllocationBase = MI_VA(vad->Start);
        Information->AllocationProtect = MiWin32Protection(vad->Protection);
        Information->RegionSize = (MipEndOfRun(Process, vad, Page, state) - Page + 1) << PAGE_SHIFT;
        Information->State = state != 0 ? MEM_COMMIT : MEM_RESERVE;
        Information->Protect = state;
        Information->Type = types[vad->Type];
    }
    MiUnlockSpace(Process);
}

static NTSTATUS MipQueryName(PEPROCESS Process, ULONG_PTR Page, PVOID Buffer, SIZE_T Length, PSIZE_T Needed)
{
    PFILE_OBJECT file = NULL;
    ULONG needed = 0;
    NTSTATUS status;
    PVOID name;
    PMMVAD vad;

    MiLockSpace(Process);
    vad = MiFindVad(MiSpace(Process), Page);
    if (vad != NULL && vad->Area != NULL && vad->Area->File != NULL)
    {
        file = vad->Area->File;
        ObReferenceObject(file);
    }
    MiUnlockSpace(Process);
    if (file == NULL)
    {
        return vad == NULL ? STATUS_INVALID_ADDRESS : STATUS_FILE_INVALID;
    }
    Length = min(Length, 0x10000);
    name = ExAllocatePoolWithTag(PagedPool, max(Length, sizeof(UNICODE_STRING)), 'mNmM');
    status = name != NULL ? ObQueryNameString(file, name, (ULONG)Length, &needed) : STATUS_INSUFFICIENT_RESOURCES;
    ObDereferenceObject(file);
    *Needed = needed;
    if (NT_SUCCESS(status))
    {
        __try
        {
            PUNICODE_STRING from = name, to = Buffer;
            RtlCopyMemory(to + 1, from->Buffer, from->Length);
            ((PWCHAR)(to + 1))[from->Length / sizeof(WCHAR)] = 0;
            to->Length = from->Length;
            to->MaximumLength = from->Length + sizeof(WCHAR);
            to->Buffer = (PWCHAR)(to + 1);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (name != NULL)
    {
        ExFreePoolWithTag(name, 'mNmM');
    }
    return status;
}

static ULONG64 MipDescribeResident(PEPROCESS Process, PVOID Va)
{
    MI_WORKING_SET_EX answer = {0};
    PMMPTE entry;
    ULONG64 value;

    if ((ULONG_PTR)Va > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return 0;
    }
    MiLockWorkingSet(Process);
    entry = Process->Space.Dead ? NULL : MiUserPte(Process, MI_PAGE(Va), FALSE);
    value = entry != NULL ? *entry : 0;
    if (value & MI_PTE_VALID)
    {
        PFN_NUMBER pfn = MI_PTE_PFN(value);
        LONG64 counts = MiIsMemory(pfn) ? MiPfn(pfn)->Counts : 0;
        LONG sharers = MI_REFERENCES(counts) - MI_LOCKS(counts) - ((value & MI_PTE_SHARED) ? 1 : 0);
        answer.Valid = 1;
        answer.Win32Protection = MiWin32Protection(MiPteProtection(value));
        answer.Shared = (value & (MI_PTE_SHARED | MI_PTE_PHYSICAL)) != 0;
        answer.ShareCount = (ULONG64)max(0, min(sharers, 7));
        answer.Locked = MI_LOCKS(counts) != 0 || (value & MI_PTE_WS_LOCKED) != 0;
    }
    MiUnlockWorkingSet(Process);
    return answer.Flags;
}

static NTSTATUS MipQueryWorkingSet(PEPROCESS Process, MI_WORKING_SET_EX *Buffer, SIZE_T Length)
{
    for (SIZE_T i = 0; i < Length / sizeof(*Buffer); i++)
    {
        __try
        {
            PVOID va = *(volatile PVOID *)&Buffer[i].VirtualAddress;
            *(volatile ULONG64 *)&Buffer[i].Flags = MipDescribeResident(Process, va);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    return STATUS_SUCCESS;
}

static NTSTATUS MipReturnLength(PSIZE_T ReturnLength, SIZE_T Value)
{
    __try
    {
        if (ReturnLength != NULL)
        {
            *ReturnLength = Value;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
    }
    return STATUS_SUCCESS;
}

static NTSTATUS MipQueryBasicTo(PEPROCESS Process, PVOID Va, PVOID Buffer, PSIZE_T ReturnLength)
{
    MI_BASIC_INFORMATION information;

    if ((ULONG_PTR)Va > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_INVALID_PARAMETER;
    }
    MipQueryBasic(Process, MI_PAGE(Va), &information);
    __try
    {
        RtlCopyMemory(Buffer, &information, sizeof(information));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return MipReturnLength(ReturnLength, sizeof(information));
}

/**
 * Information about user memory: classes 0 (MemoryBasicInformation), 2 (name of the mapped file), 4 (working set, per
 * address). Others: STATUS_INVALID_INFO_CLASS.
 */
NTSTATUS NTAPI NtQueryVirtualMemory(_In_ HANDLE ProcessHandle, _In_opt_ PVOID BaseAddress,
                                    _In_ ULONG MemoryInformationClass,
                                    _Out_writes_bytes_(MemoryInformationLength) PVOID MemoryInformation,
                                    _In_ SIZE_T MemoryInformationLength, _Out_opt_ PSIZE_T ReturnLength)
{
    SIZE_T minimum, needed = 0;
    PEPROCESS process;
    NTSTATUS status;

    switch (MemoryInformationClass)
    {
    case MiMemoryBasicInformation:
        minimum = sizeof(MI_BASIC_INFORMATION);
        break;
    case MiMemoryMappedFilenameInformation:
        minimum = sizeof(UNICODE_STRING);
        break;
    case MiMemoryWorkingSetExInformation:
        minimum = sizeof(MI_WORKING_SET_EX);
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    if (MemoryInformationLength < minimum)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (ExGetPreviousMode() != KernelMode)
    {
        __try
        {
            ProbeForWrite(MemoryInformation, MemoryInformationLength, sizeof(ULONG_PTR));
            if (ReturnLength != NULL)
            {
                ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(SIZE_T));
            }
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_QUERY_INFORMATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    switch (MemoryInformationClass)
    {
    case MiMemoryBasicInformation:
        status = MipQueryBasicTo(process, BaseAddress, MemoryInformation, ReturnLength);
        break;
    case MiMemoryMappedFilenameInformation:
        status = (ULONG_PTR)BaseAddress > (ULONG_PTR)MM_HIGHEST_USER
                     ? STATUS_INVALID_PARAMETER
                     : MipQueryName(process, MI_PAGE(BaseAddress), MemoryInformation, MemoryInformationLength, &needed);
        (VOID)MipReturnLength(ReturnLength, needed);
        break;
    default:
        status = MipQueryWorkingSet(process, MemoryInformation, MemoryInformationLength);
        (VOID)MipReturnLength(ReturnLength, MemoryInformationLength);
        break;
    }
    ObDereferenceObject(process);
    return status;
}
