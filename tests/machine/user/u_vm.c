/* SPDX-License-Identifier: MIT */
/* Virtual memory of a process: reserving, committing, protecting, querying, freeing, guard pages, and the faults. */
#include "check.h"

#define PAGE 4096

static volatile DWORD FaultCode;
static volatile ULONG_PTR FaultKind, FaultAddress;

/* mingw's C has no __try: a vectored handler notes the fault and resumes behind the access. */
static BYTE *volatile ProbeResume;

static LONG CALLBACK OnFault(EXCEPTION_POINTERS *Pointers)
{
    EXCEPTION_RECORD *record = Pointers->ExceptionRecord;

    if (ProbeResume == NULL)
    {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    FaultCode = record->ExceptionCode;
    FaultKind = record->NumberParameters > 0 ? record->ExceptionInformation[0] : 0;
    FaultAddress = record->NumberParameters > 1 ? record->ExceptionInformation[1] : 0;
    Pointers->ContextRecord->Rip = (DWORD64)ProbeResume;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* The code that a read (What 0) or a write (What 1) raises, 0 if none. */
static __attribute__((noinline)) DWORD Access(void *Address, int What)
{
    FaultCode = 0;
    if (What == 0)
    {
        __asm__ volatile("leaq 1f(%%rip), %%rax\n\tmovq %%rax, %0\n\tmovb (%1), %%al\n1:"
                         : "=m"(ProbeResume)
                         : "r"(Address)
                         : "rax", "memory");
    }
    else
    {
        __asm__ volatile("leaq 1f(%%rip), %%rax\n\tmovq %%rax, %0\n\tmovb $0x55, (%1)\n1:"
                         : "=m"(ProbeResume)
                         : "r"(Address)
                         : "rax", "memory");
    }
    ProbeResume = NULL;
    return FaultCode;
}

static MEMORY_BASIC_INFORMATION Query(void *Address)
{
    MEMORY_BASIC_INFORMATION information;

    memset(&information, 0xEE, sizeof(information));
    CHECK_EQUAL(VirtualQuery(Address, &information, sizeof(information)), sizeof(information));
    return information;
}

static void CheckRegion(void *Address, void *Base, SIZE_T Size, DWORD State, DWORD Protect)
{
    MEMORY_BASIC_INFORMATION i = Query(Address);

    printf("query %p: base %p size 0x%llx state 0x%lx protect 0x%lx type 0x%lx\n", Address, i.BaseAddress,
           (ULONG64)i.RegionSize, i.State, i.Protect, i.Type);
    CHECK_EQUAL((ULONG_PTR)i.BaseAddress, (ULONG_PTR)Base);
    CHECK_EQUAL(i.RegionSize, Size);
    CHECK_EQUAL(i.State, State);
    CHECK_EQUAL(i.Protect, Protect);
}

static void TestReserve(void)
{
    BYTE *base = VirtualAlloc(NULL, 16 * PAGE, MEM_RESERVE, PAGE_READWRITE);

    CHECK(base != NULL);
    CHECK(((ULONG_PTR)base & 0xFFFF) == 0); /* 64 KB granularity */
    CheckRegion(base, base, 16 * PAGE, MEM_RESERVE, 0);
    CHECK_EQUAL(Access(base, 0), EXCEPTION_ACCESS_VIOLATION);
    CHECK_EQUAL(FaultKind, 0);
    CHECK_EQUAL(FaultAddress, (ULONG_PTR)base);

    /* three pages touched */
    CHECK(VirtualAlloc(base + 2 * PAGE + 100, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE) == base + 2 * PAGE);
    CheckRegion(base + 3 * PAGE, base + 3 * PAGE, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE);
    CheckRegion(base, base, 2 * PAGE, MEM_RESERVE, 0);
    CHECK_EQUAL(Access(base + 2 * PAGE, 1), 0);
    CHECK_EQUAL(base[2 * PAGE], 0x55);
    CHECK_EQUAL(base[4 * PAGE + 4095], 0);
    /* again: contents stay */
    CHECK(VirtualAlloc(base + 2 * PAGE, PAGE, MEM_COMMIT, PAGE_READWRITE) == base + 2 * PAGE);
    CHECK_EQUAL(base[2 * PAGE], 0x55);

    CHECK_FAILS(VirtualAlloc(base + 0x10000, PAGE, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS);
    CHECK_FAILS(VirtualAlloc(base, PAGE, MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_ADDRESS);
    CHECK_FAILS(VirtualFree(base, PAGE, MEM_RELEASE), ERROR_INVALID_PARAMETER);
    CHECK_FAILS(VirtualFree(base + PAGE, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS);
    CHECK(VirtualFree(base + 2 * PAGE, PAGE, MEM_DECOMMIT));
    CHECK_EQUAL(Access(base + 2 * PAGE, 0), EXCEPTION_ACCESS_VIOLATION);
    CHECK(VirtualAlloc(base + 2 * PAGE, PAGE, MEM_COMMIT, PAGE_READWRITE) != NULL);
    CHECK_EQUAL(base[2 * PAGE], 0); /* what was decommitted is gone */
    CHECK(VirtualFree(base, 0, MEM_RELEASE));
    CHECK_FAILS(VirtualFree(base, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS);
    CHECK_EQUAL(Query(base).State, MEM_FREE);
    CHECK_EQUAL(Query(base).Protect, PAGE_NOACCESS);
}

static void TestArguments(void)
{
    CHECK_FAILS(VirtualAlloc(NULL, 0, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_PARAMETER);
    CHECK_FAILS(VirtualAlloc(NULL, PAGE, MEM_COMMIT, 0), ERROR_INVALID_PARAMETER);
    CHECK_FAILS(VirtualAlloc(NULL, PAGE, MEM_COMMIT, PAGE_READWRITE | PAGE_READONLY), ERROR_INVALID_PARAMETER);
    CHECK_FAILS(VirtualAlloc(NULL, PAGE, 0x10, PAGE_READWRITE), ERROR_INVALID_PARAMETER);
    CHECK(VirtualAlloc((void *)0xFFFFF80000000000, PAGE, MEM_RESERVE, PAGE_READWRITE) == NULL);
    CHECK(VirtualAlloc((void *)0x7FFFFFFF0000, PAGE, MEM_RESERVE, PAGE_READWRITE) == NULL);
    CHECK(VirtualAlloc(NULL, (SIZE_T)1 << 60, MEM_RESERVE, PAGE_READWRITE) == NULL);
    BYTE *wanted = VirtualAlloc(NULL, 16 * PAGE, MEM_RESERVE, PAGE_READWRITE);
    CHECK(VirtualFree(wanted, 0, MEM_RELEASE));
    /* rounded down to 64 KB */
    CHECK(VirtualAlloc(wanted + 0x1234, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) == wanted);
    CheckRegion(wanted + 0x1234, wanted + PAGE, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE); /* and up to a page */
    CHECK(VirtualFree(wanted, 0, MEM_RELEASE));
    BYTE *huge = VirtualAlloc(NULL, (SIZE_T)64 << 30, MEM_RESERVE, PAGE_READWRITE); /* address space costs nothing */
    CHECK(huge != NULL);
    CHECK(VirtualAlloc(huge + ((SIZE_T)63 << 30), PAGE, MEM_COMMIT, PAGE_READWRITE) != NULL);
    CHECK_EQUAL(Access(huge + ((SIZE_T)63 << 30), 1), 0);
    CHECK(VirtualFree(huge, 0, MEM_RELEASE));
}

static void TestProtect(void)
{
    BYTE *base = VirtualAlloc(NULL, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    DWORD old = 0;

    CHECK(base != NULL);
    memset(base, 7, 4 * PAGE);
    CHECK(VirtualProtect(base + PAGE, PAGE, PAGE_READONLY, &old));
    CHECK_EQUAL(old, PAGE_READWRITE);
    CheckRegion(base + PAGE, base + PAGE, PAGE, MEM_COMMIT, PAGE_READONLY);
    CheckRegion(base, base, PAGE, MEM_COMMIT, PAGE_READWRITE);
    CHECK_EQUAL(Access(base + PAGE + 8, 0), 0);
    CHECK_EQUAL(Access(base + PAGE + 8, 1), EXCEPTION_ACCESS_VIOLATION);
    CHECK_EQUAL(FaultKind, 1);
    CHECK_EQUAL(FaultAddress, (ULONG_PTR)base + PAGE + 8);
    CHECK_EQUAL(base[PAGE + 8], 7);
    CHECK(VirtualProtect(base, 4 * PAGE, PAGE_NOACCESS, &old));
    CHECK_EQUAL(old, PAGE_READWRITE); /* of the first page */
    CHECK_EQUAL(Access(base + 3 * PAGE, 0), EXCEPTION_ACCESS_VIOLATION);
    CHECK(VirtualProtect(base, 4 * PAGE, PAGE_READWRITE, &old));
    CHECK_EQUAL(base[3 * PAGE], 7);
    CHECK(VirtualFree(base, PAGE, MEM_DECOMMIT));
    CHECK_FAILS(VirtualProtect(base, 2 * PAGE, PAGE_READONLY, &old), ERROR_INVALID_ADDRESS); /* not all committed */
    CHECK(VirtualFree(base, 0, MEM_RELEASE));
}

/* A guard page reports its first access, and is an ordinary page from then on. */
static void TestGuard(void)
{
    BYTE *base = VirtualAlloc(NULL, 2 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);

    CHECK(base != NULL);
    CheckRegion(base, base, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    CHECK_EQUAL(Access(base + 5, 1), STATUS_GUARD_PAGE_VIOLATION);
    CHECK_EQUAL(FaultAddress, (ULONG_PTR)base + 5);
    CHECK_EQUAL(Access(base + 5, 1), 0);
    CheckRegion(base, base, PAGE, MEM_COMMIT, PAGE_READWRITE);
    CHECK_EQUAL(Access(base + PAGE, 0), STATUS_GUARD_PAGE_VIOLATION);
    CHECK(VirtualFree(base, 0, MEM_RELEASE));
}

static void TestExecute(void)
{
    static const BYTE code[] = {0xB8, 0x63, 0, 0, 0, 0xC3}; /* mov eax, 99; ret */
    BYTE *base = VirtualAlloc(NULL, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    int (*routine)(void) = (int (*)(void))(void *)base;
    DWORD old;

    CHECK(base != NULL);
    memcpy(base, code, sizeof(code));
    CHECK(VirtualProtect(base, PAGE, PAGE_EXECUTE_READ, &old));
    FlushInstructionCache(GetCurrentProcess(), base, PAGE);
    CHECK_EQUAL(routine(), 99);
    CHECK_EQUAL(Access(base, 1), EXCEPTION_ACCESS_VIOLATION);
    CHECK(VirtualProtect(base, PAGE, PAGE_EXECUTE_READWRITE, &old));
    base[1] = 0x64;
    CHECK_EQUAL(routine(), 100);
    CHECK(VirtualFree(base, 0, MEM_RELEASE));
}

static DWORD WINAPI TouchStack(void *Context)
{
    volatile BYTE deep[600 * 1024]; /* far below the committed part: the guard page moves down with each touch */

    for (int i = (int)sizeof(deep) - 1; i >= 0; i -= 1024)
    {
        deep[i] = (BYTE)i;
    }
    *(DWORD *)Context = deep[sizeof(deep) - 1];
    return 5;
}

static void TestStack(void)
{
    DWORD seen = 0, code = 0;
    HANDLE thread = CreateThread(NULL, 0, TouchStack, &seen, 0, NULL);
    ULONG_PTR low = 0, high = 0;

    CHECK(thread != NULL);
    CHECK_EQUAL(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 5);
    CHECK_EQUAL(seen, (BYTE)(600 * 1024 - 1));
    CloseHandle(thread);
    GetCurrentThreadStackLimits(&low, &high);
    CHECK((ULONG_PTR)&low > low && (ULONG_PTR)&low < high);
}

/* All there is in the address space, region by region: no gaps, no overlaps. */
static void TestWalk(void)
{
    BYTE *address = NULL;
    MEMORY_BASIC_INFORMATION information;
    int regions = 0, images = 0;

    while (VirtualQuery(address, &information, sizeof(information)) == sizeof(information) && regions < 10000)
    {
        CHECK(information.BaseAddress == address && information.RegionSize != 0);
        images += information.Type == MEM_IMAGE;
        address += information.RegionSize;
        regions++;
    }
    printf("the address space has %d regions up to %p, %d of images\n", regions, (void *)address, images);
    CHECK((ULONG_PTR)address >= 0x7FFFFFFE0000);
    CHECK(images >= 4);
    CHECK_EQUAL(Query(GetModuleHandleA(NULL)).Type, MEM_IMAGE);
}

int main(void)
{
    CHECK(AddVectoredExceptionHandler(1, OnFault) != NULL);
    CHECK_EQUAL(Access((void *)0x10, 0), EXCEPTION_ACCESS_VIOLATION);
    CHECK_EQUAL(Access((void *)0xFFFFF80000000000, 1), EXCEPTION_ACCESS_VIOLATION);
    TestReserve();
    TestArguments();
    TestProtect();
    TestGuard();
    TestExecute();
    TestStack();
    TestWalk();
    return Done("u_vm");
}
