/* SPDX-License-Identifier: MIT */
/* Mistakes with user addresses, and with strings, in calls that trust their caller. */
#include "misuse.h"

MISUSE(structure_in_user)
{
    ExInitializeResourceLite((PERESOURCE)Context->User);
}

CORRECT(structure_in_user)
{
    PERESOURCE resource = MisusePool(sizeof(*resource));

    ExInitializeResourceLite(resource);
    ExDeleteResourceLite(resource);
    MisuseFree(resource);
}

MISUSE(event_in_user)
{
    KeInitializeEvent((PRKEVENT)Context->User, NotificationEvent, FALSE);
}

CORRECT(event_in_user)
{
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
}

static VOID EventIn(POOL_TYPE PoolType)
{
    PVOID pool = ExAllocatePoolWithTag(PoolType, sizeof(KEVENT), MISUSE_TAG);

    MisuseNote("pool", (ULONG_PTR)pool);
    KeInitializeEvent(pool, NotificationEvent, FALSE);
    MisuseFree(pool);
}

MISUSE(event_in_paged_pool)
{
    EventIn(PagedPool);
}

CORRECT(event_in_paged_pool)
{
    EventIn(NonPagedPoolNx);
}

/* A create request of the driver to itself, with a buffer that it does not need. */
static VOID SendWithBuffer(PDEVICE_OBJECT Device, PVOID Buffer)
{
    PIRP irp = IoAllocateIrp(Device->StackSize, FALSE);
    KEVENT done;

    MisuseNote("sent", (ULONG_PTR)irp);
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    irp->UserBuffer = Buffer;
    irp->RequestorMode = KernelMode;
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_CREATE;
    IoSetCompletionRoutine(irp, MisuseKeepIrp, &done, TRUE, TRUE, TRUE);
    IoCallDriver(Device, irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    IoFreeIrp(irp);
}

MISUSE(irp_user_buffer)
{
    SendWithBuffer(Context->Device, Context->User);
}

CORRECT(irp_user_buffer)
{
    PVOID pool = MisusePool(16);

    SendWithBuffer(Context->Device, pool);
    MisuseFree(pool);
}

/* Where the handle is to go: the program may change it before the driver reads it back. */
static NTSTATUS MakeEvent(PHANDLE Handle)
{
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwCreateEvent(Handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
}

MISUSE(service_user_address)
{
    Context->Status = MakeEvent((PHANDLE)Context->User);
}

CORRECT(service_user_address)
{
    HANDLE handle;

    Context->Status = MakeEvent(&handle);
    ZwClose(handle);
}

static VOID OpenNamed(USHORT Length)
{
    static WCHAR buffer[] = L"\\KernelObjects\\NoSuchEvent";
    UNICODE_STRING name = {Length, sizeof(buffer), buffer};
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;

    MisuseNote("name", (ULONG_PTR)&name);
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(ZwOpenEvent(&handle, EVENT_ALL_ACCESS, &attributes)))
    {
        ZwClose(handle);
    }
}

/* A length in bytes, of which every second is missing. */
MISUSE(service_bad_string)
{
    OpenNamed(27);
}

CORRECT(service_bad_string)
{
    OpenNamed(2 * 26);
}
