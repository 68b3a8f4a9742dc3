/* SPDX-License-Identifier: MIT */
/*
 * Stands in for QEMU in the test of ntrun's handling of a running machine: writes to the descriptors it is given as
 * the environment variable FAKE_QEMU says. The archive it got tells it nothing, but it must be readable.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int Sets[4];

static void Put(int Set, const char *Text)
{
    if (write(Sets[Set], Text, strlen(Text)) < 0)
    {
        _exit(99);
    }
}

int main(int argc, char **argv)
{
    const char *mode = getenv("FAKE_QEMU");
    const char *image = NULL;
    char magic[6] = "";
    FILE *file;

    for (int i = 1; i + 1 < argc; i++)
    {
        int fd;
        int set;

        if (strcmp(argv[i], "-add-fd") == 0 && sscanf(argv[i + 1], "fd=%d,set=%d", &fd, &set) == 2 && set < 4)
        {
            Sets[set] = fd;
        }
        if (strcmp(argv[i], "-initrd") == 0)
        {
            image = argv[i + 1];
        }
    }
    file = image != NULL ? fopen(image, "rb") : NULL;
    if (mode == NULL || file == NULL || fread(magic, 1, 6, file) != 6 || memcmp(magic, "070701", 6) != 0)
    {
        return 98;
    }
    if (strcmp(mode, "exit") == 0)
    {
        Put(1, "output\n");
        Put(2, "message\n");
        Put(3, "exit 7\n");
        return 33;
    }
    if (strcmp(mode, "order") == 0)
    {
        for (int i = 0; i < 2000; i++)
        {
            Put(1, "o");
            Put(2, "e");
        }
        Put(3, "exit 0\n");
        return 33;
    }
    if (strcmp(mode, "hang") == 0)
    {
        Put(1, "waiting\n");
        for (;;)
        {
            pause();
        }
    }
    if (strcmp(mode, "flood") == 0)
    {
        for (;;)
        {
            Put(1, "flood\n");
        }
    }
    if (strcmp(mode, "stop") == 0)
    {
        Put(1, "output\n");
        Put(3, "bugcheck c4 b8 1 8b 0\nmodule 1000 1000 loaded d.sys\nframe 1010 call\n");
        return 5;
    }
    if (strcmp(mode, "crash") == 0)
    {
        Put(1, "last words");
        return 0;
    }
    return 1; /* as QEMU does on wrong arguments */
}
