/* SPDX-License-Identifier: MIT */
/* What registry.c shares with rega.c and the service manager. */
#ifndef ISTHMUS_ADVAPI32_REG_H
#define ISTHMUS_ADVAPI32_REG_H

#include "adv.h"

LSTATUS RegpError(_In_ NTSTATUS Status);
NTSTATUS RegpResolve(_In_ HKEY Key, _In_ ACCESS_MASK Access, _Out_ PHANDLE Handle);
VOID RegpRelease(_In_ HKEY Key, _In_ HANDLE Handle);
NTSTATUS RegpReadValue(_In_ HANDLE Key, _In_ PUNICODE_STRING Name, _Out_ PKEY_VALUE_PARTIAL_INFORMATION *Value);

#endif
