/* SPDX-License-Identifier: MIT */
/*
 * OB: objects with types, names, references, handles, and the namespace (\, \Device, \Driver, \??, ...).
 */
#pragma once

#include "nt.h"

typedef enum _OB_OPEN_REASON
{
    ObCreateHandle,
    ObOpenHandle,
    ObDuplicateHandle,
    ObInheritHandle,
    ObMaxOpenReason
} OB_OPEN_REASON;

/* Type methods. All at PASSIVE_LEVEL; NULL where the default serves. */
typedef struct _OB_TYPE_METHODS
{
    /** One more handle refers to the object. May add rights to *Granted that others imply. */
    NTSTATUS (*Open)(OB_OPEN_REASON Reason, PEPROCESS Process, PVOID Object, PACCESS_MASK Granted, ULONG HandleCount);
    /** A handle went. ProcessHandleCount/SystemHandleCount are the counts BEFORE it went, as on NT. */
    VOID (*Close)(PEPROCESS Process, PVOID Object, ACCESS_MASK Granted, ULONG ProcessHandleCount,
                  ULONG SystemHandleCount);
    /** The last reference went (deferred to a worker if that happened above PASSIVE_LEVEL). */
    VOID (*Delete)(PVOID Object);
    /**
     * Resolves the rest of a name below this object (devices; keys). May return STATUS_REPARSE with CompleteName
     * replaced.
     */
    NTSTATUS (*Parse)(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                      ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                      PVOID ParseContext, PVOID *Object);
    NTSTATUS (*Security)(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION Information,
                         PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Stored);
    NTSTATUS (*QueryName)(PVOID Object, PUNICODE_STRING Name /* Buffer/MaximumLength given */, PULONG Needed);
    BOOLEAN (*OkayToClose)(PEPROCESS Process, PVOID Object, HANDLE Handle);
} OB_TYPE_METHODS;

typedef struct _OB_TYPE_DEFINITION
{
    PCWSTR Name;
    ULONG BodySize;
    POOL_TYPE PoolType;
    ULONG InvalidAttributes;
    ACCESS_MASK ValidAccess;
    GENERIC_MAPPING Mapping;
    BOOLEAN SecurityRequired;      /* a default security descriptor is assigned even when unnamed */
    BOOLEAN Waitable;              /* the body starts with a DISPATCHER_HEADER (else DefaultObject gives it) */
    ULONG WaitOffset;              /* offset of the DISPATCHER_HEADER in the body if Waitable */
    OB_TYPE_METHODS Methods;
} OB_TYPE_DEFINITION;

VOID ObInitialize(VOID);
NTSTATUS ObCreateType(const OB_TYPE_DEFINITION *Definition, POBJECT_TYPE *Type);
PCUNICODE_STRING ObTypeName(PVOID Object);
POBJECT_TYPE ObGetType(PVOID Object);
PGENERIC_MAPPING ObGetMapping(POBJECT_TYPE Type);

/**
 * As NT's; the object comes zeroed with one reference. Name and security are taken by ObInsertObject. PASSIVE_LEVEL.
 */
NTSTATUS ObCreateObject(KPROCESSOR_MODE ProbeMode, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                        KPROCESSOR_MODE OwnershipMode, PVOID ParseContext, ULONG BodySize, ULONG PagedCharge,
                        ULONG NonPagedCharge, PVOID *Object);
/**
 * Names the object, checks access, makes a handle if Handle is not NULL. Consumes the creation reference in every case
 * (a reference is kept for the caller in *NewObject if given). STATUS_OBJECT_NAME_EXISTS is a success with OBJ_OPENIF.
 */
NTSTATUS ObInsertObject(PVOID Object, PACCESS_STATE AccessState, ACCESS_MASK DesiredAccess, ULONG PointerBias,
                        PVOID *NewObject, PHANDLE Handle);
NTSTATUS ObOpenObjectByName(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                            PACCESS_STATE AccessState, ACCESS_MASK DesiredAccess, PVOID ParseContext, PHANDLE Handle);
NTSTATUS ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes, PACCESS_STATE AccessState, ACCESS_MASK Access,
                                 POBJECT_TYPE Type, KPROCESSOR_MODE Mode, PVOID ParseContext, PVOID *Object);

