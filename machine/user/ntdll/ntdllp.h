/* SPDX-License-Identifier: MIT */
/*
 * Inside ntdll: the module and thread records of the loader, the hooks that machine/common/rtl
 * expects, and the few routines its files share.
 */
#ifndef ISTHMUS_NTDLLP_H
#define ISTHMUS_NTDLLP_H

#include "ntdll.h"
#include "pe.h"

#define ALIGN_DOWN(Value, To) ((ULONG_PTR)(Value) & ~((ULONG_PTR)(To) - 1))
#define ALIGN_UP(Value, To) ALIGN_DOWN((ULONG_PTR)(Value) + (To) - 1, To)
#define NTDLL_PAGE_SIZE 0x1000u

/* ---- Lists ---- */

static inline void RtlpInitializeList(PLIST_ENTRY Head)
{
    Head->Flink = Head->Blink = Head;
}

static inline BOOLEAN RtlpIsListEmpty(const LIST_ENTRY *Head)
{
    return Head->Flink == Head;
}

static inline void RtlpInsertTail(PLIST_ENTRY Head, PLIST_ENTRY Entry)
{
    Entry->Flink = Head;
    Entry->Blink = Head->Blink;
    Head->Blink->Flink = Entry;
    Head->Blink = Entry;
}

static inline void RtlpInsertHead(PLIST_ENTRY Head, PLIST_ENTRY Entry)
{
    RtlpInsertTail(Head->Flink, Entry);
}

static inline void RtlpRemoveEntry(PLIST_ENTRY Entry)
{
    Entry->Blink->Flink = Entry->Flink;
    Entry->Flink->Blink = Entry->Blink;
    Entry->Flink = Entry->Blink = Entry;
}

/* ---- Hooks of machine/common/rtl ---- */

PVOID RtlpAllocate(SIZE_T Bytes);
VOID RtlpFree(PVOID Memory);
BOOLEAN RtlpFindImage(PVOID Pc, PVOID *Base, PULONG Size);
VOID RtlpGetStackLimits(PULONG_PTR Low, PULONG_PTR High);
DECLSPEC_NORETURN VOID RtlpUnhandledException(PEXCEPTION_RECORD Record, PCONTEXT Context);
BOOLEAN RtlpCallVectoredHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context);
VOID RtlpCallContinueHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context);
BOOLEAN NTAPI RtlDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context);

/* ---- Messages (message.c) ---- */

/**
 * Writes one line to the machine's stderr port, with the program's name in front.
 * Format is that of swprintf: %s takes a wide string, %hs a narrow one, %wZ a UNICODE_STRING pointer.
 * Works before the heap and the loader do; a line is cut after about 500 characters.
 */
VOID RtlpReport(_In_ PCWSTR Format, ...);

/** The same with Who in front, for lines about a DLL rather than the program. */
VOID RtlpReportFor(_In_ PCUNICODE_STRING Who, _In_ PCWSTR Format, ...);

/** Writes a wide string of Length characters as it is. */
VOID RtlpDisplay(_In_reads_(Length) PCWSTR Text, _In_ SIZE_T Length);

/** The name of a well-known exception or loader status, or NULL. */
PCSTR RtlpStatusName(NTSTATUS Status);

/* ---- Process state ---- */

/* Set once LdrShutdownProcess has stopped the other threads: from then on nobody can release a lock. */
extern volatile BOOLEAN RtlpProcessIsEnding;
extern NTSTATUS RtlpProcessExitStatus;

/** Ends the process when a wait can't be satisfied any more because its other threads are gone. */
VOID RtlpCheckHopelessWait(VOID);

NTSTATUS RtlpInitializeHeaps(VOID);
NTSTATUS RtlpInitializeThreadWait(VOID);
VOID RtlpDeleteThreadWait(VOID);
VOID RtlpInitializeTls(VOID);
VOID RtlpFreeThreadSlots(VOID);
NTSTATUS RtlpInitializeParameters(VOID);
NTSTATUS RtlpInitializeCurrentDirectory(VOID);
VOID RtlpLockProcessHeapForExit(VOID);

extern RTL_CRITICAL_SECTION RtlpPebLock;

/* ---- Loader ---- */

/* What the loader knows about a thread: needed to reach the TLS arrays of the others. */
typedef struct _LDRP_THREAD
{
    LIST_ENTRY Links;
    PTEB Teb;
    ULONG Capacity;               /* slots in Teb->ThreadLocalStoragePointer */
    struct _LDRP_TLS_ARRAY *Arrays; /* the current one first, then those it outgrew */
} LDRP_THREAD, *PLDRP_THREAD;

typedef struct _LDRP_TLS_ARRAY
{
    struct _LDRP_TLS_ARRAY *Older;
    PVOID Slots[];
} LDRP_TLS_ARRAY, *PLDRP_TLS_ARRAY;

#define LDRP_NO_TLS 0xFFFFu
#define LDRP_PINNED 0xFFFFu

/*
 * A module. Entry comes first: debuggers and programs walk the PEB's lists.
 *
 * Lifetime: a module stays while it is pinned, while it has LoadCount references from LdrLoadDll, or
 * while a module that stays imports from it (Edges). LdrpCollect computes that from the graph, so
 * cycles of imports go together. Everything is guarded by the loader lock.
 */
