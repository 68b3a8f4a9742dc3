/* SPDX-License-Identifier: MIT */
/* The service manager: handles, creation and deletion of services. scm.h has the overall picture. */
#include "scm.h"

static const WCHAR ScmServicesPath[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services";

/* ---- Access ---- */

/* What a plain user may do; everything else asks for an administrator. */
#define SCM_USER_MANAGER                                                                                              \
    (SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE | SC_MANAGER_QUERY_LOCK_STATUS | READ_CONTROL)
#define SCM_USER_SERVICE                                                                                              \
    (SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS | SERVICE_ENUMERATE_DEPENDENTS | SERVICE_INTERROGATE | READ_CONTROL)

static BOOL ScmGrant(DWORD Desired, DWORD All, DWORD UserRights, DWORD Read, DWORD Write, DWORD Execute,
                     ACCESS_MASK *Granted)
{
    ACCESS_MASK access = Desired & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED);
    BOOLEAN administrator = AdvIsAdministrator();
    access |= (Desired & GENERIC_READ) ? Read : 0;
    access |= (Desired & GENERIC_WRITE) ? Write : 0;
    access |= (Desired & GENERIC_EXECUTE) ? Execute : 0;
    access |= (Desired & GENERIC_ALL) ? All : 0;
    access |= (Desired & MAXIMUM_ALLOWED) ? (administrator ? All : UserRights) : 0;
    if (!administrator && (access & ~UserRights))
    {
        return AdvFailWith(ERROR_ACCESS_DENIED);
    }
    *Granted = access;
    return TRUE;
}

PSCM_HANDLE ScmReference(SC_HANDLE Handle, ULONG Kind, ACCESS_MASK Access)
{
    PSCM_HANDLE handle = (PSCM_HANDLE)Handle;
    ULONG kind = 0;
    __try
    {
        kind = handle != NULL ? handle->Kind : 0;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        kind = 0;
    }
    if (kind != Kind)
    {
        AdvFailWith(ERROR_INVALID_HANDLE);
        return NULL;
    }
    if ((handle->Access & Access) != Access)
    {
        AdvFailWith(ERROR_ACCESS_DENIED);
        return NULL;
    }
    return handle;
}

/* ---- Values of a service's key ---- */

DWORD ScmReadNumber(HANDLE Key, PCWSTR Name, DWORD Default)
{
    UNICODE_STRING name;
    PKEY_VALUE_PARTIAL_INFORMATION value;
    AdvInitString(&name, Name);
    if (!NT_SUCCESS(RegpReadValue(Key, &name, &value)))
    {
        return Default;
    }
    DWORD number = Default;
    if (value->Type == REG_DWORD && value->DataLength == sizeof(number))
    {
        memcpy(&number, value->Data, sizeof(number));
    }
    AdvFree(value);
    return number;
}

NTSTATUS ScmWriteNumber(HANDLE Key, PCWSTR Name, DWORD Value)
{
    UNICODE_STRING name;
    AdvInitString(&name, Name);
    return NtSetValueKey(Key, &name, 0, REG_DWORD, &Value, sizeof(Value));
}

NTSTATUS ScmWriteText(HANDLE Key, PCWSTR Name, DWORD Type, PCWSTR Text, SIZE_T Bytes)
{
    UNICODE_STRING name;
    if (Bytes > 0xFFFF)
    {
        return STATUS_NAME_TOO_LONG;
    }
    AdvInitString(&name, Name);
    return NtSetValueKey(Key, &name, 0, Type, (PVOID)Text, (ULONG)Bytes);
}

/* ---- Presence and deletion ---- */

static HANDLE ScmOpenPresence(PCUNICODE_STRING Name)
{
    static const WCHAR prefix[] = L"\\BaseNamedObjects\\IsthmusService_";
    WCHAR buffer[ARRAYSIZE(prefix) + SCM_NAME_LIMIT];
    UNICODE_STRING path;
    OBJECT_ATTRIBUTES attributes;
    HANDLE event;
    memcpy(buffer, prefix, sizeof(prefix));
    memcpy((PUCHAR)buffer + sizeof(prefix) - sizeof(WCHAR), Name->Buffer, Name->Length);
    path.Buffer = buffer;
    path.Length = (USHORT)(sizeof(prefix) - sizeof(WCHAR) + Name->Length);
    path.MaximumLength = path.Length;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, NULL, NULL);
    NTSTATUS status = NtCreateEvent(&event, EVENT_MODIFY_STATE | SYNCHRONIZE, &attributes, NotificationEvent, FALSE);
    return NT_SUCCESS(status) ? event : NULL;
}

