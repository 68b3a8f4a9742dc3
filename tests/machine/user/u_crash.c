/* SPDX-License-Identifier: MIT */
/* Programs that end badly, one way per argument; ntrun tells how. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static LONG WINAPI LastFilter(EXCEPTION_POINTERS *Pointers)
{
    printf("the last filter saw 0x%lx\n", Pointers->ExceptionRecord->ExceptionCode);
    fflush(stdout);
    return EXCEPTION_EXECUTE_HANDLER;
}

static DWORD WINAPI CrashInThread(void *Context)
{
    *(volatile int *)Context = 1;
    return 0;
}

static int __attribute__((noinline)) Recurse(volatile int *Depth)
{
    volatile char room[2000];
    room[0] = (char)++*Depth;
    return *Depth < 0 ? 0 : Recurse(Depth) + room[0];
}

/* An address that the compiler knows nothing of. */
static volatile int *volatile Nowhere = (volatile int *)0x40;

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    volatile int zero = 0;

    printf("about to: %s\n", how);
    fflush(stdout);
    if (strcmp(how, "null") == 0)
    {
        *Nowhere = 1;
    }
    else if (strcmp(how, "divide") == 0)
    {
        volatile int hundred = 100;
        return hundred / zero;
    }
    else if (strcmp(how, "filter") == 0)
    {
        SetUnhandledExceptionFilter(LastFilter);
        *Nowhere = 1;
    }
    else if (strcmp(how, "thread") == 0)
    {
        WaitForSingleObject(CreateThread(NULL, 0, CrashInThread, (void *)0x48, 0, NULL), INFINITE);
        return 5; /* a crash of any thread ends the process before that */
    }
    else if (strcmp(how, "stack") == 0)
    {
        return Recurse(&zero);
    }
    else if (strcmp(how, "raise") == 0)
    {
        RaiseException(0xE0424242, EXCEPTION_NONCONTINUABLE, 0, NULL);
    }
    else if (strcmp(how, "abort") == 0)
    {
        abort();
    }
    else if (strcmp(how, "spin") == 0)
    {
        for (;;)
        {
            zero++;
        }
    }
    else if (strcmp(how, "sleep") == 0)
    {
        Sleep(INFINITE);
    }
    else if (strcmp(how, "large") == 0)
    {
        return 0x12345678;
    }
    else if (how[0] >= '0' && how[0] <= '9')
    {
        return atoi(how);
    }
    return 0;
}
