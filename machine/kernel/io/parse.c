/* SPDX-License-Identifier: MIT */
/*
 * Opening: OB found a device (or a file, for a relative name) and hands over the rest of the name. Here the access is
 * checked against the device, a file object is made and IRP_MJ_CREATE is sent.
 */
#include "iop.h"

/*
 * Must the caller's access be checked against the device's own descriptor? Always when the device itself is opened.
 * With a name behind it a file system checks for itself, unless the device says FILE_DEVICE_SECURE_OPEN.
 */
static BOOLEAN IopMustCheckDevice(PDEVICE_OBJECT Device, const IOP_OPEN_PACKET *Packet, PUNICODE_STRING RemainingName,
                                  KPROCESSOR_MODE Mode)
{
    if (Mode == KernelMode && !Packet->ForceAccessCheck)
    {
        return FALSE;
    }
    if (Packet->RelatedFileObject != NULL && !(Packet->RelatedFileObject->Flags & FO_VOLUME_OPEN))
    {
        return FALSE;
    }
    return RemainingName->Length == 0 || (Device->Characteristics & FILE_DEVICE_SECURE_OPEN);
}

static NTSTATUS IopCheckDeviceAccess(PDEVICE_OBJECT Device, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode)
{
    PSECURITY_DESCRIPTOR Descriptor;
    PPRIVILEGE_SET Privileges = NULL;
    ACCESS_MASK Granted = 0;
    BOOLEAN Allocated, Allowed;
    NTSTATUS Status = ObGetObjectSecurity(Device, &Descriptor, &Allocated);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    SeLockSubjectContext(&AccessState->SubjectSecurityContext);
    Allowed =
        SeAccessCheck(Descriptor, &AccessState->SubjectSecurityContext, TRUE, AccessState->RemainingDesiredAccess,
                      AccessState->PreviouslyGrantedAccess, &Privileges, &IopFileMapping, Mode, &Granted, &Status);
    SeUnlockSubjectContext(&AccessState->SubjectSecurityContext);
    if (Privileges != NULL)
    {
        SeAppendPrivileges(AccessState, Privileges);
        SeFreePrivileges(Privileges);
    }
    ObReleaseObjectSecurity(Descriptor, Allocated);
    if (!Allowed)
    {
        return NT_SUCCESS(Status) ? STATUS_ACCESS_DENIED : Status;
    }
    AccessState->PreviouslyGrantedAccess |= Granted;
    AccessState->RemainingDesiredAccess &= ~(Granted | MAXIMUM_ALLOWED);
    return STATUS_SUCCESS;
}

static NTSTATUS IopGrantAccess(PDEVICE_OBJECT Device, const IOP_OPEN_PACKET *Packet, PACCESS_STATE AccessState,
                               PUNICODE_STRING RemainingName, KPROCESSOR_MODE Mode)
{
    RtlMapGenericMask(&AccessState->RemainingDesiredAccess, &IopFileMapping);
    RtlMapGenericMask(&AccessState->OriginalDesiredAccess, &IopFileMapping);
    if (IopMustCheckDevice(Device, Packet, RemainingName, Mode))
    {
        return IopCheckDeviceAccess(Device, AccessState, Packet->ForceAccessCheck ? UserMode : Mode);
    }
    if ((AccessState->RemainingDesiredAccess & ACCESS_SYSTEM_SECURITY) && Mode != KernelMode)
    {
        LUID Privilege = { .LowPart = SE_SECURITY_PRIVILEGE };
        if (!SeSinglePrivilegeCheck(Privilege, Mode))
        {
            return STATUS_PRIVILEGE_NOT_HELD;
        }
    }
    if (AccessState->RemainingDesiredAccess & MAXIMUM_ALLOWED)
    {
        AccessState->RemainingDesiredAccess |= FILE_ALL_ACCESS;
    }
    AccessState->PreviouslyGrantedAccess |= AccessState->RemainingDesiredAccess & ~MAXIMUM_ALLOWED;
    AccessState->RemainingDesiredAccess = 0;
    return STATUS_SUCCESS;
}

static ULONG IopFileFlags(ULONG CreateOptions, ULONG ObjectAttributes)
{
    ULONG Flags = 0;

    Flags |= (CreateOptions & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) ? FO_SYNCHRONOUS_IO : 0;
    Flags |= (CreateOptions & FILE_SYNCHRONOUS_IO_ALERT) ? FO_ALERTABLE_IO : 0;
    Flags |= (CreateOptions & FILE_NO_INTERMEDIATE_BUFFERING) ? FO_NO_INTERMEDIATE_BUFFERING : 0;
    Flags |= (CreateOptions & FILE_WRITE_THROUGH) ? FO_WRITE_THROUGH : 0;
    Flags |= (CreateOptions & FILE_SEQUENTIAL_ONLY) ? FO_SEQUENTIAL_ONLY : 0;
    Flags |= (CreateOptions & FILE_RANDOM_ACCESS) ? FO_RANDOM_ACCESS : 0;
    Flags |= (ObjectAttributes & OBJ_CASE_INSENSITIVE) ? 0 : FO_OPENED_CASE_SENSITIVE;
    return Flags;
}

