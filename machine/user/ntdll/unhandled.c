/* SPDX-License-Identifier: MIT */
/*
 * Exceptions on their way through ntdll: the entry from the kernel, the vectored handlers, and the
 * end of a process whose exception nobody takes.
 *
 *   kernel -> KiUserExceptionDispatcher -> RtlDispatchException
 *                                            vectored handlers, then the frames' handlers
 *                                            outermost frame: RtlpUserThreadStart's filter
 *                                              = RtlUnhandledExceptionFilter
 *                                                  the program's own filter, else the last words
 */
#include "ntdllp.h"

typedef struct _RTLP_VECTOR
{
    LIST_ENTRY Links;
    PVECTORED_EXCEPTION_HANDLER Handler;
    ULONG References;
    BOOLEAN Removed;
} RTLP_VECTOR, *PRTLP_VECTOR;

static RTL_SRWLOCK RtlpVectorLock;
static LIST_ENTRY RtlpExceptionVectors = {&RtlpExceptionVectors, &RtlpExceptionVectors};
static LIST_ENTRY RtlpContinueVectors = {&RtlpContinueVectors, &RtlpContinueVectors};
static volatile PRTL_TOP_FILTER RtlpTopFilter;

/* ---- Vectored handlers ---- */

static PVOID RtlpAddVector(PLIST_ENTRY List, ULONG First, PVECTORED_EXCEPTION_HANDLER Handler)
{
    PRTLP_VECTOR vector = RtlpAllocate(sizeof(*vector));
    if (vector == NULL)
    {
        return NULL;
    }
    vector->Handler = Handler;
    vector->References = 1;
    vector->Removed = FALSE;
    RtlAcquireSRWLockExclusive(&RtlpVectorLock);
    if (First != 0)
    {
        RtlpInsertHead(List, &vector->Links);
    }
    else
    {
        RtlpInsertTail(List, &vector->Links);
    }
    RtlReleaseSRWLockExclusive(&RtlpVectorLock);
    return vector;
}

/* The lock is held exclusively. A removed vector leaves the list with its last reference. */
static VOID RtlpDereferenceVector(PRTLP_VECTOR Vector)
{
    if (--Vector->References == 0)
    {
        RtlpRemoveEntry(&Vector->Links);
        RtlpFree(Vector);
    }
}

static ULONG RtlpRemoveVector(PLIST_ENTRY List, PVOID Handle)
{
    ULONG removed = FALSE;
    RtlAcquireSRWLockExclusive(&RtlpVectorLock);
    for (PLIST_ENTRY entry = List->Flink; entry != List; entry = entry->Flink)
    {
        PRTLP_VECTOR vector = CONTAINING_RECORD(entry, RTLP_VECTOR, Links);
        if (vector == Handle && !vector->Removed)
        {
            vector->Removed = TRUE;
            RtlpDereferenceVector(vector);
            removed = TRUE;
            break;
        }
    }
    RtlReleaseSRWLockExclusive(&RtlpVectorLock);
    return removed;
}

/* Handlers run without the lock, since they may add and remove handlers; a reference keeps the place in the list. */
static BOOLEAN RtlpRunVectors(PLIST_ENTRY List, PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    EXCEPTION_POINTERS pointers = {Record, Context};
    BOOLEAN handled = FALSE;

    if (RtlpIsListEmpty(List))
    {
        return FALSE;
    }
    RtlAcquireSRWLockExclusive(&RtlpVectorLock);
    PLIST_ENTRY entry = List->Flink;
    while (entry != List && !handled)
    {
        PRTLP_VECTOR vector = CONTAINING_RECORD(entry, RTLP_VECTOR, Links);
        if (vector->Removed)
        {
            entry = entry->Flink;
            continue;
        }
        vector->References++;
        RtlReleaseSRWLockExclusive(&RtlpVectorLock);
        handled = vector->Handler(&pointers) == EXCEPTION_CONTINUE_EXECUTION;
        RtlAcquireSRWLockExclusive(&RtlpVectorLock);
        entry = entry->Flink;
        RtlpDereferenceVector(vector);
    }
    RtlReleaseSRWLockExclusive(&RtlpVectorLock);
    return handled;
}

PVOID NTAPI RtlAddVectoredExceptionHandler(ULONG First, PVECTORED_EXCEPTION_HANDLER Handler)
{
    return RtlpAddVector(&RtlpExceptionVectors, First, Handler);
}

ULONG NTAPI RtlRemoveVectoredExceptionHandler(PVOID Handle)
{
    return RtlpRemoveVector(&RtlpExceptionVectors, Handle);
}

PVOID NTAPI RtlAddVectoredContinueHandler(ULONG First, PVECTORED_EXCEPTION_HANDLER Handler)
{
    return RtlpAddVector(&RtlpContinueVectors, First, Handler);
}

ULONG NTAPI RtlRemoveVectoredContinueHandler(PVOID Handle)
{
    return RtlpRemoveVector(&RtlpContinueVectors, Handle);
}

