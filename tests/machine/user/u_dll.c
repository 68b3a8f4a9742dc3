/* SPDX-License-Identifier: MIT */
/* DLLs: imports, ordinals, data, forwarders, loading and unloading, thread calls, DllMain's refusal. */
#include "check.h"
#include <stdint.h>

__declspec(dllimport) int LibAdd(int a, int b);
__declspec(dllimport) int LibByOrdinal(void);
__declspec(dllimport) int LibThreadCalls(void);
__declspec(dllimport) int LibThroughPointer(void);
__declspec(dllimport) void LibCounts(LONG *Process, LONG *Attach, LONG *Detach);
__declspec(dllimport) extern int LibData;

static BOOL Is(const char *Name, const char *Expected)
{
    char value[32] = "";
    GetEnvironmentVariableA(Name, value, sizeof(value));
    return strcmp(value, Expected) == 0;
}

static DWORD WINAPI CallLibrary(void *Context)
{
    (void)Context;
    LibThreadCalls();
    return (DWORD)LibThreadCalls();
}

static void TestImports(void)
{
    LONG process, attach, detach;
    DWORD code = 0;
    HANDLE thread;

    CHECK_EQUAL(LibAdd(2, 40), 42);
    CHECK_EQUAL(LibByOrdinal(), 7);
    CHECK_EQUAL(LibData, 4711);
    LibData = 4712;
    CHECK_EQUAL(LibThroughPointer(), 4712);
    CHECK_EQUAL(LibThreadCalls(), 101);
    thread = CreateThread(NULL, 0, CallLibrary, NULL, 0, NULL);
    CHECK_EQUAL(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 102); /* its own copy */
    CloseHandle(thread);
    CHECK_EQUAL(LibThreadCalls(), 102);
    LibCounts(&process, &attach, &detach);
    printf("DllMain: process %ld, threads %ld and %ld\n", process, attach, detach);
    CHECK(process == 1 && attach == 1 && detach == 1);
}

static void TestAddresses(void)
{
    HMODULE library = GetModuleHandleA("u_lib"), kernel32 = GetModuleHandleA("KERNEL32.DLL");
    char path[MAX_PATH];

    CHECK(library != NULL && kernel32 != NULL);
    CHECK(((int (*)(int, int))(void *)GetProcAddress(library, "LibAdd"))(1, 2) == 3);
    CHECK(((int (*)(void))(void *)GetProcAddress(library, (LPCSTR)77))() == 7);
    CHECK_FAILS(GetProcAddress(library, "libadd"), ERROR_PROC_NOT_FOUND); /* names of functions know case */
    CHECK_FAILS(GetProcAddress(library, (LPCSTR)78), ERROR_PROC_NOT_FOUND);
    CHECK(*(int *)(void *)GetProcAddress(library, "LibData") == LibData);
    /* forwarded */
    CHECK(GetProcAddress(kernel32, "HeapAlloc") == GetProcAddress(GetModuleHandleA("ntdll"), "RtlAllocateHeap"));
    CHECK(GetModuleFileNameA(library, path, sizeof(path)) != 0 && _stricmp(path, "C:\\run\\u_lib.dll") == 0);
    CHECK(GetModuleHandleA("nothere.dll") == NULL && GetLastError() == ERROR_MOD_NOT_FOUND);
    HMODULE found = NULL;
    CHECK(GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                             (LPCSTR)(void *)GetProcAddress(library, "LibAdd"), &found));
    CHECK(found == library);
}

static void TestLoading(void)
{
    HMODULE plugin, again;
    int (*twice)(int), (*forwarded)(int);

    CHECK(Is("PLUGIN", ""));
    CHECK(SetEnvironmentVariableA("PLUGIN_REFUSES", "yes"));
    CHECK_FAILS(LoadLibraryA("u_plugin.dll"), ERROR_DLL_INIT_FAILED);
    CHECK(SetEnvironmentVariableA("PLUGIN_REFUSES", NULL));
    CHECK(GetModuleHandleA("u_plugin.dll") == NULL);
    plugin = LoadLibraryA("u_plugin.dll");
    CHECK(plugin != NULL && Is("PLUGIN", "attached"));
    again = LoadLibraryA("U_PLUGIN");
    CHECK(again == plugin);
    twice = (int (*)(int))(void *)GetProcAddress(plugin, "PluginTwice");
    CHECK(twice != NULL && twice(21) == 42);
    forwarded = (int (*)(int))(void *)GetProcAddress(GetModuleHandleA("u_lib"), "LibForwarded");
    CHECK(forwarded != NULL && forwarded(4) == 8);
    CHECK((void *)forwarded == (void *)twice);
    CHECK(FreeLibrary(again));
    CHECK(Is("PLUGIN", "attached"));
    CHECK_FAILS(LoadLibraryA("nothere.dll"), ERROR_MOD_NOT_FOUND);
    CHECK_FAILS(LoadLibraryA("license.txt"), ERROR_BAD_EXE_FORMAT);
    CHECK(FreeLibrary(plugin));
}

static void TestUnloading(void)
{
    HMODULE first = LoadLibraryA("u_second.dll"); /* a copy of the plug-in that nobody forwards to */
    MEMORY_BASIC_INFORMATION information;

    CHECK(first != NULL && Is("PLUGIN", "attached"));
    CHECK(FreeLibrary(first));
    CHECK(Is("PLUGIN", "detached"));
    CHECK(GetModuleHandleA("u_second.dll") == NULL);
    CHECK(VirtualQuery(first, &information, sizeof(information)) != 0 && information.State == MEM_FREE);
    for (int i = 0; i < 20; i++)
    {
        HMODULE module = LoadLibraryA("u_second.dll");
        CHECK(module != NULL && GetProcAddress(module, "PluginTwice") != NULL);
        CHECK(FreeLibrary(module));
    }
}

int main(void)
{
    TestImports();
    TestAddresses();
    TestLoading();
    TestUnloading();
    return Done("u_dll");
}
