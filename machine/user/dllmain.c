/* SPDX-License-Identifier: MIT */
/* The entry point of the machine's DLLs, which are ready as soon as they are loaded. */
#include <windows.h>

BOOL WINAPI SystemDllMain(HINSTANCE Instance, DWORD Reason, LPVOID Reserved)
{
    UNREFERENCED_PARAMETER(Instance);
    UNREFERENCED_PARAMETER(Reason);
    UNREFERENCED_PARAMETER(Reserved);
    return TRUE;
}
