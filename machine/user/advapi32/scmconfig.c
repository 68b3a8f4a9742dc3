/* SPDX-License-Identifier: MIT */
/* Changing a service's configuration; the configuration in narrow characters. */
#include "scm.h"

/* Checks what would change as CreateService checks it; SERVICE_NO_CHANGE is always good. */
static BOOL ScmCheckChange(DWORD Type, DWORD Start, DWORD ErrorControl)
{
    BOOL good = (Type == SERVICE_NO_CHANGE || Type == SERVICE_KERNEL_DRIVER || Type == SERVICE_FILE_SYSTEM_DRIVER) &&
                (Start == SERVICE_NO_CHANGE || Start <= SERVICE_DISABLED) &&
                (ErrorControl == SERVICE_NO_CHANGE || ErrorControl <= SERVICE_ERROR_CRITICAL);
    return good ? TRUE : AdvFailWith(ERROR_INVALID_PARAMETER);
}

static NTSTATUS ScmChangeNumber(HANDLE Key, PCWSTR Name, DWORD Value)
{
    return Value == SERVICE_NO_CHANGE ? STATUS_SUCCESS : ScmWriteNumber(Key, Name, Value);
}

static NTSTATUS ScmChangeText(HANDLE Key, PCWSTR Name, PCWSTR Text)
{
    return Text == NULL ? STATUS_SUCCESS
                        : ScmWriteText(Key, Name, REG_SZ, Text, (AdvLength(Text) + 1) * sizeof(WCHAR));
}

/* Accounts and passwords mean nothing for drivers, tags nothing without a start in groups. */
BOOL WINAPI ChangeServiceConfigW(SC_HANDLE hService, DWORD dwServiceType, DWORD dwStartType, DWORD dwErrorControl,
                                 LPCWSTR lpBinaryPathName, LPCWSTR lpLoadOrderGroup, LPDWORD lpdwTagId,
                                 LPCWSTR lpDependencies, LPCWSTR lpServiceStartName, LPCWSTR lpPassword,
                                 LPCWSTR lpDisplayName)
{
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, SERVICE_CHANGE_CONFIG);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(lpServiceStartName);
    UNREFERENCED_PARAMETER(lpPassword);
    if (service == NULL || !ScmCheckChange(dwServiceType, dwStartType, dwErrorControl))
    {
        return FALSE;
    }
    if (ScmReadNumber(service->Key, L"DeleteFlag", 0) != 0)
    {
        return AdvFailWith(ERROR_SERVICE_MARKED_FOR_DELETE);
    }
    status = ScmChangeNumber(service->Key, L"Type", dwServiceType);
    if (NT_SUCCESS(status))
    {
        status = ScmChangeNumber(service->Key, L"Start", dwStartType);
    }
    if (NT_SUCCESS(status))
    {
        status = ScmChangeNumber(service->Key, L"ErrorControl", dwErrorControl);
    }
    if (NT_SUCCESS(status) && lpBinaryPathName != NULL)
    {
        PWSTR image = ScmImagePath(lpBinaryPathName);
        status = image == NULL ? STATUS_NO_MEMORY
                               : ScmWriteText(service->Key, L"ImagePath", REG_EXPAND_SZ, image,
                                              (AdvLength(image) + 1) * sizeof(WCHAR));
        AdvFree(image);
    }
    if (NT_SUCCESS(status))
    {
        status = ScmChangeText(service->Key, L"Group", lpLoadOrderGroup);
    }
    if (NT_SUCCESS(status))
    {
        status = ScmChangeText(service->Key, L"DisplayName", lpDisplayName);
    }
    if (NT_SUCCESS(status) && lpDependencies != NULL)
    {
        status = ScmWriteText(service->Key, L"DependOnService", REG_MULTI_SZ, lpDependencies,
                              ScmListLength(lpDependencies) * sizeof(WCHAR));
    }
    if (lpdwTagId != NULL)
    {
        *lpdwTagId = 0;
    }
    return AdvResult(status);
}

