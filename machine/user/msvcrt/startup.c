/* SPDX-License-Identifier: MIT */
/* A program's start and end: arguments, environment, initialisers, exit handlers. */
#include "crt.h"

typedef void (__cdecl *CRT_INITIALISER)(void);
typedef int (__cdecl *CRT_INITIALISER_EX)(void);
typedef int (__cdecl *CRT_ONEXIT)(void);

/* Exported data; programs read these through pointers. */
char **__initenv;
WCHAR **__winitenv;
char **_environ;
WCHAR **_wenviron;
char *_acmdln;
WCHAR *_wcmdln;
char *_pgmptr;
WCHAR *_wpgmptr;
int __argc;
char **__argv;
WCHAR **__wargv;
int _fmode;
int _commode;
#undef __mb_cur_max
int __mb_cur_max = 1;
unsigned _osver = 19045;
unsigned _winver = 0x0A00;
unsigned _winmajor = 10;
unsigned _winminor;

static CRT_ONEXIT *CrtExitTable;
static size_t CrtExitCount, CrtExitRoom;

char *CrtNarrow(const WCHAR *Text)
{
    int size = WideCharToMultiByte(CP_ACP, 0, Text, -1, NULL, 0, NULL, NULL);
    char *narrow = malloc((size_t)size);

    if (narrow != NULL)
    {
        WideCharToMultiByte(CP_ACP, 0, Text, -1, narrow, size, NULL, NULL);
    }
    return narrow;
}

/*
 * Splits a command line as msvcrt always has: 2n backslashes and a quote give n backslashes and the quote's meaning, 2n+1
 * give n and a literal quote; inside quotes a doubled quote is a literal one. Writes argument texts to Text and
 * pointers to Arguments (both may be NULL to count); returns the count, and the characters needed in *Size.
 */
static int CrtSplit(const WCHAR *Line, WCHAR **Arguments, WCHAR *Text, size_t *Size)
{
    int count = 0;
    size_t used = 0;

#define PUT(c) do { if (Text != NULL) { Text[used] = (c); } used++; } while (0)
    /* The program's name knows quotes, but no escapes. */
    BOOL quoted = FALSE;
    if (Arguments != NULL)
    {
        Arguments[count] = Text + used;
    }
    count++;
    for (; *Line != 0 && (quoted || (*Line != L' ' && *Line != L'\t')); Line++)
    {
        if (*Line == L'"')
        {
            quoted = !quoted;
        }
        else
        {
            PUT(*Line);
        }
    }
    PUT(0);
    for (;;)
    {
        while (*Line == L' ' || *Line == L'\t')
        {
            Line++;
        }
        if (*Line == 0)
        {
            break;
        }
        if (Arguments != NULL)
        {
            Arguments[count] = Text + used;
        }
        count++;
        quoted = FALSE;
        while (*Line != 0 && (quoted || (*Line != L' ' && *Line != L'\t')))
        {
            size_t slashes = 0;
            while (*Line == L'\\')
            {
                slashes++;
                Line++;
            }
            if (*Line != L'"')
            {
                while (slashes-- != 0)
                {
                    PUT(L'\\');
                }
                if (*Line != 0 && (quoted || (*Line != L' ' && *Line != L'\t')))
                {
                    PUT(*Line);
                    Line++;
                }
                continue;
            }
            for (size_t i = 0; i < slashes / 2; i++)
            {
                PUT(L'\\');
            }
            if (slashes & 1)
            {
                PUT(L'"');
            }
            else if (quoted && Line[1] == L'"')
            {
                PUT(L'"');
                Line++;
            }
            else
            {
                quoted = !quoted;
            }
            Line++;
        }
        PUT(0);
    }
#undef PUT
    *Size = used;
    return count;
}

static BOOL CrtBuildArguments(void)
{
    size_t size;
    int count = CrtSplit(_wcmdln, NULL, NULL, &size);
    WCHAR *text = malloc(size * sizeof(WCHAR));

    __wargv = calloc((size_t)count + 1, sizeof(WCHAR *));
    __argv = calloc((size_t)count + 1, sizeof(char *));
    if (text == NULL || __wargv == NULL || __argv == NULL)
    {
        return FALSE;
    }
    __argc = CrtSplit(_wcmdln, __wargv, text, &size);
    for (int i = 0; i < __argc; i++)
    {
        __argv[i] = CrtNarrow(__wargv[i]);
        if (__argv[i] == NULL)
        {
            return FALSE;
        }
    }
    return TRUE;
}

