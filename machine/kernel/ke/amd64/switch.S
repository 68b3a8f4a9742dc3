/* SPDX-License-Identifier: MIT */
/*
 * Changing stacks: from thread to thread, into a new thread, onto a stack for one call, and back to a saved point.
 */
#include "offsets.h"
        .intel_syntax noprefix
        .text

/*
 * VOID KiSwapContext(PKTHREAD From, PKTHREAD To)
 * Returns in To's stack, from the call that put To aside. The dispatcher lock is held throughout.
 * FXSAVE takes x87 and all of XMM: the program's registers and the non-volatile ones of the kernel's code.
 */
        .globl  KiSwapContext
        .p2align 4
        .seh_proc KiSwapContext
KiSwapContext:
        push    rbp
        .seh_pushreg rbp
        push    rbx
        .seh_pushreg rbx
        push    rsi
        .seh_pushreg rsi
        push    rdi
        .seh_pushreg rdi
        push    r12
        .seh_pushreg r12
        push    r13
        .seh_pushreg r13
        push    r14
        .seh_pushreg r14
        push    r15
        .seh_pushreg r15
        .seh_endprologue
        mov     rax, [rcx + KTHREAD_FLOAT_SAVE]
        fxsave64 [rax]
        mov     [rcx + KTHREAD_KERNEL_STACK], rsp
        mov     rsp, [rdx + KTHREAD_KERNEL_STACK]
        mov     rax, [rdx + KTHREAD_FLOAT_SAVE]
        fxrstor64 [rax]
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rdi
        pop     rsi
        pop     rbx
        pop     rbp
        ret
        .seh_endproc

/*
 * Where a new thread comes out of KiSwapContext. rbx system routine, rsi start routine, rdi context, rbp the frame
 * to leave to user mode with, or 0. Above lies a zero return address: the end of every stack walk.
 */
        .globl  KiThreadStartup
        .p2align 4
        .seh_proc KiThreadStartup
KiThreadStartup:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        mov     rcx, rbx
        mov     rdx, rsi
        mov     r8, rdi
        mov     r9, rbp
        call    KiStartThread
        cli
        mov     rsp, rbp
        mov     rcx, rbp
        call    KiExitToUser
        jmp     KiUserExit
        .seh_endproc

/*
 * ULONG_PTR KiCallOnStack(ULONG_PTR (*Routine)(PVOID), PVOID Argument, PVOID StackTop)
 */
        .globl  KiCallOnStack
        .p2align 4
        .seh_proc KiCallOnStack
KiCallOnStack:
        push    rbp
        .seh_pushreg rbp
        mov     rbp, rsp
        .seh_setframe rbp, 0
        .seh_endprologue
        mov     rax, rcx
        mov     rcx, rdx
        lea     rsp, [r8 - 0x20]
        call    rax
        mov     rsp, rbp
        pop     rbp
        ret
        .seh_endproc

/*
 * int KiSaveJump(KI_JUMP *Jump): 0 now, 1 when KiRestoreJump comes back. For the bug check screen only:
 * nothing between the two is unwound.
 */
        .globl  KiSaveJump
        .p2align 4
        .seh_proc KiSaveJump
KiSaveJump:
        .seh_endprologue
        mov     rax, [rsp]
        lea     rdx, [rsp + 8]
        mov     [rcx], rax
        mov     [rcx + 8], rdx
        mov     [rcx + 16], rbx
        mov     [rcx + 24], rbp
        mov     [rcx + 32], rsi
        mov     [rcx + 40], rdi
        mov     [rcx + 48], r12
        mov     [rcx + 56], r13
        mov     [rcx + 64], r14
        mov     [rcx + 72], r15
        xor     eax, eax
        ret
        .seh_endproc

        .globl  KiRestoreJump
        .p2align 4
        .seh_proc KiRestoreJump
KiRestoreJump:
        .seh_endprologue
        mov     rdx, [rcx]
        mov     rsp, [rcx + 8]
        mov     rbx, [rcx + 16]
        mov     rbp, [rcx + 24]
        mov     rsi, [rcx + 32]
        mov     rdi, [rcx + 40]
        mov     r12, [rcx + 48]
        mov     r13, [rcx + 56]
        mov     r14, [rcx + 64]
        mov     r15, [rcx + 72]
        mov     eax, 1
        jmp     rdx
        .seh_endproc

/*
 * VOID KiReloadSegments(VOID): every segment from the kernel's own GDT. The data segments are user mode's: 64-bit
 * code does not look at them, so they need not be changed on the way in and out.
 */
        .globl  KiReloadSegments
        .p2align 4
        .seh_proc KiReloadSegments
KiReloadSegments:
        .seh_endprologue
        pop     rax
        push    0x10
        push    rax
        mov     ecx, 0x18
        mov     ss, ecx
        mov     ecx, 0x2B
        mov     ds, ecx
        mov     es, ecx
        mov     gs, ecx
        mov     ecx, 0x53
        mov     fs, ecx
        .byte   0x48, 0xCB /* retfq */
        .seh_endproc
