/* SPDX-License-Identifier: MIT */
/* Files and directories by name: stat and kin, making and removing, the current directory, the parts of a path. */
#include "crt.h"

#define _S_IFDIR 0x4000
#define _S_IFCHR 0x2000
#define _S_IFREG 0x8000

#define CRT_EPOCH 116444736000000000LL /* 1970 as a FILETIME */

/* The layouts of struct _stat64, _stat64i32 (which mingw-w64 programs know as struct stat) and _stati64. */
#define CRT_STAT(name, SizeType, TimeType)                                                                             \
    struct name                                                                                                        \
    {                                                                                                                  \
        unsigned st_dev;                                                                                               \
        unsigned short st_ino, st_mode;                                                                                \
        short st_nlink, st_uid, st_gid;                                                                                \
        unsigned st_rdev;                                                                                              \
        SizeType st_size;                                                                                              \
        TimeType st_atime, st_mtime, st_ctime;                                                                         \
    }
CRT_STAT(_stat64, long long, long long);
CRT_STAT(_stat64i32, long, long long);

static long long CrtUnixTime(FILETIME Time)
{
    long long value = (long long)((unsigned long long)Time.dwHighDateTime << 32 | Time.dwLowDateTime);
    return value == 0 ? 0 : (value - CRT_EPOCH) / 10000000;
}

static void CrtFillStat(struct _stat64 *Stat, const BY_HANDLE_FILE_INFORMATION *Information, BOOL Program)
{
    unsigned mode = Information->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? _S_IFDIR | 0111 : _S_IFREG;

    mode |= Information->dwFileAttributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0666;
    ZeroMemory(Stat, sizeof(*Stat));
    Stat->st_mode = (unsigned short)(mode | (Program ? 0111 : 0));
    Stat->st_nlink = (short)Information->nNumberOfLinks;
    Stat->st_dev = Stat->st_rdev = 2; /* drive C: */
    Stat->st_size = (long long)((unsigned long long)Information->nFileSizeHigh << 32 | Information->nFileSizeLow);
    Stat->st_atime = CrtUnixTime(Information->ftLastAccessTime);
    Stat->st_mtime = CrtUnixTime(Information->ftLastWriteTime);
    Stat->st_ctime = CrtUnixTime(Information->ftCreationTime);
}

static int CrtStatHandle(HANDLE Handle, struct _stat64 *Stat, BOOL Program)
{
    BY_HANDLE_FILE_INFORMATION information;

    if (!GetFileInformationByHandle(Handle, &information))
    {
        return CrtFail(GetLastError());
    }
    CrtFillStat(Stat, &information, Program);
    return 0;
}

intptr_t _get_osfhandle(int File);

int _fstat64(int File, struct _stat64 *Stat)
{
    HANDLE handle = (HANDLE)_get_osfhandle(File);

    if (handle == INVALID_HANDLE_VALUE)
    {
        return -1;
    }
    if (GetFileType(handle) == FILE_TYPE_DISK)
    {
        return CrtStatHandle(handle, Stat, FALSE);
    }
    ZeroMemory(Stat, sizeof(*Stat));
    Stat->st_mode = _S_IFCHR;
    Stat->st_dev = Stat->st_rdev = (unsigned)File;
    Stat->st_nlink = 1;
    return 0;
}

int _wcsicmp(const WCHAR *, const WCHAR *);

static BOOL CrtIsProgram(const WCHAR *Path)
{
    size_t length = wcslen(Path);
    const WCHAR *end = Path + (length < 4 ? 0 : length - 4);

    return _wcsicmp(end, L".exe") == 0 || _wcsicmp(end, L".com") == 0 || _wcsicmp(end, L".bat") == 0 ||
           _wcsicmp(end, L".cmd") == 0;
}

