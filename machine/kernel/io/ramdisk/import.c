/* SPDX-License-Identifier: MIT */
/* The boot archive becomes the RAM disk's first contents. */
#include "ramdisk.h"
#include "archive.h"

/* One code point of UTF-8; anything malformed becomes U+FFFD and takes one byte. */
static ULONG RamDecode(const char **Text, const char *End)
{
    const UCHAR *Bytes = (const UCHAR *)*Text;
    ULONG First = Bytes[0], Extra = First >= 0xF0 ? 3 : First >= 0xE0 ? 2 : First >= 0xC0 ? 1 : 0;
    ULONG Point = First & (0x7Fu >> (Extra + (Extra != 0)));

    if (First < 0x80)
    {
        (*Text)++;
        return First;
    }
    if (First < 0xC2 || First > 0xF4 || (SIZE_T)(End - *Text) <= Extra)
    {
        (*Text)++;
        return 0xFFFD;
    }
    for (ULONG Index = 1; Index <= Extra; Index++)
    {
        if ((Bytes[Index] & 0xC0) != 0x80)
        {
            (*Text)++;
            return 0xFFFD;
        }
        Point = (Point << 6) | (Bytes[Index] & 0x3F);
    }
    *Text += Extra + 1;
    return Point;
}

/* A path component in UTF-16. FALSE if it is too long. */
static BOOLEAN RamWiden(const char *Text, SIZE_T Length, PWCHAR Buffer, PUNICODE_STRING Name)
{
    const char *End = Text + Length;
    ULONG Count = 0;

    while (Text < End)
    {
        ULONG Point = RamDecode(&Text, End);
        if (Count + 2 > RAM_MAX_COMPONENT)
        {
            return FALSE;
        }
        if (Point >= 0x10000)
        {
            Buffer[Count++] = (WCHAR)(0xD800 + ((Point - 0x10000) >> 10));
            Buffer[Count++] = (WCHAR)(0xDC00 + ((Point - 0x10000) & 0x3FF));
        }
        else
        {
            Buffer[Count++] = (WCHAR)Point;
        }
    }
    Name->Buffer = Buffer;
    Name->Length = Name->MaximumLength = (USHORT)(Count * sizeof(WCHAR));
    return TRUE;
}

static VOID RamSetMemberTimes(RAM_NODE *Node, ULONG Seconds)
{
    LARGE_INTEGER Time = { .QuadPart = ((LONGLONG)Seconds + 11644473600LL) * 10000000LL };

    Node->CreationTime = Node->LastAccessTime = Node->LastWriteTime = Node->ChangeTime = Time;
}

/* Finds or makes the node of one component below Parent. */
static RAM_NODE *RamImportComponent(RAM_NODE *Parent, const char *Text, SIZE_T Length, BOOLEAN Directory)
{
    WCHAR Buffer[RAM_MAX_COMPONENT];
    UNICODE_STRING Name;
    RAM_NODE *Node;

    if (!RamWiden(Text, Length, Buffer, &Name) || !RamIsValidName(&Name))
    {
        return NULL;
    }
    Node = RamFindChild(Parent, &Name);
    if (Node == NULL)
    {
        Node = RamCreateNode(&Name, Directory ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_ARCHIVE);
        if (Node != NULL)
        {
            RamLinkNode(Parent, Node);
        }
    }
    return (Node != NULL && RamIsDirectory(Node) == Directory) ? Node : NULL;
}

/* FALSE: the member has a name that no file here can have, or memory is short. */
static BOOLEAN RamImportMember(const ARCHIVE_MEMBER *Member)
{
    BOOLEAN Directory = (Member->Mode & ARCHIVE_MODE_TYPE) == ARCHIVE_MODE_DIRECTORY;
    const char *Text = Member->Name, *End = Member->Name + Member->NameLength;
    RAM_NODE *Node = RamRoot;

    if (Member->NameLength == 1 && Text[0] == '.')
    {
        return TRUE;
    }
    while (Text < End)
    {
        const char *Stop = Text;
        while (Stop < End && *Stop != '/')
        {
            Stop++;
        }
        if (Stop != Text)
        {
            Node = RamImportComponent(Node, Text, (SIZE_T)(Stop - Text), Stop != End || Directory);
            if (Node == NULL)
            {
                return FALSE;
            }
        }
        Text = Stop + 1;
    }
    if (!Directory)
    {
        RamUsedBytes += Member->Size - Node->Size;
        Node->Data = (PUCHAR)Member->Data;
        Node->Size = Member->Size;
    }
    RamSetMemberTimes(Node, Member->Time);
    return TRUE;
}

NTSTATUS RamImportArchive(const VOID *Bytes, SIZE_T Size)
{
    ARCHIVE Archive = { Bytes, Size };
    ARCHIVE_MEMBER Member;
    size_t Position = 0;
    ARCHIVE_ERROR Error;

    while ((Error = ArchiveNext(&Archive, &Position, &Member)) == ArchiveOk)
    {
        ULONG Type = Member.Mode & ARCHIVE_MODE_TYPE;
        if (Type != ARCHIVE_MODE_DIRECTORY && Type != ARCHIVE_MODE_FILE)
        {
            continue; /* links and devices have no counterpart */
        }
        if (!RamImportMember(&Member))
        {
            HalPrint(HalStreamError, "RAM disk: archive member \"%s\" left out\n", Member.Name);
        }
    }
    if (Error != ArchiveEnd)
    {
        HalPrint(HalStreamError, "RAM disk: the archive is broken: %s\n", ArchiveErrorText(Error));
        return STATUS_FILE_CORRUPT_ERROR;
    }
    return STATUS_SUCCESS;
}