/* TRUE if no other service handle is open in any program. */
static BOOLEAN ScmIsLast(HANDLE Presence)
{
    OBJECT_BASIC_INFORMATION basic;
    return Presence != NULL &&
           NT_SUCCESS(NtQueryObject(Presence, ObjectBasicInformation, &basic, sizeof(basic), NULL)) &&
           basic.HandleCount == 1;
}

/* Deletes the key of a marked service that is not running any more, with what lies below it. */
static BOOLEAN ScmRemoveIfDue(HANDLE Key, HANDLE Presence, PCUNICODE_STRING Name)
{
    if (ScmReadNumber(Key, L"DeleteFlag", 0) == 0 || ScmIsLoaded(Name) || !ScmIsLast(Presence))
    {
        return FALSE;
    }
    RegDeleteTreeW((HKEY)Key, NULL);
    return NT_SUCCESS(NtDeleteKey(Key));
}

/* ---- Keys ---- */

static BOOL ScmCheckName(PCWSTR Name)
{
    SIZE_T length = Name != NULL ? AdvLength(Name) : 0;
    if (length == 0 || length > SCM_NAME_LIMIT)
    {
        return AdvFailWith(ERROR_INVALID_NAME);
    }
    for (SIZE_T i = 0; i < length; i++)
    {
        if (Name[i] == L'\\' || Name[i] == L'/' || Name[i] < L' ')
        {
            return AdvFailWith(ERROR_INVALID_NAME);
        }
    }
    return TRUE;
}

static NTSTATUS ScmOpenKey(PCWSTR Name, BOOLEAN Create, ACCESS_MASK Access, PHANDLE Key, PULONG Disposition)
{
    WCHAR buffer[ARRAYSIZE(ScmServicesPath) + 1 + SCM_NAME_LIMIT];
    UNICODE_STRING path;
    OBJECT_ATTRIBUTES attributes;
    SIZE_T length = ARRAYSIZE(ScmServicesPath) - 1;
    memcpy(buffer, ScmServicesPath, length * sizeof(WCHAR));
    buffer[length++] = L'\\';
    memcpy(buffer + length, Name, (AdvLength(Name) + 1) * sizeof(WCHAR));
    AdvInitString(&path, buffer);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return Create ? NtCreateKey(Key, Access, &attributes, 0, NULL, 0, Disposition)
                  : NtOpenKey(Key, Access, &attributes);
}

