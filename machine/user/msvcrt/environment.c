/* SPDX-License-Identifier: MIT */
/* Changing the environment, and temporary files. */
#include "crt.h"

extern char **_environ;
extern WCHAR **_wenviron;
WCHAR *_wcsdup(const WCHAR *Text);

static size_t CrtFindVariable(const WCHAR *Name, size_t Length)
{
    size_t i = 0;

    while (_wenviron[i] != NULL &&
           (CompareStringOrdinal(_wenviron[i], (int)Length, Name, (int)Length, TRUE) != CSTR_EQUAL ||
            _wenviron[i][Length] != L'='))
    {
        i++;
    }
    return i;
}

/* Room for one more in both lists. Earlier lists and texts stay: the program may have pointers into them. */
static BOOL CrtGrowEnvironment(size_t Count)
{
    WCHAR **wide = calloc(Count + 2, sizeof(*wide));
    char **narrow = calloc(Count + 2, sizeof(*narrow));

    if (wide == NULL || narrow == NULL)
    {
        free(wide);
        free(narrow);
        return FALSE;
    }
    CopyMemory(wide, _wenviron, Count * sizeof(*wide));
    CopyMemory(narrow, _environ, Count * sizeof(*narrow));
    _wenviron = wide;
    _environ = narrow;
    return TRUE;
}

static int CrtSetVariable(const WCHAR *Name, const WCHAR *Value)
{
    size_t length = wcslen(Name), value = wcslen(Value);
    size_t at = CrtFindVariable(Name, length), count = at;

    while (_wenviron[count] != NULL)
    {
        count++;
    }
    if (value == 0) /* an empty value takes the variable away, as documented */
    {
        for (; at < count; at++)
        {
            _wenviron[at] = _wenviron[at + 1];
            _environ[at] = _environ[at + 1];
        }
        SetEnvironmentVariableW(Name, NULL);
        return 0;
    }
    WCHAR *entry = malloc((length + value + 2) * sizeof(WCHAR));
    char *narrow = NULL;
    if (entry != NULL)
    {
        CopyMemory(entry, Name, length * sizeof(WCHAR));
        entry[length] = L'=';
        CopyMemory(entry + length + 1, Value, (value + 1) * sizeof(WCHAR));
        narrow = CrtNarrow(entry);
    }
    if (narrow == NULL || (at == count && !CrtGrowEnvironment(count)) || !SetEnvironmentVariableW(Name, Value))
    {
        free(entry);
        free(narrow);
        errno = ENOMEM;
        return -1;
    }
    _wenviron[at] = entry;
    _environ[at] = narrow;
    return 0;
}

/* "NAME=value", or "NAME=" to remove it. */
int _wputenv(const WCHAR *Text)
{
    WCHAR *copy = _wcsdup(Text);
    WCHAR *equals = copy != NULL ? wcschr(copy, L'=') : NULL;
    int result = -1;

    if (equals == NULL || equals == copy)
    {
        errno = copy != NULL ? EINVAL : ENOMEM;
    }
    else
    {
        *equals = 0;
        result = CrtSetVariable(copy, equals + 1);
    }
    free(copy);
    return result;
}

int _putenv(const char *Text)
{
    WCHAR *wide = CrtWiden(Text);
    int result = wide != NULL ? _wputenv(wide) : -1;

    free(wide);
    return result;
}

int _wputenv_s(const WCHAR *Name, const WCHAR *Value)
{
    return CrtSetVariable(Name, Value) == 0 ? 0 : errno;
}

int _putenv_s(const char *Name, const char *Value)
{
    WCHAR *name = CrtWiden(Name), *value = CrtWiden(Value);
    int result = name != NULL && value != NULL ? _wputenv_s(name, value) : ENOMEM;

    free(name);
    free(value);
    return result;
}

int _open_osfhandle(intptr_t Handle, int Flags);
FILE *_fdopen(int File, const char *Mode);

/* A file that is gone when it is closed, or the program ends. */
FILE *tmpfile(void)
{
    WCHAR directory[MAX_PATH + 1], path[MAX_PATH + 1];
    HANDLE handle;
    FILE *stream;
    int file;

    if (GetTempPathW(MAX_PATH + 1, directory) == 0 || GetTempFileNameW(directory, L"tmp", 0, path) == 0)
    {
        CrtFail(GetLastError());
        return NULL;
    }
    handle = CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, FILE_SHARE_READ, NULL, CREATE_ALWAYS,
                         FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (handle == INVALID_HANDLE_VALUE)
    {
        CrtFail(GetLastError());
        DeleteFileW(path);
        return NULL;
    }
    file = _open_osfhandle((intptr_t)handle, _O_RDWR | _O_BINARY);
    if (file < 0)
    {
        CloseHandle(handle);
        return NULL;
    }
    stream = _fdopen(file, "w+b");
    if (stream == NULL)
    {
        _close(file);
    }
    return stream;
}

/* ---- strings that ntdll does not export ---- */

char *_strrev(char *String)
{
    for (size_t i = 0, n = strlen(String); i < n / 2; i++)
    {
        char c = String[i];
        String[i] = String[n - 1 - i];
        String[n - 1 - i] = c;
    }
    return String;
}

char *_strset(char *String, int Character)
{
    FillMemory(String, strlen(String), (BYTE)Character);
    return String;
}

int tolower(int Character);

int _memicmp(const void *First, const void *Second, size_t Count)
{
    const unsigned char *a = First, *b = Second;

    for (; Count != 0; Count--, a++, b++)
    {
        int difference = tolower(*a) - tolower(*b);
        if (difference != 0)
        {
            return difference;
        }
    }
    return 0;
}
