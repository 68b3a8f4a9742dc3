/* SPDX-License-Identifier: MIT */
/*
 * Pages that leave and come back, as a program sees them: the working set before and after it is emptied, with some pages
 * held by VirtualLock. And smaller things that run-time libraries ask: pointers, locales, resources, the clock's step.
 */
#include <windows.h>
#include <psapi.h>
#include <stdlib.h>
#include <wchar.h>
#include "check.h"

#define PAGES 8

static ULONG64 Flags(BYTE *Memory, int Page)
{
    PSAPI_WORKING_SET_EX_INFORMATION page = {Memory + Page * 4096, {0}};
    CHECK(QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof(page)));
    return page.VirtualAttributes.Flags;
}

static int Present(BYTE *Memory)
{
    int present = 0;
    for (int i = 0; i < PAGES; i++)
    {
        present += Flags(Memory, i) & 1;
    }
    return present;
}

static void WorkingSet(void)
{
    BYTE *memory = VirtualAlloc(NULL, PAGES * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    CHECK_EQUAL(Present(memory), 0); /* demand-zero: nothing is there yet */
    memset(memory, 0x5A, PAGES * 4096);
    CHECK_EQUAL(Present(memory), PAGES);
    CHECK(VirtualLock(memory, 2 * 4096));
    CHECK(SetProcessWorkingSetSize(GetCurrentProcess(), (SIZE_T)-1, (SIZE_T)-1));
    printf("after emptying the working set %d of %d pages are there, 2 of them locked\n", Present(memory), PAGES);
    CHECK((Flags(memory, 0) & 1) && (Flags(memory, 1) & 1));
    CHECK_EQUAL(Present(memory), 2);
    for (int i = 0; i < PAGES * 4096; i++)
    {
        if (memory[i] != 0x5A)
        {
            CHECK(FALSE);
            break;
        }
    }
    CHECK_EQUAL(Present(memory), PAGES);
    CHECK(VirtualUnlock(memory, 2 * 4096) && EmptyWorkingSet(GetCurrentProcess()));
    CHECK_EQUAL(Present(memory), 0);
    CHECK_FAILS(SetProcessWorkingSetSize(GetCurrentProcess(), 0x100000, 0x200000), ERROR_NOT_SUPPORTED);
    CHECK_FAILS(SetProcessWorkingSetSizeEx(GetCurrentProcess(), 0x100000, 0x200000, 0x80), ERROR_INVALID_PARAMETER);
}

static int Locales;
static BOOL CALLBACK CountLocale(LPWSTR Name)
{
    Locales += wcstoul(Name, NULL, 16) == GetUserDefaultLCID();
    return TRUE;
}

static void Small(void)
{
    DWORD adjustment, increment, number = 0;
    BOOL disabled;
    WCHAR text[16];
    void *encoded = EncodePointer(&adjustment);
    CHECK(encoded != (void *)&adjustment && DecodePointer(encoded) == (void *)&adjustment);
    CHECK(DecodePointer(EncodePointer(NULL)) == NULL);
    CHECK(GetSystemTimeAdjustment(&adjustment, &increment, &disabled) && disabled && increment != 0);
    CHECK(EnumSystemLocalesW(CountLocale, LCID_INSTALLED) && Locales == 1 && !IsValidLocale(0x407, LCID_INSTALLED));
    CHECK_EQUAL(GetLocaleInfoW(LOCALE_USER_DEFAULT, LOCALE_SDECIMAL, text, 16), 2);
    CHECK(text[0] == L'.' && text[1] == 0);
    CHECK_EQUAL(GetLocaleInfoW(LOCALE_USER_DEFAULT, LOCALE_IDEFAULTANSICODEPAGE | LOCALE_RETURN_NUMBER, (LPWSTR)&number, 2), 2);
    CHECK_EQUAL(number, GetACP());
    CHECK_FAILS(GetLocaleInfoW(LOCALE_USER_DEFAULT, LOCALE_SENGLANGUAGE, text, 3), ERROR_INSUFFICIENT_BUFFER);
    CHECK_EQUAL(CompareStringW(LOCALE_USER_DEFAULT, NORM_IGNORECASE, L"ABC", -1, L"abd", 3), CSTR_LESS_THAN);
    CHECK_EQUAL(CompareStringW(LOCALE_USER_DEFAULT, NORM_IGNORECASE, L"ABC", -1, L"abc", 3), CSTR_EQUAL);
    CHECK_FAILS(CompareStringW(0x407, 0, L"a", 1, L"a", 1), ERROR_INVALID_PARAMETER);
    CHECK_FAILS(FindResourceW(NULL, L"none", (LPCWSTR)RT_RCDATA) != NULL, ERROR_RESOURCE_NAME_NOT_FOUND);
    HRSRC resource = FindResourceW(NULL, MAKEINTRESOURCEW(7), (LPCWSTR)RT_RCDATA);
    CHECK(resource != NULL && SizeofResource(NULL, resource) == 13);
    CHECK(resource != NULL && memcmp(LockResource(LoadResource(NULL, resource)), "seven's bytes", 13) == 0);
    resource = FindResourceA(NULL, "Driver", "BINARY");
    CHECK(resource != NULL && SizeofResource(NULL, resource) == 4);
    CHECK_FAILS(FindResourceA(NULL, "Driver", "OTHER") != NULL, ERROR_RESOURCE_TYPE_NOT_FOUND);
}

/* Kernel addresses are for those who may debug. */
static void EnableDebug(void)
{
    TOKEN_PRIVILEGES privileges = {.PrivilegeCount = 1, .Privileges = {{.Attributes = SE_PRIVILEGE_ENABLED}}};
    HANDLE token = NULL;

    CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token));
    CHECK(LookupPrivilegeValueA(NULL, "SeDebugPrivilege", &privileges.Privileges[0].Luid));
    CHECK(AdjustTokenPrivileges(token, FALSE, &privileges, 0, NULL, NULL));
    CloseHandle(token);
}

static void Lists(void)
{
    DWORD processes[32], bytes = 0, self = 0;
    LPVOID drivers[32];
    char name[32] = "";

    CHECK(EnumProcesses(processes, sizeof(processes), &bytes));
    for (DWORD i = 0; i < bytes / sizeof(DWORD); i++)
    {
        self += processes[i] == GetCurrentProcessId();
    }
    CHECK_EQUAL(self, 1);
    CHECK(EnumDeviceDrivers(drivers, sizeof(drivers), &bytes) && drivers[0] == NULL);
    EnableDebug();
    CHECK(EnumDeviceDrivers(drivers, sizeof(drivers), &bytes) && bytes >= sizeof(LPVOID));
    CHECK(GetDeviceDriverBaseNameA(drivers[0], name, sizeof(name)) == 12 && strcmp(name, "ntoskrnl.exe") == 0);
    CHECK_FAILS(GetDeviceDriverBaseNameA((LPVOID)1, name, sizeof(name)) != 0, ERROR_INVALID_HANDLE);
}

int main(void)
{
    Lists();
    WorkingSet();
    Small();
    return Done("u_psapi");
}
