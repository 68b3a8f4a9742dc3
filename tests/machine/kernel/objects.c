/* SPDX-License-Identifier: MIT */
/* The object manager: names, handles and references of events and links, types, access, symbolic links, permanence. */
#include "ktlib.h"

static OBJECT_ATTRIBUTES Attributes(PUNICODE_STRING Name, ULONG Flags)
{
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, Name, Flags | OBJ_KERNEL_HANDLE, NULL, NULL);
    return attributes;
}

static ULONG HandleCount(HANDLE Handle)
{
    PUBLIC_OBJECT_BASIC_INFORMATION information = {0};
    return NT_SUCCESS(ZwQueryObject(Handle, ObjectBasicInformation, &information, sizeof(information), NULL))
               ? information.HandleCount
               : 0;
}

static VOID TestNames(KTEST_RUN *Run)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\KTestEvent"),
                   upper = RTL_CONSTANT_STRING(L"\\BASENAMEDOBJECTS\\ktestEVENT");
    OBJECT_ATTRIBUTES attributes = Attributes(&name, 0), again = Attributes(&name, OBJ_OPENIF),
                      loud = Attributes(&upper, OBJ_CASE_INSENSITIVE);
    HANDLE first, second, third = NULL;

    CHECK_STATUS(ZwCreateEvent(&first, EVENT_ALL_ACCESS, &attributes, NotificationEvent, TRUE), STATUS_SUCCESS);
    CHECK((LONG_PTR)first < 0); /* kernel handles have the sign */
    CHECK_STATUS(ZwCreateEvent(&second, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE),
                 STATUS_OBJECT_NAME_COLLISION);
    CHECK_STATUS(ZwCreateEvent(&second, EVENT_ALL_ACCESS, &again, NotificationEvent, FALSE), STATUS_OBJECT_NAME_EXISTS);
    CHECK_EQUAL(HandleCount(first), 2);
    CHECK_STATUS(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &loud), STATUS_SUCCESS);
    CHECK_EQUAL(HandleCount(first), 3);
    CHECK_STATUS(ZwClose(second), STATUS_SUCCESS);
    CHECK_STATUS(ZwClose(third), STATUS_SUCCESS);
    CHECK_EQUAL(HandleCount(first), 1);
    CHECK_STATUS(ZwClose(first), STATUS_SUCCESS);
    /* gone with its last handle */
    CHECK_STATUS(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_NAME_NOT_FOUND);

    name = (UNICODE_STRING)RTL_CONSTANT_STRING(L"\\NoSuchDirectory\\Event");
    CHECK_STATUS(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_PATH_NOT_FOUND);
    name = (UNICODE_STRING)RTL_CONSTANT_STRING(L"Event");
    CHECK_STATUS(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_PATH_SYNTAX_BAD);
    name = (UNICODE_STRING)RTL_CONSTANT_STRING(L"\\Device\\KTest");
    CHECK_STATUS(ZwOpenEvent(&third, EVENT_ALL_ACCESS, &attributes), STATUS_OBJECT_TYPE_MISMATCH);
}

static VOID TestReferences(KTEST_RUN *Run)
{
    OBJECT_ATTRIBUTES attributes = Attributes(NULL, 0);
    PVOID object = NULL, same = NULL;
    HANDLE handle, weak;
    LARGE_INTEGER now = {.QuadPart = 0};

    CHECK_STATUS(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, SynchronizationEvent, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, EVENT_MODIFY_STATE, *ExEventObjectType, KernelMode, &object, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, EVENT_MODIFY_STATE, *IoFileObjectType, KernelMode, &same, NULL),
                 STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, EVENT_MODIFY_STATE, *ExSemaphoreObjectType, KernelMode, &same, NULL),
                 STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &same, NULL), STATUS_SUCCESS);
    CHECK(same == object && object != NULL);
    ObDereferenceObject(same);
    KeSetEvent(object, IO_NO_INCREMENT, FALSE); /* the body of an event object is a KEVENT */
    CHECK_STATUS(ZwWaitForSingleObject(handle, FALSE, &now), STATUS_SUCCESS);
    CHECK_STATUS(ZwWaitForSingleObject(handle, FALSE, &now), STATUS_TIMEOUT);

    CHECK_STATUS(
        ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, NULL, SYNCHRONIZE, *ExEventObjectType, KernelMode, &weak),
        STATUS_SUCCESS);
    CHECK_EQUAL(HandleCount(handle), 2);
    CHECK_STATUS(
        ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, NULL, SYNCHRONIZE, *IoFileObjectType, KernelMode, &same),
        STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(ObReferenceObjectByPointer(object, SYNCHRONIZE, *ExEventObjectType, KernelMode), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(weak);

    /* The object outlives its handle. */
    CHECK_STATUS(ZwClose(handle), STATUS_SUCCESS);
    CHECK_EQUAL(KeSetEvent(object, IO_NO_INCREMENT, FALSE), 0);
    CHECK_EQUAL(KeReadStateEvent(object), 1);
    ObReferenceObject(object);
    ObDereferenceObject(object);
    ObDereferenceObject(object);
}

