/* SPDX-License-Identifier: MIT */
/* Registry callbacks: order by altitude, blocking, bypassing, changed results, contexts, and calls made by a callback.
 */
#include "ktlib.h"

#define ROOT L"\\Registry\\Machine\\Software\\KTestCallbacks"

/* What a callback saw, a letter each: capital before, small after. */
static CHAR Log[128];
static volatile LONG LogLength;

typedef struct _WATCHER
{
    PCWSTR Altitude;
    CHAR Letter;
    LARGE_INTEGER Cookie;
    NTSTATUS Before;               /* its answer before a value is set */
    NTSTATUS After;                /* what it makes of the result, if not 0 */
    BOOLEAN Nested;                /* opens a key when a value is set */
    ULONG Opens, Cleanups, Closes;
    PVOID ObjectContext;           /* at the last value set */
    NTSTATUS Seen;                 /* the result it was told */
} WATCHER;

static VOID Note(CHAR Letter)
{
    LONG at = InterlockedIncrement(&LogLength) - 1;
    if (at < (LONG)sizeof(Log) - 1)
    {
        Log[at] = Letter;
    }
}

static BOOLEAN Noted(PCSTR Expected)
{
    BOOLEAN equal = strcmp(Log, Expected) == 0;

    RtlZeroMemory(Log, sizeof(Log));
    LogLength = 0;
    return equal;
}

static NTSTATUS Open(PHANDLE Key, BOOLEAN Create)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(ROOT);
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return Create ? ZwCreateKey(Key, KEY_ALL_ACCESS, &attributes, 0, NULL, REG_OPTION_VOLATILE, NULL)
                  : ZwOpenKey(Key, KEY_READ, &attributes);
}

static NTSTATUS Watch(PVOID Context, PVOID Class, PVOID Information)
{
    WATCHER *watcher = Context;
    PREG_POST_OPERATION_INFORMATION after = Information;
    HANDLE key;

    switch ((REG_NOTIFY_CLASS)(ULONG_PTR)Class)
    {
    case RegNtPreOpenKeyEx:
        watcher->Opens++;
        break;
    case RegNtPostCreateKeyEx:
        if (NT_SUCCESS(after->Status))
        {
            CmSetCallbackObjectContext(after->Object, &watcher->Cookie, watcher, NULL);
        }
        break;
    case RegNtPreSetValueKey:
        Note(watcher->Letter);
        watcher->ObjectContext = ((PREG_SET_VALUE_KEY_INFORMATION)Information)->ObjectContext;
        ((PREG_SET_VALUE_KEY_INFORMATION)Information)->CallContext = &watcher->Letter;
        if (watcher->Nested && NT_SUCCESS(Open(&key, FALSE)))
        {
            ZwClose(key);
        }
        return watcher->Before;
    case RegNtPostSetValueKey:
        Note((CHAR)(after->CallContext == &watcher->Letter ? watcher->Letter + ('a' - 'A') : '?'));
        watcher->Seen = after->Status;
        if (watcher->After != STATUS_SUCCESS)
        {
            after->ReturnStatus = watcher->After;
            return STATUS_CALLBACK_BYPASS;
        }
        break;
    case RegNtPreKeyHandleClose:
        watcher->Closes += ((PREG_KEY_HANDLE_CLOSE_INFORMATION)Information)->ObjectContext == watcher;
        break;
    case RegNtCallbackObjectContextCleanup:
        watcher->Cleanups += ((PREG_CALLBACK_CONTEXT_CLEANUP_INFORMATION)Information)->ObjectContext == watcher;
        break;
    default:
        break;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS Register(WATCHER *Watcher)
{
    UNICODE_STRING altitude;

    RtlInitUnicodeString(&altitude, Watcher->Altitude);
    return CmRegisterCallbackEx(Watch, &altitude, Watcher /* any driver */, Watcher, &Watcher->Cookie, NULL);
}

static NTSTATUS Set(HANDLE Key)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"Value");
    ULONG number = 1;

    return ZwSetValueKey(Key, &name, 0, REG_DWORD, &number, sizeof(number));
}

static NTSTATUS Delete(HANDLE Key)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"Value");

    return ZwDeleteValueKey(Key, &name);
}