BOOLEAN RtlpCallVectoredHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    return RtlpRunVectors(&RtlpExceptionVectors, Record, Context);
}

VOID RtlpCallContinueHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    RtlpRunVectors(&RtlpContinueVectors, Record, Context);
}

/* ---- The last words ---- */

static VOID RtlpDescribeAddress(PVOID Address, PWSTR Text, ULONG Characters)
{
    PLDR_DATA_TABLE_ENTRY entry;
    PVOID base;
    ULONG size;
    int __cdecl _snwprintf(wchar_t *, size_t, const wchar_t *, ...);

    /* The table of images takes no lock; the names are read only if the loader is not at work right now. */
    Text[Characters - 1] = 0;
    if (!RtlpFindImage(Address, &base, &size))
    {
        _snwprintf(Text, Characters - 1, L"%p", Address);
    }
    else if (RtlTryEnterCriticalSection(&LdrpLoaderLock))
    {
        if (NT_SUCCESS(LdrFindEntryForAddress(Address, &entry)))
        {
            _snwprintf(Text, Characters - 1, L"%wZ+0x%llX", &entry->BaseDllName,
                       (ULONG64)Address - (ULONG64)entry->DllBase);
        }
        else
        {
            _snwprintf(Text, Characters - 1, L"%p", Address);
        }
        RtlLeaveCriticalSection(&LdrpLoaderLock);
    }
    else
    {
        _snwprintf(Text, Characters - 1, L"%p (image at %p)", Address, base);
    }
}

static VOID RtlpReportUnhandled(PEXCEPTION_RECORD Record)
{
    WCHAR place[96];
    NTSTATUS code = (NTSTATUS)Record->ExceptionCode;
    PCSTR name = RtlpStatusName(code);
    RtlpDescribeAddress(Record->ExceptionAddress, place, ARRAYSIZE(place));

    if ((code == STATUS_ACCESS_VIOLATION || code == STATUS_IN_PAGE_ERROR) &&
        Record->NumberParameters >= 2)
    {
        ULONG_PTR kind = Record->ExceptionInformation[0];
        RtlpReport(L"unhandled exception 0x%08X (%hs) at %s: %hs %p", Record->ExceptionCode, name, place,
                   kind == 0   ? "read of"
                   : kind == 1 ? "write to"
                               : "execution of",
                   (PVOID)Record->ExceptionInformation[1]);
    }
    else
    {
        RtlpReport(L"unhandled exception 0x%08X (%hs) at %s", Record->ExceptionCode,
                   name != NULL ? name : "raised by the program", place);
    }
}

/** Replaces the program's filter for unhandled exceptions; returns the former one. */
PRTL_TOP_FILTER NTAPI RtlSetUnhandledExceptionFilter(PRTL_TOP_FILTER Filter)
{
    return (PRTL_TOP_FILTER)_InterlockedExchangePointer((PVOID volatile *)&RtlpTopFilter, (PVOID)Filter);
}

/**
 * The filter of last resort: asks the program's own filter, then reports.
 *
 * @return EXCEPTION_CONTINUE_EXECUTION if the program's filter says so, else EXCEPTION_EXECUTE_HANDLER
 */
LONG NTAPI RtlUnhandledExceptionFilter(PEXCEPTION_POINTERS Pointers)
{
    PRTL_TOP_FILTER filter = RtlpTopFilter;
    if (filter != NULL)
    {
        LONG answer = filter(Pointers);
        if (answer == EXCEPTION_CONTINUE_EXECUTION || answer == EXCEPTION_EXECUTE_HANDLER)
        {
            return answer;
        }
    }
    RtlpReportUnhandled(Pointers->ExceptionRecord);
    return EXCEPTION_EXECUTE_HANDLER;
}

VOID RtlpUnhandledException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    RtlpReportUnhandled(Record);
    NtRaiseException(Record, Context, FALSE);
    for (;;)
    {
        NtTerminateProcess(NtCurrentProcess(), Record->ExceptionCode);
    }
}

/** From KiUserExceptionDispatcher: Record and Context lie on this thread's stack. Does not return. */
VOID RtlpUserExceptionDispatch(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if (RtlDispatchException(Record, Context))
    {
        NTSTATUS status = NtContinue(Context, FALSE);
        EXCEPTION_RECORD failure = {.ExceptionCode = status,
                                    .ExceptionFlags = EXCEPTION_NONCONTINUABLE,
                                    .ExceptionRecord = Record,
                                    .ExceptionAddress = (PVOID)Context->Rip};
        RtlpUnhandledException(&failure, Context);
    }
    RtlpUnhandledException(Record, Context);
}

VOID RtlpGetStackLimits(PULONG_PTR Low, PULONG_PTR High)
{
    PTEB teb = NtCurrentTeb();
    *Low = (ULONG_PTR)teb->DeallocationStack;
    *High = (ULONG_PTR)teb->NtTib.StackBase;
}
