/* SPDX-License-Identifier: MIT */
/*
 * The contract between the SEH test's guest, a PE image with the real exception code in it, and its host, a Linux
 * process that loads the image, runs it on a stack of its own and turns signals into exceptions.
 */
#ifndef ISTHMUS_TEST_GUEST_H
#define ISTHMUS_TEST_GUEST_H

/* Filled by the host before the guest runs. Functions have the Microsoft calling convention. */
typedef struct GUEST_HOST
{
    unsigned long long StackLow;
    unsigned long long StackHigh;
    void(__attribute__((ms_abi)) * Print)(const char *Text);
    void(__attribute__((ms_abi)) * Unhandled)(unsigned Code, unsigned Flags, unsigned long long Address);
    void *BadPage; /* a page that faults on every access */
    unsigned ImageSize;
} GUEST_HOST;

#endif
