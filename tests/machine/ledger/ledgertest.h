/* SPDX-License-Identifier: MIT */
/* What ledgertest.exe asks of ledgertest.sys. */
#pragma once

#define LEDGERTEST_CODE(Function) ((0x22u << 16) | (0x3u << 14) | ((0x800u + (Function)) << 2))
#define IOCTL_LEDGERTEST_TAKE LEDGERTEST_CODE(1)    /* input: LEDGERTEST_BUFFER */
#define IOCTL_LEDGERTEST_RELEASE LEDGERTEST_CODE(2)
#define IOCTL_LEDGERTEST_LEAK LEDGERTEST_CODE(3)    /* pool, three blocks by one line; never freed */

typedef struct LEDGERTEST_BUFFER
{
    unsigned long long Address; /* in the caller */
    unsigned long long Length;  /* bytes */
} LEDGERTEST_BUFFER;
