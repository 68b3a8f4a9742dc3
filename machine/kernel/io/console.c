/* SPDX-License-Identifier: MIT */
/*
 * The console: \Device\ConDrv\{Input,Output,Error,Console}. Output and Error are the two streams that ntrun passes on;
 * Input is the archive member `stdin`, read by all in turn, or at its end from the start. Console is both, for CON.
 */
#include "iop.h"
#include "archive.h"
#include "vf.h"

#ifndef FILE_DEVICE_CONSOLE
#define FILE_DEVICE_CONSOLE 0x50
#endif

typedef enum _IOP_CONSOLE_KIND
{
    ConsoleInput = 1,
    ConsoleOutput,
    ConsoleError,
    ConsoleBoth,
} IOP_CONSOLE_KIND;

static const struct
{
    PCWSTR Name;
    IOP_CONSOLE_KIND Kind;
} IopConsoleNames[] = {
    { L"\\Input", ConsoleInput },
    { L"\\Output", ConsoleOutput },
    { L"\\Error", ConsoleError },
    { L"\\Console", ConsoleBoth },
};

static const UCHAR *IopInput;
static SIZE_T IopInputSize;
static SIZE_T IopInputPosition;
static FAST_MUTEX IopInputLock;

static NTSTATUS NTAPI IopConsoleCreate(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;

    for (ULONG Index = 0; Index < RTL_NUMBER_OF(IopConsoleNames); Index++)
    {
        UNICODE_STRING Name;
        RtlInitUnicodeString(&Name, IopConsoleNames[Index].Name);
        if (RtlEqualUnicodeString(&Name, &File->FileName, TRUE))
        {
            File->FsContext = (PVOID)(ULONG_PTR)IopConsoleNames[Index].Kind;
            return IopCompleteBuiltin(Irp, STATUS_SUCCESS, FILE_OPENED);
        }
    }
    return IopCompleteBuiltin(Irp, STATUS_OBJECT_NAME_NOT_FOUND, 0);
}

static NTSTATUS NTAPI IopConsoleAccept(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
}

static IOP_CONSOLE_KIND IopConsoleKind(PIRP Irp)
{
    return (IOP_CONSOLE_KIND)(ULONG_PTR)IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext;
}

/* At the end a read gives success and no bytes, as a console does after Ctrl-Z. */
static NTSTATUS NTAPI IopConsoleRead(PDEVICE_OBJECT Device, PIRP Irp)
{
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length;
    IOP_CONSOLE_KIND Kind = IopConsoleKind(Irp);

    if (Kind != ConsoleInput && Kind != ConsoleBoth)
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    ExAcquireFastMutex(&IopInputLock);
    if (Length > IopInputSize - IopInputPosition)
    {
        Length = (ULONG)(IopInputSize - IopInputPosition);
    }
    if (Length != 0)
    {
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, IopInput + IopInputPosition, Length);
        IopInputPosition += Length;
    }
    ExReleaseFastMutex(&IopInputLock);
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, Length);
}

/*
 * Windows programs end lines with \r\n, the terminal and the tools behind ntrun expect \n. Works in the IRP's own copy
 * of the bytes; returns how many are left. option=raw leaves every byte as it is.
 */
static ULONG IopConsoleDropReturns(PUCHAR Bytes, ULONG Length)
{
    ULONG Kept = 0;

    if (VfOptionGiven("raw"))
    {
        return Length;
    }
    for (ULONG Index = 0; Index < Length; Index++)
    {
        if (Bytes[Index] != '\r' || Index + 1 == Length || Bytes[Index + 1] != '\n')
        {
            Bytes[Kept++] = Bytes[Index];
        }
    }
    return Kept;
}

static NTSTATUS NTAPI IopConsoleWrite(PDEVICE_OBJECT Device, PIRP Irp)
{
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Write.Length;
    IOP_CONSOLE_KIND Kind = IopConsoleKind(Irp);

    if (Kind == ConsoleInput)
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (Length != 0)
    {
        PUCHAR Bytes = Irp->AssociatedIrp.SystemBuffer;

        HalWriteConsole(Kind == ConsoleError ? HalStreamError : HalStreamOutput, Bytes,
                        IopConsoleDropReturns(Bytes, Length));
    }
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, Length);
}

static NTSTATUS NTAPI IopConsoleInitializeDriver(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\ConDrv");
    PDEVICE_OBJECT Device;
    NTSTATUS Status;

    Driver->MajorFunction[IRP_MJ_CREATE] = IopConsoleCreate;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = IopConsoleAccept;
    Driver->MajorFunction[IRP_MJ_CLOSE] = IopConsoleAccept;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = IopConsoleAccept;
    Driver->MajorFunction[IRP_MJ_READ] = IopConsoleRead;
    Driver->MajorFunction[IRP_MJ_WRITE] = IopConsoleWrite;
    Status = IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_CONSOLE, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
    if (NT_SUCCESS(Status))
    {
        Device->Flags |= DO_BUFFERED_IO;
    }
    return Status;
}

NTSTATUS IopInitializeConsole(const VOID *Bytes, SIZE_T Size)
{
    ARCHIVE Archive = { Bytes, Size };
    ARCHIVE_MEMBER Member;
    PDRIVER_OBJECT Driver;

    ExInitializeFastMutex(&IopInputLock);
    if (ArchiveFind(&Archive, "stdin", &Member) == ArchiveOk)
    {
        IopInput = Member.Data;
        IopInputSize = Member.Size;
    }
    return IopCreateBuiltinDriver(L"\\Driver\\ConDrv", IopConsoleInitializeDriver, &Driver);
}
