/* SPDX-License-Identifier: MIT */
/*
 * isthmus.dll: the control codes as functions.
 *
 * A session is the device handle itself, so there is nothing here to lock, leak or get out of step. The handle is
 * opened for overlapped I/O, since calls on a synchronous one wait for each other; each call brings its own event.
 */
#include "client.h"

BOOL WINAPI DllMain(HINSTANCE Instance, DWORD Reason, LPVOID Reserved)
{
    (void)Reserved;
    if (Reason == DLL_PROCESS_ATTACH)
    {
        DisableThreadLibraryCalls(Instance);
    }
    return TRUE;
}

static HANDLE Device(HISTHMUS Isthmus)
{
    return (HANDLE)Isthmus;
}

/* Described in client.h. Returned receives the bytes of output; output shorter than Least is a driver that isn't ours. */
BOOL ClientCall(HISTHMUS Isthmus, DWORD Code, void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes,
                 DWORD Least)
{
    OVERLAPPED overlapped;
    DWORD returned = 0;
    ZeroMemory(&overlapped, sizeof(overlapped));
    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (overlapped.hEvent == NULL)
    {
        return FALSE;
    }
    BOOL done = DeviceIoControl(Device(Isthmus), Code, Input, InputBytes, Output, OutputBytes, &returned, &overlapped);
    if (!done && GetLastError() == ERROR_IO_PENDING)
    {
        done = GetOverlappedResult(Device(Isthmus), &overlapped, &returned, TRUE);
    }
    DWORD error = done ? ERROR_SUCCESS : GetLastError();
    if (done && returned < Least)
    {
        done = FALSE;
        error = ERROR_REVISION_MISMATCH;
    }
    CloseHandle(overlapped.hEvent);
    SetLastError(error);
    return done;
}

void ClientSetHeader(ISTHMUS_HEADER *Header, UINT32 Size)
{
    Header->Revision = ISTHMUS_REVISION;
    Header->Size = Size;
}

BOOL ClientBadParameter(void)
{
    SetLastError(ERROR_INVALID_PARAMETER);
    return FALSE;
}

HISTHMUS WINAPI IsthmusOpen(DWORD Flags)
{
    if (Flags != 0)
    {
        ClientBadParameter();
        return NULL;
    }
    HANDLE device = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, GENERIC_READ | GENERIC_WRITE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    return device == INVALID_HANDLE_VALUE ? NULL : (HISTHMUS)device;
}

BOOL WINAPI IsthmusClose(HISTHMUS Isthmus)
{
    return CloseHandle(Device(Isthmus));
}

HANDLE WINAPI IsthmusGetHandle(HISTHMUS Isthmus)
{
    return Device(Isthmus);
}

BOOL WINAPI IsthmusQueryVersion(HISTHMUS Isthmus, ISTHMUS_VERSION *Version)
{
    if (Version == NULL)
    {
        return ClientBadParameter();
    }
    return ClientCall(Isthmus, IOCTL_ISTHMUS_VERSION, NULL, 0, Version, sizeof(*Version), sizeof(*Version));
}

BOOL WINAPI IsthmusShare(HISTHMUS Isthmus, void *Buffer, UINT64 Length, DWORD Access, UINT64 *Region)
{
    ISTHMUS_SHARE query = {0};
    ISTHMUS_REGION_INFO answer;
    if (Region == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Address = (UINT64)(ULONG_PTR)Buffer;
    query.Length = Length;
    query.Access = Access;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_SHARE, &query, sizeof(query), &answer, sizeof(answer), sizeof(answer)))
    {
        return FALSE;
    }
    *Region = answer.Region;
    return TRUE;
}

BOOL WINAPI IsthmusAllocate(HISTHMUS Isthmus, DWORD Kind, UINT64 Length, UINT64 *Region)
{
    ISTHMUS_ALLOCATE query = {0};
    ISTHMUS_REGION_INFO answer;
    if (Region == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Length = Length;
    query.Kind = Kind;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_ALLOCATE, &query, sizeof(query), &answer, sizeof(answer), sizeof(answer)))
    {
        return FALSE;
    }
    *Region = answer.Region;
    return TRUE;
}

