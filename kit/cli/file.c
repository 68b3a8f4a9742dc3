/* SPDX-License-Identifier: MIT */
/*
 * Files: their length and their bytes.
 */
#include "cli.h"

static HANDLE OpenForRead(const wchar_t *Path, UINT64 *Length)
{
    LARGE_INTEGER size;
    HANDLE file = CreateFileW(Path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
    {
        fprintf(stderr, "isthmus: cannot open %s (error %lu); name a file that can be read.\n", Utf8(Path),
                (unsigned long)GetLastError());
        return NULL;
    }
    if (!GetFileSizeEx(file, &size) || size.QuadPart < 1 || (UINT64)size.QuadPart > SIZE_MAX)
    {
        fprintf(stderr, "isthmus: %s is empty or too large to read; name another file.\n", Utf8(Path));
        CloseHandle(file);
        return NULL;
    }
    *Length = (UINT64)size.QuadPart;
    return file;
}

/* A file's length. A message is printed on failure; an empty file is one. */
BOOL FileLength(const wchar_t *Path, UINT64 *Length)
{
    HANDLE file = OpenForRead(Path, Length);
    if (file == NULL)
    {
        return FALSE;
    }
    CloseHandle(file);
    return TRUE;
}

/*
 * Reads the whole file, into Room of *Length bytes or, if that is NULL, into memory to be freed. *Length receives the
 * file's length. NULL on failure, with a message printed.
 */
BYTE *ReadWholeFile(const wchar_t *Path, BYTE *Room, UINT64 *Length)
{
    UINT64 length;
    HANDLE file = OpenForRead(Path, &length);
    if (file == NULL)
    {
        return NULL;
    }
    if (Room != NULL && *Length < length)
    {
        length = *Length; /* it grew meanwhile: what was there before is taken */
    }
    BYTE *bytes = Room != NULL ? Room : malloc((size_t)length);
    UINT64 done = 0;
    while (bytes != NULL && done < length)
    {
        DWORD got = 0;
        DWORD want = (DWORD)min(length - done, 1u << 20);
        if (!ReadFile(file, bytes + done, want, &got, NULL) || got == 0)
        {
            break;
        }
        done += got;
        Progress("reading", done, length);
    }
    DWORD error = GetLastError();
    ProgressEnd();
    CloseHandle(file);
    if (bytes == NULL || done < length)
    {
        fprintf(stderr, "isthmus: %s %s (error %lu).\n", bytes == NULL ? "no memory for" : "cannot read", Utf8(Path),
                (unsigned long)error);
        if (Room == NULL)
        {
            free(bytes);
        }
        return NULL;
    }
    *Length = length;
    return bytes;
}
