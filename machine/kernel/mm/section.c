/* SPDX-License-Identifier: MIT */
/*
 * Section objects and their views; the services.
 */
#include "mmp.h"

POBJECT_TYPE MmSectionObjectType;

static VOID MipDeleteSection(PVOID Object)
{
    MI_SECTION *section = Object;

    if (section->Area != NULL)
    {
        MiDereferenceArea(section->Area);
    }
}

VOID MiInitializeSections(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Section",
        .BodySize = sizeof(MI_SECTION),
        .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK,
        .ValidAccess = SECTION_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | SECTION_QUERY | SECTION_MAP_READ, STANDARD_RIGHTS_WRITE | SECTION_MAP_WRITE,
                    STANDARD_RIGHTS_EXECUTE | SECTION_MAP_EXECUTE, SECTION_ALL_ACCESS},
        .Methods = {.Delete = MipDeleteSection},
    };
    NTSTATUS status;

    MiInitializeAreas();
    status = ObCreateType(&definition, &MmSectionObjectType);
    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(PHASE1_INITIALIZATION_FAILED, (ULONG_PTR)status, 1, 0, 0);
    }
}

/* ---- creating ---- */

/* The bytes behind a new section. File may be NULL. */
static NTSTATUS MipCreateBacking(PFILE_OBJECT File, ULONG64 *Size, ULONG Protection, ULONG Attributes,
                                 MI_CONTROL_AREA **Area)
{
    ULONG base = Protection & MM_PROTECTION_BASE;

    if (Attributes & SEC_IMAGE)
    {
        NTSTATUS status = MiCreateImageArea(File, Area);
        if (NT_SUCCESS(status))
        {
            *Size = (*Area)->Image.Size;
        }
        return status;
    }
    if (File != NULL)
    {
        /* Writing through to a file would need what this machine does not have: a cache shared with its file system. */
        if (base == MM_READWRITE || base == MM_EXECUTE_READWRITE)
        {
            return STATUS_NOT_SUPPORTED;
        }
        return MiCreateFileArea(File, Size, Area);
    }
    if (*Size == 0)
    {
        return STATUS_INVALID_PARAMETER_4;
    }
    return MiCreateArea(MiAreaPageFile, BYTES_TO_PAGES(*Size), Area);
}