/* What user mode would be refused: a kernel handle, a right that the handle lacks, a number that is none. */
static VOID TestAccess(KTEST_RUN *Run)
{
    OBJECT_ATTRIBUTES user;
    HANDLE handle, kernel;
    OBJECT_ATTRIBUTES attributes = Attributes(NULL, 0);
    OBJECT_HANDLE_INFORMATION information = {0};
    PVOID object = NULL;

    InitializeObjectAttributes(&user, NULL, 0, NULL, NULL);
    CHECK_STATUS(ZwCreateEvent(&handle, SYNCHRONIZE | EVENT_QUERY_STATE, &user, NotificationEvent, FALSE),
                 STATUS_SUCCESS);
    CHECK((LONG_PTR)handle > 0);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &object, NULL),
                 STATUS_ACCESS_DENIED);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, SYNCHRONIZE, *ExEventObjectType, UserMode, &object, &information),
                 STATUS_SUCCESS);
    KtSay(Run, "handle 0x%I64X grants 0x%lX", (ULONG64)(ULONG_PTR)handle, information.GrantedAccess);
    CHECK_EQUAL(information.GrantedAccess, SYNCHRONIZE | EVENT_QUERY_STATE);
    ObDereferenceObject(object);
    CHECK_STATUS(ObCloseHandle(handle, UserMode), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, 0, NULL, UserMode, &object, NULL), STATUS_INVALID_HANDLE);
    CHECK_STATUS(ObReferenceObjectByHandle((HANDLE)0x7FFFFFF0, 0, NULL, UserMode, &object, NULL),
                 STATUS_INVALID_HANDLE);

    CHECK_STATUS(ZwCreateEvent(&kernel, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(kernel, SYNCHRONIZE, *ExEventObjectType, UserMode, &object, NULL),
                 STATUS_INVALID_HANDLE);
    CHECK_STATUS(ObReferenceObjectByHandle(kernel, SYNCHRONIZE, *ExEventObjectType, KernelMode, &object, NULL),
                 STATUS_SUCCESS);
    ObDereferenceObject(object);
    ZwClose(kernel);

    CHECK_STATUS(ObReferenceObjectByHandle(NtCurrentProcess(), 0, *PsProcessType, KernelMode, &object, NULL),
                 STATUS_SUCCESS);
    CHECK(object == PsGetCurrentProcess());
    ObDereferenceObject(object);
    CHECK_STATUS(ObReferenceObjectByHandle(NtCurrentThread(), 0, *PsThreadType, KernelMode, &object, NULL),
                 STATUS_SUCCESS);
    CHECK(object == PsGetCurrentThread());
    ObDereferenceObject(object);
}

