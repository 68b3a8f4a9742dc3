/* SPDX-License-Identifier: MIT */
/*
 * The one control code of leftlock.sys.
 */
#pragma once

typedef struct LEFTLOCK_BUFFER
{
    unsigned long long Address; /* in the caller */
    unsigned long long Length;  /* bytes */
    unsigned long long Crowd;   /* locks that are taken before and after, and given back: up to LEFTLOCK_CROWD each */
} LEFTLOCK_BUFFER;

#define LEFTLOCK_CROWD 64

/* FILE_DEVICE_UNKNOWN, function 0x900, METHOD_BUFFERED, FILE_READ_DATA | FILE_WRITE_DATA. */
#define IOCTL_LEFTLOCK_LOCK ((0x22u << 16) | (0x3u << 14) | (0x900u << 2))
