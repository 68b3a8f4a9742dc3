/* SPDX-License-Identifier: MIT */
/*
 * The stubs of the system services, made from services.def: the number is the position in the
 * list. r10 takes the first argument because syscall overwrites rcx; the fifth and later arguments
 * stay on the stack, where the kernel reads them.
 *
 * The export list gives every NtXxx a second name ZwXxx.
 */

/* Declared here without types, because the stubs pass registers through as they are. */
#define SERVICE(Name, Arguments) Service##Name,
enum
{
#include "services.def"
};
#undef SERVICE

#define SERVICE(Name, Arguments)                                                                                      \
    __attribute__((naked)) void Name(void)                                                                            \
    {                                                                                                                 \
        __asm__("movq %%rcx, %%r10\n\t"                                                                               \
                "movl %0, %%eax\n\t"                                                                                  \
                "syscall\n\t"                                                                                         \
                "retq"                                                                                                \
                :                                                                                                     \
                : "i"(Service##Name));                                                                                \
    }
#include "services.def"
