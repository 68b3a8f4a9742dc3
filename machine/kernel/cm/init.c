/* SPDX-License-Identifier: MIT */
/* CM's start: the type "Key", the root, and the keys every NT system has. */
#include "cmp.h"
#include "ex.h"

POBJECT_TYPE CmKeyObjectType;

static VOID CmpDeleteKeyObject(PVOID Object)
{
    CM_KEY *key = Object;

    CmpCleanUpKeyContexts(key);
    if (key->Name != NULL)
    {
        ExFreePoolWithTag(key->Name, CM_TAG);
    }
    if (key->Node != NULL)
    {
        CmpLockExclusive();
        CmpDereferenceNode(key->Node);
        CmpUnlock();
    }
}

static VOID CmpCloseKeyObject(PEPROCESS Process, PVOID Object, ACCESS_MASK Granted, ULONG ProcessHandleCount,
                              ULONG SystemHandleCount)
{
    REG_KEY_HANDLE_CLOSE_INFORMATION information = {.Object = Object};
    CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, Object);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Granted);
    UNREFERENCED_PARAMETER(ProcessHandleCount);
    if (SystemHandleCount == 1) /* the last one */
    {
        status = CmpNotifyBefore(&notification, RegNtPreKeyHandleClose);
        CmpNotifyAfter(&notification, RegNtPostKeyHandleClose, Object, status); /* a close cannot be refused */
    }
}

static VOID CmpMust(NTSTATUS Status, ULONG_PTR Step)
{
    if (!NT_SUCCESS(Status))
    {
        KeBugCheckEx(PHASE1_INITIALIZATION_FAILED, (ULONG_PTR)Status, 0x434D, Step, 0);
    }
}

static VOID CmpCreatePath(PCWSTR Path)
{
    CM_NODE *node = CmpRoot;

    while (*Path != 0)
    {
        PCWSTR end = Path;
        UNICODE_STRING name;
        CM_NODE *child;

        while (*end != 0 && *end != L'\\')
        {
            end++;
        }
        name.Buffer = (PWCHAR)Path;
        name.Length = name.MaximumLength = (USHORT)((end - Path) * sizeof(WCHAR));
        child = CmpFindChild(node, &name);
        if (child == NULL)
        {
            CmpMust(CmpCreateChild(node, &name, &child), 1);
        }
        node = child;
        Path = *end != 0 ? end + 1 : end;
    }
}

VOID CmInitialize(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Key",
        .BodySize = sizeof(CM_KEY),
        .PoolType = PagedPool,
        .ValidAccess = KEY_ALL_ACCESS,
        .Mapping = {KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS},
        .Methods = {
            .Close = CmpCloseKeyObject, .Delete = CmpDeleteKeyObject, .Parse = CmpParse, .QueryName = CmpQueryKeyName}};
    static const PCWSTR paths[] = {
        L"Machine\\System\\CurrentControlSet\\Services",
        L"Machine\\System\\CurrentControlSet\\Control",
        L"Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion",
        L"User\\.Default",
    };
    UNICODE_STRING rootName = RTL_CONSTANT_STRING(L"Registry");
    UNICODE_STRING rootPath = RTL_CONSTANT_STRING(L"\\Registry");
    OBJECT_ATTRIBUTES attributes;
    CM_KEY *root;
    HANDLE handle;

    CmpInitializeCallbacks();
    CmpMust(ExInitializeResourceLite(&CmpLock), 2);
    CmpMust(ObCreateType(&definition, &CmKeyObjectType), 3);
    CmpMust(CmpCreateChild(NULL, &rootName, &CmpRoot), 4);
    for (ULONG i = 0; i < RTL_NUMBER_OF(paths); i++)
    {
        CmpCreatePath(paths[i]);
    }
    InitializeObjectAttributes(&attributes, &rootPath, OBJ_CASE_INSENSITIVE | OBJ_PERMANENT | OBJ_KERNEL_HANDLE, NULL, NULL);
    CmpMust(ObCreateObject(KernelMode, CmKeyObjectType, &attributes, KernelMode, NULL, sizeof(CM_KEY), 0, 0, (PVOID *)&root), 5);
    root->Node = CmpRoot;
    CmpRoot->References++;
    CmpMust(ObInsertObject(root, NULL, KEY_ALL_ACCESS, 0, NULL, &handle), 6);
    ZwClose(handle);
}