/* Handle tables live with their process; kernel handles (OBJ_KERNEL_HANDLE) in System's, with the sign bit set. */
NTSTATUS ObInitializeProcess(PEPROCESS Parent /* inherit from, or NULL */, PEPROCESS Process, BOOLEAN Inherit);
VOID ObKillProcess(PEPROCESS Process);      /* closes every handle; in the context of the process */
VOID ObDeleteProcessTable(PEPROCESS Process); /* frees the table when the process object goes */
/** Inherits only the listed handles (those of them that are inheritable), with the same values. PASSIVE_LEVEL. */
NTSTATUS ObInheritHandles(PEPROCESS Parent, PEPROCESS Process, const HANDLE *List, ULONG Count);
ULONG ObGetProcessHandleCount(PEPROCESS Process);
/** Handle of one process as a handle of another (NtDuplicateObject). */
NTSTATUS ObDuplicateObject(PEPROCESS Source, HANDLE SourceHandle, PEPROCESS Target, PHANDLE TargetHandle,
                           ACCESS_MASK Access, ULONG Attributes, ULONG Options, KPROCESSOR_MODE Mode);
LONG_PTR ObGetPointerCount(PVOID Object);
PDISPATCHER_HEADER ObGetWaitObject(PVOID Object);
VOID ObMakeTemporaryObject(PVOID Object);
/** The object's path in the namespace, "" if unnamed. */
NTSTATUS ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Length, PULONG Needed);

/* ---- tables of ids (processes and threads), built like handle tables ---- */
struct _HANDLE_TABLE *ObCreateIdTable(VOID);
/** Reserves an id, a multiple of 4; NULL without memory. Look-ups don't see it before ObPublishId. PASSIVE_LEVEL. */
HANDLE ObAllocateId(struct _HANDLE_TABLE *Table);
VOID ObPublishId(struct _HANDLE_TABLE *Table, HANDLE Id, PVOID Object);
/** The object of an id, referenced, if it is of this type and not already dying. <= DISPATCH_LEVEL. */
PVOID ObReferenceId(struct _HANDLE_TABLE *Table, HANDLE Id, POBJECT_TYPE Type);
VOID ObRemoveId(struct _HANDLE_TABLE *Table, HANDLE Id);

/**
 * Gives an object that is not inserted the security its creator's token implies: owner and default DACL of Token.
 * PASSIVE_LEVEL.
 */
NTSTATUS ObAssignTokenSecurity(PVOID Object, PACCESS_TOKEN Token);
/** Sets the descriptor of an object as it is; copied. PASSIVE_LEVEL. */
NTSTATUS ObSetObjectDescriptor(PVOID Object, PSECURITY_DESCRIPTOR Descriptor);

/** Gives the first directories and links their security descriptors; called by SE once its SIDs exist. */
VOID ObSecureNamespace(VOID);
/** Lets drivers register for handle operations on objects of this type (processes and threads). Before any handle. */
VOID ObEnableTypeCallbacks(POBJECT_TYPE Type);
/** Altitudes are decimal numbers, perhaps with a fraction: compares the integral parts by length, then as text. */
LONG ObCompareAltitude(PCUNICODE_STRING A, PCUNICODE_STRING B);

typedef struct _OBJECT_HANDLE_FLAG_INFORMATION
{
    BOOLEAN Inherit;
    BOOLEAN ProtectFromClose;
} OBJECT_HANDLE_FLAG_INFORMATION, *POBJECT_HANDLE_FLAG_INFORMATION;

NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode);
NTSTATUS NTAPI ObSetHandleAttributes(HANDLE Handle, POBJECT_HANDLE_FLAG_INFORMATION HandleFlags,
                                     KPROCESSOR_MODE PreviousMode);
BOOLEAN NTAPI ObReferenceObjectSafe(PVOID Object);

extern POBJECT_TYPE ObpTypeObjectType, ObpDirectoryObjectType, ObpSymbolicLinkObjectType;