BOOL WINAPI ChangeServiceConfigA(SC_HANDLE hService, DWORD dwServiceType, DWORD dwStartType, DWORD dwErrorControl,
                                 LPCSTR lpBinaryPathName, LPCSTR lpLoadOrderGroup, LPDWORD lpdwTagId,
                                 LPCSTR lpDependencies, LPCSTR lpServiceStartName, LPCSTR lpPassword,
                                 LPCSTR lpDisplayName)
{
    LPCSTR narrow[] = {lpBinaryPathName, lpLoadOrderGroup, lpDisplayName};
    PWSTR wide[ARRAYSIZE(narrow)] = {NULL}, dependencies = NULL;
    BOOL good = ScmWidenList(lpDependencies, &dependencies);

    UNREFERENCED_PARAMETER(lpServiceStartName);
    UNREFERENCED_PARAMETER(lpPassword);
    for (ULONG i = 0; i < ARRAYSIZE(narrow) && good; i++)
    {
        good = AdvWiden(narrow[i], &wide[i]);
    }
    good = good && ChangeServiceConfigW(hService, dwServiceType, dwStartType, dwErrorControl, wide[0], wide[1],
                                        lpdwTagId, dependencies, NULL, NULL, wide[2]);
    for (ULONG i = 0; i < ARRAYSIZE(narrow); i++)
    {
        AdvFree(wide[i]);
    }
    AdvFree(dependencies);
    return good;
}

/* The characters of a text, or of a list of texts, with the zero(s) at the end. */
static SIZE_T ScmTextLength(PCWSTR Text, BOOLEAN IsList)
{
    return IsList ? ScmListLength(Text) : AdvLength(Text) + 1;
}

static BOOL ScmNarrowConfig(const QUERY_SERVICE_CONFIGW *Wide, LPQUERY_SERVICE_CONFIGA Config, DWORD Size,
                            LPDWORD Needed)
{
    const LPCWSTR texts[] = {Wide->lpBinaryPathName, Wide->lpLoadOrderGroup, Wide->lpDependencies,
                             Wide->lpServiceStartName, Wide->lpDisplayName};
    ULONG lengths[ARRAYSIZE(texts)];
    DWORD needed = sizeof(*Config);

    for (ULONG i = 0; i < ARRAYSIZE(texts); i++)
    {
        SIZE_T characters = ScmTextLength(texts[i], i == 2);
        RtlUnicodeToUTF8N(NULL, 0, &lengths[i], texts[i], (ULONG)(characters * sizeof(WCHAR)));
        needed += lengths[i];
    }
    *Needed = needed;
    if (Size < needed)
    {
        return AdvFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    LPSTR *targets[] = {&Config->lpBinaryPathName, &Config->lpLoadOrderGroup, &Config->lpDependencies,
                        &Config->lpServiceStartName, &Config->lpDisplayName};
    PSTR out = (PSTR)(Config + 1);
    Config->dwServiceType = Wide->dwServiceType;
    Config->dwStartType = Wide->dwStartType;
    Config->dwErrorControl = Wide->dwErrorControl;
    Config->dwTagId = Wide->dwTagId;
    for (ULONG i = 0; i < ARRAYSIZE(texts); i++)
    {
        SIZE_T characters = ScmTextLength(texts[i], i == 2);
        RtlUnicodeToUTF8N(out, lengths[i], &lengths[i], texts[i], (ULONG)(characters * sizeof(WCHAR)));
        *targets[i] = out;
        out += lengths[i];
    }
    return TRUE;
}

BOOL WINAPI QueryServiceConfigA(SC_HANDLE hService, LPQUERY_SERVICE_CONFIGA lpServiceConfig, DWORD cbBufSize,
                                LPDWORD pcbBytesNeeded)
{
    DWORD room = 0;
    LPQUERY_SERVICE_CONFIGW wide;
    BOOL result;

    if (QueryServiceConfigW(hService, NULL, 0, &room) || GetLastError() != ERROR_INSUFFICIENT_BUFFER)
    {
        return FALSE;
    }
    wide = AdvAllocate(room);
    if (wide == NULL)
    {
        return AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    result = QueryServiceConfigW(hService, wide, room, &room) &&
             ScmNarrowConfig(wide, lpServiceConfig, cbBufSize, pcbBytesNeeded);
    AdvFree(wide);
    return result;
}
