/* SPDX-License-Identifier: MIT */
/*
 * Event tracing as providers see it on a system on which no trace session has been started: they register, are never
 * enabled, and what they write goes nowhere, with success, as "EtwWrite" documents it.
 */
#include "exp.h"

typedef struct _ETW_PROVIDER
{
    LIST_ENTRY Links;
} ETW_PROVIDER;

static KSPIN_LOCK EtwpLock;
static LIST_ENTRY EtwpProviders = {&EtwpProviders, &EtwpProviders};
static volatile LONG EtwpCount;

ULONG EtwQueryProviderCount(VOID)
{
    return (ULONG)EtwpCount;
}

/* Finds a provider, and takes it off the list if asked. Handles are compared, never followed. */
static ETW_PROVIDER *EtwpFind(REGHANDLE Handle, BOOLEAN Remove)
{
    ETW_PROVIDER *found = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&EtwpLock, &irql);
    for (PLIST_ENTRY link = EtwpProviders.Flink; link != &EtwpProviders && found == NULL; link = link->Flink)
    {
        found = (REGHANDLE)(ULONG_PTR)link == Handle ? CONTAINING_RECORD(link, ETW_PROVIDER, Links) : NULL;
    }
    if (found != NULL && Remove)
    {
        RemoveEntryList(&found->Links);
    }
    KeReleaseSpinLock(&EtwpLock, irql);
    return found;
}

/** EnableCallback is never called: no session enables a provider. <= APC_LEVEL (as documented: PASSIVE_LEVEL). */
NTSTATUS NTAPI EtwRegister(LPCGUID ProviderId, PETWENABLECALLBACK EnableCallback, PVOID CallbackContext,
                           PREGHANDLE RegHandle)
{
    ETW_PROVIDER *provider;

    UNREFERENCED_PARAMETER(EnableCallback);
    UNREFERENCED_PARAMETER(CallbackContext);
    if (ProviderId == NULL || RegHandle == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    provider = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*provider), EX_TAG);
    if (provider == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    ExInterlockedInsertTailList(&EtwpProviders, &provider->Links, &EtwpLock);
    InterlockedIncrement(&EtwpCount);
    *RegHandle = (REGHANDLE)(ULONG_PTR)&provider->Links;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EtwUnregister(REGHANDLE RegHandle)
{
    ETW_PROVIDER *provider = EtwpFind(RegHandle, TRUE);

    if (provider == NULL)
    {
        return STATUS_INVALID_HANDLE;
    }
    ExFreePoolWithTag(provider, EX_TAG);
    InterlockedDecrement(&EtwpCount);
    return STATUS_SUCCESS;
}

/** Traits and kin, for sessions to see: there are none. */
NTSTATUS NTAPI EtwSetInformation(REGHANDLE RegHandle, ULONG InformationClass, PVOID Information, ULONG Length)
{
    UNREFERENCED_PARAMETER(InformationClass);
    UNREFERENCED_PARAMETER(Information);
    UNREFERENCED_PARAMETER(Length);
    return EtwpFind(RegHandle, FALSE) != NULL ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

BOOLEAN NTAPI EtwEventEnabled(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor)
{
    UNREFERENCED_PARAMETER(RegHandle);
    UNREFERENCED_PARAMETER(EventDescriptor);
    return FALSE;
}

BOOLEAN NTAPI EtwProviderEnabled(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword)
{
    UNREFERENCED_PARAMETER(RegHandle);
    UNREFERENCED_PARAMETER(Level);
    UNREFERENCED_PARAMETER(Keyword);
    return FALSE;
}

NTSTATUS NTAPI EtwWriteTransfer(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId,
                                LPCGUID RelatedActivityId, ULONG UserDataCount, PEVENT_DATA_DESCRIPTOR UserData)
{
    UNREFERENCED_PARAMETER(EventDescriptor);
    UNREFERENCED_PARAMETER(ActivityId);
    UNREFERENCED_PARAMETER(RelatedActivityId);
    UNREFERENCED_PARAMETER(UserDataCount);
    UNREFERENCED_PARAMETER(UserData);
    return EtwpFind(RegHandle, FALSE) != NULL ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

NTSTATUS NTAPI EtwWrite(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, LPCGUID ActivityId,
                        ULONG UserDataCount, PEVENT_DATA_DESCRIPTOR UserData)
{
    return EtwWriteTransfer(RegHandle, EventDescriptor, ActivityId, NULL, UserDataCount, UserData);
}

NTSTATUS NTAPI EtwWriteEx(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR EventDescriptor, ULONG64 Filter, ULONG Flags,
                          LPCGUID ActivityId, LPCGUID RelatedActivityId, ULONG UserDataCount,
                          PEVENT_DATA_DESCRIPTOR UserData)
{
    UNREFERENCED_PARAMETER(Filter);
    UNREFERENCED_PARAMETER(Flags);
    return EtwWriteTransfer(RegHandle, EventDescriptor, ActivityId, RelatedActivityId, UserDataCount, UserData);
}

NTSTATUS NTAPI EtwWriteString(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword, LPCGUID ActivityId, PCWSTR String)
{
    UNREFERENCED_PARAMETER(Level);
    UNREFERENCED_PARAMETER(Keyword);
    UNREFERENCED_PARAMETER(String);
    return EtwWriteTransfer(RegHandle, NULL, ActivityId, NULL, 0, NULL);
}
