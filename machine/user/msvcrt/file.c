/* SPDX-License-Identifier: MIT */
/*
 * Low-level files: small numbers for handles, and the translation of text files (\r\n on the outside, \n inside).
 */
#include "crt.h"

#define CRT_FILES 256
#define CRT_OPEN 0x01
#define CRT_TEXT 0x02
#define CRT_APPEND 0x04
#define CRT_DEVICE 0x08

typedef struct _CRT_FILE
{
    HANDLE Handle;
    unsigned char Flags;
} CRT_FILE;

static CRT_FILE CrtFiles[CRT_FILES];
static CRITICAL_SECTION CrtFilesLock;

static void CrtAdoptStandard(int File, DWORD Which)
{
    HANDLE handle = GetStdHandle(Which);

    if (handle != NULL && handle != INVALID_HANDLE_VALUE)
    {
        CrtFiles[File].Handle = handle;
        CrtFiles[File].Flags = CRT_OPEN | CRT_TEXT | (GetFileType(handle) == FILE_TYPE_CHAR ? CRT_DEVICE : 0);
    }
}

void CrtInitializeFiles(void)
{
    InitializeCriticalSection(&CrtFilesLock);
    CrtAdoptStandard(0, STD_INPUT_HANDLE);
    CrtAdoptStandard(1, STD_OUTPUT_HANDLE);
    CrtAdoptStandard(2, STD_ERROR_HANDLE);
}

static CRT_FILE *CrtFile(int File)
{
    if ((unsigned)File >= CRT_FILES || (CrtFiles[File].Flags & CRT_OPEN) == 0)
    {
        errno = EBADF;
        return NULL;
    }
    return &CrtFiles[File];
}

static int CrtAdopt(HANDLE Handle, int Flags)
{
    int file;

    EnterCriticalSection(&CrtFilesLock);
    for (file = 0; file < CRT_FILES && (CrtFiles[file].Flags & CRT_OPEN) != 0; file++)
    {
    }
    if (file < CRT_FILES)
    {
        extern int _fmode;
        BOOL text = (Flags & _O_BINARY) == 0 && ((Flags & _O_TEXT) != 0 || (_fmode & _O_BINARY) == 0);
        CrtFiles[file].Handle = Handle;
        CrtFiles[file].Flags = CRT_OPEN | (text ? CRT_TEXT : 0) | ((Flags & _O_APPEND) ? CRT_APPEND : 0) |
                               (GetFileType(Handle) == FILE_TYPE_CHAR ? CRT_DEVICE : 0);
    }
    LeaveCriticalSection(&CrtFilesLock);
    if (file == CRT_FILES)
    {
        errno = EMFILE;
        return -1;
    }
    return file;
}

int _open_osfhandle(intptr_t Handle, int Flags)
{
    return CrtAdopt((HANDLE)Handle, Flags);
}

intptr_t _get_osfhandle(int File)
{
    CRT_FILE *file = CrtFile(File);

    return file != NULL ? (intptr_t)file->Handle : -1;
}

