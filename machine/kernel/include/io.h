/* SPDX-License-Identifier: MIT */
/*
 * IO: drivers, devices, files, IRPs and their completion; the built-in devices (RAM disk, console, null).
 */
#pragma once

#include "nt.h"

extern POBJECT_TYPE IoDriverObjectType, IoDeviceObjectType; /* IoFileObjectType: nt.h */

VOID IoInitializePhase0(VOID);                        /* types and locks */
/** RAM disk on the archive, console, null device, links. */
NTSTATUS IoInitializePhase1(const VOID *Archive, SIZE_T ArchiveSize);

/**
 * Loads, initialises, starts a driver by its service key (\Registry\Machine\System\CurrentControlSet\Services\x).
 * PASSIVE_LEVEL.
 */
NTSTATUS IoLoadDriver(PCUNICODE_STRING ServiceKey);
/** Unloads it (DriverUnload when no handles are open on its devices, as NtUnloadDriver). PASSIVE_LEVEL. */
NTSTATUS IoUnloadDriver(PCUNICODE_STRING ServiceKey);

/** Cancels the thread's requests and waits for them; at thread exit, PASSIVE_LEVEL. */
VOID IoCancelThreadIo(PETHREAD Thread);

/** Reads a file synchronously into kernel memory, for image sections and the loader. PASSIVE_LEVEL. */
NTSTATUS IoReadFileObject(PFILE_OBJECT File, ULONG64 Offset, PVOID Buffer, SIZE_T Length, PSIZE_T Read);
NTSTATUS IoQueryFileObjectSize(PFILE_OBJECT File, PULONG64 Size);

typedef struct _IO_LEFTOVERS { LONG64 Irps, Devices, Drivers, WorkItems; } IO_LEFTOVERS;
/** What is still there; waits up to half a second for requests that are just ending. PASSIVE_LEVEL. */
VOID IoQueryLeftovers(IO_LEFTOVERS *Leftovers);
/** One line per IRP and work item that a driver allocated and did not free, with the place. <= DISPATCH_LEVEL. */
VOID IoPrintLeftovers(VOID);

/** Sends IRP_MJ_SHUTDOWN to every device that registered for it. PASSIVE_LEVEL, once, before the machine ends. */
VOID IoShutdownSystem(VOID);

/** TRUE if a driver allocated an IRP there and it has not been freed. IRQL <= DISPATCH_LEVEL. */
BOOLEAN IoIsIrp(PVOID Address);

/** Registrations for PnP and power events that drivers have not ended. Any IRQL. */
ULONG IoQueryNotificationCount(VOID);
