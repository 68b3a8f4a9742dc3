/* SPDX-License-Identifier: MIT */
/*
 * GlobalAlloc and LocalAlloc, which are one and the same since 32-bit Windows.
 *
 * Fixed memory is a block of the process heap and its handle the pointer. Movable memory has a small
 * record; its handle is the record's address plus 8, which no fixed block can have, since those are
 * aligned to 16 bytes.
 */
#include "base.h"

#define MOVABLE_MAGIC 0x7661u

typedef struct _BASE_MOVABLE
{
    PVOID Data; /* NULL: discarded */
    USHORT Magic;
    USHORT Locks;
    ULONG Flags;
} BASE_MOVABLE, *PBASE_MOVABLE;

static PBASE_MOVABLE BaseMovable(HANDLE Handle)
{
    if (((ULONG_PTR)Handle & 15) != 8)
    {
        return NULL;
    }
    PBASE_MOVABLE movable = (PBASE_MOVABLE)((PUCHAR)Handle - 8);
    return movable->Magic == MOVABLE_MAGIC ? movable : NULL;
}

static HANDLE BaseAllocate(UINT Flags, SIZE_T Size)
{
    ULONG heapFlags = (Flags & GMEM_ZEROINIT) ? HEAP_ZERO_MEMORY : 0;
    if (!(Flags & GMEM_MOVEABLE))
    {
        PVOID data = RtlAllocateHeap(RtlProcessHeap(), heapFlags, Size);
        if (data == NULL)
        {
            RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        }
        return data;
    }
    PBASE_MOVABLE movable = RtlAllocateHeap(RtlProcessHeap(), 0, sizeof(*movable));
    PVOID data = movable != NULL && Size != 0 ? RtlAllocateHeap(RtlProcessHeap(), heapFlags, Size) : NULL;
    if (movable == NULL || (Size != 0 && data == NULL))
    {
        RtlFreeHeap(RtlProcessHeap(), 0, movable);
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    movable->Data = data;
    movable->Magic = MOVABLE_MAGIC;
    movable->Locks = 0;
    movable->Flags = Flags & GMEM_DISCARDABLE;
    return (PUCHAR)movable + 8;
}

static HANDLE BaseFree(HANDLE Handle)
{
    PBASE_MOVABLE movable = BaseMovable(Handle);
    if (movable == NULL)
    {
        RtlFreeHeap(RtlProcessHeap(), 0, Handle);
        return NULL;
    }
    movable->Magic = 0;
    RtlFreeHeap(RtlProcessHeap(), 0, movable->Data);
    RtlFreeHeap(RtlProcessHeap(), 0, movable);
    return NULL;
}

static PVOID BaseLock(HANDLE Handle)
{
    PBASE_MOVABLE movable = BaseMovable(Handle);
    if (movable == NULL)
    {
        return Handle;
    }
    if (movable->Data == NULL)
    {
        RtlSetLastWin32Error(ERROR_DISCARDED);
        return NULL;
    }
    if (movable->Locks < 0xFF)
    {
        movable->Locks++;
    }
    return movable->Data;
}

static BOOL BaseUnlock(HANDLE Handle)
{
    PBASE_MOVABLE movable = BaseMovable(Handle);
    if (movable == NULL)
    {
        return TRUE;
    }
    if (movable->Locks == 0)
    {
        return BaseFailWith(ERROR_NOT_LOCKED);
    }
    movable->Locks--;
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return movable->Locks != 0;
}

static SIZE_T BaseSize(HANDLE Handle)
{
    PBASE_MOVABLE movable = BaseMovable(Handle);
    PVOID data = movable != NULL ? movable->Data : Handle;
    return data != NULL ? RtlSizeHeap(RtlProcessHeap(), 0, data) : 0;
}

static HANDLE BaseReallocate(HANDLE Handle, SIZE_T Size, UINT Flags)
{
    ULONG heapFlags = (Flags & GMEM_ZEROINIT) ? HEAP_ZERO_MEMORY : 0;
    PBASE_MOVABLE movable = BaseMovable(Handle);
    if (Flags & GMEM_MODIFY)
    {
        if (movable != NULL)
        {
            movable->Flags = Flags & GMEM_DISCARDABLE;
        }
        return Handle;
    }
    PVOID old = movable != NULL ? movable->Data : Handle;
    if (movable == NULL && !(Flags & GMEM_MOVEABLE))
    {
        heapFlags |= HEAP_REALLOC_IN_PLACE_ONLY;
    }
    PVOID data = old != NULL ? RtlReAllocateHeap(RtlProcessHeap(), heapFlags, old, Size)
                             : RtlAllocateHeap(RtlProcessHeap(), heapFlags, Size);
    if (data == NULL)
    {
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    if (movable != NULL)
    {
        movable->Data = data;
        return Handle;
    }
    return data;
}

static HANDLE BaseHandleOf(LPCVOID Memory)
{
    /* A movable block's record is not reachable from its data; only fixed memory is its own handle. */
    if (!RtlValidateHeap(RtlProcessHeap(), 0, (PVOID)Memory))
    {
        RtlSetLastWin32Error(ERROR_INVALID_HANDLE);
        return NULL;
    }
    return (HANDLE)Memory;
}

HGLOBAL WINAPI GlobalAlloc(UINT uFlags, SIZE_T dwBytes)
{
    return BaseAllocate(uFlags, dwBytes);
}

HGLOBAL WINAPI GlobalFree(HGLOBAL hMem)
{
    return BaseFree(hMem);
}

LPVOID WINAPI GlobalLock(HGLOBAL hMem)
{
    return BaseLock(hMem);
}

BOOL WINAPI GlobalUnlock(HGLOBAL hMem)
{
    return BaseUnlock(hMem);
}

SIZE_T WINAPI GlobalSize(HGLOBAL hMem)
{
    return BaseSize(hMem);
}

HGLOBAL WINAPI GlobalReAlloc(HGLOBAL hMem, SIZE_T dwBytes, UINT uFlags)
{
    return BaseReallocate(hMem, dwBytes, uFlags);
}

HLOCAL WINAPI LocalAlloc(UINT uFlags, SIZE_T uBytes)
{
    return BaseAllocate(uFlags, uBytes);
}

HLOCAL WINAPI LocalFree(HLOCAL hMem)
{
    return BaseFree(hMem);
}

LPVOID WINAPI LocalLock(HLOCAL hMem)
{
    return BaseLock(hMem);
}

BOOL WINAPI LocalUnlock(HLOCAL hMem)
{
    return BaseUnlock(hMem);
}

SIZE_T WINAPI LocalSize(HLOCAL hMem)
{
    return BaseSize(hMem);
}

HLOCAL WINAPI LocalReAlloc(HLOCAL hMem, SIZE_T uBytes, UINT uFlags)
{
    return BaseReallocate(hMem, uBytes, uFlags);
}

HLOCAL WINAPI LocalHandle(LPCVOID pMem)
{
    return BaseHandleOf(pMem);
}
