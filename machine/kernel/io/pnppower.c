/* SPDX-License-Identifier: MIT */
/*
 * Plug and Play and power as drivers see them on a machine that has no PnP device and never changes its power state:
 * nothing is enumerated, no device object is a physical device object, nothing ever arrives, leaves, sleeps or wakes.
 * What would need more than that answer (PoRequestPowerIrp, IoInvalidateDeviceRelations, DMA adapters, ...) is not
 * exported.
 */
#include "iop.h"

/* Somebody who waits for what does not happen here. */
typedef struct _IOP_NOTIFICATION
{
    PDRIVER_OBJECT Driver; /* referenced: NT does not let its image go before the registration has ended; or NULL */
} IOP_NOTIFICATION;

static volatile LONG IopNotificationCount;

ULONG IoQueryNotificationCount(VOID)
{
    return (ULONG)IopNotificationCount;
}

static NTSTATUS IopNewNotification(PDRIVER_OBJECT Driver, PVOID *Entry)
{
    IOP_NOTIFICATION *Notification = ExAllocatePoolWithTag(PagedPool, sizeof(*Notification), IOP_TAG_NAME);

    if (Notification == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Notification->Driver = Driver;
    if (Driver != NULL)
    {
        ObReferenceObject(Driver);
    }
    InterlockedIncrement(&IopNotificationCount);
    *Entry = Notification;
    return STATUS_SUCCESS;
}

static NTSTATUS IopEndNotification(PVOID Entry)
{
    IOP_NOTIFICATION *Notification = Entry;

    if (Notification->Driver != NULL)
    {
        ObDereferenceObject(Notification->Driver);
    }
    ExFreePoolWithTag(Notification, IOP_TAG_NAME);
    InterlockedDecrement(&IopNotificationCount);
    return STATUS_SUCCESS;
}

/**
 * Registers for PnP events. Interfaces and hardware profiles: none ever comes. Changes of a target device: refused,
 * since the file object's stack has no physical device object.
 *
 * @return STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY EventCategory, ULONG EventCategoryFlags,
                                              PVOID EventCategoryData, PDRIVER_OBJECT DriverObject,
                                              PDRIVER_NOTIFICATION_CALLBACK_ROUTINE CallbackRoutine, PVOID Context,
                                              PVOID *NotificationEntry)
{
    UNREFERENCED_PARAMETER(EventCategoryFlags);
    UNREFERENCED_PARAMETER(CallbackRoutine);
    UNREFERENCED_PARAMETER(Context);
    switch (EventCategory)
    {
    case EventCategoryDeviceInterfaceChange:
        if (EventCategoryData == NULL)
        {
            return STATUS_INVALID_PARAMETER;
        }
        /* fall through */
    case EventCategoryHardwareProfileChange:
        return IopNewNotification(DriverObject, NotificationEntry);
    case EventCategoryTargetDeviceChange:
        return STATUS_INVALID_DEVICE_REQUEST;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS NTAPI IoUnregisterPlugPlayNotification(PVOID NotificationEntry)
{
    return IopEndNotification(NotificationEntry);
}

NTSTATUS NTAPI IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry)
{
    return IopEndNotification(NotificationEntry);
}

/** STATUS_INVALID_DEVICE_REQUEST, documented for what is no physical device object. PASSIVE_LEVEL. */
NTSTATUS NTAPI IoGetDeviceProperty(PDEVICE_OBJECT DeviceObject, DEVICE_REGISTRY_PROPERTY DeviceProperty,
                                   ULONG BufferLength, PVOID PropertyBuffer, PULONG ResultLength)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(DeviceProperty);
    UNREFERENCED_PARAMETER(BufferLength);
    UNREFERENCED_PARAMETER(PropertyBuffer);
    UNREFERENCED_PARAMETER(ResultLength);
    return STATUS_INVALID_DEVICE_REQUEST;
}

/** STATUS_INVALID_DEVICE_REQUEST, documented for what is no physical device object. PASSIVE_LEVEL. */
NTSTATUS NTAPI IoOpenDeviceRegistryKey(PDEVICE_OBJECT DeviceObject, ULONG DevInstKeyType, ACCESS_MASK DesiredAccess,
                                       PHANDLE Key)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(DevInstKeyType);
    UNREFERENCED_PARAMETER(DesiredAccess);
    UNREFERENCED_PARAMETER(Key);
    return STATUS_INVALID_DEVICE_REQUEST;
}

/** STATUS_INVALID_DEVICE_REQUEST, documented for what is no physical device object. PASSIVE_LEVEL. */
NTSTATUS NTAPI IoRegisterDeviceInterface(PDEVICE_OBJECT PhysicalDeviceObject, const GUID *InterfaceClassGuid,
                                         PUNICODE_STRING ReferenceString, PUNICODE_STRING SymbolicLinkName)
{
    UNREFERENCED_PARAMETER(PhysicalDeviceObject);
    UNREFERENCED_PARAMETER(InterfaceClassGuid);
    UNREFERENCED_PARAMETER(ReferenceString);
    UNREFERENCED_PARAMETER(SymbolicLinkName);
    return STATUS_INVALID_DEVICE_REQUEST;
}

/** STATUS_OBJECT_NAME_NOT_FOUND: no interface has been registered. PASSIVE_LEVEL. */
NTSTATUS NTAPI IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable)
{
    UNREFERENCED_PARAMETER(SymbolicLinkName);
    UNREFERENCED_PARAMETER(Enable);
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

/** The empty list of interfaces, to be freed by the caller. PASSIVE_LEVEL. */
NTSTATUS NTAPI IoGetDeviceInterfaces(const GUID *InterfaceClassGuid, PDEVICE_OBJECT PhysicalDeviceObject, ULONG Flags,
                                     PWSTR *SymbolicLinkList)
{
    PWSTR List = ExAllocatePoolWithTag(PagedPool, sizeof(WCHAR), IOP_TAG_NAME);

    UNREFERENCED_PARAMETER(InterfaceClassGuid);
    UNREFERENCED_PARAMETER(PhysicalDeviceObject);
    UNREFERENCED_PARAMETER(Flags);
    if (List == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *List = 0;
    *SymbolicLinkList = List;
    return STATUS_SUCCESS;
}

/* ---- Power ---- */

/** The same as IoCallDriver since Vista. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI PoCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return IofCallDriver(DeviceObject, Irp);
}

/** Nothing to do since Vista: power IRPs are not held back for each other any more. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI PoStartNextPowerIrp(PIRP Irp)
{
    UNREFERENCED_PARAMETER(Irp);
}

/** Registers for a power setting. None has a value here, so there is no first call and none later. PASSIVE_LEVEL. */
NTSTATUS NTAPI PoRegisterPowerSettingCallback(PDEVICE_OBJECT DeviceObject, LPCGUID SettingGuid,
                                              PPOWER_SETTING_CALLBACK Callback, PVOID Context, PVOID *Handle)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Context);
    if (SettingGuid == NULL || Callback == NULL || Handle == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return IopNewNotification(NULL, Handle);
}

NTSTATUS NTAPI PoUnregisterPowerSettingCallback(PVOID Handle)
{
    return Handle == NULL ? STATUS_INVALID_PARAMETER : IopEndNotification(Handle);
}