int _wstat64(const WCHAR *Path, struct _stat64 *Stat)
{
    HANDLE handle = CreateFileW(Path, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    int result;

    if (handle == INVALID_HANDLE_VALUE)
    {
        CrtFail(GetLastError());
        errno = ENOENT; /* whatever the reason, as documented for _stat */
        return -1;
    }
    result = CrtStatHandle(handle, Stat, CrtIsProgram(Path));
    CloseHandle(handle);
    return result;
}

/* Calls a wide function with a narrow path. */
#define CRT_NARROW_PATH(Path, call)                                                                                    \
    WCHAR *wide = CrtWiden(Path);                                                                                      \
    int result = wide != NULL ? (call) : -1;                                                                           \
    free(wide);                                                                                                        \
    return result

int _stat64(const char *Path, struct _stat64 *Stat)
{
    CRT_NARROW_PATH(Path, _wstat64(wide, Stat));
}

static int CrtNarrowStat(int Result, const struct _stat64 *From, struct _stat64i32 *To)
{
    if (Result != 0)
    {
        return Result;
    }
    if (From->st_size > 0x7FFFFFFF)
    {
        errno = ERANGE;
        return -1;
    }
    *To = (struct _stat64i32){From->st_dev, From->st_ino, From->st_mode, From->st_nlink, From->st_uid, From->st_gid,
                              From->st_rdev, (long)From->st_size, From->st_atime, From->st_mtime, From->st_ctime};
    return 0;
}

int _fstat64i32(int File, struct _stat64i32 *Stat)
{
    struct _stat64 full;
    return CrtNarrowStat(_fstat64(File, &full), &full, Stat);
}

int _wstat64i32(const WCHAR *Path, struct _stat64i32 *Stat)
{
    struct _stat64 full;
    return CrtNarrowStat(_wstat64(Path, &full), &full, Stat);
}

int _stat64i32(const char *Path, struct _stat64i32 *Stat)
{
    struct _stat64 full;
    return CrtNarrowStat(_stat64(Path, &full), &full, Stat);
}

/* ---- making and removing ---- */

static int CrtDone(BOOL Done)
{
    return Done ? 0 : CrtFail(GetLastError());
}

int _wmkdir(const WCHAR *Path)
{
    return CrtDone(CreateDirectoryW(Path, NULL));
}

int _mkdir(const char *Path)
{
    CRT_NARROW_PATH(Path, _wmkdir(wide));
}

int _wrmdir(const WCHAR *Path)
{
    return CrtDone(RemoveDirectoryW(Path));
}

int _rmdir(const char *Path)
{
    CRT_NARROW_PATH(Path, _wrmdir(wide));
}

int _wchdir(const WCHAR *Path)
{
    return CrtDone(SetCurrentDirectoryW(Path));
}

int _chdir(const char *Path)
{
    CRT_NARROW_PATH(Path, _wchdir(wide));
}

/* The current directory; a NULL Buffer is allocated, Size characters at least. NULL and ERANGE if it does not fit. */
char *_getcwd(char *Buffer, int Size)
{
    DWORD needed = GetCurrentDirectoryA(0, NULL);

    if (Buffer == NULL)
    {
        Size = Size > (int)needed ? Size : (int)needed;
        Buffer = malloc((size_t)Size);
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
    GetCurrentDirectoryA((DWORD)Size, Buffer);
    return Buffer;
}

/* A full path; a NULL Buffer is allocated. NULL if it does not fit. */
char *_fullpath(char *Buffer, const char *Path, size_t Size)
{
    DWORD needed = GetFullPathNameA(Path, 0, NULL, NULL);

    if (needed == 0)
    {
        CrtFail(GetLastError());
        return NULL;
    }
    if (Buffer == NULL)
    {
        Size = needed;
        Buffer = malloc(Size);
    }
    else if (Size < needed)
    {
        errno = ERANGE;
        return NULL;
    }
    if (Buffer != NULL)
    {
        GetFullPathNameA(Path, (DWORD)Size, Buffer, NULL);
    }
    return Buffer;
}

/* ---- the parts of a path; the buffers hold _MAX_DRIVE 3, _MAX_DIR, _MAX_FNAME and _MAX_EXT 256 characters ---- */

static void CrtTakePart(char *Part, const char *From, size_t Length, size_t Room)
{
    if (Part != NULL)
    {
        Length = Length < Room ? Length : Room - 1;
        CopyMemory(Part, From, Length);
        Part[Length] = 0;
    }
}

void _splitpath(const char *Path, char *Drive, char *Directory, char *Name, char *Extension)
{
    const char *start = Path[0] != 0 && Path[1] == ':' ? Path + 2 : Path;
    const char *name = start, *extension = NULL, *end = start;

    CrtTakePart(Drive, Path, (size_t)(start - Path), 3);
    for (; *end != 0; end++)
    {
        if (*end == '\\' || *end == '/')
        {
            name = end + 1;
            extension = NULL;
        }
        else if (*end == '.')
        {
            extension = end;
        }
    }
    extension = extension != NULL ? extension : end;
    CrtTakePart(Directory, start, (size_t)(name - start), 256);
    CrtTakePart(Name, name, (size_t)(extension - name), 256);
    CrtTakePart(Extension, extension, (size_t)(end - extension), 256);
}

static char *CrtPutPart(char *Out, const char *Part)
{
    while (Part != NULL && *Part != 0)
    {
        *Out++ = *Part++;
    }
    return Out;
}

void _makepath(char *Path, const char *Drive, const char *Directory, const char *Name, const char *Extension)
{
    char *out = Path;

    if (Drive != NULL && Drive[0] != 0)
    {
        *out++ = Drive[0];
        *out++ = ':';
    }
    out = CrtPutPart(out, Directory);
    if (Directory != NULL && Directory[0] != 0 && out[-1] != '\\' && out[-1] != '/')
    {
        *out++ = '\\';
    }
    out = CrtPutPart(out, Name);
    if (Extension != NULL && Extension[0] != 0 && Extension[0] != '.')
    {
        *out++ = '.';
    }
    *CrtPutPart(out, Extension) = 0;
}
