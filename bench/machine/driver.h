/* SPDX-License-Identifier: MIT */
/* Private to costs.sys. */
#pragma once

#include <ntifs.h>
#include <isthmus/isthmus_kernel.h>
#include "costs.h"

#define COSTS_TAG 'tsoC'

#ifndef MdlMappingNoExecute /* mingw-w64's headers lack it */
#define MdlMappingNoExecute 0x40000000
#endif

/* Of a handle. */
typedef struct _COSTS_FILE
{
    PISTHMUS_SESSION Session;
    PISTHMUS_CHANNEL Channel; /* referenced; NULL: none is open */
    UINT64 ChannelId;
} COSTS_FILE, *PCOSTS_FILE;

/* The control codes of each file. PASSIVE_LEVEL; Information: bytes of answer in the system buffer. */
NTSTATUS CostsMemory(_Inout_ PCOSTS_FILE File, _Inout_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information);
NTSTATUS CostsChannel(_Inout_ PCOSTS_FILE File, _Inout_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information);
VOID CostsChannelClose(_Inout_ PCOSTS_FILE File);
