/* SPDX-License-Identifier: MIT */
/*
 * The control codes of careless.sys. Each has a number as its input, CARELESS or CAREFUL; the careful way does the same
 * without the mistake. FILE_DEVICE_UNKNOWN, METHOD_NEITHER, FILE_READ_DATA | FILE_WRITE_DATA.
 */
#pragma once

#define CARELESS 0u
#define CAREFUL 1u

#define CARELESS_CODE(Function) ((0x22u << 16) | (0x3u << 14) | ((Function) << 2) | 3)
#define IOCTL_CARELESS_TWO    CARELESS_CODE(0x901u) /* allocates two blocks; forgets the first if there is no second */
#define IOCTL_CARELESS_USE    CARELESS_CODE(0x902u) /* uses a block without looking whether there is one */
#define IOCTL_CARELESS_LOCK   CARELESS_CODE(0x903u) /* locks the output buffer until ... */
#define IOCTL_CARELESS_UNLOCK CARELESS_CODE(0x904u) /* ... the program asks for the end of it */
#define IOCTL_CARELESS_COUNT  CARELESS_CODE(0x905u) /* adds one to a number that others change too */
#define IOCTL_CARELESS_TOTAL  CARELESS_CODE(0x906u) /* output: the number */
#define IOCTL_CARELESS_VIEW   CARELESS_CODE(0x907u) /* reads a view on another processor after it has been unmapped */
