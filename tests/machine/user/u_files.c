/* SPDX-License-Identifier: MIT */
/* Files: the packed one (license.txt, 1081 bytes or whatever the repo has), new ones, directories, searching, stdio. */
#include "check.h"
#include <stdlib.h>

static char Known[65536];
static DWORD KnownSize;

static void TestPacked(void)
{
    HANDLE file = CreateFileA("license.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL), second;
    LARGE_INTEGER size, zero = {.QuadPart = 0}, position;
    char buffer[100];
    DWORD read = 0;
    BY_HANDLE_FILE_INFORMATION information;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(GetFileSizeEx(file, &size) && size.QuadPart > 100 && size.QuadPart < (LONGLONG)sizeof(Known));
    CHECK(ReadFile(file, Known, sizeof(Known), &KnownSize, NULL));
    CHECK_EQUAL(KnownSize, size.QuadPart);
    CHECK(memcmp(Known, "MIT License", 11) == 0);
    CHECK(ReadFile(file, buffer, sizeof(buffer), &read, NULL) && read == 0); /* at the end: success with nothing */
    CHECK(SetFilePointerEx(file, zero, &position, FILE_CURRENT) && position.QuadPart == KnownSize);
    position.QuadPart = 50;
    CHECK(SetFilePointerEx(file, position, NULL, FILE_BEGIN));
    CHECK(ReadFile(file, buffer, 10, &read, NULL) && read == 10 && memcmp(buffer, Known + 50, 10) == 0);
    CHECK_EQUAL(SetFilePointer(file, -5, NULL, FILE_END), KnownSize - 5);
    CHECK(ReadFile(file, buffer, sizeof(buffer), &read, NULL) && read == 5 &&
          memcmp(buffer, Known + KnownSize - 5, 5) == 0);
    CHECK_FAILS(SetFilePointer(file, -1, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER, ERROR_NEGATIVE_SEEK);
    CHECK_FAILS(WriteFile(file, "x", 1, &read, NULL), ERROR_ACCESS_DENIED);
    CHECK(GetFileInformationByHandle(file, &information));
    CHECK_EQUAL(information.nFileSizeLow, KnownSize);
    CHECK_EQUAL(information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY, 0);
    CHECK_EQUAL(GetFileType(file), FILE_TYPE_DISK);
    second = CreateFileA("license.txt", GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(second == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION);
    second = CreateFileA("C:\\run\\LICENSE.TXT", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(second != INVALID_HANDLE_VALUE);
    CHECK(CloseHandle(second) && CloseHandle(file));
    CHECK_FAILS(CreateFileA("missing.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE,
                ERROR_FILE_NOT_FOUND);
    CHECK_FAILS(CreateFileA("no\\such\\place.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) !=
                    INVALID_HANDLE_VALUE,
                ERROR_PATH_NOT_FOUND);
    CHECK_FAILS(CreateFileA("a<b.txt", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL) != INVALID_HANDLE_VALUE,
                ERROR_INVALID_NAME);
}

static void TestNew(void)
{
    HANDLE file = CreateFileA("new.bin", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    LARGE_INTEGER size;
    DWORD moved = 0;
    BYTE *large = malloc(100000), *back = malloc(100000);

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK_FAILS(CreateFileA("new.bin", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL) != INVALID_HANDLE_VALUE,
                ERROR_FILE_EXISTS);
    for (int i = 0; i < 100000; i++)
    {
        large[i] = (BYTE)(i * 13 + i / 256);
    }
    CHECK(WriteFile(file, large, 100000, &moved, NULL) && moved == 100000);
    CHECK(WriteFile(file, NULL, 0, &moved, NULL) && moved == 0);
    CHECK_EQUAL(SetFilePointer(file, 0, NULL, FILE_BEGIN), 0);
    CHECK(ReadFile(file, back, 100000, &moved, NULL) && moved == 100000 && memcmp(large, back, 100000) == 0);
    CHECK_EQUAL(SetFilePointer(file, 70000, NULL, FILE_BEGIN), 70000);
    CHECK(WriteFile(file, "hello", 5, &moved, NULL));
    CHECK_EQUAL(SetFilePointer(file, 69998, NULL, FILE_BEGIN), 69998);
    CHECK(ReadFile(file, back, 9, &moved, NULL) && back[0] == large[69998] && memcmp(back + 2, "hello", 5) == 0 &&
          back[7] == large[70005]);
    CHECK_EQUAL(SetFilePointer(file, 1000, NULL, FILE_BEGIN), 1000);
    CHECK(SetEndOfFile(file) && GetFileSizeEx(file, &size) && size.QuadPart == 1000);
    CHECK_EQUAL(SetFilePointer(file, 5000, NULL, FILE_BEGIN), 5000);
    CHECK(WriteFile(file, "x", 1, &moved, NULL)); /* leaves a gap of zeroes */
    CHECK_EQUAL(SetFilePointer(file, 900, NULL, FILE_BEGIN), 900);
    CHECK(ReadFile(file, back, 10000, &moved, NULL) && moved == 4101);
    CHECK(memcmp(back, large + 900, 100) == 0 && back[100] == 0 && back[4099] == 0 && back[4100] == 'x');
    CHECK(FlushFileBuffers(file));
    CHECK(CloseHandle(file));
    CHECK(MoveFileA("new.bin", "moved.bin"));
    CHECK_EQUAL(GetFileAttributesA("new.bin"), INVALID_FILE_ATTRIBUTES);
    CHECK(GetFileAttributesA("moved.bin") != INVALID_FILE_ATTRIBUTES);
    file = CreateFileA("moved.bin", GENERIC_READ, FILE_SHARE_DELETE | FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(DeleteFileA("moved.bin")); /* goes when its last handle does */
    CHECK(ReadFile(file, back, 10, &moved, NULL) && moved == 10);
    CHECK(CloseHandle(file));
    CHECK_FAILS(DeleteFileA("moved.bin"), ERROR_FILE_NOT_FOUND);
    file = CreateFileA("temporary", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHECK(file != INVALID_HANDLE_VALUE && CloseHandle(file));
    CHECK_EQUAL(GetFileAttributesA("temporary"), INVALID_FILE_ATTRIBUTES);
    free(large);
    free(back);
}

static void TestDirectories(void)
{
    WIN32_FIND_DATAA found;
    HANDLE search;
    char path[MAX_PATH];
    int files = 0, dots = 0;

    CHECK(GetCurrentDirectoryA(sizeof(path), path) != 0);
    printf("current directory: %s\n", path);
    CHECK(_stricmp(path, "C:\\run") == 0);
    CHECK(CreateDirectoryA("folder", NULL));
    CHECK_FAILS(CreateDirectoryA("folder", NULL), ERROR_ALREADY_EXISTS);
    for (int i = 0; i < 5; i++)
    {
        snprintf(path, sizeof(path), "folder\\file%d.%s", i, i < 3 ? "txt" : "dat");
        HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
        DWORD moved;
        CHECK(file != INVALID_HANDLE_VALUE && WriteFile(file, "12345", (DWORD)i + 1, &moved, NULL) &&
              CloseHandle(file));
    }
    CHECK_FAILS(RemoveDirectoryA("folder"), ERROR_DIR_NOT_EMPTY);
    search = FindFirstFileA("folder\\*.txt", &found);
    CHECK(search != INVALID_HANDLE_VALUE);
    do
    {
        printf("found %s, %lu bytes\n", found.cFileName, found.nFileSizeLow);
        CHECK_EQUAL(found.nFileSizeLow, found.cFileName[4] - '0' + 1);
        files++;
    } while (FindNextFileA(search, &found));
    CHECK_EQUAL(GetLastError(), ERROR_NO_MORE_FILES);
    CHECK(FindClose(search));
    CHECK_EQUAL(files, 3);
    search = FindFirstFileA("folder\\*", &found);
    files = 0;
    do
    {
        dots += found.cFileName[0] == '.';
        files++;
    } while (FindNextFileA(search, &found));
    FindClose(search);
    CHECK(files == 7 && dots == 2);
    CHECK_FAILS(FindFirstFileA("folder\\nothing*", &found) != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND);
    CHECK(SetCurrentDirectoryA("folder"));
    CHECK(GetFileAttributesA("file0.txt") != INVALID_FILE_ATTRIBUTES);
    CHECK(GetFullPathNameA("..\\folder\\.\\file1.txt", sizeof(path), path, NULL) != 0 &&
          _stricmp(path, "C:\\run\\folder\\file1.txt") == 0);
    for (int i = 0; i < 5; i++)
    {
        snprintf(path, sizeof(path), "file%d.%s", i, i < 3 ? "txt" : "dat");
        CHECK(DeleteFileA(path));
    }
    CHECK(SetCurrentDirectoryA(".."));
    CHECK(RemoveDirectoryA("folder"));
    CHECK_FAILS(SetCurrentDirectoryA("folder"), ERROR_FILE_NOT_FOUND);
}

static void TestStdio(void)
{
    FILE *file = fopen("license.txt", "rb");
    static char text[65536];
    char line[200];
    int lines = 0, number = 0;
    size_t size;

    CHECK(file != NULL);
    size = fread(text, 1, sizeof(text), file);
    CHECK(size == KnownSize && memcmp(text, Known, size) == 0);
    CHECK(fseek(file, 4, SEEK_SET) == 0 && fgetc(file) == Known[4] && ftell(file) == 5);
    CHECK(fclose(file) == 0);
    file = fopen("lines.txt", "w");
    CHECK(file != NULL);
    for (int i = 0; i < 1000; i++)
    {
        CHECK(fprintf(file, "line %d of many\n", i) > 0);
    }
    CHECK(fclose(file) == 0);
    file = fopen("lines.txt", "r");
    while (fgets(line, sizeof(line), file) != NULL)
    {
        CHECK(sscanf(line, "line %d of many", &number) == 1 && number == lines);
        lines++;
    }
    CHECK_EQUAL(lines, 1000);
    CHECK(feof(file) && !ferror(file));
    fclose(file);
    file = fopen("lines.txt", "rb");
    /* text mode wrote both */
    CHECK(fgets(line, sizeof(line), file) != NULL && strcmp(line, "line 0 of many\r\n") == 0);
    fclose(file);
    file = fopen("lines.txt", "a");
    CHECK(fputs("more", file) >= 0 && fclose(file) == 0);
    CHECK(remove("lines.txt") == 0);
    CHECK(fopen("lines.txt", "r") == NULL);
}

/* A file mapped into memory, and one shared by name without a file. */
static void TestMapping(void)
{
    HANDLE file = CreateFileA("license.txt", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
    char *view = mapping != NULL ? MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0) : NULL;

    CHECK(view != NULL && memcmp(view, Known, KnownSize) == 0);
    CHECK(UnmapViewOfFile(view));
    CloseHandle(mapping);
    CloseHandle(file);
    mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 100000, "SharedBytes");
    char *one = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0),
         *two = MapViewOfFile(mapping, FILE_MAP_READ, 0, 65536, 1000);
    CHECK(one != NULL && two != NULL && one != two);
    if (one != NULL && two != NULL)
    {
        CHECK(one[0] == 0 && one[99999] == 0);
        one[65536 + 10] = 'z';
        CHECK(two[10] == 'z');
        CHECK(UnmapViewOfFile(one) && UnmapViewOfFile(two));
    }
    CloseHandle(mapping);
}

int main(void)
{
    TestPacked();
    TestNew();
    TestDirectories();
    TestStdio();
    TestMapping();
    return Done("u_files");
}
