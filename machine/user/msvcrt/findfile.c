/* SPDX-License-Identifier: MIT */
/* Looking through directories: _findfirst and kin. A search's handle is that of FindFirstFileW. */
#include "crt.h"

#define CRT_EPOCH 116444736000000000LL /* 1970 as a FILETIME */

#define CRT_FINDDATA(Tag, SizeType, CharType)                                                                         \
    struct Tag                                                                                                         \
    {                                                                                                                  \
        unsigned attrib;                                                                                               \
        long long time_create, time_access, time_write;                                                                \
        SizeType size;                                                                                                 \
        CharType name[260];                                                                                            \
    }
CRT_FINDDATA(__finddata64_t, long long, char);
CRT_FINDDATA(_finddata64i32_t, unsigned long, char);
CRT_FINDDATA(_wfinddata64_t, long long, WCHAR);
CRT_FINDDATA(_wfinddata64i32_t, unsigned long, WCHAR);

static long long CrtFileTime(FILETIME Time)
{
    long long value = (long long)((unsigned long long)Time.dwHighDateTime << 32 | Time.dwLowDateTime);
    return value == 0 ? -1 : (value - CRT_EPOCH) / 10000000;
}

static void CrtFillFound(struct _wfinddata64_t *Found, const WIN32_FIND_DATAW *Data)
{
    Found->attrib = Data->dwFileAttributes == FILE_ATTRIBUTE_NORMAL ? 0 : Data->dwFileAttributes;
    Found->time_create = CrtFileTime(Data->ftCreationTime);
    Found->time_access = CrtFileTime(Data->ftLastAccessTime);
    Found->time_write = CrtFileTime(Data->ftLastWriteTime);
    Found->size = (long long)((unsigned long long)Data->nFileSizeHigh << 32 | Data->nFileSizeLow);
    CopyMemory(Found->name, Data->cFileName, sizeof(Found->name));
}

/* As documented: ENOENT when nothing matches (any more), EINVAL for the rest. */
static int CrtFindFail(void)
{
    DWORD error = GetLastError();

    CrtFail(error);
    errno = error == ERROR_NO_MORE_FILES || error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ? ENOENT
            : error == ERROR_NOT_ENOUGH_MEMORY                                                             ? ENOMEM
                                                                                                           : EINVAL;
    return -1;
}

intptr_t _wfindfirst64(const WCHAR *Pattern, struct _wfinddata64_t *Found)
{
    WIN32_FIND_DATAW data;
    HANDLE handle = FindFirstFileW(Pattern, &data);

    if (handle == INVALID_HANDLE_VALUE)
    {
        return CrtFindFail();
    }
    CrtFillFound(Found, &data);
    return (intptr_t)handle;
}

int _wfindnext64(intptr_t Handle, struct _wfinddata64_t *Found)
{
    WIN32_FIND_DATAW data;

    if (!FindNextFileW((HANDLE)Handle, &data))
    {
        return CrtFindFail();
    }
    CrtFillFound(Found, &data);
    return 0;
}

int _findclose(intptr_t Handle)
{
    return FindClose((HANDLE)Handle) ? 0 : CrtFindFail();
}

/* The other three shapes of the answer. */
#define CRT_COPY_FOUND(To, From)                                                                                       \
    ((To)->attrib = (From)->attrib, (To)->time_create = (From)->time_create, (To)->time_access = (From)->time_access,  \
     (To)->time_write = (From)->time_write, (To)->size = (From)->size)

static void CrtNarrowFound(const WCHAR *Name, char *Target)
{
    if (WideCharToMultiByte(CP_ACP, 0, Name, -1, Target, 260, NULL, NULL) == 0)
    {
        Target[0] = 0; /* longer than the field in UTF-8 */
    }
}