static PSCM_HANDLE ScmMakeHandle(ULONG Kind, ACCESS_MASK Access, PCWSTR Name)
{
    PSCM_HANDLE handle = AdvAllocate(sizeof(*handle));
    if (handle == NULL)
    {
        AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    handle->Access = Access;
    if (Name != NULL)
    {
        memcpy(handle->NameBuffer, Name, (AdvLength(Name) + 1) * sizeof(WCHAR));
        AdvInitString(&handle->Name, handle->NameBuffer);
    }
    handle->Kind = Kind;
    return handle;
}

/* ---- The manager ---- */

SC_HANDLE WINAPI OpenSCManagerW(LPCWSTR lpMachineName, LPCWSTR lpDatabaseName, DWORD dwDesiredAccess)
{
    static const UNICODE_STRING active = RTL_CONSTANT_STRING16(L"ServicesActive");
    UNICODE_STRING database;
    ACCESS_MASK access;
    if (lpMachineName != NULL && *lpMachineName != 0)
    {
        AdvFailWith(ERROR_NOT_SUPPORTED); /* no network */
        return NULL;
    }
    if (lpDatabaseName != NULL && *lpDatabaseName != 0 &&
        (!AdvInitString(&database, lpDatabaseName) || !RtlEqualUnicodeString(&database, &active, TRUE)))
    {
        AdvFailWith(ERROR_DATABASE_DOES_NOT_EXIST);
        return NULL;
    }
    if (!ScmGrant(dwDesiredAccess | SC_MANAGER_CONNECT, SC_MANAGER_ALL_ACCESS, SCM_USER_MANAGER,
                  SC_MANAGER_ENUMERATE_SERVICE | SC_MANAGER_QUERY_LOCK_STATUS | READ_CONTROL,
                  SC_MANAGER_CREATE_SERVICE | SC_MANAGER_MODIFY_BOOT_CONFIG | READ_CONTROL,
                  SC_MANAGER_CONNECT | SC_MANAGER_LOCK | READ_CONTROL, &access))
    {
        return NULL;
    }
    return (SC_HANDLE)ScmMakeHandle(SCM_MANAGER, access, NULL);
}

/* ---- Services ---- */

static BOOL ScmGrantService(DWORD Desired, ACCESS_MASK *Access)
{
    return ScmGrant(Desired, SERVICE_ALL_ACCESS, SCM_USER_SERVICE,
                    SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS | SERVICE_ENUMERATE_DEPENDENTS | SERVICE_INTERROGATE |
                        READ_CONTROL,
                    SERVICE_CHANGE_CONFIG | READ_CONTROL,
                    SERVICE_START | SERVICE_STOP | SERVICE_PAUSE_CONTINUE | SERVICE_USER_DEFINED_CONTROL |
                        READ_CONTROL,
                    Access);
}

static ACCESS_MASK ScmKeyAccess(ACCESS_MASK Access)
{
    return (Access & ~SCM_USER_SERVICE) ? KEY_READ | KEY_WRITE | DELETE : KEY_READ;
}

SC_HANDLE WINAPI OpenServiceW(SC_HANDLE hSCManager, LPCWSTR lpServiceName, DWORD dwDesiredAccess)
{
    ACCESS_MASK access;
    HANDLE key;
    if (ScmReference(hSCManager, SCM_MANAGER, SC_MANAGER_CONNECT) == NULL || !ScmCheckName(lpServiceName))
    {
        return NULL;
    }
    if (!ScmGrantService(dwDesiredAccess, &access))
    {
        /* A service that is not there is reported as such to everybody. */
        if (ScmOpenKey(lpServiceName, FALSE, KEY_READ, &key, NULL) == STATUS_OBJECT_NAME_NOT_FOUND)
        {
            AdvFailWith(ERROR_SERVICE_DOES_NOT_EXIST);
        }
        else
        {
            AdvFailWith(ERROR_ACCESS_DENIED);
        }
        return NULL;
    }
    PSCM_HANDLE service = ScmMakeHandle(SCM_SERVICE, access, lpServiceName);
    if (service == NULL)
    {
        return NULL;
    }
    NTSTATUS status = ScmOpenKey(lpServiceName, FALSE, ScmKeyAccess(access), &service->Key, NULL);
    if (!NT_SUCCESS(status))
    {
        AdvFree(service);
        AdvFailWith(status == STATUS_OBJECT_NAME_NOT_FOUND ? ERROR_SERVICE_DOES_NOT_EXIST
                                                           : RtlNtStatusToDosError(status));
        return NULL;
    }
    service->Presence = ScmOpenPresence(&service->Name);
    if (ScmRemoveIfDue(service->Key, service->Presence, &service->Name))
    {
        service->Access = 0;
        CloseServiceHandle((SC_HANDLE)service);
        AdvFailWith(ERROR_SERVICE_DOES_NOT_EXIST);
        return NULL;
    }
    return (SC_HANDLE)service;
}

/* The driver file as NtLoadDriver wants it: absolute DOS paths get \??\, quotes go, the rest stays. */
PWSTR ScmImagePath(PCWSTR Path)
{
    SIZE_T length = AdvLength(Path);
    if (length >= 2 && Path[0] == L'"' && Path[length - 1] == L'"')
    {
        Path++;
        length -= 2;
    }
    SIZE_T prefix = length >= 3 && Path[1] == L':' && (Path[2] == L'\\' || Path[2] == L'/') ? 4 : 0;
    PWSTR result = AdvAllocate((prefix + length + 1) * sizeof(WCHAR));
    if (result != NULL)
    {
        memcpy(result, L"\\??\\", prefix * sizeof(WCHAR));
        memcpy(result + prefix, Path, length * sizeof(WCHAR));
        for (SIZE_T i = prefix; i < prefix + length; i++)
        {
            result[i] = result[i] == L'/' ? L'\\' : result[i];
        }
    }
    return result;
}

static BOOL ScmCheckCreation(DWORD Type, DWORD Start, DWORD ErrorControl, PCWSTR Path, PCWSTR Account)
{
    const DWORD win32 = SERVICE_WIN32_OWN_PROCESS | SERVICE_WIN32_SHARE_PROCESS | SERVICE_INTERACTIVE_PROCESS;
    if (Type != SERVICE_KERNEL_DRIVER)
    {
        /* Only drivers run on the machine. */
        return AdvFailWith((Type & win32) || Type == SERVICE_FILE_SYSTEM_DRIVER ? ERROR_NOT_SUPPORTED
                                                                               : ERROR_INVALID_PARAMETER);
    }
    if (Start > SERVICE_DISABLED || ErrorControl > SERVICE_ERROR_CRITICAL || Path == NULL || *Path == 0)
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    return Account == NULL || *Account == 0 ? TRUE : AdvFailWith(ERROR_INVALID_SERVICE_ACCOUNT);
}

/* Characters of a list of strings with its final empty one. */
SIZE_T ScmListLength(PCWSTR List)
{
    SIZE_T length = 0;
    while (List[length] != 0)
    {
        length += AdvLength(List + length) + 1;
    }
    return length + 1;
}

static NTSTATUS ScmWriteService(HANDLE Key, DWORD Type, DWORD Start, DWORD ErrorControl, PCWSTR Path,
                                PCWSTR DisplayName, PCWSTR Group, PCWSTR Dependencies)
{
    PWSTR image = ScmImagePath(Path);
    NTSTATUS status = image != NULL ? ScmWriteNumber(Key, L"Type", Type) : STATUS_NO_MEMORY;
    if (NT_SUCCESS(status))
    {
        status = ScmWriteNumber(Key, L"Start", Start);
    }
    if (NT_SUCCESS(status))
    {
        status = ScmWriteNumber(Key, L"ErrorControl", ErrorControl);
    }
    if (NT_SUCCESS(status))
    {
        status = ScmWriteText(Key, L"ImagePath", REG_EXPAND_SZ, image, (AdvLength(image) + 1) * sizeof(WCHAR));
    }
    if (NT_SUCCESS(status) && DisplayName != NULL && *DisplayName != 0)
    {
        status = ScmWriteText(Key, L"DisplayName", REG_SZ, DisplayName, (AdvLength(DisplayName) + 1) * sizeof(WCHAR));
    }
    if (NT_SUCCESS(status) && Group != NULL && *Group != 0)
    {
        status = ScmWriteText(Key, L"Group", REG_SZ, Group, (AdvLength(Group) + 1) * sizeof(WCHAR));
    }
    if (NT_SUCCESS(status) && Dependencies != NULL && *Dependencies != 0)
    {
        status = ScmWriteText(Key, L"DependOnService", REG_MULTI_SZ, Dependencies,
                              ScmListLength(Dependencies) * sizeof(WCHAR));
    }
    AdvFree(image);
    return status;
}

/* A key for a new service. A marked one whose time has come is removed first. */
static NTSTATUS ScmNewKey(PSCM_HANDLE Service)
{
    for (ULONG tries = 0; tries < 2; tries++)
    {
        ULONG disposition;
        NTSTATUS status = ScmOpenKey(Service->NameBuffer, TRUE, KEY_READ | KEY_WRITE | DELETE, &Service->Key,
                                     &disposition);
        if (!NT_SUCCESS(status) || disposition == REG_CREATED_NEW_KEY)
        {
            return status;
        }
        /* Names of drivers that the machine itself installed are there without ever having been created here. */
        BOOLEAN marked = ScmReadNumber(Service->Key, L"DeleteFlag", 0) != 0;
        BOOLEAN removed = ScmRemoveIfDue(Service->Key, Service->Presence, &Service->Name);
        NtClose(Service->Key);
        Service->Key = NULL;
        if (!removed)
        {
            return marked ? STATUS_DELETE_PENDING : STATUS_OBJECT_NAME_COLLISION;
        }
    }
    return STATUS_DELETE_PENDING;
}

SC_HANDLE WINAPI CreateServiceW(SC_HANDLE hSCManager, LPCWSTR lpServiceName, LPCWSTR lpDisplayName,
                                DWORD dwDesiredAccess, DWORD dwServiceType, DWORD dwStartType, DWORD dwErrorControl,
                                LPCWSTR lpBinaryPathName, LPCWSTR lpLoadOrderGroup, LPDWORD lpdwTagId,
                                LPCWSTR lpDependencies, LPCWSTR lpServiceStartName, LPCWSTR lpPassword)
{
    UNREFERENCED_PARAMETER(lpPassword);
    ACCESS_MASK access;
    if (ScmReference(hSCManager, SCM_MANAGER, SC_MANAGER_CREATE_SERVICE) == NULL || !ScmCheckName(lpServiceName) ||
        !ScmCheckCreation(dwServiceType, dwStartType, dwErrorControl, lpBinaryPathName, lpServiceStartName) ||
        !ScmGrantService(dwDesiredAccess, &access))
    {
        return NULL;
    }
    PSCM_HANDLE service = ScmMakeHandle(SCM_SERVICE, access, lpServiceName);
    if (service == NULL)
    {
        return NULL;
    }
    service->Presence = ScmOpenPresence(&service->Name);
    NTSTATUS status = ScmNewKey(service);
    if (NT_SUCCESS(status))
    {
        status = ScmWriteService(service->Key, dwServiceType, dwStartType, dwErrorControl, lpBinaryPathName,
                                 lpDisplayName, lpLoadOrderGroup, lpDependencies);
        if (!NT_SUCCESS(status))
        {
            NtDeleteKey(service->Key);
        }
    }
    if (!NT_SUCCESS(status))
    {
        DWORD error = status == STATUS_OBJECT_NAME_COLLISION ? ERROR_SERVICE_EXISTS
                      : status == STATUS_DELETE_PENDING      ? ERROR_SERVICE_MARKED_FOR_DELETE
                                                             : RtlNtStatusToDosError(status);
        CloseServiceHandle((SC_HANDLE)service);
        AdvFailWith(error);
        return NULL;
    }
    if (lpdwTagId != NULL)
    {
        *lpdwTagId = 0;
    }
    return (SC_HANDLE)service;
}

/** Marks a service. It is gone when its driver has stopped and the last handle to it is closed. */
BOOL WINAPI DeleteService(SC_HANDLE hService)
{
    PSCM_HANDLE service = ScmReference(hService, SCM_SERVICE, DELETE);
    if (service == NULL)
    {
        return FALSE;
    }
    if (ScmReadNumber(service->Key, L"DeleteFlag", 0) != 0)
    {
        return AdvFailWith(ERROR_SERVICE_MARKED_FOR_DELETE);
    }
    return AdvResult(ScmWriteNumber(service->Key, L"DeleteFlag", 1));
}

BOOL WINAPI CloseServiceHandle(SC_HANDLE hSCObject)
{
    PSCM_HANDLE handle = (PSCM_HANDLE)hSCObject;
    if (ScmReference(hSCObject, SCM_SERVICE, 0) == NULL)
    {
        if (ScmReference(hSCObject, SCM_MANAGER, 0) == NULL)
        {
            return FALSE;
        }
        RtlSetLastWin32Error(ERROR_SUCCESS);
    }
    if (handle->Key != NULL)
    {
        /* This handle's key may be read-only: a marked service is removed through one of its own. */
        HANDLE key;
        if (ScmReadNumber(handle->Key, L"DeleteFlag", 0) != 0 &&
            NT_SUCCESS(ScmOpenKey(handle->NameBuffer, FALSE, KEY_READ | KEY_WRITE | DELETE, &key, NULL)))
        {
            ScmRemoveIfDue(key, handle->Presence, &handle->Name);
            NtClose(key);
        }
        NtClose(handle->Key);
    }
    if (handle->Presence != NULL)
    {
        NtClose(handle->Presence);
    }
    handle->Kind = 0;
    AdvFree(handle);
    return TRUE;
}
