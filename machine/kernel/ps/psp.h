/* SPDX-License-Identifier: MIT */
/*
 * PS, private: flags, creation in steps, notify routines.
 *
 * The life of a thread                          The life of a process
 *   PspCreateThread    object, id, stacks         PspCreateProcess   object, id, address space, handles, token
 *   in the list        counted, can be killed     first thread       create notify; may be vetoed
 *   KeStartThread      runs                       ...
 *   PspExitThread      in its own context         last thread        exit notify, handles, address space, signal
 *   PsReapThread       stack freed                last reference     page tables, id, token
 *
 * Locks: EPROCESS.ProcessLock guards the thread list and the DELETE flag against each other; TokenLocks are spin locks.
 */
#pragma once

#include "nt.h"
#include "ke.h"
#include "mm.h"
#include "ob.h"
#include "se.h"
#include "io.h"
#include "ps.h"
#include "ex.h"
#include "vf.h"

#define PSP_TAG_PROCESS 'ecrP'
#define PSP_TAG_PARAMETERS 'maPP'
#define PSP_TAG_MISC 'sMsP'

/* EPROCESS.Flags */
#define PSP_PROCESS_DELETE 0x01         /* told to end; takes no new threads */
#define PSP_PROCESS_EXITING 0x02        /* its last thread takes it apart */
#define PSP_PROCESS_NOTIFIED 0x04       /* create notify ran, so exit notify will */
#define PSP_PROCESS_STARTED 0x08        /* its first thread ran: the token stays now */
#define PSP_PROCESS_LISTED 0x10         /* in PsActiveProcessHead */
#define PSP_PROCESS_BREAK_ON_TERMINATION 0x20

/* ETHREAD.Flags */
#define PSP_THREAD_TERMINATED 0x01      /* told to end */
#define PSP_THREAD_DEAD_ON_START 0x02   /* ends instead of starting */
#define PSP_THREAD_SYSTEM 0x04
#define PSP_THREAD_IMPERSONATING 0x08
#define PSP_THREAD_NOTIFIED 0x10        /* create notify ran, so exit notify will */
#define PSP_THREAD_HIDDEN 0x20
#define PSP_THREAD_IMPERSONATION_OFF 0x40
#define PSP_THREAD_LISTED 0x80

#define PSP_PROCESS_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF)
#define PSP_THREAD_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF)

#define PSP_DEFAULT_PRIORITY 8

extern struct _HANDLE_TABLE *PspCidTable;
extern FAST_MUTEX PspActiveProcessLock;
extern PVOID PspNtdllSection;

BOOLEAN NTAPI KeIsAttachedProcess(VOID);
KAFFINITY NTAPI KeSetAffinityThread(PKTHREAD Thread, KAFFINITY Affinity);
NTSTATUS NTAPI ZwProtectVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG NewProtect, PULONG OldProtect);

/* ---- objects ---- */
VOID PspDeleteProcess(PVOID Object);
VOID PspDeleteThread(PVOID Object);
VOID PspInitializeNotify(VOID);

/* ---- processes ---- */
typedef struct _PSP_PROCESS_CREATE
{
    PEPROCESS Parent;              /* whose handles are inherited */
    PTOKEN Token;                  /* source of the primary token, or NULL: the parent's */
    BOOLEAN InheritHandles;
    const HANDLE *HandleList;      /* with InheritHandles: only these; kernel memory */
    ULONG HandleListCount;
    BOOLEAN HasHandleList;
    PFILE_OBJECT File;
    PVOID Section;
    PCUNICODE_STRING ImagePath;
    POBJECT_ATTRIBUTES Attributes;
    KPROCESSOR_MODE Mode;
} PSP_PROCESS_CREATE;

NTSTATUS PspCreateProcess(const PSP_PROCESS_CREATE *Create, PEPROCESS *Process);
VOID PspListProcess(PEPROCESS Process);
/** Ends a process none of whose threads ever came to be. The caller keeps his reference. PASSIVE_LEVEL. */
VOID PspAbandonProcess(PEPROCESS Process, NTSTATUS Status);

/* ---- user address space (psspace.c), the process attached ---- */
NTSTATUS PspMapImages(PEPROCESS Process);
NTSTATUS PspCreatePeb(PEPROCESS Process);
NTSTATUS PspCreateTeb(PEPROCESS Process, const INITIAL_TEB *Stack, const CLIENT_ID *Cid, PTEB *Teb);

