/* SPDX-License-Identifier: MIT */
/*
 * Private to isthmus.sys: the thin shell that gives the kernel library devices and control codes.
 */
#pragma once

#include <ntifs.h>
#include <isthmus/isthmus_kernel.h>

#define SHELL_TAG 'hsSI'

/* What an open file points to (FsContext). */
typedef struct _SHELL_FILE
{
    PISTHMUS_SESSION Session;
    volatile LONG64 Target; /* region of ReadFile and WriteFile; 0: none */
    FAST_MUTEX PumpLock;
    LIST_ENTRY Pumps;       /* pump.c: what works on channels of this file */
} SHELL_FILE, *PSHELL_FILE;

/* Set in DriverEntry, read-only afterwards. */
typedef struct _SHELL_OPTIONS
{
    BOOLEAN Demo;        /* Parameters\Demo = 1: IOCTL_ISTHMUS_PEEK is there */
    BOOLEAN UserPages;   /* Parameters\AllowUserPages = 1: see ShellMayMap */
    BOOLEAN DaclApplied; /* the I/O manager checks our DACL on each open */
} SHELL_OPTIONS;

extern SHELL_OPTIONS ShellOptions;

/* dispatch.c */
DRIVER_DISPATCH ShellCreate, ShellCleanup, ShellClose, ShellReadWrite, ShellControl;
NTSTATUS ShellComplete(_In_ PIRP Irp, _In_ NTSTATUS Status, _In_ ULONG_PTR Information);

/* control.c: one buffered control code. Buffer is the system buffer, at least InputLength and OutputLength long. */
NTSTATUS ShellBufferedControl(_In_ PSHELL_FILE File, _In_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information);
NTSTATUS ShellCheckHeader(_In_ const ISTHMUS_HEADER *Header, _In_ ULONG Size);

/* transfer.c */
NTSTATUS ShellTransferControl(_In_ PSHELL_FILE File, _In_ PIRP Irp, _Out_ ULONG_PTR *Information);
NTSTATUS ShellTransferFile(_In_ PSHELL_FILE File, _In_ PIRP Irp, _Out_ ULONG_PTR *Information);

/* peek.c */
NTSTATUS ShellPeek(_In_ PSHELL_FILE File, _In_ const ISTHMUS_PEEK *Query, _Out_ ISTHMUS_PEEK_RESULT *Result);

/* security.c */
VOID ShellSecurityInitialize(_In_ BOOLEAN AllowUsers);
NTSTATUS ShellSecurityApply(_In_ PDEVICE_OBJECT Device);
NTSTATUS ShellSecurityCheckOpen(_In_ PIRP Irp);

/* pump.c: what the driver itself does with channels */
NTSTATUS ShellRegionRelease(_In_ PSHELL_FILE File, _In_ UINT64 Region);
VOID ShellPumpInitialize(_Out_ PSHELL_FILE File);
VOID ShellPumpRundown(_Inout_ PSHELL_FILE File);
NTSTATUS ShellChannelCreate(_In_ PSHELL_FILE File, _In_ const ISTHMUS_CHANNEL_CREATE *Query, _In_ KPROCESSOR_MODE Mode,
                            _Out_ ISTHMUS_CHANNEL_INFO *Info);
NTSTATUS ShellChannelSource(_In_ PSHELL_FILE File, _In_ const ISTHMUS_CHANNEL_SOURCE *Query);
NTSTATUS ShellChannelState(_In_ PSHELL_FILE File, _In_ UINT64 Id, _Out_ ISTHMUS_CHANNEL_STATE *State);
