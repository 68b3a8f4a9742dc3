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
    LIST_ENTRY ActiveProcessLinks;     /* PsActiveProcessHead, under PspActiveProcessLock */
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
    KSPIN_LOCK TokenLock;              /* guards Token */
    NTSTATUS LastThreadExitStatus;
    ULONG Cookie;                      /* ProcessCookie, made on first demand */
    SIZE_T DefaultStackReserve, DefaultStackCommit; /* from the image */
    PFILE_OBJECT ImageFile;            /* the executable, referenced while the process lives */
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
    KSPIN_LOCK TokenLock;              /* guards the impersonation fields */
    BOOLEAN ImpersonationCopyOnOpen;
    BOOLEAN ImpersonationEffectiveOnly;
    PVOID UserStack;                   /* allocation base of the user stack, freed when the thread ends */
};

extern LIST_ENTRY PsActiveProcessHead;
/* Process 0, what the idle threads belong to: KE's static process, which PS completes. */
#define PsIdleProcess ((PEPROCESS)KiBootProcess)

/** TRUE for an idle thread, which is a bare KTHREAD: nothing of ETHREAD may be looked at. Any IRQL. */
static inline BOOLEAN PsIsIdleThread(PETHREAD Thread)
{
    return Thread->Tcb.Process == KiBootProcess;
}

/* What this kernel says it is; KUSER_SHARED_DATA and every PEB say the same. */
#define PS_OS_MAJOR_VERSION 10
#define PS_OS_MINOR_VERSION 0
#define PS_OS_BUILD 19045

/* Access rights that the driver kit's headers lack. */
#ifndef PROCESS_TERMINATE
#define PROCESS_TERMINATE 0x0001
#endif
#ifndef PROCESS_QUERY_LIMITED_INFORMATION
#define PROCESS_CREATE_THREAD 0x0002
#define PROCESS_SET_SESSIONID 0x0004
#define PROCESS_VM_OPERATION 0x0008
#define PROCESS_VM_READ 0x0010
#define PROCESS_VM_WRITE 0x0020
#define PROCESS_CREATE_PROCESS 0x0080
#define PROCESS_SET_QUOTA 0x0100
#define PROCESS_SET_INFORMATION 0x0200
#define PROCESS_QUERY_INFORMATION 0x0400
#define PROCESS_SUSPEND_RESUME 0x0800
#define PROCESS_QUERY_LIMITED_INFORMATION 0x1000
#define PROCESS_SET_LIMITED_INFORMATION 0x2000
#endif
#ifndef THREAD_QUERY_INFORMATION
#define THREAD_QUERY_INFORMATION 0x0040
#define THREAD_SET_THREAD_TOKEN 0x0080
#define THREAD_IMPERSONATE 0x0100
#define THREAD_DIRECT_IMPERSONATION 0x0200
#define THREAD_RESUME 0x1000
#endif

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

/** Ends a process as NtTerminateProcess from another one does, also if the caller's thread is its own: that goes on to
    the end of its system service. <= APC_LEVEL. */
VOID PsKillProcess(PEPROCESS Process, NTSTATUS Status);
/** Kills every process that is left but System; returns how many there were. PASSIVE_LEVEL. */
ULONG PsTerminateAllProcesses(NTSTATUS Status);
PEPROCESS PsGetNextProcess(PEPROCESS Previous); /* references the next, dereferences Previous */
ULONG PsQueryNotifyRoutineCount(VOID);          /* callbacks drivers left registered */

/**
 * Ends the current process with a status, as NtTerminateProcess on itself. PASSIVE_LEVEL or APC_LEVEL, not attached.
 */
DECLSPEC_NORETURN VOID PsTerminateCurrentProcess(NTSTATUS Status);

/**
 * Calls the load-image routines of drivers for an image that has been mapped and has not run yet: a driver
 * (SystemImage, process id NULL) or part of a process. PASSIVE_LEVEL.
 */
VOID PsCallImageNotifyRoutines(PCUNICODE_STRING FullImageName, HANDLE ProcessId, PVOID Base, SIZE_T Size,
                               PFILE_OBJECT File, BOOLEAN SystemImage);

/**
 * The same for an image just mapped from a file into a process, which gives it its name; costs nothing unless somebody
 * listens.
 */
VOID PsReportMappedImage(PEPROCESS Process, PFILE_OBJECT File, PVOID Base, SIZE_T Size);

/**
 * TRUE if the image that holds this routine may register callbacks (linked with /INTEGRITYCHECK, or the kernel). <=
 * APC_LEVEL.
 */
BOOLEAN PsIsIntegrityImage(PVOID Routine);

/** The next thread of a process; references it, dereferences Previous. NULL after the last. <= APC_LEVEL. */
PETHREAD PsGetNextProcessThread(PEPROCESS Process, PETHREAD Previous);

/**
 * All processes and threads as SystemProcessInformation has them (ntsysinfo.h).
 *
 * @param Target  where the caller will copy the answer to: names in it are addressed from there
 * @param Copy    out: the answer, complete if Length >= *Needed; free with ExFreePool
 * @return STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS PsQueryProcesses(PVOID Target, ULONG Length, PVOID *Copy, PULONG Needed);

NTSTATUS NTAPI PsSuspendProcess(PEPROCESS Process);
NTSTATUS NTAPI PsResumeProcess(PEPROCESS Process);
BOOLEAN NTAPI PsIsSystemProcess(PEPROCESS Process);
BOOLEAN NTAPI PsGetProcessExitProcessCalled(PEPROCESS Process);
NTSTATUS NTAPI PsAcquireProcessExitSynchronization(PEPROCESS Process);
VOID NTAPI PsReleaseProcessExitSynchronization(PEPROCESS Process);
