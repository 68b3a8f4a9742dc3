/* SPDX-License-Identifier: MIT */
/* The service manager: starting, stopping, states, configuration. scm.h has the overall picture. */
#include "scm.h"

/* ---- State ---- */

/*
 * Asks for an event of the driver object's name. The answer tells whether the name exists, and needs no
 * right to anything: the object is of another type.
 */
BOOLEAN ScmIsLoaded(PCUNICODE_STRING Name)
{
    static const WCHAR prefix[] = L"\\Driver\\";
    WCHAR buffer[ARRAYSIZE(prefix) + SCM_NAME_LIMIT];
    UNICODE_STRING path;
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    memcpy(buffer, prefix, sizeof(prefix));
    memcpy((PUCHAR)buffer + sizeof(prefix) - sizeof(WCHAR), Name->Buffer, Name->Length);
    path.Buffer = buffer;
    path.Length = (USHORT)(sizeof(prefix) - sizeof(WCHAR) + Name->Length);
    path.MaximumLength = path.Length;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS status = NtOpenEvent(&handle, SYNCHRONIZE, &attributes);
    if (NT_SUCCESS(status))
    {
        NtClose(handle); /* an event under \Driver is nobody's driver */
        return FALSE;
    }
    return status == STATUS_OBJECT_TYPE_MISMATCH || status == STATUS_ACCESS_DENIED;
}

DWORD ScmState(PSCM_HANDLE Service)
{
    if (!ScmIsLoaded(&Service->Name))
    {
        return SERVICE_STOPPED;
    }
    return ScmReadNumber(Service->Key, L"StopPending", 0) != 0 ? SERVICE_STOP_PENDING : SERVICE_RUNNING;
}

static VOID ScmFillStatus(PSCM_HANDLE Service, LPSERVICE_STATUS Status)
{
    memset(Status, 0, sizeof(*Status));
    Status->dwServiceType = ScmReadNumber(Service->Key, L"Type", SERVICE_KERNEL_DRIVER);
    Status->dwCurrentState = ScmState(Service);
    Status->dwControlsAccepted = Status->dwCurrentState == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP : 0;
}

/* ---- Start and stop ---- */

/* Runs NtLoadDriver or NtUnloadDriver on the service's key. */
static NTSTATUS ScmCallDriver(PSCM_HANDLE Service, NTSTATUS(NTAPI *Call)(PUNICODE_STRING))
{
    static const WCHAR prefix[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\";
    WCHAR buffer[ARRAYSIZE(prefix) + SCM_NAME_LIMIT];
    UNICODE_STRING path;
    NTSTATUS status = AdvEnablePrivilege(SE_LOAD_DRIVER_LUID);
    if (!NT_SUCCESS(status))
    {
        return STATUS_ACCESS_DENIED;
    }
    memcpy(buffer, prefix, sizeof(prefix));
    memcpy((PUCHAR)buffer + sizeof(prefix) - sizeof(WCHAR), Service->NameBuffer, Service->Name.Length + sizeof(WCHAR));
    AdvInitString(&path, buffer);
    status = Call(&path);
    return status == STATUS_PRIVILEGE_NOT_HELD ? STATUS_ACCESS_DENIED : status;
}

BOOL WINAPI StartServiceW(SC_HANDLE hService, DWORD dwNumServiceArgs, LPCWSTR *lpServiceArgVectors)
{
    UNREFERENCED_PARAMETER(dwNumServiceArgs); /* drivers take no arguments; Windows ignores them too */
    UNREFERENCED_PARAMETER(lpServiceArgVectors);
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, SERVICE_START);
    if (service == NULL)
    {
        return FALSE;
    }
    if (ScmReadNumber(service->Key, L"DeleteFlag", 0) != 0)
    {
        return AdvFailWith(ERROR_SERVICE_MARKED_FOR_DELETE);
    }
    if (ScmReadNumber(service->Key, L"Start", SERVICE_DEMAND_START) == SERVICE_DISABLED)
    {
        return AdvFailWith(ERROR_SERVICE_DISABLED);
    }
    if (ScmState(service) != SERVICE_STOPPED)
    {
        return AdvFailWith(ERROR_SERVICE_ALREADY_RUNNING);
    }
    ScmWriteNumber(service->Key, L"StopPending", 0);
    NTSTATUS status = ScmCallDriver(service, NtLoadDriver);
    if (status == STATUS_IMAGE_ALREADY_LOADED || status == STATUS_OBJECT_NAME_COLLISION)
    {
        return AdvFailWith(ERROR_SERVICE_ALREADY_RUNNING);
    }
    return AdvResult(status);
}

