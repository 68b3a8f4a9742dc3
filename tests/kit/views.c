/* SPDX-License-Identifier: MIT */
/*
 * Views: rights, several at once, what a program may not do to them, user buffers seen twice.
 */
#include "check.h"

#define PAGE 4096

/* The system call that UnmapViewOfFile makes, without what kernel32 checks. */
static void UnmapByNt(void *View)
{
    typedef LONG(WINAPI * UNMAP)(HANDLE, PVOID);
    UNMAP unmap = (UNMAP)(void (*)(void))GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtUnmapViewOfSection");
    LONG status = unmap != NULL ? unmap(GetCurrentProcess(), View) : 0;
    Check(status < 0, "nor by NtUnmapViewOfSection: status 0x%08lX", (unsigned long)status);
}

/* What the program itself may try on a view. The view must be there and right afterwards. */
static void TestTampering(HISTHMUS Isthmus, UINT64 Region, BYTE *ReadOnly, BYTE *Writable)
{
    DWORD old;
    MEMORY_BASIC_INFORMATION information;
    UINT32 crc = 0;
    CheckDone(VirtualQuery(ReadOnly, &information, sizeof(information)) != 0, "query the read-only view");
    Check(information.Protect == PAGE_READONLY, "its protection is 0x%lX", (unsigned long)information.Protect);
    Check(!VirtualProtect(ReadOnly, PAGE, PAGE_READWRITE, &old), "the program can't make it writable");
    Check(!VirtualProtect(ReadOnly, PAGE, PAGE_EXECUTE_READ, &old), "nor executable");
    Check(!VirtualFree(ReadOnly, 0, MEM_RELEASE), "nor free it");
    Check(!VirtualFree(Writable, PAGE, MEM_DECOMMIT), "nor decommit the writable one");
    Check(!UnmapViewOfFile(Writable), "nor unmap that as a file view");
    UnmapByNt(Writable);
    Check(!VirtualFree(Writable, 0, MEM_RELEASE), "nor free it");
    Check(VirtualAlloc(Writable, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) == NULL, "nor put memory over it");
    Check(VirtualAlloc(Writable, PAGE, MEM_COMMIT, PAGE_NOACCESS) == NULL, "nor commit it anew");
    HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
    Check(self != NULL && !VirtualFreeEx(self, Writable, 0, MEM_RELEASE), "nor free it from outside");
    Check(self != NULL && !VirtualProtectEx(self, ReadOnly, PAGE, PAGE_READWRITE, &old), "nor reprotect it from there");
    CloseHandle(self);
    UINT64 again;
    CheckError(IsthmusShare(Isthmus, Writable + 100, PAGE, ISTHMUS_ACCESS_ALL, &again), ERROR_INVALID_ADDRESS,
               "share a view as a buffer");
    CheckError(IsthmusShare(Isthmus, ReadOnly, 1, ISTHMUS_ACCESS_READ, &again), ERROR_INVALID_ADDRESS,
               "or a byte of one");
    Writable[0] = 0x5A;
    Check(ReadOnly[0] == 0x5A, "both views are still there: 0x%02X", ReadOnly[0]);
    CheckDone(IsthmusChecksum(Isthmus, Region, 0, PAGE, &crc) && crc == Crc(Writable, PAGE), "and the driver's: %08X",
              crc);
}

