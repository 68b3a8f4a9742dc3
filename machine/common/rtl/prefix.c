/* SPDX-License-Identifier: MIT */
/*
 * Tables of path prefixes, as file systems use them to find the volume or link that a path begins with.
 *
 * The distinct names, regardless of case, are in one splay tree. Names that differ in case only form a ring through
 * CaseMatch, one of them being the node in the tree:
 *
 *      tree node "\Device\A"  ->  "\device\a"  ->  "\DEVICE\A"  ->  (back)
 *
 * A path is looked up by its own prefixes, longest first, cut off at backslashes. The caller serialises access.
 * IRQL: <= APC_LEVEL (the table is usually pageable).
 */
#include "rtlp.h"

/* Which kind of entry it is; the values mean nothing to others. */
#define RTLP_PREFIX_TABLE 0x0800
#define RTLP_PREFIX_NODE 0x0801
#define RTLP_PREFIX_CASE 0x0802

static PUNICODE_PREFIX_TABLE_ENTRY RtlpPrefix(PRTL_SPLAY_LINKS Links)
{
    return CONTAINING_RECORD(Links, UNICODE_PREFIX_TABLE_ENTRY, Links);
}

/* Finds a name regardless of case; *Last receives the last node looked at and *Order how the name compares to it. */
static PUNICODE_PREFIX_TABLE_ENTRY RtlpSearchPrefix(PUNICODE_PREFIX_TABLE Table, PCUNICODE_STRING Name,
                                                    PRTL_SPLAY_LINKS *Last, PLONG Order)
{
    PRTL_SPLAY_LINKS Node = Table->NextPrefixTree != NULL ? &Table->NextPrefixTree->Links : NULL;

    *Last = NULL;
    *Order = 0;
    while (Node != NULL)
    {
        *Last = Node;
        *Order = RtlCompareUnicodeString(Name, RtlpPrefix(Node)->Prefix, TRUE);
        if (*Order == 0)
        {
            return RtlpPrefix(Node);
        }

        Node = *Order < 0 ? Node->LeftChild : Node->RightChild;
    }

    return NULL;
}

/**
 * Makes an empty table.
 */
VOID NTAPI RtlInitializeUnicodePrefix(_Out_ PUNICODE_PREFIX_TABLE PrefixTable)
{
    RtlpZero(PrefixTable, sizeof(*PrefixTable));
    PrefixTable->NodeTypeCode = RTLP_PREFIX_TABLE;
}

/**
 * Inserts a name.
 *
 * @param Prefix            the name; the string and its buffer stay in use until it is removed
 * @param PrefixTableEntry  the caller's memory for the entry
 * @return FALSE if the very same name, in the same case, is there already
 */
BOOLEAN NTAPI RtlInsertUnicodePrefix(_In_ PUNICODE_PREFIX_TABLE PrefixTable, _In_ PUNICODE_STRING Prefix,
                                     _Out_ PUNICODE_PREFIX_TABLE_ENTRY PrefixTableEntry)
{
    PUNICODE_PREFIX_TABLE_ENTRY Entry;
    PUNICODE_PREFIX_TABLE_ENTRY Other;
    PRTL_SPLAY_LINKS Parent;
    LONG Order;

    RtlpZero(PrefixTableEntry, sizeof(*PrefixTableEntry));
    PrefixTableEntry->Prefix = Prefix;
    PrefixTableEntry->Links.Parent = &PrefixTableEntry->Links;
    PrefixTableEntry->CaseMatch = PrefixTableEntry;
    Entry = RtlpSearchPrefix(PrefixTable, Prefix, &Parent, &Order);
    if (Entry != NULL)
    {
        Other = Entry;
        do
        {
            if (RtlEqualUnicodeString(Prefix, Other->Prefix, FALSE))
            {
                return FALSE;
            }

            Other = Other->CaseMatch;
        } while (Other != Entry);

        PrefixTableEntry->NodeTypeCode = RTLP_PREFIX_CASE;
        PrefixTableEntry->CaseMatch = Entry->CaseMatch;
        Entry->CaseMatch = PrefixTableEntry;
        return TRUE;
    }

    PrefixTableEntry->NodeTypeCode = RTLP_PREFIX_NODE;
    if (Parent != NULL)
    {
        PrefixTableEntry->Links.Parent = Parent;
        if (Order < 0)
        {
            Parent->LeftChild = &PrefixTableEntry->Links;
        }
        else
        {
            Parent->RightChild = &PrefixTableEntry->Links;
        }
    }

    PrefixTable->NextPrefixTree = RtlpPrefix(RtlSplay(&PrefixTableEntry->Links));
    PrefixTable->LastNextEntry = NULL;
    return TRUE;
}

