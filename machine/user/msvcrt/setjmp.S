/* SPDX-License-Identifier: MIT */
/*
 * setjmp and longjmp, over msvcrt's _JUMP_BUFFER: Frame 0, Rbx 8, Rsp 0x10, Rbp 0x18, Rsi 0x20, Rdi 0x28, R12..R15 0x30..0x48,
 * Rip 0x50, MxCsr 0x58, FpCsr 0x5C, Xmm6..Xmm15 0x60..0xF0.
 *
 * longjmp goes straight back; the __finally blocks it passes are not run (C code compiled by mingw has none).
 */
    .intel_syntax noprefix
    .text

    .globl _setjmp
    .globl _setjmpex
_setjmp:
_setjmpex:
    mov     [rcx], rdx
    mov     [rcx + 0x08], rbx
    lea     rax, [rsp + 8]
    mov     [rcx + 0x10], rax
    mov     [rcx + 0x18], rbp
    mov     [rcx + 0x20], rsi
    mov     [rcx + 0x28], rdi
    mov     [rcx + 0x30], r12
    mov     [rcx + 0x38], r13
    mov     [rcx + 0x40], r14
    mov     [rcx + 0x48], r15
    mov     rax, [rsp]
    mov     [rcx + 0x50], rax
    stmxcsr [rcx + 0x58]
    fnstcw  [rcx + 0x5C]
    movups  [rcx + 0x60], xmm6
    movups  [rcx + 0x70], xmm7
    movups  [rcx + 0x80], xmm8
    movups  [rcx + 0x90], xmm9
    movups  [rcx + 0xA0], xmm10
    movups  [rcx + 0xB0], xmm11
    movups  [rcx + 0xC0], xmm12
    movups  [rcx + 0xD0], xmm13
    movups  [rcx + 0xE0], xmm14
    movups  [rcx + 0xF0], xmm15
    xor     eax, eax
    ret

    .globl longjmp
longjmp:
    mov     eax, edx
    test    eax, eax
    jnz     1f
    inc     eax
1:
    mov     rbx, [rcx + 0x08]
    mov     rbp, [rcx + 0x18]
    mov     rsi, [rcx + 0x20]
    mov     rdi, [rcx + 0x28]
    mov     r12, [rcx + 0x30]
    mov     r13, [rcx + 0x38]
    mov     r14, [rcx + 0x40]
    mov     r15, [rcx + 0x48]
    ldmxcsr [rcx + 0x58]
    fnclex
    fldcw   [rcx + 0x5C]
    movups  xmm6, [rcx + 0x60]
    movups  xmm7, [rcx + 0x70]
    movups  xmm8, [rcx + 0x80]
    movups  xmm9, [rcx + 0x90]
    movups  xmm10, [rcx + 0xA0]
    movups  xmm11, [rcx + 0xB0]
    movups  xmm12, [rcx + 0xC0]
    movups  xmm13, [rcx + 0xD0]
    movups  xmm14, [rcx + 0xE0]
    movups  xmm15, [rcx + 0xF0]
    mov     rdx, [rcx + 0x50]
    mov     rsp, [rcx + 0x10]
    jmp     rdx
