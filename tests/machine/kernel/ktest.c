/* SPDX-License-Identifier: MIT */
/* ktest.sys: the device that runs test groups on request. */
#include "ktest.h"
#include <stdarg.h>
#include <stdio.h>

PDEVICE_OBJECT KtDevice;
static UNICODE_STRING KtLink = RTL_CONSTANT_STRING(L"\\DosDevices\\KTest");

VOID KtSay(KTEST_RUN *Run, PCSTR Format, ...)
{
    va_list arguments;
    int written;

    if (Run->Used + 2 >= Run->Room)
    {
        return;
    }
    va_start(arguments, Format);
    written = _vsnprintf(Run->Text + Run->Used, Run->Room - Run->Used - 1, Format, arguments);
    va_end(arguments);
    Run->Used = written < 0 ? Run->Room - 1 : Run->Used + (ULONG)written;
    Run->Text[Run->Used++] = '\n';
}

VOID KtCheck(KTEST_RUN *Run, BOOLEAN Holds, PCSTR Text, PCSTR File, ULONG Line)
{
    Run->Checks++;
    if (!Holds)
    {
        Run->Failures++;
        KtSay(Run, "FAILED %s:%lu: %s", File, Line, Text);
    }
}

VOID KtCheckValue(KTEST_RUN *Run, ULONG64 Found, ULONG64 Expected, PCSTR Text, PCSTR File, ULONG Line)
{
    Run->Checks++;
    if (Found != Expected)
    {
        Run->Failures++;
        KtSay(Run, "FAILED %s:%lu: %s is 0x%I64x, must be 0x%I64x", File, Line, Text, Found, Expected);
    }
}

static const KTEST_GROUP *KtFind(PCSTR Name, ULONG Length)
{
    for (ULONG i = 0; i < KtGroupCount; i++)
    {
        if (strlen(KtGroups[i].Name) == Length && memcmp(KtGroups[i].Name, Name, Length) == 0)
        {
            return &KtGroups[i];
        }
    }
    return NULL;
}

static NTSTATUS KtRunGroup(PIRP Irp, ULONG InputLength, ULONG OutputLength)
{
    KTEST_ANSWER *answer = Irp->AssociatedIrp.SystemBuffer;
    KTEST_RUN run = {0};
    const KTEST_GROUP *group;
    KIRQL irql = KeGetCurrentIrql();

    if (OutputLength <= sizeof(KTEST_ANSWER) || InputLength == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    group = KtFind((PCSTR)answer, InputLength);
    run.Room = OutputLength - FIELD_OFFSET(KTEST_ANSWER, Text);
    run.Text = ExAllocatePoolWithTag(NonPagedPool, run.Room, 'tseT');
    if (run.Text == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    run.Irp = Irp;
    if (group != NULL)
    {
        group->Routine(&run);
        KtFinishCoverage(&run, group->Name);
        KtCheckValue(&run, KeGetCurrentIrql(), irql, "IRQL after the group", __FILE__, __LINE__);
    }
    RtlZeroMemory(answer, FIELD_OFFSET(KTEST_ANSWER, Text));
    answer->Known = group != NULL;
    answer->Checks = run.Checks;
    answer->Failures = run.Failures;
    answer->TextLength = run.Used;
    RtlCopyMemory(answer->Text, run.Text, run.Used);
    ExFreePoolWithTag(run.Text, 'tseT');
    Irp->IoStatus.Information = FIELD_OFFSET(KTEST_ANSWER, Text) + run.Used;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI KtCreateClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (Device != KtDevice)
    {
        return KtDeviceDispatch(Device, Irp);
    }
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI KtControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    if (Device != KtDevice)
    {
        return KtDeviceDispatch(Device, Irp);
    }
    Irp->IoStatus.Information = 0;
    if (stack->Parameters.DeviceIoControl.IoControlCode == KTEST_RUN_GROUP)
    {
        status = KtRunGroup(Irp, stack->Parameters.DeviceIoControl.InputBufferLength,
                            stack->Parameters.DeviceIoControl.OutputBufferLength);
    }
    Irp->IoStatus.Status = status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

static VOID NTAPI KtUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    IoDeleteSymbolicLink(&KtLink);
    IoDeleteDevice(KtDevice);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\KTest");
    NTSTATUS status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &KtDevice);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateSymbolicLink(&KtLink, &name);
    if (!NT_SUCCESS(status))
    {
        IoDeleteDevice(KtDevice);
        return status;
    }
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
    {
        Driver->MajorFunction[i] = KtDeviceDispatch;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = KtCreateClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = KtCreateClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = KtControl;
    Driver->DriverUnload = KtUnload;
    return STATUS_SUCCESS;
}
