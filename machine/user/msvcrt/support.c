/* SPDX-License-Identifier: MIT */
/* Heap, locks, per-thread data, threads, errors, signals. */
#include "crt.h"

static CRITICAL_SECTION CrtLocks[CRT_LOCKS];
static DWORD CrtTls = TLS_OUT_OF_INDEXES;

/* ---- heap ---- */

void *malloc(size_t Size)
{
    void *block = HeapAlloc(GetProcessHeap(), 0, Size != 0 ? Size : 1);

    if (block == NULL && CrtTls != TLS_OUT_OF_INDEXES)
    {
        errno = ENOMEM;
    }
    return block;
}

void *calloc(size_t Count, size_t Size)
{
    size_t bytes;

    if (__builtin_mul_overflow(Count, Size, &bytes))
    {
        errno = ENOMEM;
        return NULL;
    }
    return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, bytes != 0 ? bytes : 1);
}

void *realloc(void *Block, size_t Size)
{
    void *moved;

    if (Block == NULL)
    {
        return malloc(Size);
    }
    if (Size == 0)
    {
        free(Block);
        return NULL;
    }
    moved = HeapReAlloc(GetProcessHeap(), 0, Block, Size);
    if (moved == NULL)
    {
        errno = ENOMEM;
    }
    return moved;
}

void free(void *Block)
{
    if (Block != NULL)
    {
        HeapFree(GetProcessHeap(), 0, Block);
    }
}

size_t _msize(void *Block)
{
    return HeapSize(GetProcessHeap(), 0, Block);
}

/* The pointer malloc gave lies just below an aligned block. */
void *_aligned_malloc(size_t Size, size_t Alignment)
{
    size_t total;
    char *raw;
    char *aligned;

    if (Alignment == 0 || (Alignment & (Alignment - 1)) != 0)
    {
        errno = EINVAL;
        return NULL;
    }
    if (Alignment < sizeof(void *))
    {
        Alignment = sizeof(void *);
    }
    if (__builtin_add_overflow(Size, Alignment + sizeof(void *), &total) || (raw = malloc(total)) == NULL)
    {
        errno = ENOMEM;
        return NULL;
    }
    aligned = (char *)(((size_t)raw + sizeof(void *) + Alignment - 1) & ~(Alignment - 1));
    ((void **)aligned)[-1] = raw;
    return aligned;
}

void _aligned_free(void *Block)
{
    if (Block != NULL)
    {
        free(((void **)Block)[-1]);
    }
}

char *_strdup(const char *Text)
{
    size_t size = strlen(Text) + 1;
    char *copy = malloc(size);

    if (copy != NULL)
    {
        CopyMemory(copy, Text, size);
    }
    return copy;
}

WCHAR *_wcsdup(const WCHAR *Text)
{
    size_t size = (wcslen(Text) + 1) * sizeof(WCHAR);
    WCHAR *copy = malloc(size);

    if (copy != NULL)
    {
        CopyMemory(copy, Text, size);
    }
    return copy;
}

/* ---- locks ---- */

void CrtInitializeLocks(void)
{
    for (int i = 0; i < CRT_LOCKS; i++)
    {
        InitializeCriticalSection(&CrtLocks[i]);
    }
}

void _lock(int Number)
{
    if ((unsigned)Number < CRT_LOCKS)
    {
        EnterCriticalSection(&CrtLocks[Number]);
    }
}

void _unlock(int Number)
{
    if ((unsigned)Number < CRT_LOCKS)
    {
        LeaveCriticalSection(&CrtLocks[Number]);
    }
}

/* ---- per-thread data and threads ---- */

void CrtInitializeThreads(void)
{
    CrtTls = TlsAlloc();
}

CRT_THREAD *CrtThread(void)
{
    static CRT_THREAD fallback; /* better a shared errno than none when memory has run out */
    DWORD error = GetLastError();
    CRT_THREAD *thread = TlsGetValue(CrtTls);

    if (thread == NULL)
    {
        thread = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*thread));
        if (thread == NULL)
        {
            thread = &fallback;
        }
        else
        {
            thread->RandSeed = 1;
            TlsSetValue(CrtTls, thread);
        }
    }
    SetLastError(error);
    return thread;
}

void CrtFreeThread(void)
{
    CRT_THREAD *thread = TlsGetValue(CrtTls);

    if (thread != NULL)
    {
        free(thread->Time);
        free(thread->TimeText);
        HeapFree(GetProcessHeap(), 0, thread);
        TlsSetValue(CrtTls, NULL);
    }
}

int *_errno(void)
{
    return &CrtThread()->Errno;
}

unsigned long *__doserrno(void)
{
    return &CrtThread()->DosErrno;
}

static DWORD WINAPI CrtThreadStart(void *Context)
{
    CRT_THREAD *thread = Context;

    TlsSetValue(CrtTls, thread);
    if (thread->StartEx != NULL)
    {
        return thread->StartEx(thread->Argument);
    }
    thread->Start(thread->Argument);
    return 0;
}

static HANDLE CrtStartThread(CRT_THREAD *Thread, void *Security, unsigned StackSize, unsigned Flags, unsigned *Id)
{
    DWORD id;
    HANDLE handle;

    handle = CreateThread(Security, StackSize, CrtThreadStart, Thread, Flags, &id);
    if (handle == NULL)
    {
        CrtFail(GetLastError());
        HeapFree(GetProcessHeap(), 0, Thread);
    }
    else if (Id != NULL)
    {
        *Id = id;
    }
    return handle;
}

static CRT_THREAD *CrtNewThread(void *Argument)
{
    CRT_THREAD *thread = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*thread));

    if (thread == NULL)
    {
        errno = EAGAIN;
        return NULL;
    }
    thread->RandSeed = 1;
    thread->Argument = Argument;
    return thread;
}

