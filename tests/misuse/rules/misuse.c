/* SPDX-License-Identifier: MIT */
/* misuse.sys: the device, the choice of the rule to break, and what the rules have in common. */
#include "misuse.h"

typedef struct _MISUSE_RULE
{
    PCSTR Name;
    VOID (*Routine)(MISUSE_CONTEXT *Context);
} MISUSE_RULE;

static const MISUSE_RULE Rules[] = {
#define RULE(name, expected) {#name, Misuse_##name},
#include "rules.def"
#undef RULE
};

VOID (*MisuseAtUnload)(VOID);
static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Misuse");

PVOID MisusePool(SIZE_T Size)
{
    PVOID block = ExAllocatePoolWithTag(NonPagedPoolNx, Size, MISUSE_TAG);

    if (block == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return block;
}

PMDL MisuseLocked(MISUSE_CONTEXT *Context, BOOLEAN Map)
{
    PMDL mdl = IoAllocateMdl(Context->User, 2 * PAGE_SIZE, FALSE, FALSE, NULL);

    MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
    if (Map && MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    return mdl;
}

static NTSTATUS Break(MISUSE_CONTEXT *Context, PCSTR Name, ULONG Length)
{
    SIZE_T size = 2 * PAGE_SIZE;
    PVOID user = NULL;
    NTSTATUS status =
        ZwAllocateVirtualMemory(NtCurrentProcess(), &user, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Context->User = user;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rules); i++)
    {
        if (strlen(Rules[i].Name) == Length && memcmp(Rules[i].Name, Name, Length) == 0)
        {
            DbgPrint("misuse: %s\n", Rules[i].Name);
            Rules[i].Routine(Context);
            return Context->Status;
        }
    }
    return STATUS_NOT_FOUND;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    MISUSE_CONTEXT context = {.Irp = Irp, .Device = Device, .Status = STATUS_SUCCESS};
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    Irp->IoStatus.Information = 0;
    if (stack->Parameters.DeviceIoControl.IoControlCode == MISUSE_BREAK &&
        stack->Parameters.DeviceIoControl.InputBufferLength != 0)
    {
        status = Break(&context, Irp->AssociatedIrp.SystemBuffer, stack->Parameters.DeviceIoControl.InputBufferLength);
    }
    if (!context.Completed)
    {
        Irp->IoStatus.Status = status;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
    }
    return status;
}

static NTSTATUS NTAPI CreateClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    if (MisuseAtUnload != NULL)
    {
        MisuseAtUnload();
    }
    IoDeleteSymbolicLink(&Link);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Misuse");
    PDEVICE_OBJECT device;
    NTSTATUS status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateSymbolicLink(&Link, &name);
    if (!NT_SUCCESS(status))
    {
        IoDeleteDevice(device);
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
