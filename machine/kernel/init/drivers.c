/* SPDX-License-Identifier: MIT */
/*
 * Drivers named on ntrun's command line: installed as services, started before the program, stopped after it.
 */
#include "hal.h"
#include "initp.h"
#include "io.h"
#include "rtl.h"

#define INIT_MAX_DRIVERS 32
#define INIT_SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"

static UNICODE_STRING InitpServiceKeys[INIT_MAX_DRIVERS];
static ULONG InitpServiceCount;

static NTSTATUS InitpSetDword(HANDLE Key, PCWSTR Name, ULONG Value)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, Name);
    return ZwSetValueKey(Key, &name, 0, REG_DWORD, &Value, sizeof(Value));
}

/* The values that CreateService writes for a demand-start kernel driver. */
static NTSTATUS InitpWriteService(PUNICODE_STRING KeyName, PUNICODE_STRING ImagePath)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    HANDLE key;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, KeyName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ZwCreateKey(&key, KEY_ALL_ACCESS, &attributes, 0, NULL, REG_OPTION_NON_VOLATILE, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    RtlInitUnicodeString(&name, L"ImagePath");
    status = ZwSetValueKey(key, &name, 0, REG_EXPAND_SZ, ImagePath->Buffer, ImagePath->Length + sizeof(WCHAR));
    if (NT_SUCCESS(status))
    {
        status = InitpSetDword(key, L"Type", 1); /* SERVICE_KERNEL_DRIVER */
    }
    if (NT_SUCCESS(status))
    {
        status = InitpSetDword(key, L"Start", 3); /* SERVICE_DEMAND_START */
    }
    if (NT_SUCCESS(status))
    {
        status = InitpSetDword(key, L"ErrorControl", 1);
    }
    ZwClose(key);
    return status;
}

static NTSTATUS InitpStartDriver(const INIT_LINE *Line)
{
    INIT_LINE stem = *Line;
    UNICODE_STRING imagePath = {0};
    UNICODE_STRING *key = &InitpServiceKeys[InitpServiceCount];
    NTSTATUS status;

    if (InitpServiceCount == INIT_MAX_DRIVERS)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (stem.Length > 4 && _strnicmp(stem.Value + stem.Length - 4, ".sys", 4) == 0)
    {
        stem.Length -= 4;
    }
    status = InitpToUnicode(INIT_SERVICES, &stem, key);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = InitpToUnicode(L"\\SystemRoot\\System32\\drivers\\", Line, &imagePath);
    if (NT_SUCCESS(status))
    {
        status = InitpWriteService(key, &imagePath);
        RtlFreeUnicodeString(&imagePath);
    }
    if (NT_SUCCESS(status))
    {
        status = IoLoadDriver(key);
    }
    if (NT_SUCCESS(status))
    {
        InitpServiceCount++;
    }
    else
    {
        RtlFreeUnicodeString(key);
    }
    return status;
}

NTSTATUS InitpStartDrivers(VOID)
{
    SIZE_T position = 0;
    INIT_LINE line;

    while (InitpNextLine("driver", &position, &line))
    {
        NTSTATUS status = InitpStartDriver(&line);
        if (!NT_SUCCESS(status))
        {
            HalPrint(HalStreamError, "%.*s: the driver did not start: status 0x%08lX\n", (int)line.Length, line.Value, status);
            HalPrint(HalStreamReport, "refused %.*s did not start: status 0x%08lX\n", (int)line.Length, line.Value, status);
            return status;
        }
    }
    return STATUS_SUCCESS;
}

VOID InitpStopDrivers(VOID)
{
    while (InitpServiceCount != 0)
    {
        UNICODE_STRING *key = &InitpServiceKeys[--InitpServiceCount];
        NTSTATUS status = IoUnloadDriver(key);

        /* The program may have stopped or removed it already, and a driver without DriverUnload stays by its own wish. */
        if (!NT_SUCCESS(status) && status != STATUS_OBJECT_NAME_NOT_FOUND && status != STATUS_INVALID_DEVICE_REQUEST)
        {
            HalPrint(HalStreamError, "machine: %wZ did not stop: status 0x%08lX\n", key, status);
        }
        RtlFreeUnicodeString(key);
    }
}