int _wopen(const WCHAR *Path, int Flags, ...)
{
    static const DWORD access[] = {GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE};
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    DWORD disposition;
    HANDLE handle;
    int file;

    if ((Flags & 3) == 3)
    {
        errno = EINVAL;
        return -1;
    }
    switch (Flags & (_O_CREAT | _O_EXCL | _O_TRUNC))
    {
    case _O_CREAT:
        disposition = OPEN_ALWAYS;
        break;
    case _O_CREAT | _O_EXCL:
    case _O_CREAT | _O_EXCL | _O_TRUNC:
        disposition = CREATE_NEW;
        break;
    case _O_CREAT | _O_TRUNC:
        disposition = CREATE_ALWAYS;
        break;
    case _O_TRUNC:
    case _O_TRUNC | _O_EXCL:
        disposition = TRUNCATE_EXISTING;
        break;
    default:
        disposition = OPEN_EXISTING;
        break;
    }
    handle = CreateFileW(Path, access[Flags & 3], FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
    if (handle == INVALID_HANDLE_VALUE)
    {
        return CrtFail(GetLastError());
    }
    file = CrtAdopt(handle, Flags);
    if (file < 0)
    {
        CloseHandle(handle);
    }
    return file;
}

WCHAR *CrtWiden(const char *Text)
{
    int count = MultiByteToWideChar(CP_ACP, 0, Text, -1, NULL, 0);
    WCHAR *wide = malloc((size_t)count * sizeof(WCHAR));

    if (wide != NULL)
    {
        MultiByteToWideChar(CP_ACP, 0, Text, -1, wide, count);
    }
    return wide;
}

int _open(const char *Path, int Flags, ...)
{
    WCHAR *wide = CrtWiden(Path);
    int file = wide != NULL ? _wopen(wide, Flags) : -1;

    free(wide);
    return file;
}

int _close(int File)
{
    CRT_FILE *file = CrtFile(File);
    HANDLE handle;

    if (file == NULL)
    {
        return -1;
    }
    handle = file->Handle;
    file->Flags = 0;
    return CloseHandle(handle) ? 0 : CrtFail(GetLastError());
}

static int CrtReadRaw(CRT_FILE *File, void *Buffer, unsigned Count)
{
    DWORD read;

    if (!ReadFile(File->Handle, Buffer, Count, &read, NULL))
    {
        DWORD error = GetLastError();
        return error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF ? 0 : CrtFail(error);
    }
    return (int)read;
}

/* \r\n becomes \n; Ctrl-Z ends a text file, as it always has. A \r at the end waits for what follows it. */
static int CrtTranslate(CRT_FILE *File, char *Buffer, int Count)
{
    int out = 0;

    for (int in = 0; in < Count; in++)
    {
        char c = Buffer[in];
        if (c == 0x1A && (File->Flags & CRT_DEVICE) == 0)
        {
            break;
        }
        if (c == '\r')
        {
            if (in + 1 == Count)
            {
                char next;
                int got = CrtReadRaw(File, &next, 1);
                if (got == 1 && next == '\n')
                {
                    c = '\n';
                }
                else if (got == 1)
                {
                    LARGE_INTEGER back = {.QuadPart = -1};
                    SetFilePointerEx(File->Handle, back, NULL, FILE_CURRENT);
                }
            }
            else if (Buffer[in + 1] == '\n')
            {
                continue;
            }
        }
        Buffer[out++] = c;
    }
    return out;
}

int _read(int File, void *Buffer, unsigned Count)
{
    CRT_FILE *file = CrtFile(File);
    int got;

    if (file == NULL)
    {
        return -1;
    }
    if (Count > 0x7FFFFFFF)
    {
        errno = EINVAL;
        return -1;
    }
    if (Count == 0)
    {
        return 0;
    }
    got = CrtReadRaw(file, Buffer, Count);
    return got > 0 && (file->Flags & CRT_TEXT) != 0 ? CrtTranslate(file, Buffer, got) : got;
}

static int CrtWriteRaw(CRT_FILE *File, const char *Data, unsigned Count)
{
    unsigned done = 0;

    while (done < Count)
    {
        DWORD written;
        if (!WriteFile(File->Handle, Data + done, Count - done, &written, NULL))
        {
            return CrtFail(GetLastError());
        }
        if (written == 0)
        {
            errno = ENOSPC;
            return -1;
        }
        done += written;
    }
    return (int)done;
}

int _write(int File, const void *Buffer, unsigned Count)
{
    CRT_FILE *file = CrtFile(File);
    const char *data = Buffer;
    char chunk[1024];
    unsigned used = 0;

    if (file == NULL)
    {
        return -1;
    }
    if (file->Flags & CRT_APPEND)
    {
        LARGE_INTEGER zero = {.QuadPart = 0};
        SetFilePointerEx(file->Handle, zero, NULL, FILE_END);
    }
    if ((file->Flags & CRT_TEXT) == 0)
    {
        return CrtWriteRaw(file, data, Count);
    }
    for (unsigned i = 0; i < Count; i++)
    {
        if (data[i] == '\n')
        {
            chunk[used++] = '\r';
        }
        chunk[used++] = data[i];
        if (used >= sizeof(chunk) - 2 || i + 1 == Count)
        {
            if (CrtWriteRaw(file, chunk, used) < 0)
            {
                return -1;
            }
            used = 0;
        }
    }
    return (int)Count;
}

long long _lseeki64(int File, long long Offset, int Origin)
{
    CRT_FILE *file = CrtFile(File);
    LARGE_INTEGER offset = {.QuadPart = Offset};
    LARGE_INTEGER position;

    if (file == NULL)
    {
        return -1;
    }
    if (!SetFilePointerEx(file->Handle, offset, &position, (DWORD)Origin))
    {
        return CrtFail(GetLastError());
    }
    return position.QuadPart;
}

long _lseek(int File, long Offset, int Origin)
{
    return (long)_lseeki64(File, Offset, Origin);
}

int _isatty(int File)
{
    CRT_FILE *file = CrtFile(File);

    return file != NULL && (file->Flags & CRT_DEVICE) != 0;
}

int _setmode(int File, int Mode)
{
    CRT_FILE *file = CrtFile(File);
    int old;

    if (file == NULL || (Mode != _O_TEXT && Mode != _O_BINARY))
    {
        errno = file != NULL ? EINVAL : EBADF;
        return -1;
    }
    old = file->Flags & CRT_TEXT ? _O_TEXT : _O_BINARY;
    file->Flags = (unsigned char)(Mode == _O_TEXT ? file->Flags | CRT_TEXT : file->Flags & ~CRT_TEXT);
    return old;
}

long long _filelengthi64(int File)
{
    CRT_FILE *file = CrtFile(File);
    LARGE_INTEGER size;

    if (file == NULL)
    {
        return -1;
    }
    return GetFileSizeEx(file->Handle, &size) ? size.QuadPart : CrtFail(GetLastError());
}

long _filelength(int File)
{
    return (long)_filelengthi64(File);
}

int _wremove(const WCHAR *Path)
{
    return DeleteFileW(Path) ? 0 : CrtFail(GetLastError());
}

int remove(const char *Path)
{
    WCHAR *wide = CrtWiden(Path);
    int result = wide != NULL ? _wremove(wide) : -1;

    free(wide);
    return result;
}

int rename(const char *From, const char *To)
{
    WCHAR *from = CrtWiden(From);
    WCHAR *to = CrtWiden(To);
    int result = -1;

    if (from != NULL && to != NULL)
    {
        result = MoveFileExW(from, to, 0) ? 0 : CrtFail(GetLastError());
    }
    free(from);
    free(to);
    return result;
}

int _access(const char *Path, int Mode)
{
    WCHAR *wide = CrtWiden(Path);
    DWORD attributes = wide != NULL ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    DWORD error = GetLastError();

    free(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES)
    {
        return CrtFail(error);
    }
    if ((Mode & 2) != 0 && (attributes & FILE_ATTRIBUTE_READONLY) != 0)
    {
        errno = EACCES;
        return -1;
    }
    return 0;
}

/* ---- duplicates ---- */

static HANDLE CrtDuplicate(CRT_FILE *File)
{
    HANDLE process = GetCurrentProcess(), handle;

    if (!DuplicateHandle(process, File->Handle, process, &handle, 0, TRUE, DUPLICATE_SAME_ACCESS))
    {
        CrtFail(GetLastError());
        return NULL;
    }
    return handle;
}

int _dup(int File)
{
    CRT_FILE *file = CrtFile(File);
    HANDLE handle = file != NULL ? CrtDuplicate(file) : NULL;
    int copy;

    if (handle == NULL)
    {
        return -1;
    }
    copy = CrtAdopt(handle, (file->Flags & CRT_TEXT ? _O_TEXT : _O_BINARY) | (file->Flags & CRT_APPEND ? _O_APPEND : 0));
    if (copy < 0)
    {
        CloseHandle(handle);
    }
    return copy;
}

/* Makes Target another number for File; what Target was is closed. */
int _dup2(int File, int Target)
{
    CRT_FILE *file = CrtFile(File);
    HANDLE handle;

    if (file == NULL || (unsigned)Target >= CRT_FILES)
    {
        errno = EBADF;
        return -1;
    }
    if (File == Target)
    {
        return 0;
    }
    handle = CrtDuplicate(file);
    if (handle == NULL)
    {
        return -1;
    }
    EnterCriticalSection(&CrtFilesLock);
    if (CrtFiles[Target].Flags & CRT_OPEN)
    {
        CloseHandle(CrtFiles[Target].Handle);
    }
    CrtFiles[Target].Handle = handle;
    CrtFiles[Target].Flags = file->Flags;
    LeaveCriticalSection(&CrtFilesLock);
    return 0;
}
