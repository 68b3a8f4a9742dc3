/* SPDX-License-Identifier: MIT */
/* u_lib.dll, which u_dll.exe imports: functions by name and ordinal, data, a forwarder, DllMain, TLS. */
#include <windows.h>

static __thread int ThreadCalls = 100;
static LONG Attached, ThreadsAttached, ThreadsDetached;

__declspec(dllexport) int LibData = 4711;
static int *Pointer = &LibData; /* needs a relocation when the DLL moves */

BOOL WINAPI DllMain(HINSTANCE Instance, DWORD Reason, void *Reserved)
{
    (void)Instance;
    (void)Reserved;
    switch (Reason)
    {
    case DLL_PROCESS_ATTACH:
        Attached++;
        break;
    case DLL_THREAD_ATTACH:
        InterlockedIncrement(&ThreadsAttached);
        break;
    case DLL_THREAD_DETACH:
        InterlockedIncrement(&ThreadsDetached);
        break;
    }
    return TRUE;
}

int LibAdd(int a, int b)
{
    return a + b;
}

int LibByOrdinal(void)
{
    return 7;
}

int LibThreadCalls(void)
{
    return ++ThreadCalls;
}

int LibThroughPointer(void)
{
    return *Pointer;
}

void LibCounts(LONG *Process, LONG *Attach, LONG *Detach)
{
    *Process = Attached;
    *Attach = ThreadsAttached;
    *Detach = ThreadsDetached;
}