typedef struct _LDRP_MODULE
{
    LDR_DATA_TABLE_ENTRY Entry;
    PE_IMAGE Image;
    struct _LDRP_MODULE **Edges;
    ULONG EdgeCount;
    ULONG EdgeCapacity;
    BOOLEAN Reachable; /* scratch of LdrpCollect */
    BOOLEAN Snapped;   /* imports are resolved or being resolved */
    BOOLEAN Visited;   /* the initialiser has been here */
    BOOLEAN Attached;  /* DllMain has seen DLL_PROCESS_ATTACH */
    BOOLEAN Leaving;   /* being unloaded: no longer found by name */
    PIMAGE_TLS_DIRECTORY64 Tls;
} LDRP_MODULE, *PLDRP_MODULE;

static inline PLDRP_MODULE LdrpFromLoadLinks(PLIST_ENTRY Links)
{
    return CONTAINING_RECORD(Links, LDRP_MODULE, Entry.InLoadOrderLinks);
}

static inline PLDRP_MODULE LdrpFromInitLinks(PLIST_ENTRY Links)
{
    return CONTAINING_RECORD(Links, LDRP_MODULE, Entry.InInitializationOrderLinks);
}

extern RTL_CRITICAL_SECTION LdrpLoaderLock;
extern PEB_LDR_DATA LdrpData;
extern PLDRP_MODULE LdrpImageModule; /* the program */
extern PLDRP_MODULE LdrpNtdllModule;
extern PVOID LdrpStaticReserved;     /* DllMain's third argument: not NULL while the process starts */
extern PWSTR LdrpDefaultPath;        /* directories searched for DLLs, separated by ';' */
extern PWSTR LdrpSystemPath;

/* ldrimage.c */
NTSTATUS LdrpOpenImage(_Inout_ PLDRP_MODULE Module);
NTSTATUS LdrpRelocateImage(_Inout_ PLDRP_MODULE Module);
NTSTATUS LdrpFindExport(_In_ PLDRP_MODULE Module, _In_opt_ PCSTR Name, _In_ ULONG Ordinal, _Out_ PVOID *Address,
                        _Out_ PCSTR *Forwarder);
BOOLEAN LdrpIsWritable(_In_ PLDRP_MODULE Module, _In_ ULONG Rva);
NTSTATUS LdrpMakeWritable(_In_ PVOID Base, _In_ SIZE_T Size, _Out_ PULONG OldProtect);
VOID LdrpRestoreProtection(_In_ PVOID Base, _In_ SIZE_T Size, _In_ ULONG OldProtect);

/* ldrtable.c */
NTSTATUS LdrpCreateModule(_In_ PVOID Base, _In_ PCUNICODE_STRING FullName, _Out_ PLDRP_MODULE *Module);
VOID LdrpDestroyModule(_In_ PLDRP_MODULE Module);
PLDRP_MODULE LdrpFindModuleByBase(_In_opt_ PVOID Base);
PLDRP_MODULE LdrpFindModuleByAddress(_In_ PVOID Address);
PLDRP_MODULE LdrpFindModuleByName(_In_ PCUNICODE_STRING Name, _In_ BOOLEAN IsPath);
NTSTATUS LdrpAddEdge(_In_ PLDRP_MODULE From, _In_ PLDRP_MODULE To);
VOID LdrpCollect(VOID);

/* ldrload.c */
NTSTATUS LdrpLoadModule(_In_opt_ PCWSTR SearchPath, _In_ PCUNICODE_STRING Name, _Out_ PLDRP_MODULE *Module);
NTSTATUS LdrpFindLoaded(_In_ PCUNICODE_STRING Name, _Out_ PLDRP_MODULE *Module);

/* ldrsnap.c */
NTSTATUS LdrpSnapModule(_In_ PLDRP_MODULE Module, _In_opt_ PCWSTR SearchPath);
NTSTATUS LdrpResolve(_In_ PLDRP_MODULE Exporter, _In_opt_ PCSTR Name, _In_ ULONG Ordinal,
                     _In_opt_ PLDRP_MODULE Importer, _In_opt_ PCWSTR SearchPath, _Out_ PVOID *Address);

/* ldrrun.c */
NTSTATUS LdrpAttach(_In_ PLDRP_MODULE Module);
VOID LdrpDetach(_In_ PLDRP_MODULE Module, _In_opt_ PVOID Reserved);
VOID LdrpNotifyAttach(VOID);

/* ldrtls.c */
NTSTATUS LdrpRegisterTls(_Inout_ PLDRP_MODULE Module);
VOID LdrpUnregisterTls(_Inout_ PLDRP_MODULE Module);
VOID LdrpCallTlsCallbacks(_In_ PLDRP_MODULE Module, _In_ ULONG Reason, _In_opt_ PVOID Reserved);
NTSTATUS LdrpInitializeThreadTls(VOID);
VOID LdrpFreeThreadTls(VOID);
VOID LdrpForEachTeb(_In_ VOID (*Routine)(PTEB Teb, PVOID Context), _In_opt_ PVOID Context);

#endif /* ISTHMUS_NTDLLP_H */
