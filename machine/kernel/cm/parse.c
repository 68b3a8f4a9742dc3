/* SPDX-License-Identifier: MIT */
/* Names of keys: the object manager asks CM for everything below \Registry. */
#include "cmp.h"
#include "ex.h"

NTSTATUS CmpMakeKeyObject(CM_NODE *Node, CM_KEY **Key)
{
    CM_KEY *key;
    NTSTATUS status = ObCreateObject(KernelMode, CmKeyObjectType, NULL, KernelMode, NULL, sizeof(CM_KEY), 0, 0, (PVOID *)&key);

    if (NT_SUCCESS(status))
    {
        key->Node = Node;
        Node->References++;
        *Key = key;
    }
    return status;
}

/* Splits the first component off a path without leading backslash; FALSE at the end. */
static BOOLEAN CmpNextComponent(PUNICODE_STRING Path, PUNICODE_STRING Component)
{
    USHORT count = Path->Length / sizeof(WCHAR);
    USHORT start = 0;
    USHORT end;

    while (start < count && Path->Buffer[start] == L'\\')
    {
        start++;
    }
    end = start;
    while (end < count && Path->Buffer[end] != L'\\')
    {
        end++;
    }
    Component->Buffer = Path->Buffer + start;
    Component->Length = Component->MaximumLength = (USHORT)((end - start) * sizeof(WCHAR));
    Path->Buffer += end;
    Path->Length = (USHORT)((count - end) * sizeof(WCHAR));
    return Component->Length != 0;
}

/* Administrators and the system may change the registry, everyone may read it. */
static BOOLEAN CmpAccessAllowed(PACCESS_STATE State, KPROCESSOR_MODE Mode, NTSTATUS *Status)
{
    GENERIC_MAPPING mapping = {KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS};
    ACCESS_MASK wanted = State->RemainingDesiredAccess;
    ACCESS_MASK granted;
    BOOLEAN administrator = Mode == KernelMode || SeTokenIsAdmin(SeQuerySubjectContextToken(&State->SubjectSecurityContext));

    RtlMapGenericMask(&wanted, &mapping);
    granted = administrator ? KEY_ALL_ACCESS : KEY_READ;
    if ((wanted & MAXIMUM_ALLOWED) != 0)
    {
        wanted = (wanted & ~MAXIMUM_ALLOWED) | granted;
    }
    if ((wanted & ~granted) != 0)
    {
        *Status = STATUS_ACCESS_DENIED;
        return FALSE;
    }
    State->PreviouslyGrantedAccess |= wanted;
    State->RemainingDesiredAccess = 0;
    return TRUE;
}

