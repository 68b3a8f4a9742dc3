/* SPDX-License-Identifier: MIT */
/*
 * The service manager's handles.
 *
 * There is no service process on the machine: each program's advapi32 does the manager's work itself,
 * on the registry and with NtLoadDriver / NtUnloadDriver. What must be common to all programs is kept
 * where all can see it:
 *
 *   HKLM\System\CurrentControlSet\Services\<name>   the service: Type, Start, ImagePath, ...
 *     DeleteFlag = 1      DeleteService was called: no new handles, gone with the last one
 *     StopPending = 1     the driver was told to unload and has not gone yet
 *   \Driver\<name>        exists: the driver is loaded
 *   \BaseNamedObjects\IsthmusService_<name>   an event that every open service handle holds, so that its
 *                                     handle count tells whether a handle is the last one, also when
 *                                     a program ended without closing its handles
 */
#ifndef ISTHMUS_ADVAPI32_SCM_H
#define ISTHMUS_ADVAPI32_SCM_H

#include "reg.h"

#include <winsvc.h>

#define SCM_MANAGER 0x6E61614Du
#define SCM_SERVICE 0x76726553u
#define SCM_NAME_LIMIT 256u

typedef struct _SCM_HANDLE
{
    ULONG Kind; /* SCM_MANAGER or SCM_SERVICE; 0 once closed */
    ACCESS_MASK Access;
    HANDLE Key;      /* service only */
    HANDLE Presence; /* the event; NULL if the caller may not hold one */
    UNICODE_STRING Name;
    WCHAR NameBuffer[SCM_NAME_LIMIT + 1];
} SCM_HANDLE, *PSCM_HANDLE;

/** The handle if it is of that kind and has all of Access, else NULL with the last error set. */
PSCM_HANDLE ScmReference(_In_ SC_HANDLE Handle, _In_ ULONG Kind, _In_ ACCESS_MASK Access);

/** Reads a REG_DWORD of a service; Default if it is not there. */
DWORD ScmReadNumber(_In_ HANDLE Key, _In_ PCWSTR Name, _In_ DWORD Default);
NTSTATUS ScmWriteNumber(_In_ HANDLE Key, _In_ PCWSTR Name, _In_ DWORD Value);
NTSTATUS ScmWriteText(_In_ HANDLE Key, _In_ PCWSTR Name, _In_ DWORD Type, _In_ PCWSTR Text, _In_ SIZE_T Bytes);

/** What ImagePath holds for a path given to the manager; free with AdvFree. NULL: no memory. */
PWSTR ScmImagePath(_In_ PCWSTR Path);
/** Characters of a list of strings with the empty one that ends it. */
SIZE_T ScmListLength(_In_ PCWSTR List);
/** A wide copy of such a list, NULL for NULL; free with AdvFree. FALSE with the last error set: no memory. */
BOOL ScmWidenList(_In_opt_ LPCSTR List, _Out_ PWSTR *Wide);

/** Whether \Driver\<name> exists. */
BOOLEAN ScmIsLoaded(_In_ PCUNICODE_STRING Name);

/** SERVICE_STOPPED, SERVICE_RUNNING or SERVICE_STOP_PENDING. */
DWORD ScmState(_In_ PSCM_HANDLE Service);

#endif
