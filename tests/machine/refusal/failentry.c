/* SPDX-License-Identifier: MIT */
/* failentry.sys: its DriverEntry makes a device, then fails; the driver must be gone, device and all. */
#include <ntifs.h>

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\FailEntry");
    PDEVICE_OBJECT device;

    UNREFERENCED_PARAMETER(RegistryPath);
    if (NT_SUCCESS(IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device)))
    {
        IoDeleteDevice(device);
    }
    return STATUS_DEVICE_NOT_READY;
}
