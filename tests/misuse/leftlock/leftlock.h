/* SPDX-License-Identifier: MIT */
/*
 * The one control code of leftlock.sys.
 */
#pragma once

typedef struct LEFTLOCK_BUFFER
{
    unsigned long long Address; /* in the caller */
    unsigned long long Length;  /* bytes */
} LEFTLOCK_BUFFER;

/* FILE_DEVICE_UNKNOWN, function 0x900, METHOD_BUFFERED, FILE_READ_DATA | FILE_WRITE_DATA. */
#define IOCTL_LEFTLOCK_LOCK ((0x22u << 16) | (0x3u << 14) | (0x900u << 2))
