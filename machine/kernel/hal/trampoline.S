/* SPDX-License-Identifier: MIT */
/*
 * Where a further processor begins: real mode, at the start of a page below 1 MB that this code is copied to.
 * The end of the page holds what it needs, written by HalStartProcessors; the offsets are in startap.c too.
 *
 *   F00  GDTR       F10  GDT: null, 32-bit code, data, 64-bit code
 *   F30  far pointer to the 32-bit part     F38  far pointer to the 64-bit part
 *   F40  CR3        F48  stack              F50  entry              F58  its argument
 */
        .text
        .globl  HalpTrampoline
        .globl  HalpTrampoline32
        .globl  HalpTrampoline64
        .globl  HalpTrampolineEnd
        .p2align 4
        .code16
HalpTrampoline:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        xorl    %ebx, %ebx
        movw    %ax, %bx
        shll    $4, %ebx
        lgdtl   0xF00
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   *0xF30

        .code32
HalpTrampoline32:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x6A0, %eax            /* PAE PGE OSFXSR OSXMMEXCPT */
        movl    %eax, %cr4
        movl    0xF40(%ebx), %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $0x900, %eax            /* LME NXE */
        wrmsr
        movl    $0x80050033, %eax       /* PG AM WP NE ET MP PE */
        movl    %eax, %cr0
        ljmpl   *0xF38(%ebx)

        .code64
HalpTrampoline64:
        movl    %ebx, %ebx
        movq    0xF48(%rbx), %rsp
        movq    0xF50(%rbx), %rax
        movq    0xF58(%rbx), %rcx
        pushq   $0
        jmpq    *%rax
HalpTrampolineEnd:
