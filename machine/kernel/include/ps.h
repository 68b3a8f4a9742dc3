/* SPDX-License-Identifier: MIT */
/*
 * PS: processes and threads as objects, their birth and their death, notify routines.
 */
#pragma once

#include "ke.h"
#include "mm.h"
#include "ob.h"
#include "se.h"

struct _EPROCESS
{
    KPROCESS Pcb;
    HANDLE UniqueProcessId;
    HANDLE InheritedFromUniqueProcessId;
    LIST_ENTRY ActiveProcessLinks;     /* PsActiveProcessHead, under PspProcessLock */
    EX_RUNDOWN_REF RundownProtect;     /* held by those who work in the process's address space or tables */
    struct _HANDLE_TABLE *ObjectTable;
    PTOKEN Token;                      /* primary token, a reference; use PsReferencePrimaryToken */
    MM_ADDRESS_SPACE Space;
    PPEB Peb;
    PVOID SectionObject;
    PVOID SectionBaseAddress;
    KE_USER_ENTRIES UserEntries;       /* in the mapped ntdll */
    PVOID NtdllBase;
    LIST_ENTRY ThreadListHead;         /* ETHREAD.ThreadListEntry, under ProcessLock */
    FAST_MUTEX ProcessLock;
    volatile LONG ActiveThreads;
    LARGE_INTEGER CreateTime, ExitTime;
    NTSTATUS ExitStatus;
    UNICODE_STRING ImagePath;          /* NT path; allocated */
    UCHAR ImageFileName[16];           /* last part, ASCII, as NT keeps it */
    volatile LONG Flags;               /* PSP_PROCESS_* of psp.h */
    ULONG SessionId;
    ULONG DefaultHardErrorProcessing;
    volatile LONG64 ReadOperations, WriteOperations, OtherOperations;
};

struct _ETHREAD
{
    KTHREAD Tcb;
    CLIENT_ID Cid;
    PVOID StartAddress;                /* kernel routine, or ntdll's */
    PVOID Win32StartAddress;
    PVOID StartContext;
    PEPROCESS ThreadsProcess;
    LIST_ENTRY ThreadListEntry;
    LIST_ENTRY IrpList;                /* IRP.ThreadListEntry; IO; at APC_LEVEL in this thread */
    ULONG_PTR TopLevelIrp;
    EX_RUNDOWN_REF RundownProtect;
    LARGE_INTEGER CreateTime, ExitTime;
    NTSTATUS ExitStatus;
    volatile LONG Flags;               /* PSP_THREAD_* of psp.h */
    PVOID ImpersonationToken;
    SECURITY_IMPERSONATION_LEVEL ImpersonationLevel;
    KAPC ExitApc;
    KEVENT IoCompletionEvent;
};

extern LIST_ENTRY PsActiveProcessHead;

VOID PsInitializePhase0(VOID);     /* idle and System process; after OB, SE */
VOID PsInitializePhase1(VOID);     /* reaper */

/** The first program: process from an image path with everything NtCreateUserProcess would be given. PASSIVE_LEVEL. */
typedef struct _PS_START_PARAMETERS
{
    UNICODE_STRING ImagePath;      /* NT path */
    UNICODE_STRING CommandLine;
    UNICODE_STRING CurrentDirectory; /* DOS path with trailing backslash */
    PWSTR Environment;             /* double-zero terminated */
    SIZE_T EnvironmentBytes;
    PTOKEN Token;                  /* primary token; referenced by the call */
    HANDLE StandardInput, StandardOutput, StandardError; /* kernel handles, duplicated into the process */
} PS_START_PARAMETERS;
NTSTATUS PsStartProgram(const PS_START_PARAMETERS *Parameters, PEPROCESS *Process);

/** Kills every process that is left but System; returns how many there were. PASSIVE_LEVEL. */
ULONG PsTerminateAllProcesses(NTSTATUS Status);
PEPROCESS PsGetNextProcess(PEPROCESS Previous); /* references the next, dereferences Previous */
ULONG PsQueryNotifyRoutineCount(VOID);          /* callbacks drivers left registered */