#define CRT_FIND(first, next, Data, Pattern, widen, take)                                                              \
    intptr_t first(const Pattern *Name, struct Data *Found)                                                            \
    {                                                                                                                  \
        struct _wfinddata64_t full;                                                                                    \
        WCHAR *wide = widen;                                                                                           \
        intptr_t handle = wide != NULL ? _wfindfirst64(wide, &full) : -1;                                              \
        free(wide);                                                                                                    \
        if (handle != -1)                                                                                              \
        {                                                                                                              \
            CRT_COPY_FOUND(Found, &full);                                                                              \
            take;                                                                                                      \
        }                                                                                                              \
        return handle;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    int next(intptr_t Handle, struct Data *Found)                                                                      \
    {                                                                                                                  \
        struct _wfinddata64_t full;                                                                                    \
        int result = _wfindnext64(Handle, &full);                                                                      \
        if (result == 0)                                                                                               \
        {                                                                                                              \
            CRT_COPY_FOUND(Found, &full);                                                                              \
            take;                                                                                                      \
        }                                                                                                              \
        return result;                                                                                                 \
    }

WCHAR *_wcsdup(const WCHAR *Text);

CRT_FIND(_findfirst64, _findnext64, __finddata64_t, char, CrtWiden(Name), CrtNarrowFound(full.name, Found->name))
CRT_FIND(_findfirst64i32, _findnext64i32, _finddata64i32_t, char, CrtWiden(Name),
         CrtNarrowFound(full.name, Found->name))
CRT_FIND(_wfindfirst64i32, _wfindnext64i32, _wfinddata64i32_t, WCHAR, _wcsdup(Name),
         CopyMemory(Found->name, full.name, sizeof(full.name)))

/* ---- more by name ---- */

/* The current directory; a NULL Buffer is allocated, Size characters at least. NULL and ERANGE if it does not fit. */
WCHAR *_wgetcwd(WCHAR *Buffer, int Size)
{
    DWORD needed = GetCurrentDirectoryW(0, NULL);

    if (Buffer == NULL)
    {
        Size = Size > (int)needed ? Size : (int)needed;
        Buffer = malloc((size_t)Size * sizeof(WCHAR));
        if (Buffer == NULL)
        {
            return NULL;
        }
    }
    else if (Size < (int)needed)
    {
        errno = ERANGE;
        return NULL;
    }
    GetCurrentDirectoryW((DWORD)Size, Buffer);
    return Buffer;
}

WCHAR *_wfullpath(WCHAR *Buffer, const WCHAR *Path, size_t Size)
{
    DWORD needed = GetFullPathNameW(Path, 0, NULL, NULL);

    if (needed == 0)
    {
        CrtFail(GetLastError());
        return NULL;
    }
    if (Buffer == NULL)
    {
        Size = needed;
        Buffer = malloc(Size * sizeof(WCHAR));
    }
    else if (Size < needed)
    {
        errno = ERANGE;
        return NULL;
    }
    if (Buffer != NULL)
    {
        GetFullPathNameW(Path, (DWORD)Size, Buffer, NULL);
    }
    return Buffer;
}

#define _S_IWRITE 0200

int _wchmod(const WCHAR *Path, int Mode)
{
    DWORD attributes = GetFileAttributesW(Path);

    if (attributes == INVALID_FILE_ATTRIBUTES)
    {
        return CrtFail(GetLastError());
    }
    attributes =
        (Mode & _S_IWRITE) != 0 ? attributes & ~(DWORD)FILE_ATTRIBUTE_READONLY : attributes | FILE_ATTRIBUTE_READONLY;
    return SetFileAttributesW(Path, attributes) ? 0 : CrtFail(GetLastError());
}

int _chmod(const char *Path, int Mode)
{
    WCHAR *wide = CrtWiden(Path);
    int result = wide != NULL ? _wchmod(wide, Mode) : -1;

    free(wide);
    return result;
}

struct __utimbuf64
{
    long long actime, modtime;
};

static FILETIME CrtToFileTime(long long Seconds)
{
    unsigned long long value = (unsigned long long)(Seconds * 10000000 + CRT_EPOCH);
    return (FILETIME){(DWORD)value, (DWORD)(value >> 32)};
}

/* Times NULL is now. */
int _wutime64(const WCHAR *Path, const struct __utimbuf64 *Times)
{
    HANDLE handle = CreateFileW(Path, FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    FILETIME access, write;
    int result;

    if (handle == INVALID_HANDLE_VALUE)
    {
        return CrtFail(GetLastError());
    }
    GetSystemTimeAsFileTime(&access);
    write = access;
    if (Times != NULL)
    {
        access = CrtToFileTime(Times->actime);
        write = CrtToFileTime(Times->modtime);
    }
    result = SetFileTime(handle, NULL, &access, &write) ? 0 : CrtFail(GetLastError());
    CloseHandle(handle);
    return result;
}

int _utime64(const char *Path, const struct __utimbuf64 *Times)
{
    WCHAR *wide = CrtWiden(Path);
    int result = wide != NULL ? _wutime64(wide, Times) : -1;

    free(wide);
    return result;
}

long long _telli64(int File)
{
    return _lseeki64(File, 0, FILE_CURRENT);
}