static VOID TestResults(KTEST_RUN *Run, HANDLE Key, WATCHER *High, WATCHER *Low)
{
    KT_COVERS("CmRegisterCallbackEx",
              "from the highest altitude to the lowest before, back after; CallContext is each routine's own",
              "Supporting Layered Registry Filtering Drivers");
    CHECK_STATUS(Set(Key), STATUS_SUCCESS);
    CHECK(Noted("HLlh"));
    CHECK_STATUS(Delete(Key), STATUS_SUCCESS);

    KT_COVERS("CmRegisterCallbackEx",
              "a failure before stops the operation and the lower routines; those above are told, and may "
              "replace the result (version 1.1)",
              "Handling Notifications; RegFltr sample");
    Low->Before = STATUS_ACCESS_DENIED;
    CHECK_STATUS(Set(Key), STATUS_ACCESS_DENIED);
    CHECK(Noted("HLh"));
    CHECK_STATUS(High->Seen, STATUS_ACCESS_DENIED);
    High->After = STATUS_DISK_FULL;
    CHECK_STATUS(Set(Key), STATUS_DISK_FULL);
    CHECK(Noted("HLh"));
    High->After = STATUS_SUCCESS;
    High->Before = STATUS_ACCESS_DENIED;
    CHECK_STATUS(Set(Key), STATUS_ACCESS_DENIED);
    CHECK(Noted("H"));
    High->Before = STATUS_SUCCESS;

    KT_COVERS("CmRegisterCallbackEx", "STATUS_CALLBACK_BYPASS: success for the caller, and nothing was done",
              "Handling Notifications");
    Low->Before = STATUS_CALLBACK_BYPASS;
    CHECK_STATUS(Set(Key), STATUS_SUCCESS);
    CHECK(Noted("HLh"));
    Low->Before = STATUS_SUCCESS;
    CHECK_STATUS(Delete(Key), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID TestNested(KTEST_RUN *Run, HANDLE Key, WATCHER *High, WATCHER *Low)
{
    High->Opens = Low->Opens = 0;
    High->Nested = TRUE;
    KT_COVERS("CmRegisterCallbackEx", "a registry call made by a routine is told to the lower ones only",
              "Supporting Layered Registry Filtering Drivers");
    CHECK_STATUS(Set(Key), STATUS_SUCCESS);
    CHECK_EQUAL(High->Opens, 0);
    CHECK_EQUAL(Low->Opens, 1);
    High->Nested = FALSE;
    Noted("");
}

static VOID TestNames(KTEST_RUN *Run, HANDLE Key, WATCHER *High)
{
    UNICODE_STRING root = RTL_CONSTANT_STRING(ROOT);
    PCUNICODE_STRING name = NULL, again = NULL;
    ULONG_PTR id = 0, other = 0;
    HANDLE second = NULL;
    PVOID first, object;

    CHECK_STATUS(Open(&second, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(Key, 0, NULL, KernelMode, &first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(second, 0, NULL, KernelMode, &object, NULL), STATUS_SUCCESS);
    KT_COVERS("CmCallbackGetKeyObjectID", "the full name, and one identity for all objects of a key",
              "DDI CmCallbackGetKeyObjectID");
    CHECK_STATUS(CmCallbackGetKeyObjectID(&High->Cookie, first, &id, &name), STATUS_SUCCESS);
    CHECK_STATUS(CmCallbackGetKeyObjectID(&High->Cookie, object, &other, &again), STATUS_SUCCESS);
    CHECK(first != object);
    CHECK_EQUAL(id, other);
    CHECK(name != NULL && RtlEqualUnicodeString((PUNICODE_STRING)name, &root, TRUE));
    CHECK(again != NULL && RtlEqualUnicodeString((PUNICODE_STRING)again, &root, TRUE));
    ObDereferenceObject(first);
    ObDereferenceObject(object);
    ZwClose(second);
}

VOID KtGroup_regcallbacks(KTEST_RUN *Run)
{
    WATCHER high = {.Altitude = L"380010.5", .Letter = 'H'}, low = {.Altitude = L"38001", .Letter = 'L'};
    WATCHER same = {.Altitude = L"38001", .Letter = 'S'};
    ULONG major = 0, minor = 0;
    HANDLE key = NULL, keep = NULL;

    CmGetCallbackVersion(&major, &minor);
    CHECK_EQUAL(major, 1);
    CHECK_EQUAL(minor, 1);
    CHECK_STATUS(Register(&low), STATUS_SUCCESS);
    CHECK_STATUS(Register(&high), STATUS_SUCCESS);
    CHECK_STATUS(Register(&same), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    CHECK_STATUS(Open(&key, TRUE), STATUS_SUCCESS);
    CHECK_STATUS(Open(&keep, TRUE), STATUS_SUCCESS);
    TestResults(Run, key, &high, &low);
    CHECK(high.ObjectContext == &high && low.ObjectContext == &low);
    TestNested(Run, key, &high, &low);
    TestNames(Run, key, &high);

    KT_COVERS("CmSetCallbackObjectContext", "the last handle's close is told with the context, then its clean-up",
              "REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION");
    CHECK_STATUS(ZwDeleteKey(key), STATUS_SUCCESS);
    ZwClose(key);
    CHECK_EQUAL(high.Closes, 1);
    CHECK_EQUAL(high.Cleanups, 1);
    CHECK_EQUAL(low.Cleanups, 1);

    KT_COVERS("CmUnRegisterCallback", "cleans up the contexts that are left; after it no call comes",
              "DDI CmSetCallbackObjectContext");
    CHECK_STATUS(CmUnRegisterCallback(high.Cookie), STATUS_SUCCESS);
    CHECK_EQUAL(high.Cleanups, 2);
    CHECK_EQUAL(low.Cleanups, 1);
    CHECK_STATUS(CmUnRegisterCallback(high.Cookie), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(CmUnRegisterCallback(low.Cookie), STATUS_SUCCESS);
    ZwClose(keep);
    CHECK_EQUAL(high.Closes, 1);
    CHECK_EQUAL(low.Cleanups, 2);
}
