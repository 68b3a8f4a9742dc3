/* SPDX-License-Identifier: MIT */
/*
 * A kernel of a few instructions for the test of the loader. It writes to the console what it was given, in this
 * order: the boot block; cr0, cr3, cr4, EFER, rsp at entry and its return address; all page-table ranges; its own
 * image as mapped. Then it reports and leaves. Position-independent: the test copies it into an image's code.
 */
#define BLOCK_DIRECT_MAP 16
#define BLOCK_KERNEL_BASE 40
#define BLOCK_KERNEL_SIZE 56
#define BLOCK_RANGE_COUNT 160
#define BLOCK_RANGES 168
#define BLOCK_SIZE 1704
#define RANGE_SIZE 24
#define RANGE_TYPE 16
#define TYPE_PAGE_TABLES 5

    .section .rodata
    .globl BootProbe
    .globl BootProbeEnd
BootProbe:
    movq %rcx, %rbx
    movq %rsp, %rdi
    movl $0xE9, %edx
    movq %rbx, %rsi
    movl $BLOCK_SIZE, %ecx
    rep outsb

    pushq (%rdi)
    pushq %rdi
    movl $0xC0000080, %ecx
    rdmsr
    pushq %rax
    movq %cr4, %rax
    pushq %rax
    movq %cr3, %rax
    pushq %rax
    movq %cr0, %rax
    pushq %rax
    movl $0xE9, %edx
    movq %rsp, %rsi
    movl $48, %ecx
    rep outsb

    movl BLOCK_RANGE_COUNT(%rbx), %r8d
    leaq BLOCK_RANGES(%rbx), %r9
1:  cmpl $TYPE_PAGE_TABLES, RANGE_TYPE(%r9)
    jne 2f
    movq (%r9), %rsi
    addq BLOCK_DIRECT_MAP(%rbx), %rsi
    movq 8(%r9), %rcx
    rep outsb
2:  addq $RANGE_SIZE, %r9
    decl %r8d
    jnz 1b

    movq BLOCK_KERNEL_BASE(%rbx), %rsi
    movq BLOCK_KERNEL_SIZE(%rbx), %rcx
    rep outsb

    movl $0xEB, %edx
    leaq 3f(%rip), %rsi
    movl $7, %ecx
    rep outsb
    movl $0xF4, %edx
    movl $0x10, %eax
    outl %eax, %dx
    jmp .
3:  .ascii "exit 0\n"
BootProbeEnd:

    .section .note.GNU-stack, "", @progbits
