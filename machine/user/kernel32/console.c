/* SPDX-License-Identifier: MIT */
/*
 * The console. The machine has no terminal: a program's standard handles are streams that end on the
 * Linux side, so everything that asks for a screen or a keyboard fails with ERROR_INVALID_HANDLE, as
 * it does on Windows when the streams are redirected. Text written with WriteConsole goes out as UTF-8.
 */
#include "base.h"

#include <winioctl.h>

#ifndef FILE_DEVICE_CONSOLE
#define FILE_DEVICE_CONSOLE 0x50
#endif

static BOOL BaseIsConsole(HANDLE Handle)
{
    return BaseDeviceType(Handle) == FILE_DEVICE_CONSOLE ? TRUE : BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI GetConsoleMode(HANDLE hConsoleHandle, LPDWORD lpMode)
{
    UNREFERENCED_PARAMETER(hConsoleHandle);
    UNREFERENCED_PARAMETER(lpMode);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI SetConsoleMode(HANDLE hConsoleHandle, DWORD dwMode)
{
    UNREFERENCED_PARAMETER(hConsoleHandle);
    UNREFERENCED_PARAMETER(dwMode);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI GetConsoleScreenBufferInfo(HANDLE hConsoleOutput, PCONSOLE_SCREEN_BUFFER_INFO lpConsoleScreenBufferInfo)
{
    UNREFERENCED_PARAMETER(hConsoleOutput);
    UNREFERENCED_PARAMETER(lpConsoleScreenBufferInfo);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI SetConsoleTextAttribute(HANDLE hConsoleOutput, WORD wAttributes)
{
    UNREFERENCED_PARAMETER(hConsoleOutput);
    UNREFERENCED_PARAMETER(wAttributes);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI WriteConsoleW(HANDLE hConsoleOutput, CONST VOID *lpBuffer, DWORD nNumberOfCharsToWrite,
                          LPDWORD lpNumberOfCharsWritten, LPVOID lpReserved)
{
    UNREFERENCED_PARAMETER(lpReserved);
    PCWSTR text = lpBuffer;
    DWORD done = 0;
    CHAR bytes[768];

    if (lpNumberOfCharsWritten != NULL)
    {
        *lpNumberOfCharsWritten = 0;
    }
    if (!BaseIsConsole(hConsoleOutput))
    {
        return FALSE;
    }
    while (done < nNumberOfCharsToWrite)
    {
        DWORD part = nNumberOfCharsToWrite - done < 256 ? nNumberOfCharsToWrite - done : 256;
        if (part == 256 && text[done + 255] >= 0xD800 && text[done + 255] <= 0xDBFF)
        {
            part--; /* keep both halves of a pair together */
        }
        ULONG length = 0;
        DWORD written;
        RtlUnicodeToUTF8N(bytes, sizeof(bytes), &length, text + done, part * sizeof(WCHAR));
        if (!WriteFile(hConsoleOutput, bytes, length, &written, NULL))
        {
            return FALSE;
        }
        done += part;
    }
    if (lpNumberOfCharsWritten != NULL)
    {
        *lpNumberOfCharsWritten = done;
    }
    return TRUE;
}

BOOL WINAPI WriteConsoleA(HANDLE hConsoleOutput, CONST VOID *lpBuffer, DWORD nNumberOfCharsToWrite,
                          LPDWORD lpNumberOfCharsWritten, LPVOID lpReserved)
{
    UNREFERENCED_PARAMETER(lpReserved);
    return BaseIsConsole(hConsoleOutput) &&
           WriteFile(hConsoleOutput, lpBuffer, nNumberOfCharsToWrite, lpNumberOfCharsWritten, NULL);
}

BOOL WINAPI ReadConsoleW(HANDLE hConsoleInput, LPVOID lpBuffer, DWORD nNumberOfCharsToRead,
                         LPDWORD lpNumberOfCharsRead, LPVOID pInputControl)
{
    UNREFERENCED_PARAMETER(hConsoleInput);
    UNREFERENCED_PARAMETER(lpBuffer);
    UNREFERENCED_PARAMETER(nNumberOfCharsToRead);
    UNREFERENCED_PARAMETER(lpNumberOfCharsRead);
    UNREFERENCED_PARAMETER(pInputControl);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

UINT WINAPI GetConsoleCP(VOID)
{
    return CP_UTF8;
}

UINT WINAPI GetConsoleOutputCP(VOID)
{
    return CP_UTF8;
}

/** The streams carry bytes: only their own code page can be chosen. */
BOOL WINAPI SetConsoleCP(UINT wCodePageID)
{
    return wCodePageID == CP_UTF8 ? TRUE : BaseFailWith(ERROR_INVALID_PARAMETER);
}

BOOL WINAPI SetConsoleOutputCP(UINT wCodePageID)
{
    return wCodePageID == CP_UTF8 ? TRUE : BaseFailWith(ERROR_INVALID_PARAMETER);
}

/* ---- Control handlers: kept in order, though nothing on the machine presses Ctrl+C ---- */

#define CONTROL_HANDLERS 32u

static RTL_SRWLOCK BaseControlLock;
static PHANDLER_ROUTINE BaseControlHandlers[CONTROL_HANDLERS];
static ULONG BaseControlCount;

BOOL WINAPI SetConsoleCtrlHandler(PHANDLER_ROUTINE HandlerRoutine, BOOL Add)
{
    BOOL result = TRUE;
    if (HandlerRoutine == NULL)
    {
        return TRUE; /* "ignore Ctrl+C", which never comes */
    }
    RtlAcquireSRWLockExclusive(&BaseControlLock);
    if (Add)
    {
        result = BaseControlCount < CONTROL_HANDLERS;
        if (result)
        {
            BaseControlHandlers[BaseControlCount++] = HandlerRoutine;
        }
    }
    else
    {
        ULONG i = BaseControlCount;
        while (i > 0 && BaseControlHandlers[i - 1] != HandlerRoutine)
        {
            i--;
        }
        result = i != 0;
        for (; result && i < BaseControlCount; i++)
        {
            BaseControlHandlers[i - 1] = BaseControlHandlers[i];
        }
        BaseControlCount -= result ? 1 : 0;
    }
    RtlReleaseSRWLockExclusive(&BaseControlLock);
    return result ? TRUE : BaseFailWith(Add ? ERROR_NOT_ENOUGH_MEMORY : ERROR_INVALID_PARAMETER);
}
