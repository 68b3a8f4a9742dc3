/* SPDX-License-Identifier: MIT */
/*
 * events.sys: tells a program of every process, thread and image that comes or goes, without a call per event.
 *
 * The kit does the sharing: a session per handle, a region for the ring, a read-only view in the program. What is left
 * for the driver is to fill slots. It does so at DISPATCH_LEVEL under a spin lock, through a reference to the region
 * that it took once: IsthmusRegionTryEnter fails from the moment the region is taken back, whoever did that.
 */
#include <ntddk.h>
#include <isthmus/isthmus_kernel.h>
#include "events.h"

static struct
{
    KSPIN_LOCK Lock;
    PISTHMUS_SESSION Session; /* of the one open handle */
    PISTHMUS_REGION Region;   /* referenced; NULL: nobody listens */
    PKEVENT Wakeup;           /* referenced */
    UINT64 Sequence;
} Stream;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_DISPATCH Create, Cleanup, Close, Control;

/* ---- Events -------------------------------------------------------------------------------------------------- */

/* Puts an event into the ring. PASSIVE_LEVEL, because Name is pageable; any number of processors at once. */
static VOID Emit(UINT32 Kind, HANDLE ProcessId, HANDLE Other, PUNICODE_STRING Name, PIMAGE_INFO Image)
{
    KIRQL irql;
    EVENT event;
    RtlZeroMemory(&event, sizeof(event));
    event.Time = KeQueryInterruptTime();
    event.Kind = Kind;
    event.ProcessId = (UINT32)(ULONG_PTR)ProcessId;
    event.Other = (UINT32)(ULONG_PTR)Other;
    if (Image != NULL)
    {
        event.Base = Image->SystemModeImage ? 0 : (UINT64)(ULONG_PTR)Image->ImageBase;
        event.Size = Image->ImageSize;
    }
    if (Name != NULL && Name->Buffer != NULL)
    {
        USHORT chars = Name->Length / sizeof(WCHAR);
        USHORT kept = chars < EVENT_NAME_CHARS ? chars : EVENT_NAME_CHARS;
        RtlCopyMemory(event.Name, Name->Buffer + (chars - kept), kept * sizeof(WCHAR));
    }

    KeAcquireSpinLock(&Stream.Lock, &irql);
    if (Stream.Region != NULL && IsthmusRegionTryEnter(Stream.Region))
    {
        SIZE_T bytes;
        UINT64 sequence = ++Stream.Sequence;
        PUCHAR slot = IsthmusRegionSpan(Stream.Region, (sequence % EVENT_SLOTS) * sizeof(EVENT), &bytes);
        /* Full barriers: no field changes while the slot looks whole, and it looks whole only when all have. */
        InterlockedExchange64((volatile LONG64 *)slot, 0);
        RtlCopyMemory(slot + sizeof(UINT64), (PUCHAR)&event + sizeof(UINT64), sizeof(event) - sizeof(UINT64));
        InterlockedExchange64((volatile LONG64 *)slot, (LONG64)sequence);
        IsthmusRegionLeave(Stream.Region);
        KeSetEvent(Stream.Wakeup, IO_NO_INCREMENT, FALSE);
    }
    KeReleaseSpinLock(&Stream.Lock, irql);
}

static VOID NTAPI OnProcess(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    Emit(Create ? EVENT_PROCESS_START : EVENT_PROCESS_END, ProcessId, ParentId, NULL, NULL);
}

static VOID NTAPI OnThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    Emit(Create ? EVENT_THREAD_START : EVENT_THREAD_END, ProcessId, ThreadId, NULL, NULL);
}