BOOL ClientCallWithId(HISTHMUS Isthmus, DWORD Code, UINT64 Id)
{
    ISTHMUS_ID query = {0};
    ClientSetHeader(&query.Header, sizeof(query));
    query.Id = Id;
    return ClientCall(Isthmus, Code, &query, sizeof(query), NULL, 0, 0);
}

BOOL WINAPI IsthmusRelease(HISTHMUS Isthmus, UINT64 Region)
{
    return ClientCallWithId(Isthmus, IOCTL_ISTHMUS_RELEASE, Region);
}

static BOOL SetName(ISTHMUS_NAME *Query, LPCWSTR Name)
{
    if (Name == NULL || Name[0] == 0)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&Query->Header, sizeof(*Query));
    UINT32 count = 0;
    for (; Name[count] != 0; count++)
    {
        if (count == ISTHMUS_NAME_CHARS)
        {
            return ClientBadParameter();
        }
        Query->Name[count] = Name[count];
    }
    Query->NameLength = count * sizeof(Query->Name[0]);
    return TRUE;
}

/* The end of a SID or an ACL at an offset within a descriptor; 0 if there is none; too much if it is out of bounds. */
static DWORD SidEnd(const BYTE *Base, DWORD Offset)
{
    if (Offset == 0 || Offset > ISTHMUS_SECURITY_MAX)
    {
        return Offset;
    }
    return Offset + 8 + 4u * ((const SID *)(Base + Offset))->SubAuthorityCount;
}

static DWORD AclEnd(const BYTE *Base, DWORD Offset)
{
    if (Offset == 0 || Offset > ISTHMUS_SECURITY_MAX)
    {
        return Offset;
    }
    return Offset + ((const ACL *)(Base + Offset))->AclSize;
}

/* The length of a self-relative descriptor, without an import from advapi32. The driver checks the contents. */
static DWORD DescriptorLength(PSECURITY_DESCRIPTOR Security)
{
    const SECURITY_DESCRIPTOR_RELATIVE *descriptor = (const SECURITY_DESCRIPTOR_RELATIVE *)Security;
    const BYTE *base = (const BYTE *)Security;
    DWORD length = sizeof(*descriptor);
    length = max(length, SidEnd(base, descriptor->Owner));
    length = max(length, SidEnd(base, descriptor->Group));
    length = max(length, AclEnd(base, descriptor->Control & SE_SACL_PRESENT ? descriptor->Sacl : 0));
    length = max(length, AclEnd(base, descriptor->Control & SE_DACL_PRESENT ? descriptor->Dacl : 0));
    return length;
}

BOOL WINAPI IsthmusName(HISTHMUS Isthmus, UINT64 Region, LPCWSTR Name, PSECURITY_DESCRIPTOR Security)
{
    DWORD length = 0;
    if (Security != NULL)
    {
        const SECURITY_DESCRIPTOR_RELATIVE *relative = (const SECURITY_DESCRIPTOR_RELATIVE *)Security;
        length = relative->Control & SE_SELF_RELATIVE ? DescriptorLength(Security) : 0;
        if (length == 0 || length > ISTHMUS_SECURITY_MAX)
        {
            SetLastError(ERROR_INVALID_SECURITY_DESCR);
            return FALSE;
        }
    }
    /* Name and descriptor travel in one piece. */
    ISTHMUS_NAME *query = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*query) + length);
    if (query == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    BOOL done = SetName(query, Name);
    if (done)
    {
        query->Region = Region;
        query->SecurityLength = length;
        CopyMemory(query + 1, Security, length);
        done = ClientCall(Isthmus, IOCTL_ISTHMUS_NAME, query, sizeof(*query) + length, NULL, 0, 0);
    }
    DWORD error = GetLastError();
    HeapFree(GetProcessHeap(), 0, query);
    SetLastError(error);
    return done;
}