/* Gives the place in the tree to another entry of the same ring. */
static VOID RtlpReplaceNode(PUNICODE_PREFIX_TABLE Table, PUNICODE_PREFIX_TABLE_ENTRY Old,
                            PUNICODE_PREFIX_TABLE_ENTRY New)
{
    PRTL_SPLAY_LINKS From = &Old->Links;
    PRTL_SPLAY_LINKS To = &New->Links;

    *To = *From;
    New->NodeTypeCode = RTLP_PREFIX_NODE;
    if (From->Parent == From)
    {
        To->Parent = To;
        Table->NextPrefixTree = New;
    }
    else if (From->Parent->LeftChild == From)
    {
        From->Parent->LeftChild = To;
    }
    else
    {
        From->Parent->RightChild = To;
    }

    if (To->LeftChild != NULL)
    {
        To->LeftChild->Parent = To;
    }

    if (To->RightChild != NULL)
    {
        To->RightChild->Parent = To;
    }
}

/**
 * Removes an entry.
 */
VOID NTAPI RtlRemoveUnicodePrefix(_In_ PUNICODE_PREFIX_TABLE PrefixTable,
                                  _In_ PUNICODE_PREFIX_TABLE_ENTRY PrefixTableEntry)
{
    PUNICODE_PREFIX_TABLE_ENTRY Before = PrefixTableEntry;

    PrefixTable->LastNextEntry = NULL;
    while (Before->CaseMatch != PrefixTableEntry)
    {
        Before = Before->CaseMatch;
    }

    Before->CaseMatch = PrefixTableEntry->CaseMatch;
    if (PrefixTableEntry->NodeTypeCode == RTLP_PREFIX_CASE)
    {
        return;
    }

    if (Before != PrefixTableEntry)
    {
        RtlpReplaceNode(PrefixTable, PrefixTableEntry, Before);
    }
    else
    {
        PRTL_SPLAY_LINKS Root = RtlDelete(&PrefixTableEntry->Links);

        PrefixTable->NextPrefixTree = Root != NULL ? RtlpPrefix(Root) : NULL;
    }
}

/* The length in characters of the next shorter prefix of a path; zero if there is none. */
static ULONG RtlpShorten(const WCHAR *Name, ULONG Length)
{
    ULONG At = Length;

    while (At != 0 && Name[At - 1] != '\\')
    {
        At -= 1;
    }

    if (At == 0 || Length == 1)
    {
        return 0;
    }

    return At == 1 ? 1 : At - 1; /* the root keeps its backslash */
}

/**
 * Finds the longest entry that a path begins with, whole components only.
 *
 * @param FullName              the path
 * @param CaseInsensitiveIndex  characters before this one have to match in case; from there on case is ignored
 * @return the entry, or NULL
 */
PUNICODE_PREFIX_TABLE_ENTRY NTAPI RtlFindUnicodePrefix(_In_ PUNICODE_PREFIX_TABLE PrefixTable,
                                                       _In_ PUNICODE_STRING FullName, _In_ ULONG CaseInsensitiveIndex)
{
    ULONG Length = FullName->Length / sizeof(WCHAR);

    while (Length != 0)
    {
        UNICODE_STRING Name = *FullName;
        PUNICODE_PREFIX_TABLE_ENTRY Entry;
        PUNICODE_PREFIX_TABLE_ENTRY Other;
        PRTL_SPLAY_LINKS Last;
        LONG Order;

        Name.Length = (USHORT)(Length * sizeof(WCHAR));
        Entry = RtlpSearchPrefix(PrefixTable, &Name, &Last, &Order);
        Other = Entry;
        while (Other != NULL)
        {
            ULONG Exact = min(CaseInsensitiveIndex, Length);

            if (RtlCompareUnicodeStrings(FullName->Buffer, Exact, Other->Prefix->Buffer, Exact, FALSE) == 0)
            {
                return Other;
            }

            Other = Other->CaseMatch != Entry ? Other->CaseMatch : NULL;
        }

        Length = RtlpShorten(FullName->Buffer, Length);
    }

    return NULL;
}

/**
 * Walks through all entries. Inserting and removing starts the walk again.
 *
 * @param Restart  TRUE: begin with the first
 * @return the next entry, or NULL at the end
 */
PUNICODE_PREFIX_TABLE_ENTRY NTAPI RtlNextUnicodePrefix(_In_ PUNICODE_PREFIX_TABLE PrefixTable, _In_ BOOLEAN Restart)
{
    PUNICODE_PREFIX_TABLE_ENTRY Next = PrefixTable->LastNextEntry;
    PRTL_SPLAY_LINKS Links;

    if (Restart || Next == NULL)
    {
        Links = PrefixTable->NextPrefixTree != NULL ? &PrefixTable->NextPrefixTree->Links : NULL;
        while (Links != NULL && Links->LeftChild != NULL)
        {
            Links = Links->LeftChild;
        }
    }
    else
    {
        Next = Next->CaseMatch;
        if (Next->NodeTypeCode == RTLP_PREFIX_CASE)
        {
            PrefixTable->LastNextEntry = Next;
            return Next;
        }

        Links = RtlRealSuccessor(&Next->Links); /* the ring is through: its node is at hand again */
    }

    PrefixTable->LastNextEntry = Links != NULL ? RtlpPrefix(Links) : NULL;
    return PrefixTable->LastNextEntry;
}
