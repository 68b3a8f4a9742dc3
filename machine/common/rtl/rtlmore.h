/* SPDX-License-Identifier: MIT */
/*
 * What the shared run-time library offers beyond the declarations of the driver kit's headers. Include rtlenv.h (or
 * the kernel's nt.h) first.
 */
#ifndef ISTHMUS_RTLMORE_H
#define ISTHMUS_RTLMORE_H

/*
 * The three numbers of this machine's own accounts, S-1-5-21-a-b-c-RID: SDDL's LA and LG are made from them. The
 * same as in the kernel's se room.
 */
#define RTLP_MACHINE_SID_A 1951530857
#define RTLP_MACHINE_SID_B 1164797545
#define RTLP_MACHINE_SID_C 842018914

/**
 * Makes a security descriptor from its text form (SDDL).
 *
 * Understood: O: G: D: S: in any order, each at most once; flags P, AR, AI (and NO_ACCESS_CONTROL); ACE types A, D,
 * AU, ML; ACE flags CI OI NP IO ID SA FA; rights as two-letter names, 0x..., octal or decimal numbers; SIDs as
 * two-letter names or S-1-... . Object and conditional ACEs are refused.
 *
 * @param Sddl        the text, terminated
 * @param Descriptor  receives a new self-relative descriptor; free with RtlpFree (kernel: ExFreePool)
 * @param Length      optional: receives its size in bytes
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER (structure), STATUS_INVALID_ACL (an ACE), STATUS_INVALID_SID,
 *         STATUS_NOT_SUPPORTED (an object or conditional ACE), STATUS_NO_MEMORY
 *
 * IRQL: <= APC_LEVEL.
 */
NTSTATUS RtlpSddlToSecurityDescriptor(_In_z_ PCWSTR Sddl, _Outptr_ PSECURITY_DESCRIPTOR *Descriptor,
                                      _Out_opt_ PULONG Length);

/**
 * Reads a SID in text form: a two-letter name or S-1-...; the whole string must be one.
 *
 * @param Text  the text, terminated
 * @param Sid   receives a new SID; free with RtlpFree
 * @return STATUS_SUCCESS, STATUS_INVALID_SID, STATUS_NO_MEMORY
 */
NTSTATUS RtlpStringToSid(_In_z_ PCWSTR Text, _Outptr_ PSID *Sid);

/* NT routines that the driver kit does not declare. */
BOOLEAN NTAPI RtlValidAcl(_In_ PACL Acl);
BOOLEAN NTAPI RtlFirstFreeAce(_In_ PACL Acl, _Out_ PVOID *Ace);
NTSTATUS NTAPI RtlAddAccessDeniedAce(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ACCESS_MASK AccessMask,
                                     _In_ PSID Sid);
NTSTATUS NTAPI RtlAddAccessDeniedAceEx(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ULONG AceFlags,
                                       _In_ ACCESS_MASK AccessMask, _In_ PSID Sid);
NTSTATUS NTAPI RtlMakeSelfRelativeSD(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                                     _Out_writes_bytes_opt_(*BufferLength) PSECURITY_DESCRIPTOR SelfRelative,
                                     _Inout_ PULONG BufferLength);
NTSTATUS NTAPI RtlGetControlSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                                               _Out_ PSECURITY_DESCRIPTOR_CONTROL Control, _Out_ PULONG Revision);
ULONG NTAPI RtlNtStatusToDosErrorNoTeb(_In_ NTSTATUS Status);
ULONG NTAPI RtlComputeCrc32(_In_ ULONG PartialCrc, _In_reads_bytes_(Length) const VOID *Buffer, _In_ ULONG Length);
PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(_In_ PVOID Base);
NTSTATUS NTAPI RtlImageNtHeaderEx(_In_ ULONG Flags, _In_ PVOID Base, _In_ ULONG64 Size,
                                  _Out_ PIMAGE_NT_HEADERS *Headers);
PVOID NTAPI RtlImageDirectoryEntryToData(_In_ PVOID Base, _In_ BOOLEAN MappedAsImage, _In_ USHORT DirectoryEntry,
                                         _Out_ PULONG Size);

#endif /* ISTHMUS_RTLMORE_H */
