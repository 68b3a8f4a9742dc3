/* SPDX-License-Identifier: MIT */
/* Names: of volumes, devices, open files and variables; looking through directories as C programs do. */
#include "check.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>

static VOID TestVolumes(VOID)
{
    char label[64] = "", system[64] = "", small[3];
    DWORD serial = 0, component = 0, flags = 0, sectors, bytes, available, total;
    ULARGE_INTEGER size = {0};

    CHECK(GetVolumeInformationA("C:\\", label, sizeof(label), &serial, &component, &flags, system, sizeof(system)));
    printf("C: is \"%s\", %s, serial %08lX\n", label, system, serial);
    CHECK(label[0] != 0 && system[0] != 0 && component != 0);
    CHECK_FAILS(GetVolumeInformationA("C:\\", small, sizeof(small), NULL, NULL, NULL, NULL, 0), ERROR_MORE_DATA);
    CHECK(GetDiskFreeSpaceA("C:\\", &sectors, &bytes, &available, &total));
    CHECK(GetDiskFreeSpaceExA("C:\\", NULL, &size, NULL));
    CHECK_EQUAL(size.QuadPart, (ULONG64)sectors * bytes * total);
    CHECK(!GetVolumeInformationA("Q:\\", label, sizeof(label), NULL, NULL, NULL, NULL, 0));
}

static VOID TestDevices(VOID)
{
    char target[64] = "";
    HANDLE file;

    CHECK(DefineDosDeviceA(DDD_RAW_TARGET_PATH, "UNamesNull", "\\Device\\Null"));
    CHECK(QueryDosDeviceA("UNamesNull", target, sizeof(target)) != 0 && strcmp(target, "\\Device\\Null") == 0);
    file = CreateFileA("\\\\.\\UNamesNull", GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    CloseHandle(file);
    CHECK(DefineDosDeviceA(DDD_REMOVE_DEFINITION, "UNamesNull", NULL));
    CHECK_FAILS(QueryDosDeviceA("UNamesNull", target, sizeof(target)) != 0, ERROR_FILE_NOT_FOUND);
    CHECK_FAILS(DefineDosDeviceA(DDD_REMOVE_DEFINITION, "UNamesNull", NULL), ERROR_FILE_NOT_FOUND);
}

static VOID TestFinalPath(VOID)
{
    char path[128] = "";
    HANDLE file = CreateFileA("Final.txt", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);

    CHECK_EQUAL(GetFinalPathNameByHandleA(file, path, sizeof(path), 0), 20);
    CHECK(strcmp(path, "\\\\?\\C:\\run\\Final.txt") == 0);
    CHECK(GetFinalPathNameByHandleA(file, path, sizeof(path), VOLUME_NAME_NONE) != 0);
    CHECK(strcmp(path, "\\run\\Final.txt") == 0);
    CHECK(GetFinalPathNameByHandleA(file, path, sizeof(path), VOLUME_NAME_NT) != 0);
    CHECK(strncmp(path, "\\Device\\", 8) == 0);
    CHECK_EQUAL(GetFinalPathNameByHandleA(file, path, 5, 0), 21); /* what it needs, with the zero */
    CloseHandle(file);
}

static VOID TestFind(VOID)
{
    struct _finddata_t found;
    intptr_t search;
    int count = 0;

    CreateDirectoryA("find", NULL);
    for (char name[] = "find\\a.dat"; name[5] <= 'c'; name[5]++)
    {
        FILE *file = fopen(name, "wb");
        fputs("12345", file);
        fclose(file);
    }
    search = _findfirst("find\\*.dat", &found);
    CHECK(search != -1);
    do
    {
        CHECK_EQUAL(found.size, 5);
        CHECK((found.attrib & _A_SUBDIR) == 0 && found.time_write > 1000000000);
        count += found.name[0] >= 'a' && found.name[0] <= 'c' && strcmp(found.name + 1, ".dat") == 0;
        remove(strcmp(found.name, "a.dat") == 0   ? "find\\a.dat"
               : strcmp(found.name, "b.dat") == 0 ? "find\\b.dat"
                                                  : "find\\c.dat");
    } while (_findnext(search, &found) == 0);
    CHECK_EQUAL(errno, ENOENT);
    CHECK_EQUAL(count, 3);
    CHECK_EQUAL(_findclose(search), 0);
    CHECK(_findfirst("find\\*.dat", &found) == -1 && errno == ENOENT);
    CHECK(RemoveDirectoryA("find"));
}

static VOID TestEnvironment(VOID)
{
    char value[16] = "";

    CHECK_EQUAL(_putenv("UNames=one"), 0);
    CHECK(getenv("unames") != NULL && strcmp(getenv("UNames"), "one") == 0);
    CHECK(GetEnvironmentVariableA("UNames", value, sizeof(value)) == 3 && strcmp(value, "one") == 0);
    CHECK_EQUAL(_putenv("UNAMES=second"), 0);
    CHECK(strcmp(getenv("UNames"), "second") == 0);
    CHECK_EQUAL(_putenv("UNames="), 0);
    CHECK(getenv("UNames") == NULL && GetEnvironmentVariableA("UNames", value, sizeof(value)) == 0);
    CHECK_EQUAL(_putenv("nonsense"), -1);
}

static VOID TestTemporary(VOID)
{
    FILE *file = tmpfile();
    int number = 0;

    CHECK(file != NULL);
    fprintf(file, "number %d\n", 42);
    rewind(file);
    CHECK(fscanf(file, "number %d", &number) == 1 && number == 42);
    CHECK_EQUAL(fclose(file), 0);
}

static VOID TestZones(VOID)
{
    TIME_ZONE_INFORMATION east = {.Bias = -90}, daylight = {.DaylightDate = {.wMonth = 3}};
    SYSTEMTIME utc = {.wYear = 2024, .wMonth = 2, .wDay = 28, .wHour = 23}, local, back;

    CHECK(SystemTimeToTzSpecificLocalTime(&east, &utc, &local));
    CHECK(local.wDay == 29 && local.wHour == 0 && local.wMinute == 30);
    CHECK(TzSpecificLocalTimeToSystemTime(&east, &local, &back) && back.wDay == 28 && back.wHour == 23);
    CHECK_FAILS(SystemTimeToTzSpecificLocalTime(&daylight, &utc, &local), ERROR_NOT_SUPPORTED);
}

int main(void)
{
    TestZones();
    TestVolumes();
    TestDevices();
    TestFinalPath();
    TestFind();
    TestEnvironment();
    TestTemporary();
    return Done("names");
}