/* A file object that is not open yet: DeviceObject stays NULL until the create request is about to be sent. */
static NTSTATUS IopMakeFileObject(const IOP_OPEN_PACKET *Packet, ULONG Attributes, PUNICODE_STRING Name,
                                  PFILE_OBJECT *Created)
{
    OBJECT_ATTRIBUTES Unnamed;
    PFILE_OBJECT File;
    NTSTATUS Status;

    InitializeObjectAttributes(&Unnamed, NULL, Attributes & ~(OBJ_PERMANENT | OBJ_OPENIF | OBJ_EXCLUSIVE), NULL, NULL);
    Status = ObCreateObject(KernelMode, IoFileObjectType, &Unnamed, KernelMode, NULL, sizeof(FILE_OBJECT), 0, 0,
                            (PVOID *)&File);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    File->Type = IO_TYPE_FILE;
    File->Size = sizeof(FILE_OBJECT);
    File->RelatedFileObject = Packet->RelatedFileObject;
    File->Flags = IopFileFlags(Packet->CreateOptions, Attributes);
    KeInitializeEvent(&File->Lock, SynchronizationEvent, FALSE);
    KeInitializeEvent(&File->Event, NotificationEvent, FALSE);
    KeInitializeSpinLock(&File->IrpListLock);
    InitializeListHead(&File->IrpList);
    if (Name->Length != 0)
    {
        USHORT Room = Name->Length < 48 ? 48 : Name->Length; /* file systems may write a short replacement */
        File->FileName.Buffer = ExAllocatePoolWithTag(PagedPool, Room, IOP_TAG_NAME);
        if (File->FileName.Buffer == NULL)
        {
            ObDereferenceObject(File);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        File->FileName.MaximumLength = Room;
        RtlCopyUnicodeString(&File->FileName, Name);
    }
    *Created = File;
    return STATUS_SUCCESS;
}

static NTSTATUS IopSendCreate(PFILE_OBJECT File, IOP_OPEN_PACKET *Packet, PACCESS_STATE AccessState,
                              KPROCESSOR_MODE Mode, ULONG Attributes)
{
    PDEVICE_OBJECT Device = IopTopDevice(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize);
    IO_SECURITY_CONTEXT Security = {0};
    PIO_STACK_LOCATION Stack;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status;

    if (Irp == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Security.AccessState = AccessState;
    Security.DesiredAccess = AccessState->PreviouslyGrantedAccess | AccessState->RemainingDesiredAccess;
    Security.FullCreateOptions = Packet->CreateOptions;
    Irp->RequestorMode = Mode;
    Irp->Flags = IRP_CREATE_OPERATION;
    Irp->Tail.Overlay.OriginalFileObject = File;
    Irp->Overlay.AllocationSize = Packet->AllocationSize;
    Irp->AssociatedIrp.SystemBuffer = Packet->EaBuffer;
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = IRP_MJ_CREATE;
    Stack->FileObject = File;
    Stack->Flags = (UCHAR)Packet->Options & SL_OPEN_TARGET_DIRECTORY;
    Stack->Flags |= Packet->ForceAccessCheck ? SL_FORCE_ACCESS_CHECK : 0;
    Stack->Flags |= (Attributes & OBJ_CASE_INSENSITIVE) ? 0 : SL_CASE_SENSITIVE;
    Stack->Parameters.Create.SecurityContext = &Security;
    Stack->Parameters.Create.Options = (Packet->Disposition << 24) | (Packet->CreateOptions & 0x00FFFFFF);
    Stack->Parameters.Create.FileAttributes = (USHORT)Packet->FileAttributes;
    Stack->Parameters.Create.ShareAccess = (USHORT)Packet->ShareAccess;
    Stack->Parameters.Create.EaLength = Packet->EaLength;
    Status = IopCallAndWait(Device, Irp, &Iosb);
    Packet->Information = Iosb.Information;
    return Status;
}

/* Takes apart a file whose create request failed: the driver knows nothing of it. */
static VOID IopAbandonFile(PFILE_OBJECT File, PDEVICE_OBJECT Device)
{
    File->DeviceObject = NULL;
    IopDereferenceDevice(Device);
    ObDereferenceObject(File);
}

/* A driver answered STATUS_REPARSE: the file object's name replaces the path, and OB starts over. */
static NTSTATUS IopTakeReparseName(PFILE_OBJECT File, PUNICODE_STRING CompleteName)
{
    PWSTR Buffer = ExAllocatePoolWithTag(PagedPool, File->FileName.Length + sizeof(WCHAR), IOP_TAG_OB_PATH);

    if (Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(Buffer, File->FileName.Buffer, File->FileName.Length);
    Buffer[File->FileName.Length / sizeof(WCHAR)] = 0;
    if (CompleteName->Buffer != NULL)
    {
        ExFreePoolWithTag(CompleteName->Buffer, IOP_TAG_OB_PATH);
    }
    CompleteName->Buffer = Buffer;
    CompleteName->Length = File->FileName.Length;
    CompleteName->MaximumLength = File->FileName.Length + sizeof(WCHAR);
    return STATUS_REPARSE;
}

/* Opens that end inside the parse method: a question about attributes, or a deletion. */
static NTSTATUS IopFinishShortOpen(PFILE_OBJECT File, IOP_OPEN_PACKET *Packet)
{
    if (Packet->QueryOnly)
    {
        Packet->FinalStatus = IopQuerySetFile(File, IRP_MJ_QUERY_INFORMATION, FileNetworkOpenInformation,
                                              Packet->NetworkInformation, sizeof(*Packet->NetworkInformation), NULL);
    }
    ObDereferenceObject(File);
    return STATUS_OBJECT_NAME_NOT_FOUND; /* not looked at: there is no object for OB */
}

/* The parse method of devices. */
NTSTATUS IopParseDevice(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                        ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                        PVOID ParseContext, PVOID *Object)
{
    PDEVICE_OBJECT Device = ParseObject;
    IOP_OPEN_PACKET *Packet = ParseContext;
    PFILE_OBJECT File;
    NTSTATUS Status;

    *Object = NULL;
    if (Packet == NULL || Packet->Type != IOP_OPEN_PACKET_TYPE || Packet->Size != sizeof(*Packet))
    {
        /* Not an open of a file: somebody asks for the device object by its name. */
        if (Packet == NULL && RemainingName->Length == 0 && Type == IoDeviceObjectType)
        {
            ObReferenceObject(Device);
            *Object = Device;
            return STATUS_SUCCESS;
        }
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (Packet->RelatedFileObject != NULL)
    {
        Device = Packet->RelatedFileObject->DeviceObject;
    }
    Packet->Parsed = TRUE;
    Status = IopReferenceDevice(Device, TRUE);
    if (!NT_SUCCESS(Status))
    {
        return Packet->FinalStatus = Status;
    }
    Status = IopGrantAccess(Device, Packet, AccessState, RemainingName, Mode);
    if (NT_SUCCESS(Status))
    {
        Status = IopMakeFileObject(Packet, Attributes, RemainingName, &File);
    }
    if (!NT_SUCCESS(Status))
    {
        IopDereferenceDevice(Device);
        return Packet->FinalStatus = Status;
    }
    File->DeviceObject = Device;
    Status = IopSendCreate(File, Packet, AccessState, Mode, Attributes);
    Packet->FinalStatus = Status;
    File->RelatedFileObject = NULL; /* valid during the create request only */
    if (Status == STATUS_REPARSE)
    {
        Status = IopTakeReparseName(File, CompleteName);
        Packet->RelatedFileObject = NULL;
        Packet->FinalStatus = Status;
        IopAbandonFile(File, Device);
        return Status;
    }
    if (!NT_SUCCESS(Status))
    {
        IopAbandonFile(File, Device);
        return Status;
    }
    if (Packet->QueryOnly || Packet->DeleteOnly)
    {
        return IopFinishShortOpen(File, Packet);
    }
    Packet->FileObject = File;
    *Object = File;
    return STATUS_SUCCESS;
}

/* The parse method of files: a name relative to an open directory or device. */
NTSTATUS IopParseFile(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                      ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                      PVOID ParseContext, PVOID *Object)
{
    PFILE_OBJECT File = ParseObject;
    IOP_OPEN_PACKET *Packet = ParseContext;

    *Object = NULL;
    if (Packet == NULL || Packet->Type != IOP_OPEN_PACKET_TYPE || Packet->Size != sizeof(*Packet))
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (File->DeviceObject == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Packet->RelatedFileObject = File;
    return IopParseDevice(File->DeviceObject, Type, AccessState, Mode, Attributes, CompleteName, RemainingName,
                          ParseContext, Object);
}
