/* SPDX-License-Identifier: MIT */
/*
 * isthmus.sys: start, the three devices, unload.
 *
 * Unload: the I/O manager calls DriverUnload only when no handle is open on our devices, so no session is left then.
 * IsthmusLibraryStop still drains what it finds and waits for it: after it nothing is locked, mapped or allocated.
 */
#include "shell.h"

SHELL_OPTIONS ShellOptions;

typedef struct _SHELL_DEVICE
{
    PCWSTR Name;
    PCWSTR Link;
    ULONG Flags; /* how IRP_MJ_READ and IRP_MJ_WRITE bring the buffer */
} SHELL_DEVICE;

static const SHELL_DEVICE ShellDevices[] = {
    {L"\\Device\\Isthmus", L"\\DosDevices\\Isthmus", 0},
    {L"\\Device\\IsthmusBuffered", L"\\DosDevices\\IsthmusBuffered", DO_BUFFERED_IO},
    {L"\\Device\\IsthmusDirect", L"\\DosDevices\\IsthmusDirect", DO_DIRECT_IO},
};

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD ShellUnload;

static VOID ShellDeleteLinks(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(ShellDevices); i++)
    {
        UNICODE_STRING link;
        RtlInitUnicodeString(&link, ShellDevices[i].Link);
        IoDeleteSymbolicLink(&link);
    }
}

static VOID ShellDeleteDevices(PDRIVER_OBJECT Driver)
{
    while (Driver->DeviceObject != NULL)
    {
        IoDeleteDevice(Driver->DeviceObject);
    }
}

static NTSTATUS ShellCreateDevice(PDRIVER_OBJECT Driver, const SHELL_DEVICE *Description)
{
    UNICODE_STRING name, link;
    PDEVICE_OBJECT device;

    RtlInitUnicodeString(&name, Description->Name);
    RtlInitUnicodeString(&link, Description->Link);
    NTSTATUS status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    device->Flags |= Description->Flags;

    /* Nobody can open the device yet: it is DO_DEVICE_INITIALIZING until DriverEntry has returned. */
    if (!NT_SUCCESS(ShellSecurityApply(device)))
    {
        ShellOptions.DaclApplied = FALSE; /* then each open is checked in ShellCreate alone */
    }
    return IoCreateSymbolicLink(&link, &name);
}

VOID NTAPI ShellUnload(_In_ PDRIVER_OBJECT Driver)
{
    ShellDeleteLinks();
    IsthmusLibraryStop();
    ShellDeleteDevices(Driver);
}

/* Fails rather than let in by default whom the administrator may have shut out. */
static NTSTATUS ShellReadOptions(PUNICODE_STRING RegistryPath)
{
    ULONGLONG demo, allowUsers, allowUserPages;
    NTSTATUS status = IsthmusReadParameter(RegistryPath, L"Demo", 0, &demo);
    if (NT_SUCCESS(status))
    {
        status = IsthmusReadParameter(RegistryPath, L"AllowUsers", 1, &allowUsers);
    }
    if (NT_SUCCESS(status))
    {
        status = IsthmusReadParameter(RegistryPath, L"AllowUserPages", 0, &allowUserPages);
    }
    if (NT_SUCCESS(status))
    {
        ShellOptions.Demo = demo == 1;
        ShellOptions.UserPages = allowUserPages == 1;
        ShellOptions.DaclApplied = TRUE;
        ShellSecurityInitialize(allowUsers != 0);
    }
    return status;
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    NTSTATUS status = IsthmusLibraryStart(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ShellReadOptions(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        IsthmusLibraryStop();
        return status;
    }

    Driver->MajorFunction[IRP_MJ_CREATE] = ShellCreate;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = ShellCleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = ShellClose;
    Driver->MajorFunction[IRP_MJ_READ] = ShellReadWrite;
    Driver->MajorFunction[IRP_MJ_WRITE] = ShellReadWrite;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = ShellControl;
    Driver->DriverUnload = ShellUnload;

    for (ULONG i = 0; i < ARRAYSIZE(ShellDevices); i++)
    {
        status = ShellCreateDevice(Driver, &ShellDevices[i]);
        if (!NT_SUCCESS(status))
        {
            /* Links that weren't made, and those that somebody else owns by then, are not there to delete. */
            for (ULONG made = 0; made < i; made++)
            {
                UNICODE_STRING link;
                RtlInitUnicodeString(&link, ShellDevices[made].Link);
                IoDeleteSymbolicLink(&link);
            }
            ShellDeleteDevices(Driver);
            IsthmusLibraryStop();
            return status;
        }
    }
    return STATUS_SUCCESS;
}
