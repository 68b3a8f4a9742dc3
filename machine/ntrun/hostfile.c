/* SPDX-License-Identifier: MIT */
/* Files of the host. See hostfile.h. */
#include "hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ 65536u

/* Reads to the end. The size may be known beforehand, as a hint. Returns 0 or an errno. */
static int HostReadAll(int Fd, size_t Hint, uint8_t **Data, size_t *Size)
{
    size_t capacity = 0;
    size_t length = 0;
    uint8_t *data = MemoryGrow(NULL, &capacity, Hint + 1, 1);

    for (;;)
    {
        ssize_t count;

        if (length == capacity)
        {
            data = MemoryGrow(data, &capacity, capacity + FIRST_READ, 1);
        }
        count = read(Fd, data + length, capacity - length);
        if (count > 0)
        {
            length += (size_t)count;
        }
        if (count == 0 && length <= HOST_FILE_MAX)
        {
            *Data = data;
            *Size = length;
            return 0;
        }
        if (length > HOST_FILE_MAX || (count < 0 && errno != EINTR))
        {
            int error = length > HOST_FILE_MAX ? EFBIG : errno;

            free(data);
            return error;
        }
    }
}

bool HostFileRead(const char *Path, uint8_t **Data, size_t *Size, uint32_t *Time, TEXT *Error)
{
    int fd = open(Path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    int error;

    if (fd < 0 || fstat(fd, &status) != 0)
    {
        error = errno;
    }
    else if (S_ISDIR(status.st_mode))
    {
        error = EISDIR;
    }
    else if (status.st_size > 0 && (unsigned long long)status.st_size > HOST_FILE_MAX)
    {
        error = EFBIG;
    }
    else
    {
        error = HostReadAll(fd, status.st_size > 0 ? (size_t)status.st_size : FIRST_READ, Data, Size);
        *Time = (uint32_t)status.st_mtime;
    }
    if (fd >= 0)
    {
        close(fd);
    }
    if (error != 0)
    {
        TextAppend(Error, "cannot read %s: %s", Path, strerror(error));
    }
    return error == 0;
}

bool HostWriteAll(int Fd, const void *Data, size_t Size)
{
    const uint8_t *data = Data;

    while (Size != 0)
    {
        ssize_t count = write(Fd, data, Size);

        if (count < 0 && errno != EINTR)
        {
            return false;
        }
        if (count > 0)
        {
            data += count;
            Size -= (size_t)count;
        }
    }
    return true;
}