/** Starts a thread; 0 and errno on failure. The caller closes the handle. */
uintptr_t _beginthreadex(void *Security, unsigned StackSize, unsigned (__stdcall *Start)(void *), void *Argument, unsigned Flags, unsigned *Id)
{
    CRT_THREAD *thread = CrtNewThread(Argument);

    if (thread == NULL)
    {
        return 0;
    }
    thread->StartEx = Start;
    return (uintptr_t)CrtStartThread(thread, Security, StackSize, Flags, Id);
}

/** Starts a thread whose handle is closed when it ends by itself; -1 and errno on failure. */
uintptr_t _beginthread(void (*Start)(void *), unsigned StackSize, void *Argument)
{
    CRT_THREAD *thread = CrtNewThread(Argument);
    HANDLE handle;

    if (thread == NULL)
    {
        return (uintptr_t)-1;
    }
    thread->Start = Start;
    handle = CrtStartThread(thread, NULL, StackSize, 0, NULL);
    if (handle == NULL)
    {
        return (uintptr_t)-1;
    }
    CloseHandle(handle);
    return (uintptr_t)handle;
}

void _endthreadex(unsigned Code)
{
    ExitThread(Code);
}

void _endthread(void)
{
    ExitThread(0);
}

/* ---- errors ---- */

static const struct
{
    DWORD Win32;
    int Errno;
} CrtErrors[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},   {ERROR_PATH_NOT_FOUND, ENOENT},     {ERROR_TOO_MANY_OPEN_FILES, EMFILE}, {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_INVALID_HANDLE, EBADF},    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},  {ERROR_OUTOFMEMORY, ENOMEM},         {ERROR_SHARING_VIOLATION, EACCES},
    {ERROR_FILE_EXISTS, EEXIST},      {ERROR_ALREADY_EXISTS, EEXIST},     {ERROR_INVALID_PARAMETER, EINVAL},   {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_DISK_FULL, ENOSPC},        {ERROR_INVALID_NAME, ENOENT},       {ERROR_DIRECTORY, ENOTDIR},          {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
};

int CrtFail(DWORD Error)
{
    CRT_THREAD *thread = CrtThread();

    thread->DosErrno = Error;
    thread->Errno = EINVAL;
    for (size_t i = 0; i < sizeof(CrtErrors) / sizeof(CrtErrors[0]); i++)
    {
        if (CrtErrors[i].Win32 == Error)
        {
            thread->Errno = CrtErrors[i].Errno;
            break;
        }
    }
    return -1;
}

static const char *const CrtErrorTexts[] = {
    [0] = "No error", [ENOENT] = "No such file or directory", [EINTR] = "Interrupted function call", [EIO] = "Input/output error",
    [EBADF] = "Bad file descriptor", [EAGAIN] = "Resource temporarily unavailable", [ENOMEM] = "Not enough space",
    [EACCES] = "Permission denied", [EEXIST] = "File exists", [ENOTDIR] = "Not a directory", [EISDIR] = "Is a directory",
    [EINVAL] = "Invalid argument", [EMFILE] = "Too many open files", [ENOSPC] = "No space left on device", [EPIPE] = "Broken pipe",
    [EDOM] = "Domain error", [ERANGE] = "Result too large", [EILSEQ] = "Illegal byte sequence",
};

char *strerror(int Error)
{
    const char *text = NULL;

    if (Error >= 0 && (size_t)Error < sizeof(CrtErrorTexts) / sizeof(CrtErrorTexts[0]))
    {
        text = CrtErrorTexts[Error];
    }
    return (char *)(text != NULL ? text : "Unknown error");
}

int fprintf(FILE *Stream, const char *Format, ...);

void perror(const char *Prefix)
{
    if (Prefix != NULL && *Prefix != 0)
    {
        fprintf(stderr, "%s: ", Prefix);
    }
    fprintf(stderr, "%s\n", strerror(errno));
}

/* ---- signals: only those a program raises itself; the machine's faults are exceptions ---- */

#define SIGNALS 23
#define SIGABRT 22
typedef void (__cdecl *CRT_SIGNAL)(int);
static CRT_SIGNAL CrtSignals[SIGNALS];
#define SIG_DFL ((CRT_SIGNAL)0)
#define SIG_IGN ((CRT_SIGNAL)1)
#define SIG_ERR ((CRT_SIGNAL)-1)

CRT_SIGNAL signal(int Signal, CRT_SIGNAL Handler)
{
    if (Signal <= 0 || Signal >= SIGNALS)
    {
        errno = EINVAL;
        return SIG_ERR;
    }
    return (CRT_SIGNAL)InterlockedExchangePointer((void *volatile *)&CrtSignals[Signal], (void *)Handler);
}

int raise(int Signal)
{
    CRT_SIGNAL handler;

    if (Signal <= 0 || Signal >= SIGNALS)
    {
        errno = EINVAL;
        return -1;
    }
    handler = (CRT_SIGNAL)InterlockedExchangePointer((void *volatile *)&CrtSignals[Signal], NULL);
    if (handler == SIG_DFL)
    {
        ExitProcess(3);
    }
    if (handler == SIG_IGN)
    {
        CrtSignals[Signal] = SIG_IGN;
        return 0;
    }
    handler(Signal);
    return 0;
}

void abort(void)
{
    CrtFlushAll();
    raise(SIGABRT);
    ExitProcess(3);
}

/* The start-up code's filter: a program's unhandled exceptions go on to the system, which names them. */
int _XcptFilter(unsigned long Code, struct _EXCEPTION_POINTERS *Pointers)
{
    UNREFERENCED_PARAMETER(Code);
    UNREFERENCED_PARAMETER(Pointers);
    return EXCEPTION_CONTINUE_SEARCH;
}