static BOOL CrtBuildEnvironment(void)
{
    WCHAR *block = GetEnvironmentStringsW();
    size_t count = 0;

    if (block == NULL)
    {
        return FALSE;
    }
    for (WCHAR *p = block; *p != 0; p += wcslen(p) + 1)
    {
        count++;
    }
    _wenviron = calloc(count + 1, sizeof(WCHAR *));
    _environ = calloc(count + 1, sizeof(char *));
    if (_wenviron == NULL || _environ == NULL)
    {
        return FALSE;
    }
    count = 0;
    for (WCHAR *p = block; *p != 0; p += wcslen(p) + 1)
    {
        size_t bytes = (wcslen(p) + 1) * sizeof(WCHAR);
        _wenviron[count] = malloc(bytes);
        _environ[count] = CrtNarrow(p);
        if (_wenviron[count] == NULL || _environ[count] == NULL)
        {
            return FALSE;
        }
        CopyMemory(_wenviron[count], p, bytes);
        count++;
    }
    FreeEnvironmentStringsW(block);
    __initenv = _environ;
    __winitenv = _wenviron;
    return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE Instance, DWORD Reason, LPVOID Reserved)
{
    WCHAR path[MAX_PATH];

    UNREFERENCED_PARAMETER(Instance);
    switch (Reason)
    {
    case DLL_PROCESS_ATTACH:
        CrtInitializeLocks();
        CrtInitializeThreads();
        CrtInitializeFiles();
        _wcmdln = GetCommandLineW();
        _acmdln = GetCommandLineA();
        if (GetModuleFileNameW(NULL, path, MAX_PATH) != 0)
        {
            size_t bytes = (wcslen(path) + 1) * sizeof(WCHAR);
            _wpgmptr = malloc(bytes);
            if (_wpgmptr != NULL)
            {
                CopyMemory(_wpgmptr, path, bytes);
            }
            _pgmptr = CrtNarrow(path);
        }
        return CrtBuildArguments() && CrtBuildEnvironment();
    case DLL_THREAD_DETACH:
        CrtFreeThread();
        return TRUE;
    case DLL_PROCESS_DETACH:
        if (Reserved == NULL)
        {
            CrtFlushAll();
        }
        return TRUE;
    default:
        return TRUE;
    }
}

/* Wildcards are the shell's matter on the machine: Expand is taken and nothing is expanded. */
int __getmainargs(int *Count, char ***Arguments, char ***Environment, int Expand, void *StartupInfo)
{
    UNREFERENCED_PARAMETER(Expand);
    UNREFERENCED_PARAMETER(StartupInfo);
    *Count = __argc;
    *Arguments = __argv;
    *Environment = _environ;
    return 0;
}

int __wgetmainargs(int *Count, WCHAR ***Arguments, WCHAR ***Environment, int Expand, void *StartupInfo)
{
    UNREFERENCED_PARAMETER(Expand);
    UNREFERENCED_PARAMETER(StartupInfo);
    *Count = __argc;
    *Arguments = __wargv;
    *Environment = _wenviron;
    return 0;
}

void _initterm(CRT_INITIALISER *First, CRT_INITIALISER *Last)
{
    for (; First < Last; First++)
    {
        if (*First != NULL)
        {
            (*First)();
        }
    }
}

int _initterm_e(CRT_INITIALISER_EX *First, CRT_INITIALISER_EX *Last)
{
    int result = 0;

    for (; result == 0 && First < Last; First++)
    {
        if (*First != NULL)
        {
            result = (*First)();
        }
    }
    return result;
}

void __set_app_type(int Type)
{
    UNREFERENCED_PARAMETER(Type); /* where errors are shown: always on standard error */
}

void __setusermatherr(void *Handler)
{
    UNREFERENCED_PARAMETER(Handler); /* no routine of this library reports mathematical errors */
}

CRT_ONEXIT _onexit(CRT_ONEXIT Function)
{
    _lock(CRT_EXIT_LOCK);
    if (CrtExitCount == CrtExitRoom)
    {
        size_t room = CrtExitRoom != 0 ? 2 * CrtExitRoom : 32;
        CRT_ONEXIT *table = realloc(CrtExitTable, room * sizeof(*table));
        if (table == NULL)
        {
            _unlock(CRT_EXIT_LOCK);
            return NULL;
        }
        CrtExitTable = table;
        CrtExitRoom = room;
    }
    CrtExitTable[CrtExitCount++] = Function;
    _unlock(CRT_EXIT_LOCK);
    return Function;
}

int atexit(void (__cdecl *Function)(void))
{
    return _onexit((CRT_ONEXIT)(void *)Function) != NULL ? 0 : -1;
}

