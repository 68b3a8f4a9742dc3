/* SPDX-License-Identifier: MIT */
/* The service manager's ANSI functions. */
#include "scm.h"

SC_HANDLE WINAPI OpenSCManagerA(LPCSTR lpMachineName, LPCSTR lpDatabaseName, DWORD dwDesiredAccess)
{
    PWSTR machine = NULL;
    PWSTR database = NULL;
    SC_HANDLE handle = NULL;
    if (AdvWiden(lpMachineName, &machine) && AdvWiden(lpDatabaseName, &database))
    {
        handle = OpenSCManagerW(machine, database, dwDesiredAccess);
    }
    AdvFree(machine);
    AdvFree(database);
    return handle;
}

SC_HANDLE WINAPI OpenServiceA(SC_HANDLE hSCManager, LPCSTR lpServiceName, DWORD dwDesiredAccess)
{
    PWSTR name = NULL;
    SC_HANDLE handle = NULL;
    if (AdvWiden(lpServiceName, &name))
    {
        handle = OpenServiceW(hSCManager, name, dwDesiredAccess);
    }
    AdvFree(name);
    return handle;
}

BOOL ScmWidenList(LPCSTR List, PWSTR *Wide)
{
    SIZE_T length = 0;
    *Wide = NULL;
    if (List == NULL)
    {
        return TRUE;
    }
    while (List[length] != 0)
    {
        while (List[length] != 0)
        {
            length++;
        }
        length++;
    }
    *Wide = AdvWidenN(List, length + 1, NULL);
    return *Wide != NULL ? TRUE : AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
}

SC_HANDLE WINAPI CreateServiceA(SC_HANDLE hSCManager, LPCSTR lpServiceName, LPCSTR lpDisplayName,
                                DWORD dwDesiredAccess, DWORD dwServiceType, DWORD dwStartType, DWORD dwErrorControl,
                                LPCSTR lpBinaryPathName, LPCSTR lpLoadOrderGroup, LPDWORD lpdwTagId,
                                LPCSTR lpDependencies, LPCSTR lpServiceStartName, LPCSTR lpPassword)
{
    UNREFERENCED_PARAMETER(lpPassword);
    LPCSTR narrow[] = {lpServiceName, lpDisplayName, lpBinaryPathName, lpLoadOrderGroup, lpServiceStartName};
    PWSTR wide[ARRAYSIZE(narrow)] = {NULL};
    PWSTR dependencies = NULL;
    SC_HANDLE handle = NULL;
    BOOL good = ScmWidenList(lpDependencies, &dependencies);
    for (ULONG i = 0; i < ARRAYSIZE(narrow) && good; i++)
    {
        good = AdvWiden(narrow[i], &wide[i]);
    }
    if (good)
    {
        handle = CreateServiceW(hSCManager, wide[0], wide[1], dwDesiredAccess, dwServiceType, dwStartType,
                                dwErrorControl, wide[2], wide[3], lpdwTagId, dependencies, wide[4], NULL);
    }
    for (ULONG i = 0; i < ARRAYSIZE(narrow); i++)
    {
        AdvFree(wide[i]);
    }
    AdvFree(dependencies);
    return handle;
}

BOOL WINAPI StartServiceA(SC_HANDLE hService, DWORD dwNumServiceArgs, LPCSTR *lpServiceArgVectors)
{
    UNREFERENCED_PARAMETER(lpServiceArgVectors);
    return StartServiceW(hService, dwNumServiceArgs, NULL);
}
