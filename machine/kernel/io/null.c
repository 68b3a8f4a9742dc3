/* SPDX-License-Identifier: MIT */
/* The null device: takes everything, gives nothing. */
#include "iop.h"

static NTSTATUS NTAPI IopNullAccept(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI IopNullRead(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopCompleteBuiltin(Irp, STATUS_END_OF_FILE, 0);
}

static NTSTATUS NTAPI IopNullWrite(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, IoGetCurrentIrpStackLocation(Irp)->Parameters.Write.Length);
}

static NTSTATUS NTAPI IopNullQuery(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_STANDARD_INFORMATION Standard = Irp->AssociatedIrp.SystemBuffer;

    if (Stack->Parameters.QueryFile.FileInformationClass != FileStandardInformation)
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_INFO_CLASS, 0);
    }
    RtlZeroMemory(Standard, sizeof(*Standard));
    Standard->NumberOfLinks = 1;
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, sizeof(*Standard));
}

static NTSTATUS NTAPI IopNullInitialize(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Null");
    PDEVICE_OBJECT Device;

    Driver->MajorFunction[IRP_MJ_CREATE] = IopNullAccept;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = IopNullAccept;
    Driver->MajorFunction[IRP_MJ_CLOSE] = IopNullAccept;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = IopNullAccept;
    Driver->MajorFunction[IRP_MJ_READ] = IopNullRead;
    Driver->MajorFunction[IRP_MJ_WRITE] = IopNullWrite;
    Driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = IopNullQuery;
    return IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_NULL, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
}

NTSTATUS IopInitializeNull(VOID)
{
    PDRIVER_OBJECT Driver;

    return IopCreateBuiltinDriver(L"\\Driver\\Null", IopNullInitialize, &Driver);
}
