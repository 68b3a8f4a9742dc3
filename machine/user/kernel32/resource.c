/* SPDX-License-Identifier: MIT */
/*
 * Resources of a module: what FindResource and its kin find in the image's resource directory (PE format, "The .rsrc
 * Section"): three levels, type, name and language, names before numbers, each level's entries after its header.
 */
#include "base.h"

#define BASE_DIRECTORY 0x80000000u

static const IMAGE_RESOURCE_DIRECTORY *BaseResources(HMODULE Module, ULONG *Size)
{
    PVOID base = Module != NULL ? (PVOID)Module : NtCurrentTeb()->ProcessEnvironmentBlock->ImageBaseAddress;
    return RtlImageDirectoryEntryToData(base, TRUE, IMAGE_DIRECTORY_ENTRY_RESOURCE, Size);
}

/* A name's number: below 64 K it is one, and so is text like L"#12". -1: a real name. */
static LONG BaseResourceId(LPCWSTR Name)
{
    LONG id = 0;
    if (IS_INTRESOURCE(Name))
    {
        return (LONG)(ULONG_PTR)Name;
    }
    if (Name[0] != L'#')
    {
        return -1;
    }
    for (Name++; *Name >= L'0' && *Name <= L'9' && id < 0x10000; Name++)
    {
        id = id * 10 + (*Name - L'0');
    }
    return *Name == 0 && id < 0x10000 ? id : -1;
}

static BOOLEAN BaseNameMatches(const BYTE *Root, ULONG Size, DWORD Offset, LPCWSTR Name)
{
    const IMAGE_RESOURCE_DIR_STRING_U *text = (const void *)(Root + Offset);
    if (Offset + sizeof(USHORT) > Size || Offset + sizeof(USHORT) + text->Length * sizeof(WCHAR) > Size)
    {
        return FALSE;
    }
    return CompareStringOrdinal(text->NameString, text->Length, Name, -1, TRUE) == CSTR_EQUAL;
}

/* The entry for a name in the directory at Offset; Any takes the first. 0: none. Everything stays within Size. */
static DWORD BaseFindEntry(const BYTE *Root, ULONG Size, DWORD Offset, LPCWSTR Name, BOOLEAN Any)
{
    const IMAGE_RESOURCE_DIRECTORY *directory = (const void *)(Root + Offset);
    const IMAGE_RESOURCE_DIRECTORY_ENTRY *entries = (const void *)(directory + 1);
    LONG id = Any ? 0 : BaseResourceId(Name);
    if (Offset + sizeof(*directory) > Size)
    {
        return 0;
    }
    DWORD count = (DWORD)directory->NumberOfNamedEntries + directory->NumberOfIdEntries;
    if (count > (Size - Offset - sizeof(*directory)) / sizeof(*entries))
    {
        return 0;
    }
    for (DWORD i = 0; i < count; i++)
    {
        BOOLEAN named = (entries[i].Name & BASE_DIRECTORY) != 0;
        if (Any || (named ? id < 0 && BaseNameMatches(Root, Size, entries[i].Name & ~BASE_DIRECTORY, Name)
                          : id >= 0 && entries[i].Name == (DWORD)id))
        {
            return entries[i].OffsetToData;
        }
    }
    return 0;
}

HRSRC WINAPI FindResourceExW(HMODULE hModule, LPCWSTR lpType, LPCWSTR lpName, WORD wLanguage)
{
    ULONG size;
    const BYTE *root = (const BYTE *)BaseResources(hModule, &size);
    if (root == NULL)
    {
        BaseFailWith(ERROR_RESOURCE_DATA_NOT_FOUND);
        return NULL;
    }
    DWORD entry = BaseFindEntry(root, size, 0, lpType, FALSE);
    if (!(entry & BASE_DIRECTORY))
    {
        BaseFailWith(ERROR_RESOURCE_TYPE_NOT_FOUND);
        return NULL;
    }
    entry = BaseFindEntry(root, size, entry & ~BASE_DIRECTORY, lpName, FALSE);
    if (!(entry & BASE_DIRECTORY))
    {
        BaseFailWith(ERROR_RESOURCE_NAME_NOT_FOUND);
        return NULL;
    }
    DWORD languages = entry & ~BASE_DIRECTORY;
    entry = wLanguage != 0 ? BaseFindEntry(root, size, languages, MAKEINTRESOURCEW(wLanguage), FALSE) : 0;
    if (entry == 0)
    {
        entry = BaseFindEntry(root, size, languages, NULL, TRUE); /* as for a language that is not there: any */
    }
    if (entry == 0 || (entry & BASE_DIRECTORY) || entry + sizeof(IMAGE_RESOURCE_DATA_ENTRY) > size)
    {
        BaseFailWith(ERROR_RESOURCE_LANG_NOT_FOUND);
        return NULL;
    }
    return (HRSRC)(root + entry);
}

HRSRC WINAPI FindResourceW(HMODULE hModule, LPCWSTR lpName, LPCWSTR lpType)
{
    return FindResourceExW(hModule, lpType, lpName, 0);
}

HRSRC WINAPI FindResourceA(HMODULE hModule, LPCSTR lpName, LPCSTR lpType)
{
    BASE_WIDE name = {0}, type = {0};
    BOOLEAN nameId = IS_INTRESOURCE(lpName), typeId = IS_INTRESOURCE(lpType);
    HRSRC found = NULL;
    if ((nameId || BaseWiden(&name, lpName)) && (typeId || BaseWiden(&type, lpType)))
    {
        found = FindResourceExW(hModule, typeId ? (LPCWSTR)lpType : type.Text, nameId ? (LPCWSTR)lpName : name.Text, 0);
    }
    BaseRelease(&name);
    BaseRelease(&type);
    return found;
}

HGLOBAL WINAPI LoadResource(HMODULE hModule, HRSRC hResInfo)
{
    const IMAGE_RESOURCE_DATA_ENTRY *entry = (const void *)hResInfo;
    BYTE *base = hModule != NULL ? (BYTE *)hModule : NtCurrentTeb()->ProcessEnvironmentBlock->ImageBaseAddress;
    if (entry == NULL)
    {
        BaseFailWith(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    return (HGLOBAL)(base + entry->OffsetToData);
}

LPVOID WINAPI LockResource(HGLOBAL hResData)
{
    return (LPVOID)hResData;
}

/** Kept from 16-bit days: resources are part of the image. FALSE is success. */
BOOL WINAPI FreeResource(HGLOBAL hResData)
{
    UNREFERENCED_PARAMETER(hResData);
    return FALSE;
}

DWORD WINAPI SizeofResource(HMODULE hModule, HRSRC hResInfo)
{
    UNREFERENCED_PARAMETER(hModule);
    return hResInfo != NULL ? ((const IMAGE_RESOURCE_DATA_ENTRY *)(const void *)hResInfo)->Size : 0;
}
