/* SPDX-License-Identifier: MIT */
/* u_plugin.dll, loaded at run time and forwarded to: tells when it comes and goes; may refuse to be loaded. */
#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE Instance, DWORD Reason, void *Reserved)
{
    (void)Instance;
    (void)Reserved;
    if (Reason == DLL_PROCESS_ATTACH)
    {
        SetEnvironmentVariableA("PLUGIN", "attached");
        return GetEnvironmentVariableA("PLUGIN_REFUSES", NULL, 0) == 0;
    }
    if (Reason == DLL_PROCESS_DETACH)
    {
        SetEnvironmentVariableA("PLUGIN", "detached");
    }
    return TRUE;
}

__declspec(dllexport) int PluginTwice(int a)
{
    return a * 2;
}