/* Walks, and with Create makes the last component. Intermediate keys must exist, as NtCreateKey wants it. */
static NTSTATUS CmpWalk(CM_NODE *Node, UNICODE_STRING Path, CM_CREATE *Create, BOOLEAN MayCreate, CM_NODE **Found)
{
    UNICODE_STRING component;

    while (CmpNextComponent(&Path, &component))
    {
        CM_NODE *child;

        if (Node->Deleted)
        {
            return STATUS_KEY_DELETED;
        }
        child = CmpFindChild(Node, &component);
        if (child == NULL)
        {
            NTSTATUS status;
            UNICODE_STRING rest = Path;
            UNICODE_STRING next;

            if (Create == NULL || CmpNextComponent(&rest, &next))
            {
                return STATUS_OBJECT_NAME_NOT_FOUND;
            }
            if (!MayCreate)
            {
                return STATUS_ACCESS_DENIED;
            }
            status = CmpCreateChild(Node, &component, &child);
            if (!NT_SUCCESS(status))
            {
                return status;
            }
            Create->Disposition = REG_CREATED_NEW_KEY;
        }
        Node = child;
    }
    *Found = Node;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpOpenKeyObject(CM_KEY *Start, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode, PUNICODE_STRING Path,
                                 CM_CREATE *Create, PVOID *Object)
{
    BOOLEAN mayCreate =
        Mode == KernelMode || SeTokenIsAdmin(SeQuerySubjectContextToken(&AccessState->SubjectSecurityContext));
    CM_NODE *node;
    NTSTATUS status;

    CmpLockExclusive(); /* also to open: the node's count of key objects changes */
    status = CmpWalk(Start->Node, *Path, Create, mayCreate, &node);
    if (NT_SUCCESS(status) && node->Deleted)
    {
        status = STATUS_KEY_DELETED;
    }
    if (NT_SUCCESS(status) && CmpAccessAllowed(AccessState, Mode, &status))
    {
        status = CmpMakeKeyObject(node, (CM_KEY **)Object);
    }
    CmpUnlock();
    return status;
}

NTSTATUS CmpParse(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode, ULONG Attributes,
                  PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName, PVOID ParseContext, PVOID *Object)
{
    CM_CREATE *create = ParseContext;
    ULONG disposition = REG_OPENED_EXISTING_KEY;
    PVOID key = NULL;
    REG_CREATE_KEY_INFORMATION_V1 information = {
        .CompleteName = CompleteName, .RootObject = ParseObject, .ObjectType = CmKeyObjectType,
        .Options = create != NULL ? create->Options : 0, .DesiredAccess = AccessState->OriginalDesiredAccess,
        .Disposition = create != NULL ? &create->Disposition : &disposition, .ResultObject = &key, .Version = 1,
        .RemainingName = RemainingName, .Attributes = Attributes, .CheckAccessMode = Mode};
    CMP_NOTIFICATION notification = {.Information = &information, .CallContext = &information.CallContext,
                                     .ObjectContext = &information.RootObjectContext, .Key = ParseObject};
    NTSTATUS status;

    if (Type != NULL && Type != CmKeyObjectType)
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    *information.Disposition = REG_OPENED_EXISTING_KEY;
    status = CmpNotifyBefore(&notification, create != NULL ? RegNtPreCreateKeyEx : RegNtPreOpenKeyEx);
    if (NT_SUCCESS(status))
    {
        status = CmpOpenKeyObject(ParseObject, AccessState, Mode, RemainingName, create, &key);
        information.GrantedAccess = AccessState->PreviouslyGrantedAccess;
    }
    else if (status == STATUS_CALLBACK_BYPASS &&
             key != NULL) /* a driver has made the object, and says what it grants */
    {
        AccessState->PreviouslyGrantedAccess |= information.GrantedAccess;
        AccessState->RemainingDesiredAccess = 0;
    }
    else if (status == STATUS_CALLBACK_BYPASS)
    {
        status = STATUS_OBJECT_NAME_NOT_FOUND; /* taken over, but without the object that ResultObject must get */
    }
    status = CmpNotifyAfter(&notification, create != NULL ? RegNtPostCreateKeyEx : RegNtPostOpenKeyEx, key, status);
    if (NT_SUCCESS(status) && key == NULL)
    {
        status = STATUS_OBJECT_NAME_NOT_FOUND; /* a failure cannot be made a success without an object */
    }
    if (!NT_SUCCESS(status) && key != NULL)
    {
        ObDereferenceObject(key);
        key = NULL;
    }
    *Object = key;
    return status;
}

static ULONG CmpPathLength(CM_NODE *Node)
{
    ULONG bytes = 0;

    for (; Node != NULL; Node = Node->Parent)
    {
        bytes += sizeof(WCHAR) + Node->Name.Length;
    }
    return bytes;
}

/* \Registry\Machine\... ; the root node is named "Registry". */
NTSTATUS CmpQueryKeyName(PVOID Object, PUNICODE_STRING Name, PULONG Needed)
{
    CM_NODE *node = ((CM_KEY *)Object)->Node;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG offset;

    CmpLockShared();
    *Needed = CmpPathLength(node);
    if (node->Deleted)
    {
        status = STATUS_KEY_DELETED;
    }
    else if (*Needed > Name->MaximumLength)
    {
        status = STATUS_INFO_LENGTH_MISMATCH;
    }
    else
    {
        Name->Length = (USHORT)*Needed;
        for (offset = *Needed; node != NULL; node = node->Parent)
        {
            offset -= node->Name.Length;
            RtlCopyMemory((PUCHAR)Name->Buffer + offset, node->Name.Buffer, node->Name.Length);
            offset -= sizeof(WCHAR);
            *(PWCHAR)((PUCHAR)Name->Buffer + offset) = L'\\';
        }
    }
    CmpUnlock();
    return status;
}
