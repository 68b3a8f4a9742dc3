/* SPDX-License-Identifier: MIT */
/* misuse.sys: the device, the choice of the rule, and what the rules have in common. */
#include "misuse.h"

typedef VOID MISUSE_ROUTINE(MISUSE_CONTEXT *Context);

typedef struct _MISUSE_RULE
{
    PCSTR Name;
    MISUSE_ROUTINE *Break, *Correct;
} MISUSE_RULE;

static const MISUSE_RULE Rules[] = {
#define RULE(name, stop, options, source, words) {#name, Misuse_##name, Correct_##name},
#define ALSO(name, variant, stop, options, source, words)
#include "rules.def"
#undef RULE
#undef ALSO
};

VOID (*MisuseAtUnload)(VOID);
VOID (*MisuseAtClose)(PFILE_OBJECT File);
PIRP MisuseHeld;
static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Misuse");

VOID MisuseNote(PCSTR Name, ULONG_PTR Value)
{
    DbgPrint("misuse: $%s = %llx\n", Name, Value);
}

PVOID MisusePool(SIZE_T Size)
{
    PVOID block = ExAllocatePoolWithTag(NonPagedPoolNx, Size, MISUSE_TAG);

    if (block == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MisuseNote("pool", (ULONG_PTR)block);
    return block;
}

VOID MisuseFree(PVOID Block)
{
    ExFreePoolWithTag(Block, MISUSE_TAG);
}

PMDL MisuseMdl(PVOID Buffer, ULONG Length)
{
    PMDL mdl = IoAllocateMdl(Buffer, Length, FALSE, FALSE, NULL);

    if (mdl == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MisuseNote("mdl", (ULONG_PTR)mdl);
    return mdl;
}

PMDL MisuseLocked(MISUSE_CONTEXT *Context, BOOLEAN Map)
{
    PMDL mdl = MisuseMdl(Context->User, MISUSE_USER_PAGES * PAGE_SIZE);

    MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
    MisuseNote("pfn", MmGetMdlPfnArray(mdl)[0]);
    MisuseNote("pfn2", MmGetMdlPfnArray(mdl)[1]);
    if (Map)
    {
        PVOID va = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);

        if (va == NULL)
        {
            ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
        }
        MisuseNote("va", (ULONG_PTR)va);
    }
    return mdl;
}

VOID MisuseUnlock(PMDL Mdl)
{
    MmUnlockPages(Mdl);
    IoFreeMdl(Mdl);
}

KIRQL MisuseRaise(KIRQL Irql)
{
    KIRQL old;

    KeRaiseIrql(Irql, &old);
    return old;
}

VOID MisuseRunThread(PKSTART_ROUTINE Routine, PVOID Context)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE thread;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Routine, Context)))
    {
        ZwWaitForSingleObject(thread, FALSE, NULL);
        ZwClose(thread);
    }
}

VOID MisuseRunDpc(PKDEFERRED_ROUTINE Routine, PVOID Context)
{
    static KDPC dpc;
    KIRQL irql = MisuseRaise(DISPATCH_LEVEL);

    MisuseNote("dpc", (ULONG_PTR)&dpc);
    MisuseNote("routine", (ULONG_PTR)Routine);
    KeInitializeDpc(&dpc, Routine, Context);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeLowerIrql(irql); /* it runs now */
    KeFlushQueuedDpcs();
}

HANDLE MisuseEventHandle(VOID)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    MisuseNote("handle", (ULONG_PTR)handle);
    return handle;
}

static NTSTATUS NTAPI Hold(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    IoMarkIrpPending(Irp);
    MisuseHeld = Irp;
    return STATUS_PENDING;
}

VOID MisuseRelease(VOID)
{
    MisuseHeld->IoStatus.Status = STATUS_SUCCESS;
    MisuseHeld->IoStatus.Information = 0;
    IoCompleteRequest(MisuseHeld, IO_NO_INCREMENT);
}

static const MISUSE_RULE *FindRule(PCSTR Name, ULONG Length)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rules); i++)
    {
        if (strlen(Rules[i].Name) == Length && memcmp(Rules[i].Name, Name, Length) == 0)
        {
            return &Rules[i];
        }
    }
    return NULL;
}

static NTSTATUS Act(MISUSE_CONTEXT *Context, ULONG Code, PCSTR Name, ULONG Length)
{
    const MISUSE_RULE *rule = FindRule(Name, Length);
    SIZE_T size = MISUSE_USER_PAGES * PAGE_SIZE;
    PVOID user = NULL;
    NTSTATUS status;

    if (rule == NULL)
    {
        return STATUS_NOT_FOUND;
    }
    status = ZwAllocateVirtualMemory(NtCurrentProcess(), &user, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Context->User = user;
    DbgPrint("misuse: %s, %s\n", rule->Name, Code == MISUSE_BREAK ? "broken" : "kept");
    MisuseNote("user", (ULONG_PTR)user);
    MisuseNote("process", (ULONG_PTR)PsGetCurrentProcess());
    MisuseNote("thread", (ULONG_PTR)PsGetCurrentThread());
    MisuseNote("irp", (ULONG_PTR)Context->Irp);
    MisuseNote("device", (ULONG_PTR)Context->Device);
    if (Code == MISUSE_BREAK)
    {
        rule->Break(Context);
        return Context->Status;
    }
    rule->Correct(Context);
    size = 0;
    status = ZwFreeVirtualMemory(NtCurrentProcess(), &user, &size, MEM_RELEASE);
    return NT_SUCCESS(status) ? Context->Status : status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG code = stack->Parameters.DeviceIoControl.IoControlCode;
    MISUSE_CONTEXT context = {.Irp = Irp, .Device = Device, .Status = STATUS_SUCCESS};
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    Irp->IoStatus.Information = 0;
    if (code == MISUSE_BREAK || code == MISUSE_CORRECT)
    {
        status = Act(&context, code, Irp->AssociatedIrp.SystemBuffer,
                     stack->Parameters.DeviceIoControl.InputBufferLength);
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
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(Device);
    if (stack->MajorFunction == IRP_MJ_CLOSE && MisuseAtClose != NULL)
    {
        MisuseAtClose(stack->FileObject);
    }
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
    Driver->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = Hold;
    Driver->DriverUnload = Unload;
    MisuseNote("driver", (ULONG_PTR)Driver->DriverStart);
    MisuseNote("dispatch", (ULONG_PTR)Control);
    MisuseNote("driversize", Driver->DriverSize);
    MisuseNote("driverend", (ULONG_PTR)Driver->DriverStart + Driver->DriverSize);
    return STATUS_SUCCESS;
}
