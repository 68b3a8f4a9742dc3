/* SPDX-License-Identifier: MIT */
/*
 * BaseSwitchFiber(From, To): what lies on a stack that is not running is a BASE_FIBER_FRAME (fiber.h). The TEB's fields are changed here, between the last use of one stack and the first of the other, because the kernel moves
 * guard pages by them. TEB: StackBase 0x08, StackLimit 0x10, FiberData 0x20, DeallocationStack 0x1478, FlsData 0x17C8.
 */
    .intel_syntax noprefix
    .text

    .globl BaseSwitchFiber
    .p2align 4
    .seh_proc BaseSwitchFiber
BaseSwitchFiber:
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
    sub     rsp, 0xB0
    .seh_stackalloc 0xB0
    .seh_endprologue
    movups  [rsp + 0x00], xmm6
    movups  [rsp + 0x10], xmm7
    movups  [rsp + 0x20], xmm8
    movups  [rsp + 0x30], xmm9
    movups  [rsp + 0x40], xmm10
    movups  [rsp + 0x50], xmm11
    movups  [rsp + 0x60], xmm12
    movups  [rsp + 0x70], xmm13
    movups  [rsp + 0x80], xmm14
    movups  [rsp + 0x90], xmm15
    stmxcsr [rsp + 0xA0]
    fnstcw  [rsp + 0xA4]

    mov     rax, gs:[0x30]
    mov     [rcx + 0x08], rsp
    mov     r8, [rax + 0x10]            /* has moved if the stack has grown */
    mov     [rcx + 0x18], r8
    mov     r8, [rax + 0x17C8]
    mov     [rcx + 0x28], r8

    mov     r8, [rdx + 0x10]
    mov     [rax + 0x08], r8
    mov     r8, [rdx + 0x18]
    mov     [rax + 0x10], r8
    mov     r8, [rdx + 0x20]
    mov     [rax + 0x1478], r8
    mov     r8, [rdx + 0x28]
    mov     [rax + 0x17C8], r8
    mov     [rax + 0x20], rdx
    mov     rsp, [rdx + 0x08]

    movups  xmm6, [rsp + 0x00]
    movups  xmm7, [rsp + 0x10]
    movups  xmm8, [rsp + 0x20]
    movups  xmm9, [rsp + 0x30]
    movups  xmm10, [rsp + 0x40]
    movups  xmm11, [rsp + 0x50]
    movups  xmm12, [rsp + 0x60]
    movups  xmm13, [rsp + 0x70]
    movups  xmm14, [rsp + 0x80]
    movups  xmm15, [rsp + 0x90]
    ldmxcsr [rsp + 0xA0]
    fldcw   [rsp + 0xA4]
    add     rsp, 0xB0
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
