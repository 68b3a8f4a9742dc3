/* SPDX-License-Identifier: MIT */
/*
 * How the loader turns random numbers into an address. Shared with ntrun, which tells a debugger where the kernel
 * will lie when the seed is fixed: the first number drawn from the seed chooses the base.
 */
#ifndef ISTHMUS_BOOT_RANDOM_H
#define ISTHMUS_BOOT_RANDOM_H

#include "bootblock.h"

#include <stdint.h>

/* The splitmix64 generator: every state is good, also 0. */
static inline uint64_t BootRandomNext(uint64_t *State)
{
    uint64_t value = *State += 0x9E3779B97F4A7C15ull;

    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ value >> 27) * 0x94D049BB133111EBull;
    return value ^ value >> 31;
}

/* ImageSize: bytes, at most PE_MAX_IMAGE_SIZE, so that there is always a place. */
static inline uint64_t BootKernelBase(uint64_t Random, uint64_t ImageSize)
{
    uint64_t room = BOOT_KERNEL_HIGHEST - BOOT_KERNEL_LOWEST + 1;
    uint64_t places = (room - ImageSize) / BOOT_KERNEL_ALIGNMENT + 1;

    return BOOT_KERNEL_LOWEST + Random % places * BOOT_KERNEL_ALIGNMENT;
}

#endif
