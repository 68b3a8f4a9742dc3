/* SPDX-License-Identifier: MIT */
/*
 * Inside RTL: opening the keys that the registry helpers name.
 */
#ifndef ISTHMUS_RTLP_REGISTRY_H
#define ISTHMUS_RTLP_REGISTRY_H

#include "nt.h"

#define RTLP_REGISTRY_TAG 'gRtR'

/**
 * Opens (or makes) the key that RelativeTo and Path name.
 *
 * @param Create  TRUE: make it if it is missing, and open it for writing
 * @param Key     receives the handle
 * @param Owned   receives FALSE if the handle is the caller's own (RTL_REGISTRY_HANDLE): not to be closed
 */
NTSTATUS RtlpOpenRegistryKey(_In_ ULONG RelativeTo, _In_opt_ PCWSTR Path, _In_ BOOLEAN Create, _Out_ PHANDLE Key,
                             _Out_ PBOOLEAN Owned);

/**
 * Hands one value to an entry of a query table.
 *
 * @param Data  the value's bytes, followed by two zero bytes; NULL: take the entry's default
 */
NTSTATUS RtlpDeliverValue(_In_ PRTL_QUERY_REGISTRY_TABLE Entry, _In_ PCWSTR Name, _In_ ULONG Type, _In_opt_ PVOID Data,
                          _In_ ULONG Length, _In_opt_ PVOID Context, _In_opt_ PVOID Environment);

#endif /* ISTHMUS_RTLP_REGISTRY_H */