static NTSTATUS MipCheckCreate(ULONG Protection, ULONG Attributes, BOOLEAN HasFile)
{
    const ULONG known = SEC_COMMIT | SEC_RESERVE | SEC_IMAGE | SEC_NOCACHE | SEC_FILE | SEC_BASED | SEC_LARGE_PAGES;
    ULONG kind = Attributes & (SEC_COMMIT | SEC_RESERVE | SEC_IMAGE);

    if ((Attributes & ~known) != 0 || kind == 0 || (kind & (kind - 1)) != 0 || ((Attributes & SEC_IMAGE) && !HasFile))
    {
        return STATUS_INVALID_PARAMETER_6;
    }
    if (Attributes & (SEC_RESERVE | SEC_NOCACHE | SEC_BASED | SEC_LARGE_PAGES))
    {
        return STATUS_NOT_SUPPORTED;
    }
    if (Protection == MI_INVALID_PROTECTION || (Protection & ~MM_PROTECTION_BASE) != 0 || Protection == MM_ZERO_ACCESS)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS MipReferenceSectionFile(HANDLE Handle, ULONG Protection, PFILE_OBJECT *File)
{
    ACCESS_MASK access = FILE_READ_DATA;

    *File = NULL;
    if (Handle == NULL)
    {
        return STATUS_SUCCESS;
    }
    if (MiAllowsExecute(Protection))
    {
        access |= FILE_EXECUTE;
    }
    if (Protection == MM_READWRITE || Protection == MM_EXECUTE_READWRITE)
    {
        access |= FILE_WRITE_DATA;
    }
    return ObReferenceObjectByHandle(Handle, access, IoFileObjectType, ExGetPreviousMode(), (PVOID *)File, NULL);
}

/**
 * Creates a section backed by the page file, by a PE image (SEC_IMAGE), or by a copy of a file for reading.
 *
 * Errors: STATUS_INVALID_PARAMETER_6, STATUS_INVALID_PAGE_PROTECTION, STATUS_NOT_SUPPORTED (SEC_RESERVE, writable view
 * of a file), STATUS_INVALID_IMAGE_*, STATUS_SECTION_TOO_BIG, STATUS_COMMITMENT_LIMIT, those of the file and the name.
 */
NTSTATUS NTAPI NtCreateSection(_Out_ PHANDLE SectionHandle, _In_ ACCESS_MASK DesiredAccess,
                               _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ PLARGE_INTEGER MaximumSize,
                               _In_ ULONG SectionPageProtection, _In_ ULONG AllocationAttributes,
                               _In_opt_ HANDLE FileHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    ULONG protection = MiMakeProtection(SectionPageProtection);
    MI_CONTROL_AREA *area = NULL;
    MI_SECTION *section = NULL;
    PFILE_OBJECT file = NULL;
    ULONG64 size = 0;
    HANDLE handle;
    NTSTATUS status = MipCheckCreate(protection, AllocationAttributes, FileHandle != NULL);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(SectionHandle, sizeof(*SectionHandle), sizeof(HANDLE));
            if (MaximumSize != NULL)
            {
                ProbeForRead(MaximumSize, sizeof(*MaximumSize), sizeof(ULONG));
            }
        }
        size = MaximumSize != NULL ? *(volatile ULONG64 *)&MaximumSize->QuadPart : 0;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = MipReferenceSectionFile(FileHandle, protection, &file);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MipCreateBacking(file, &size, protection, AllocationAttributes, &area);
    if (file != NULL)
    {
        ObDereferenceObject(file);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObCreateObject(mode, MmSectionObjectType, ObjectAttributes, mode, NULL, sizeof(*section), 0, 0,
                            (PVOID *)&section);
    if (!NT_SUCCESS(status))
    {
        MiDereferenceArea(area);
        return status;
    }
    section->Area = area;
    section->Attributes = AllocationAttributes;
    section->Protection = protection;
    section->Size = size;
    status = ObInsertObject(section, NULL, DesiredAccess, 0, NULL, &handle);
    if (NT_SUCCESS(status))
    {
        __try
        {
            *SectionHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}

NTSTATUS NTAPI NtOpenSection(_Out_ PHANDLE SectionHandle, _In_ ACCESS_MASK DesiredAccess,
                             _In_ POBJECT_ATTRIBUTES ObjectAttributes)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE handle;
    NTSTATUS status;

    if (mode != KernelMode)
    {
        __try
        {
            ProbeForWrite(SectionHandle, sizeof(*SectionHandle), sizeof(HANDLE));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    status = ObOpenObjectByName(ObjectAttributes, MmSectionObjectType, mode, NULL, DesiredAccess, NULL, &handle);
    if (NT_SUCCESS(status))
    {
        __try
        {
            *SectionHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}

NTSTATUS MmCreateImageSection(PFILE_OBJECT File, PVOID *Section)
{
    MI_CONTROL_AREA *area;
    MI_SECTION *section;
    NTSTATUS status = MiCreateImageArea(File, &area);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObCreateObject(KernelMode, MmSectionObjectType, NULL, KernelMode, NULL, sizeof(*section), 0, 0,
                            (PVOID *)&section);
    if (!NT_SUCCESS(status))
    {
        MiDereferenceArea(area);
        return status;
    }
    section->Area = area;
    section->Attributes = SEC_IMAGE;
    section->Protection = MM_EXECUTE_WRITECOPY;
    section->Size = area->Image.Size;
    *Section = section; /* never named, so it is not inserted: the creation reference is the caller's */
    return STATUS_SUCCESS;
}

VOID MmGetImageInformation(PVOID Section, MM_IMAGE_INFORMATION *Information)
{
    *Information = ((MI_SECTION *)Section)->Area->Image;
}

/* ---- asking ---- */

static VOID MipDescribeImage(const MI_CONTROL_AREA *Area, SECTION_IMAGE_INFORMATION *Information)
{
    RtlZeroMemory(Information, sizeof(*Information));
    Information->TransferAddress = (PUCHAR)Area->Image.PreferredBase + Area->Image.EntryPoint;
    Information->MaximumStackSize = Area->Image.StackReserve;
    Information->CommittedStackSize = Area->Image.StackCommit;
    Information->SubSystemType = Area->Image.Subsystem;
    Information->SubSystemMajorVersion = Area->ImageVersion[0];
    Information->SubSystemMinorVersion = Area->ImageVersion[1];
    Information->ImageCharacteristics = Area->Image.Characteristics;
    Information->DllCharacteristics = Area->Image.DllCharacteristics;
    Information->Machine = IMAGE_FILE_MACHINE_AMD64;
    Information->ImageContainsCode = Area->ContainsCode;
    Information->ImageFileSize = Area->FileSize;
    Information->CheckSum = Area->CheckSum;
}

NTSTATUS NTAPI NtQuerySection(_In_ HANDLE SectionHandle, _In_ SECTION_INFORMATION_CLASS SectionInformationClass,
                              _Out_writes_bytes_(Length) PVOID SectionInformation, _In_ SIZE_T Length,
                              _Out_opt_ PSIZE_T ReturnLength)
{
    union
    {
        SECTION_BASIC_INFORMATION Basic;
        SECTION_IMAGE_INFORMATION Image;
    } answer;
    SIZE_T size = SectionInformationClass == SectionBasicInformation ? sizeof(answer.Basic) : sizeof(answer.Image);
    MI_SECTION *section;
    NTSTATUS status;

    if (SectionInformationClass != SectionBasicInformation && SectionInformationClass != SectionImageInformation)
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length < size)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    status = ObReferenceObjectByHandle(SectionHandle, SECTION_QUERY, MmSectionObjectType, ExGetPreviousMode(),
                                       (PVOID *)&section, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (SectionInformationClass == SectionBasicInformation)
    {
        answer.Basic.BaseAddress = NULL;
        answer.Basic.AllocationAttributes = section->Attributes | (section->Area->File != NULL ? SEC_FILE : 0);
        answer.Basic.MaximumSize.QuadPart = (LONG64)section->Size;
    }
    else if (section->Attributes & SEC_IMAGE)
    {
        MipDescribeImage(section->Area, &answer.Image);
    }
    else
    {
        status = STATUS_SECTION_NOT_IMAGE;
    }
    ObDereferenceObject(section);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(SectionInformation, size, sizeof(ULONG));
            if (ReturnLength != NULL)
            {
                ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(SIZE_T));
            }
        }
        RtlCopyMemory(SectionInformation, &answer, size);
        if (ReturnLength != NULL)
        {
            *ReturnLength = size;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    return status;
}
