/* SPDX-License-Identifier: MIT */
/* What a driver hears about Plug and Play and power on a machine that has no PnP device. */
#include "ktlib.h"

NTKERNELAPI NTSTATUS NTAPI IoGetDeviceInterfaces(const GUID *Class, PDEVICE_OBJECT Device, ULONG Flags, PWSTR *List);

static const GUID Interface = {0x4D36E967, 0xE325, 0x11CE, {0xBF, 0xC1, 0x08, 0x00, 0x2B, 0xE1, 0x03, 0x18}};

static NTSTATUS NTAPI Arrived(PVOID Structure, PVOID Context)
{
    UNREFERENCED_PARAMETER(Structure);
    InterlockedIncrement(Context);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Changed(LPCGUID Setting, PVOID Value, ULONG Length, PVOID Context)
{
    UNREFERENCED_PARAMETER(Setting);
    UNREFERENCED_PARAMETER(Value);
    UNREFERENCED_PARAMETER(Length);
    InterlockedIncrement(Context);
    return STATUS_SUCCESS;
}

static LONG_PTR References(PVOID Object)
{
    LONG_PTR count = ObfReferenceObject(Object);

    ObfDereferenceObject(Object);
    return count;
}

VOID KtGroup_pnp(KTEST_RUN *Run)
{
    PDEVICE_OBJECT device = KtDevice;
    PDRIVER_OBJECT driver = device->DriverObject;
    LONG_PTR references = References(driver);
    volatile LONG told = 0;
    PVOID entry = NULL, power = NULL;
    WCHAR buffer[8];
    ULONG length;
    PWSTR list = NULL;

    CHECK_STATUS(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, (PVOID)&Interface, driver,
                                                Arrived, (PVOID)&told, &entry),
                 STATUS_SUCCESS);
    CHECK_EQUAL(References(driver), references + 1);
    CHECK_STATUS(IoUnregisterPlugPlayNotification(entry), STATUS_SUCCESS);
    CHECK_EQUAL(References(driver), references);
    CHECK_STATUS(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, NULL, driver, Arrived, NULL,
                                                &entry),
                 STATUS_INVALID_PARAMETER);

    CHECK_STATUS(IoGetDeviceProperty(device, DevicePropertyHardwareID, sizeof(buffer), buffer, &length),
                 STATUS_INVALID_DEVICE_REQUEST);
    CHECK_STATUS(IoGetDeviceInterfaces(&Interface, NULL, 0, &list), STATUS_SUCCESS);
    CHECK(list != NULL && list[0] == 0);
    if (list != NULL)
    {
        ExFreePool(list);
    }

    CHECK_STATUS(PoRegisterPowerSettingCallback(device, &Interface, Changed, (PVOID)&told, &power), STATUS_SUCCESS);
    CHECK_STATUS(PoUnregisterPowerSettingCallback(power), STATUS_SUCCESS);
    CHECK_STATUS(PoRegisterPowerSettingCallback(device, NULL, Changed, NULL, &power), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(told, 0);
    KtSay(Run, "nothing arrives, no device has properties or interfaces; registrations hold the driver and end");
}