/* A DLL's own table of exit handlers. */
CRT_ONEXIT __dllonexit(CRT_ONEXIT Function, CRT_ONEXIT **Begin, CRT_ONEXIT **End)
{
    size_t count = (size_t)(*End - *Begin);
    CRT_ONEXIT *table = realloc(*Begin, (count + 1) * sizeof(*table));

    if (table == NULL)
    {
        return NULL;
    }
    table[count] = Function;
    *Begin = table;
    *End = table + count + 1;
    return Function;
}

static void CrtRunExitHandlers(void)
{
    for (;;)
    {
        CRT_ONEXIT function;

        _lock(CRT_EXIT_LOCK);
        function = CrtExitCount != 0 ? CrtExitTable[--CrtExitCount] : NULL;
        _unlock(CRT_EXIT_LOCK);
        if (function == NULL)
        {
            return;
        }
        function(); /* may register more, and these run next */
    }
}

void _cexit(void)
{
    CrtRunExitHandlers();
    CrtFlushAll();
}

void _c_exit(void)
{
}

DECLSPEC_NORETURN void _exit(int Code)
{
    ExitProcess((UINT)Code);
}

DECLSPEC_NORETURN void exit(int Code)
{
    _cexit();
    ExitProcess((UINT)Code);
}

static void CrtSay(const char *Text)
{
    DWORD written;

    WriteFile(GetStdHandle(STD_ERROR_HANDLE), Text, (DWORD)strlen(Text), &written, NULL);
}

void _amsg_exit(int Number)
{
    CrtSay(Number == 31 ? "run-time error: start-up code ran twice\n" : "run-time error: the program could not be started\n");
    ExitProcess(255);
}

void _assert(const char *Expression, const char *File, unsigned Line);
void _wassert(const WCHAR *Expression, const WCHAR *File, unsigned Line);
int fprintf(FILE *Stream, const char *Format, ...);
void abort(void);

void _assert(const char *Expression, const char *File, unsigned Line)
{
    fprintf(stderr, "Assertion failed: %s, file %s, line %u\n", Expression, File, Line);
    abort();
}

void _wassert(const WCHAR *Expression, const WCHAR *File, unsigned Line)
{
    fprintf(stderr, "Assertion failed: %ls, file %ls, line %u\n", Expression, File, Line);
    abort();
}

void _purecall(void)
{
    CrtSay("run-time error: pure virtual function called\n");
    abort();
}

/* Values behind functions, as newer headers ask for them. */
int *__p__fmode(void) { return &_fmode; }
int *__p__commode(void) { return &_commode; }
char ***__p__environ(void) { return &_environ; }
WCHAR ***__p__wenviron(void) { return &_wenviron; }
char ***__p___initenv(void) { return &__initenv; }
WCHAR ***__p___winitenv(void) { return &__winitenv; }
char **__p__acmdln(void) { return &_acmdln; }
WCHAR **__p__wcmdln(void) { return &_wcmdln; }
int *__p___argc(void) { return &__argc; }
char ***__p___argv(void) { return &__argv; }
WCHAR ***__p___wargv(void) { return &__wargv; }
char **__p__pgmptr(void) { return &_pgmptr; }
WCHAR **__p__wpgmptr(void) { return &_wpgmptr; }

static BOOL CrtNameIs(const WCHAR *Entry, const WCHAR *Name)
{
    for (; *Name != 0; Entry++, Name++)
    {
        WCHAR a = *Entry, b = *Name;
        if (a >= L'a' && a <= L'z')
        {
            a -= 32;
        }
        if (b >= L'a' && b <= L'z')
        {
            b -= 32;
        }
        if (a != b)
        {
            return FALSE;
        }
    }
    return *Entry == L'=';
}

WCHAR *_wgetenv(const WCHAR *Name)
{
    for (size_t i = 0; _wenviron[i] != NULL; i++)
    {
        if (CrtNameIs(_wenviron[i], Name))
        {
            return _wenviron[i] + wcslen(Name) + 1;
        }
    }
    return NULL;
}

char *getenv(const char *Name)
{
    size_t length = strlen(Name);
    WCHAR *wide = malloc((length + 1) * sizeof(WCHAR));
    char *found = NULL;

    if (wide == NULL || MultiByteToWideChar(CP_ACP, 0, Name, -1, wide, (int)length + 1) == 0)
    {
        free(wide);
        return NULL;
    }
    for (size_t i = 0; _wenviron[i] != NULL; i++)
    {
        if (CrtNameIs(_wenviron[i], wide))
        {
            found = _environ[i] + length + 1;
            break;
        }
    }
    free(wide);
    return found;
}