static VOID TestSymbolicLinks(KTEST_RUN *Run)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\KTestLink"),
                   target = RTL_CONSTANT_STRING(L"\\Device\\KTest");
    UNICODE_STRING path = RTL_CONSTANT_STRING(L"\\??\\KTestLink"), loop = RTL_CONSTANT_STRING(L"\\??\\KTestLoop");
    OBJECT_ATTRIBUTES attributes = Attributes(&path, OBJ_CASE_INSENSITIVE);
    WCHAR buffer[64];
    UNICODE_STRING found = {.Buffer = buffer, .MaximumLength = sizeof(buffer)};
    HANDLE handle;
    PFILE_OBJECT file;
    PDEVICE_OBJECT device;
    ULONG length = 0;

    CHECK_STATUS(IoCreateSymbolicLink(&link, &target), STATUS_SUCCESS);
    CHECK_STATUS(IoCreateSymbolicLink(&link, &target), STATUS_OBJECT_NAME_COLLISION);
    CHECK_STATUS(ZwOpenSymbolicLinkObject(&handle, GENERIC_READ, &attributes), STATUS_SUCCESS);
    CHECK_STATUS(ZwQuerySymbolicLinkObject(handle, &found, &length), STATUS_SUCCESS);
    KtSay(Run, "%wZ leads to %wZ", &path, &found);
    CHECK(RtlEqualUnicodeString(&found, &target, FALSE));
    found.MaximumLength = 4;
    CHECK_STATUS(ZwQuerySymbolicLinkObject(handle, &found, &length), STATUS_BUFFER_TOO_SMALL);
    CHECK(length >= target.Length);
    ZwClose(handle);
    CHECK_STATUS(IoGetDeviceObjectPointer(&path, FILE_READ_DATA, &file, &device), STATUS_SUCCESS);
    CHECK(device == KtDevice);
    ObDereferenceObject(file);
    CHECK_STATUS(IoDeleteSymbolicLink(&link), STATUS_SUCCESS);
    CHECK_STATUS(IoDeleteSymbolicLink(&link), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(ZwOpenSymbolicLinkObject(&handle, GENERIC_READ, &attributes), STATUS_OBJECT_NAME_NOT_FOUND);

    /* A link to itself ends with an error, not with the stack. */
    CHECK_STATUS(IoCreateSymbolicLink(&loop, &loop), STATUS_SUCCESS);
    CHECK(!NT_SUCCESS(IoGetDeviceObjectPointer(&loop, FILE_READ_DATA, &file, &device)));
    CHECK_STATUS(IoDeleteSymbolicLink(&loop), STATUS_SUCCESS);
}

/* A permanent object stays without handles until it is made temporary. */
static VOID TestPermanent(KTEST_RUN *Run)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\KTestStays");
    OBJECT_ATTRIBUTES attributes = Attributes(&name, OBJ_PERMANENT), plain = Attributes(&name, 0);
    HANDLE handle;

    CHECK_STATUS(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE), STATUS_SUCCESS);
    ZwClose(handle);
    CHECK_STATUS(ZwOpenEvent(&handle, DELETE | SYNCHRONIZE, &plain), STATUS_SUCCESS);
    CHECK_STATUS(ZwMakeTemporaryObject(handle), STATUS_SUCCESS);
    ZwClose(handle);
    CHECK_STATUS(ZwOpenEvent(&handle, SYNCHRONIZE, &plain), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID TestManyHandles(KTEST_RUN *Run)
{
    OBJECT_ATTRIBUTES attributes = Attributes(NULL, 0);
    PHANDLE handles = ExAllocatePoolWithTag(PagedPool, 1000 * sizeof(HANDLE), KT_TAG);
    ULONG made = 0, same = 0;

    CHECK(handles != NULL);
    if (handles == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < 1000; i++)
    {
        handles[i] = NULL;
        made += NT_SUCCESS(ZwCreateEvent(&handles[i], EVENT_ALL_ACCESS, &attributes, NotificationEvent, i & 1));
        same += i != 0 && handles[i] == handles[i - 1];
    }
    CHECK_EQUAL(made, 1000);
    CHECK_EQUAL(same, 0);
    for (ULONG i = 0; i < 1000; i += 137)
    {
        LARGE_INTEGER now = {.QuadPart = 0};
        CHECK_STATUS(ZwWaitForSingleObject(handles[i], FALSE, &now), i & 1 ? STATUS_SUCCESS : STATUS_TIMEOUT);
    }
    for (ULONG i = 0; i < 1000; i++)
    {
        made -= NT_SUCCESS(ZwClose(handles[i]));
    }
    CHECK_EQUAL(made, 0);
    ExFreePoolWithTag(handles, KT_TAG);
}

VOID KtGroup_objects(KTEST_RUN *Run)
{
    TestNames(Run);
    TestReferences(Run);
    TestAccess(Run);
    TestSymbolicLinks(Run);
    TestPermanent(Run);
    TestManyHandles(Run);
}
