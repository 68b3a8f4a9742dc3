/* SPDX-License-Identifier: MIT */
/*
 * events.sys: tells a program of every process, thread and image that comes or goes, without a call per event.
 *
 * The kit does the sharing: a session per handle, a channel to the program. What is left for the driver is to fill
 * records, under a spin lock, through a reference to the channel that it took once: IsthmusChannelSend fails from the
 * moment the channel is taken back, whoever did that.
 */
#include <ntddk.h>
#include <isthmus/isthmus_kernel.h>
#include "events.h"

static struct
{
    KSPIN_LOCK Lock;
    PISTHMUS_SESSION Session; /* of the one open handle */
    PISTHMUS_CHANNEL Channel; /* referenced; NULL: nobody listens */
} Stream;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_DISPATCH Create, Cleanup, Close, Control;

/* ---- Events -------------------------------------------------------------------------------------------------- */

/* Sends an event. PASSIVE_LEVEL, because Name is pageable; any number of processors at once. */
static VOID Emit(UINT32 Kind, HANDLE ProcessId, HANDLE Other, PUNICODE_STRING Name, PIMAGE_INFO Image)
{
    KIRQL irql;
    struct
    {
        EVENT Event;
        UCHAR Name[EVENT_NAME_BYTES];
    } record;
    EVENT *event = &record.Event;
    RtlZeroMemory(event, sizeof(*event));
    event->Time = KeQueryInterruptTime();
    event->Kind = Kind;
    event->ProcessId = (UINT32)(ULONG_PTR)ProcessId;
    event->Other = (UINT32)(ULONG_PTR)Other;
    if (Image != NULL)
    {
        event->Base = Image->SystemModeImage ? 0 : (UINT64)(ULONG_PTR)Image->ImageBase;
        event->Size = Image->ImageSize;
    }
    if (Name != NULL && Name->Buffer != NULL)
    {
        event->NameBytes = min(Name->Length, EVENT_NAME_BYTES);
        RtlCopyMemory(record.Name, (PUCHAR)Name->Buffer + (Name->Length - event->NameBytes), event->NameBytes);
    }

    KeAcquireSpinLock(&Stream.Lock, &irql);
    if (Stream.Channel != NULL)
    {
        /* No room: dropped and counted. Gone: nobody listens any more. */
        (VOID)IsthmusChannelSend(Stream.Channel, &record, sizeof(*event) + event->NameBytes);
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
    PISTHMUS_CHANNEL channel = Stream.Channel;
    Stream.Channel = NULL;
    KeReleaseSpinLock(&Stream.Lock, irql);
    if (channel != NULL)
    {
        IsthmusChannelDereference(channel);
    }
    KeEnterCriticalRegion();
    IsthmusSessionCleanup(Stream.Session); /* and with it the channel */
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

/* Makes the channel and lets events in. Whatever fails half-way goes with the session's cleanup. */
static NTSTATUS Start(const ISTHMUS_CHANNEL_CREATE *Query, KPROCESSOR_MODE Mode, ISTHMUS_CHANNEL_INFO *Info)
{
    PISTHMUS_CHANNEL channel;
    KIRQL irql;

    if (Query->Header.Revision != ISTHMUS_REVISION || Query->Header.Size != sizeof(*Query) ||
        Query->Direction != ISTHMUS_CHANNEL_TO_PROGRAM || Query->Flags != 0)
    {
        return STATUS_INVALID_PARAMETER; /* the rest is checked by the kit */
    }
    NTSTATUS status = IsthmusChannelCreate(Stream.Session, Query, Mode, Info);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusChannelReference(Stream.Session, Info->Channel, &channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    KeAcquireSpinLock(&Stream.Lock, &irql);
    if (Stream.Channel == NULL)
    {
        Stream.Channel = channel;
        channel = NULL;
    }
    KeReleaseSpinLock(&Stream.Lock, irql);
    if (channel != NULL)
    {
        IsthmusChannelDereference(channel);
        IsthmusRegionRelease(Stream.Session, Info->Channel);
        return STATUS_INVALID_DEVICE_STATE;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    UNREFERENCED_PARAMETER(Device);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_EVENTS_START)
    {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(ISTHMUS_CHANNEL_CREATE) ||
        stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(ISTHMUS_CHANNEL_INFO))
    {
        return Complete(Irp, STATUS_INFO_LENGTH_MISMATCH, 0);
    }
    ISTHMUS_CHANNEL_CREATE query = *(ISTHMUS_CHANNEL_CREATE *)Irp->AssociatedIrp.SystemBuffer;
    ISTHMUS_CHANNEL_INFO *answer = Irp->AssociatedIrp.SystemBuffer;
    KeEnterCriticalRegion();
    NTSTATUS status = Start(&query, Irp->RequestorMode, answer);
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