static void TestKernelKind(HISTHMUS Isthmus, DWORD Kind, BOOL CanReadOnly)
{
    UINT64 region, writable, readOnly, more[8];
    if (!CheckDone(IsthmusAllocate(Isthmus, Kind, 3 * PAGE, &region), "allocate kind %lu", (unsigned long)Kind))
    {
        return;
    }
    BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &writable);
    CheckDone(memory != NULL, "map read-write");
    CheckError(IsthmusMap(Isthmus, region, 0, &readOnly) != NULL, ERROR_INVALID_PARAMETER, "map for nothing");
    CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_WRITE, &readOnly) != NULL, ERROR_INVALID_PARAMETER,
               "map for writing only");
    if (memory != NULL && CanReadOnly)
    {
        BYTE *shown = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_READ, &readOnly);
        if (CheckDone(shown != NULL, "map read-only"))
        {
            TestTampering(Isthmus, region, shown, memory);
            CheckDone(IsthmusUnmap(Isthmus, readOnly), "unmap the read-only view");
        }
    }
    else if (memory != NULL)
    {
        CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_READ, &readOnly) != NULL, ERROR_NOT_SUPPORTED,
                   "a read-only view on a system without them");
    }
    for (int i = 0; i < 8; i++)
    {
        BYTE *again = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &more[i]);
        if (CheckDone(again != NULL, "map once more") && memory != NULL)
        {
            again[PAGE + i] = (BYTE)(i + 1);
            Check(memory[PAGE + i] == i + 1, "a byte written at %p is seen at %p", again + PAGE + i, memory + PAGE + i);
        }
    }
    CheckDone(IsthmusRelease(Isthmus, region), "release with nine views");
    CheckError(IsthmusUnmap(Isthmus, writable), ERROR_NOT_FOUND, "the views went with it");
}

static void TestUserBuffer(HISTHMUS Isthmus, BOOL CanReadOnly)
{
    UINT64 region, view;
    BYTE *memory = VirtualAlloc(NULL, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    Pattern(memory, 4 * PAGE, 3);
    if (CheckDone(IsthmusShare(Isthmus, memory + 16, PAGE, ISTHMUS_ACCESS_ALL, &region), "share an unaligned buffer"))
    {
        CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_MAPPED_ALIGNMENT, "map it");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    if (CheckDone(IsthmusShare(Isthmus, memory, 2 * PAGE + 1, ISTHMUS_ACCESS_ALL, &region), "share an odd length"))
    {
        CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_MAPPED_ALIGNMENT, "map it");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    if (CheckDone(IsthmusShare(Isthmus, memory, 4 * PAGE, ISTHMUS_ACCESS_READ, &region),
                  "share whole pages for reading"))
    {
        CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_ACCESS_DENIED,
                   "map them for writing");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    if (CheckDone(IsthmusShare(Isthmus, memory, 4 * PAGE, ISTHMUS_ACCESS_ALL, &region), "share whole pages"))
    {
        BYTE *shown = IsthmusMap(Isthmus, region, CanReadOnly ? ISTHMUS_ACCESS_READ : ISTHMUS_ACCESS_ALL, &view);
        if (CheckDone(shown != NULL, "map them a second time"))
        {
            memory[PAGE] ^= 0xFF;
            Check(memcmp(shown, memory, 4 * PAGE) == 0, "the view at %p shows the buffer at %p", shown, memory);
        }
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    VirtualFree(memory, 0, MEM_RELEASE);
}

void TestViews(void)
{
    ISTHMUS_VERSION version;
    HISTHMUS isthmus = IsthmusOpen(0);
    if (!CheckDone(isthmus != NULL && IsthmusQueryVersion(isthmus, &version), "open a session"))
    {
        return;
    }
    BOOL readOnly = (version.Capabilities & ISTHMUS_CAN_MAP_READ_ONLY) != 0;
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        TestKernelKind(isthmus, kind, readOnly);
    }
    TestUserBuffer(isthmus, readOnly);
    IsthmusClose(isthmus);
    if (readOnly)
    {
        DWORD code = WaitExit(StartSelf("write-read-only", NULL));
        Check(code == 0xC0000005, "a program that writes to a read-only view ends with 0x%08lX", (unsigned long)code);
    }
    DWORD code = WaitExit(StartSelf("run-view", NULL));
    Check(code == 0xC0000005, "a program that jumps into a view ends with 0x%08lX", (unsigned long)code);
}