static BOOL ScmStop(PSCM_HANDLE Service)
{
    DWORD state = ScmState(Service);
    if (state == SERVICE_STOPPED)
    {
        return AdvFailWith(ERROR_SERVICE_NOT_ACTIVE);
    }
    if (state == SERVICE_STOP_PENDING)
    {
        return AdvFailWith(ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
    }
    NTSTATUS status = ScmCallDriver(Service, NtUnloadDriver);
    if (status == STATUS_INVALID_DEVICE_REQUEST)
    {
        return AdvFailWith(ERROR_INVALID_SERVICE_CONTROL); /* a driver without an unload routine */
    }
    if (!NT_SUCCESS(status))
    {
        return AdvFail(status);
    }
    if (ScmIsLoaded(&Service->Name))
    {
        /* Told to go, but its devices are open: it goes with the last handle to them. */
        ScmWriteNumber(Service->Key, L"StopPending", 1);
    }
    return TRUE;
}

BOOL WINAPI ControlService(SC_HANDLE hService, DWORD dwControl, LPSERVICE_STATUS lpServiceStatus)
{
    ACCESS_MASK access = dwControl == SERVICE_CONTROL_STOP ? SERVICE_STOP : SERVICE_INTERROGATE;
    if (dwControl != SERVICE_CONTROL_STOP && dwControl != SERVICE_CONTROL_INTERROGATE)
    {
        return AdvFailWith(dwControl == 0 || dwControl > 255 ? ERROR_INVALID_PARAMETER
                                                             : ERROR_INVALID_SERVICE_CONTROL);
    }
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, access);
    if (service == NULL)
    {
        return FALSE;
    }
    if (lpServiceStatus == NULL)
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    BOOL result = TRUE;
    if (dwControl == SERVICE_CONTROL_STOP)
    {
        result = ScmStop(service);
    }
    else if (ScmState(service) == SERVICE_STOPPED)
    {
        result = AdvFailWith(ERROR_SERVICE_NOT_ACTIVE);
    }
    DWORD error = RtlGetLastWin32Error();
    ScmFillStatus(service, lpServiceStatus);
    RtlSetLastWin32Error(error);
    return result;
}

/* ---- Queries ---- */

BOOL WINAPI QueryServiceStatus(SC_HANDLE hService, LPSERVICE_STATUS lpServiceStatus)
{
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, SERVICE_QUERY_STATUS);
    if (service == NULL)
    {
        return FALSE;
    }
    ScmFillStatus(service, lpServiceStatus);
    return TRUE;
}

BOOL WINAPI QueryServiceStatusEx(SC_HANDLE hService, SC_STATUS_TYPE InfoLevel, LPBYTE lpBuffer, DWORD cbBufSize,
                                 LPDWORD pcbBytesNeeded)
{
    if (InfoLevel != SC_STATUS_PROCESS_INFO)
    {
        return AdvFailWith(ERROR_INVALID_LEVEL);
    }
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, SERVICE_QUERY_STATUS);
    if (service == NULL)
    {
        return FALSE;
    }
    *pcbBytesNeeded = sizeof(SERVICE_STATUS_PROCESS);
    if (cbBufSize < sizeof(SERVICE_STATUS_PROCESS))
    {
        return AdvFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    memset(lpBuffer, 0, sizeof(SERVICE_STATUS_PROCESS));
    ScmFillStatus(service, (LPSERVICE_STATUS)lpBuffer); /* the first fields are the same */
    return TRUE;
}

typedef struct _SCM_TEXT
{
    PKEY_VALUE_PARTIAL_INFORMATION Value;
    PCWSTR Text;
    SIZE_T Characters; /* with the final zero(s) */
} SCM_TEXT, *PSCM_TEXT;

static VOID ScmReadText(HANDLE Key, PCWSTR Name, BOOLEAN IsList, PSCM_TEXT Text)
{
    UNICODE_STRING name;
    AdvInitString(&name, Name);
    Text->Text = L"\0";
    Text->Characters = IsList ? 2 : 1;
    if (!NT_SUCCESS(RegpReadValue(Key, &name, &Text->Value)))
    {
        Text->Value = NULL;
        return;
    }
    SIZE_T length = Text->Value->DataLength / sizeof(WCHAR);
    PCWSTR data = (PCWSTR)Text->Value->Data;
    if (length != 0 && data[length - 1] == 0)
    {
        Text->Text = data;
        Text->Characters = length;
    }
}

/** The configuration and its strings in one buffer. */
BOOL WINAPI QueryServiceConfigW(SC_HANDLE hService, LPQUERY_SERVICE_CONFIGW lpServiceConfig, DWORD cbBufSize,
                                LPDWORD pcbBytesNeeded)
{
    static const PCWSTR names[] = {L"ImagePath", L"Group", L"DependOnService", L"ObjectName", L"DisplayName"};
    SCM_TEXT texts[ARRAYSIZE(names)] = {{0}};
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, SERVICE_QUERY_CONFIG);
    if (service == NULL)
    {
        return FALSE;
    }
    SIZE_T needed = sizeof(*lpServiceConfig);
    for (ULONG i = 0; i < ARRAYSIZE(names); i++)
    {
        ScmReadText(service->Key, names[i], i == 2, &texts[i]);
        needed += texts[i].Characters * sizeof(WCHAR);
    }
    *pcbBytesNeeded = (DWORD)needed;
    BOOL result = cbBufSize >= needed ? TRUE : AdvFailWith(ERROR_INSUFFICIENT_BUFFER);
    if (result)
    {
        LPWSTR *targets[] = {&lpServiceConfig->lpBinaryPathName, &lpServiceConfig->lpLoadOrderGroup,
                             &lpServiceConfig->lpDependencies, &lpServiceConfig->lpServiceStartName,
                             &lpServiceConfig->lpDisplayName};
        PWSTR out = (PWSTR)(lpServiceConfig + 1);
        lpServiceConfig->dwServiceType = ScmReadNumber(service->Key, L"Type", 0);
        lpServiceConfig->dwStartType = ScmReadNumber(service->Key, L"Start", SERVICE_DEMAND_START);
        lpServiceConfig->dwErrorControl = ScmReadNumber(service->Key, L"ErrorControl", 0);
        lpServiceConfig->dwTagId = 0;
        for (ULONG i = 0; i < ARRAYSIZE(names); i++)
        {
            memcpy(out, texts[i].Text, texts[i].Characters * sizeof(WCHAR));
            *targets[i] = out;
            out += texts[i].Characters;
        }
    }
    for (ULONG i = 0; i < ARRAYSIZE(names); i++)
    {
        AdvFree(texts[i].Value);
    }
    return result;
}