BOOL WINAPI IsthmusOpenNamed(HISTHMUS Isthmus, LPCWSTR Name, DWORD Access, UINT64 *Region)
{
    ISTHMUS_NAME query = {0};
    ISTHMUS_REGION_INFO answer;
    if (Region == NULL)
    {
        return ClientBadParameter();
    }
    if (!SetName(&query, Name))
    {
        return FALSE;
    }
    query.Access = Access;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_OPEN, &query, sizeof(query), &answer, sizeof(answer), sizeof(answer)))
    {
        return FALSE;
    }
    *Region = answer.Region;
    return TRUE;
}

void *WINAPI IsthmusMap(HISTHMUS Isthmus, UINT64 Region, DWORD Access, UINT64 *View)
{
    ISTHMUS_MAP query = {0};
    ISTHMUS_VIEW_INFO answer;
    if (View == NULL)
    {
        ClientBadParameter();
        return NULL;
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Region = Region;
    query.Access = Access;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_MAP, &query, sizeof(query), &answer, sizeof(answer), sizeof(answer)))
    {
        return NULL;
    }
    if (answer.Address > (UINT64)(ULONG_PTR)-1)
    {
        IsthmusUnmap(Isthmus, answer.View); /* of no use to a 32-bit program */
        SetLastError(ERROR_INVALID_ADDRESS);
        return NULL;
    }
    *View = answer.View;
    return (void *)(ULONG_PTR)answer.Address;
}

BOOL WINAPI IsthmusUnmap(HISTHMUS Isthmus, UINT64 View)
{
    return ClientCallWithId(Isthmus, IOCTL_ISTHMUS_UNMAP, View);
}

BOOL WINAPI IsthmusChecksum(HISTHMUS Isthmus, UINT64 Region, UINT64 Offset, UINT64 Length, UINT32 *Crc32)
{
    ISTHMUS_RANGE query = {0};
    ISTHMUS_CHECKSUM answer;
    if (Crc32 == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Region = Region;
    query.Offset = Offset;
    query.Length = Length;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_CHECKSUM, &query, sizeof(query), &answer, sizeof(answer), sizeof(answer)))
    {
        return FALSE;
    }
    *Crc32 = answer.Crc32;
    return TRUE;
}

BOOL WINAPI IsthmusWatch(HISTHMUS Isthmus, UINT64 Region, UINT64 Question, UINT64 Answer, DWORD Rounds, DWORD Timeout)
{
    ISTHMUS_WATCH query = {0};
    ClientSetHeader(&query.Header, sizeof(query));
    query.Region = Region;
    query.Question = Question;
    query.Answer = Answer;
    query.Rounds = Rounds;
    query.Timeout = Timeout;
    return ClientCall(Isthmus, IOCTL_ISTHMUS_WATCH, &query, sizeof(query), NULL, 0, 0);
}

BOOL WINAPI IsthmusDescribe(HISTHMUS Isthmus, UINT64 Region, UINT64 View, DWORD Segment, UINT64 FirstPage,
                            ISTHMUS_DESCRIPTION *Description, DWORD Bytes)
{
    ISTHMUS_DESCRIBE query = {0};
    if (Description == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Region = Region;
    query.View = View;
    query.FirstPage = FirstPage;
    query.Segment = Segment;
    return ClientCall(Isthmus, IOCTL_ISTHMUS_DESCRIBE, &query, sizeof(query), Description, Bytes, sizeof(*Description));
}

BOOL WINAPI IsthmusList(HISTHMUS Isthmus, DWORD What, UINT64 After, ISTHMUS_LIST_PAGE *Page, DWORD Bytes)
{
    ISTHMUS_LIST query = {0};
    if (Page == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.After = After;
    query.What = What;
    return ClientCall(Isthmus, IOCTL_ISTHMUS_LIST, &query, sizeof(query), Page, Bytes, sizeof(*Page));
}

BOOL WINAPI IsthmusStatistics(HISTHMUS Isthmus, ISTHMUS_STATISTICS *Statistics)
{
    if (Statistics == NULL)
    {
        return ClientBadParameter();
    }
    return ClientCall(Isthmus, IOCTL_ISTHMUS_STATISTICS, NULL, 0, Statistics, sizeof(*Statistics), sizeof(*Statistics));
}