/* ---- process parameters (psparams.c) ---- */
typedef struct _PSP_PARAMETERS
{
    PRTL_USER_PROCESS_PARAMETERS Block;  /* header and strings; Buffer fields are offsets into it */
    SIZE_T BlockSize;
    PVOID Environment;
    SIZE_T EnvironmentSize;
    UNICODE_STRING ImagePath;            /* NT path; a buffer of its own */
    UNICODE_STRING CommandLine;          /* inside Block, with a kernel pointer */
} PSP_PARAMETERS;

NTSTATUS PspCaptureParameters(PRTL_USER_PROCESS_PARAMETERS Source, KPROCESSOR_MODE Mode, PSP_PARAMETERS *Captured);
NTSTATUS PspBuildParameters(const PS_START_PARAMETERS *Start, PSP_PARAMETERS *Built);
VOID PspFreeParameters(PSP_PARAMETERS *Parameters);
/** Copies the parameters into the process that is attached, and points its PEB at them. */
NTSTATUS PspWriteParameters(PEPROCESS Process, const PSP_PARAMETERS *Parameters);

/* ---- threads ---- */
typedef struct _PSP_THREAD_CREATE
{
    PEPROCESS Process;
    KPROCESSOR_MODE Mode;          /* of Attributes */
    POBJECT_ATTRIBUTES Attributes;
    ACCESS_MASK Access;
    PVOID StartRoutine;            /* kernel: PKSTART_ROUTINE; user: what RtlUserThreadStart gets */
    PVOID StartContext;
    BOOLEAN User;
    BOOLEAN Suspended;
    BOOLEAN Hidden;
    SIZE_T StackReserve, StackCommit;
    const PS_CREATE_NOTIFY_INFO *FirstThreadInfo; /* first thread of a process: for its create notify */
    /* out */
    PHANDLE Handle;                /* kernel memory, or NULL for none */
    PETHREAD Thread;               /* referenced */
    CLIENT_ID Cid;
    PVOID Teb;
} PSP_THREAD_CREATE;

NTSTATUS PspCreateThread(PSP_THREAD_CREATE *Create);
NTSTATUS PspInsertObject(PVOID Object, POBJECT_TYPE Type, PEPROCESS Process, ACCESS_MASK Access, PHANDLE Handle);
DECLSPEC_NORETURN VOID PspExitThread(NTSTATUS Status);
NTSTATUS PspTerminateThread(PETHREAD Thread, NTSTATUS Status);
NTSTATUS PspSetThreadAffinity(PETHREAD Thread, KAFFINITY Affinity);
NTSTATUS PspTerminateProcess(PEPROCESS Process, NTSTATUS Status, PETHREAD Except);

/* ---- tokens ---- */
VOID PspClearImpersonation(PETHREAD Thread);
NTSTATUS PspAssignPrimaryToken(PEPROCESS Process, HANDLE Token, KPROCESSOR_MODE Mode);
NTSTATUS PspAssignImpersonationToken(PETHREAD Thread, HANDLE Token, KPROCESSOR_MODE Mode);

/* ---- notify routines ---- */
VOID PspCallProcessCreateNotify(PEPROCESS Process, PPS_CREATE_NOTIFY_INFO Info);
VOID PspCallProcessExitNotify(PEPROCESS Process);
VOID PspCallThreadNotify(PETHREAD Thread, BOOLEAN Create);
VOID PspReportFirstImages(PEPROCESS Process);

/* ---- copying results to callers ---- */
static inline NTSTATUS PspProbeOutput(PVOID Buffer, SIZE_T Size, ULONG Alignment, KPROCESSOR_MODE Mode)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForWrite(Buffer, Size, Alignment);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static inline NTSTATUS PspCopyOut(PVOID Target, const VOID *Source, SIZE_T Size)
{
    __try
    {
        RtlCopyMemory(Target, Source, Size);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static inline NTSTATUS PspCopyIn(PVOID Target, const VOID *Source, SIZE_T Size, ULONG Alignment, KPROCESSOR_MODE Mode)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead((PVOID)Source, Size, Alignment);
        }
        RtlCopyMemory(Target, Source, Size);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}