static VOID NTAPI OnImage(PUNICODE_STRING Name, HANDLE ProcessId, PIMAGE_INFO Image)
{
    Emit(EVENT_IMAGE, ProcessId, NULL, Name, Image);
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = NT_SUCCESS(Status) ? Information : 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Who watches all processes is an administrator, and one at a time: the device is exclusive. */
static NTSTATUS NTAPI Create(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    NTSTATUS status = IsthmusCallerIsAdministrator() ? IsthmusSessionCreate(&Stream.Session) : STATUS_ACCESS_DENIED;
    KeLeaveCriticalRegion();
    return Complete(Irp, status, 0);
}

static NTSTATUS NTAPI Cleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    KIRQL irql;
    UNREFERENCED_PARAMETER(Device);
    KeAcquireSpinLock(&Stream.Lock, &irql);
    PISTHMUS_REGION region = Stream.Region;
    PKEVENT wakeup = Stream.Wakeup;
    Stream.Region = NULL;
    Stream.Wakeup = NULL;
    KeReleaseSpinLock(&Stream.Lock, irql);
    if (region != NULL)
    {
        IsthmusRegionDereference(region);
        ObDereferenceObject(wakeup);
    }
    KeEnterCriticalRegion();
    IsthmusSessionCleanup(Stream.Session); /* the view and the region */
    KeLeaveCriticalRegion();
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Close(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    IsthmusSessionClose(Stream.Session);
    KeLeaveCriticalRegion();
    return Complete(Irp, STATUS_SUCCESS, 0);
}

/* Makes the ring, shows it to the caller and lets events in. Whatever fails half-way goes with the session's cleanup. */
static NTSTATUS Start(HANDLE Wakeup, KPROCESSOR_MODE Mode, UINT64 *Ring)
{
    ISTHMUS_REGION_INFO made;
    ISTHMUS_VIEW_INFO view;
    PISTHMUS_REGION region = NULL;
    PKEVENT wakeup = NULL;
    KIRQL irql;

    NTSTATUS status = ObReferenceObjectByHandle(Wakeup, EVENT_MODIFY_STATE, *ExEventObjectType, Mode, (PVOID *)&wakeup,
                                                NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusRegionAllocate(Stream.Session, ISTHMUS_KIND_PAGED_POOL, EVENT_SLOTS * sizeof(EVENT), &made);
    if (NT_SUCCESS(status))
    {
        status = IsthmusViewMap(Stream.Session, made.Region, ISTHMUS_ACCESS_READ, &view);
    }
    if (NT_SUCCESS(status))
    {
        status = IsthmusRegionReference(Stream.Session, made.Region, ISTHMUS_ACCESS_WRITE, &region);
    }
    if (NT_SUCCESS(status))
    {
        KeAcquireSpinLock(&Stream.Lock, &irql);
        if (Stream.Region == NULL)
        {
            Stream.Region = region;
            Stream.Wakeup = wakeup;
            Stream.Sequence = 0;
            *Ring = view.Address;
            region = NULL;
            wakeup = NULL;
        }
        else
        {
            status = STATUS_INVALID_DEVICE_STATE;
        }
        KeReleaseSpinLock(&Stream.Lock, irql);
    }
    if (region != NULL)
    {
        IsthmusRegionDereference(region);
    }
    if (wakeup != NULL)
    {
        ObDereferenceObject(wakeup);
    }
    return status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    UNREFERENCED_PARAMETER(Device);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_EVENTS_START)
    {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(EVENTS_START) ||
        stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(EVENTS_STARTED))
    {
        return Complete(Irp, STATUS_INFO_LENGTH_MISMATCH, 0);
    }
    EVENTS_START start = *(EVENTS_START *)Irp->AssociatedIrp.SystemBuffer;
    EVENTS_STARTED *answer = Irp->AssociatedIrp.SystemBuffer;
    KeEnterCriticalRegion();
    NTSTATUS status = Start((HANDLE)(ULONG_PTR)start.Wakeup, Irp->RequestorMode, &answer->Ring);
    KeLeaveCriticalRegion();
    return Complete(Irp, status, sizeof(*answer));
}

/* ---- Start and end ------------------------------------------------------------------------------------------- */

/* Undoes what DriverEntry did; what it didn't do is refused by each routine and that is all. */
static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\IsthmusEvents");
    PsRemoveLoadImageNotifyRoutine(OnImage);
    PsRemoveCreateThreadNotifyRoutine(OnThread);
    PsSetCreateProcessNotifyRoutine(OnProcess, TRUE);
    IsthmusLibraryStop();
    IoDeleteSymbolicLink(&link);
    if (Driver->DeviceObject != NULL)
    {
        IoDeleteDevice(Driver->DeviceObject);
    }
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\IsthmusEvents");
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\IsthmusEvents");
    PDEVICE_OBJECT device;
    NTSTATUS status = IsthmusLibraryStart(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    KeInitializeSpinLock(&Stream.Lock);
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Cleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Close;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    if (NT_SUCCESS(status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, TRUE,
                                           &device)) &&
        NT_SUCCESS(status = IoCreateSymbolicLink(&link, &name)) &&
        NT_SUCCESS(status = PsSetCreateProcessNotifyRoutine(OnProcess, FALSE)) &&
        NT_SUCCESS(status = PsSetCreateThreadNotifyRoutine(OnThread)))
    {
        status = PsSetLoadImageNotifyRoutine(OnImage);
    }
    if (!NT_SUCCESS(status))
    {
        Unload(Driver);
    }
    return status;
}
