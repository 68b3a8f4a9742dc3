/* SPDX-License-Identifier: MIT */
/*
 * Where the machine begins. QEMU enters BootEntry32 by the PVH protocol: 32-bit protected mode, flat segments, no
 * paging, ebx = physical address of hvm_start_info. From there to long mode on tables that map the low 4 GB to
 * themselves, then to C. The way out to the kernel is at the end.
 */

#define CR0_VALUE 0x80050033 /* PG AM WP NE ET MP PE */
#define CR4_VALUE 0x000006A0 /* PAE PGE OSFXSR OSXMMEXCPT */
#define MSR_EFER 0xC0000080
#define EFER_VALUE 0x00000900 /* LME NXE */
#define PTE_TABLE 0x03       /* present, writable */
#define PTE_LARGE 0x83       /* and a 2 MB page */

    .section .note.pvh, "a", @note
    .balign 4
    .long 4                 /* size of the name */
    .long 8                 /* size of the value */
    .long 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad BootEntry32

    .section .text.entry, "ax", @progbits
    .code32
    .globl BootEntry32
BootEntry32:
    cli
    cld
    rdtsc
    movl %eax, BootEntryTsc
    movl %edx, BootEntryTsc + 4
    movl %ebx, %ebp

    movl $BootBssStart, %edi
    movl $BootBssEnd, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl $BootStackTop, %esp

    /* Long mode and no-execute must be there. */
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb NoLongMode
    movl $0x80000001, %eax
    cpuid
    andl $0x20100000, %edx
    cmpl $0x20100000, %edx
    jne NoLongMode

    /* 0..4 GB onto itself: one PML4, one PDPT, four directories of 2 MB pages. */
    movl $BootTables + 0x1000 + PTE_TABLE, BootTables
    movl $BootTables + 0x2000 + PTE_TABLE, BootTables + 0x1000
    movl $BootTables + 0x3000 + PTE_TABLE, BootTables + 0x1008
    movl $BootTables + 0x4000 + PTE_TABLE, BootTables + 0x1010
    movl $BootTables + 0x5000 + PTE_TABLE, BootTables + 0x1018
    movl $PTE_LARGE, %eax
    xorl %ecx, %ecx
1:  movl %eax, BootTables + 0x2000(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jne 1b

    movl $CR4_VALUE, %eax
    movl %eax, %cr4
    movl $BootTables, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    movl $EFER_VALUE, %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_VALUE, %eax
    movl %eax, %cr0
    lgdt GdtPointer32
    ljmp $0x08, $BootEntry64

/* A processor without 64-bit mode never reaches C: say so from here. */
NoLongMode:
    movl $NoLongModeText, %esi
    movw $0xEA, %dx
    call PutString32
    movl $NoLongModeReport, %esi
    movw $0xEB, %dx
    call PutString32
    movl $1, %eax
    movw $0xF4, %dx
    outl %eax, %dx
2:  hlt
    jmp 2b

PutString32:
    lodsb
    testb %al, %al
    jz 3f
    outb %al, %dx
    jmp PutString32
3:  ret

    .code64
BootEntry64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $BootStackTop, %esp
    fninit
    ldmxcsr MxcsrReset
    movl %ebp, %edi
    xorl %ebp, %ebp
    call BootMain
4:  hlt                      /* BootMain does not return */
    jmp 4b

/*
 * void BootEnterKernel(uint64_t Pml4, uint64_t StackTop, uint64_t Entry, uint64_t Block, uint64_t DirectMap)
 *                           rdi            rsi                rdx             rcx             r8
 * This code lies below 2 MB, which both sets of tables map to itself. The GDT is taken over through the direct map,
 * so that it survives the end of the identity map.
 */
    .globl BootEnterKernel
BootEnterKernel:
    movq %rdi, %cr3
    movq %rsi, %rsp
    movl $BootGdt, %eax
    addq %r8, %rax
    pushq %rax
    pushq $0
    movw $BootGdtEnd - BootGdt - 1, 6(%rsp)
    lgdt 6(%rsp)
    movq $0, (%rsp)
    movq $0, 8(%rsp)
    lidt (%rsp)
    movq %rsi, %rsp
    subq $0x20, %rsp         /* the callee's home area */
    pushq $0                 /* no return address */
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %esi, %esi
    xorl %edi, %edi
    jmpq *%rdx

    .section .rodata
NoLongModeText:
    .asciz "loader: the processor has no 64-bit mode or no no-execute bit; start QEMU with -cpu max\n"
NoLongModeReport:
    .asciz "refused the processor has no 64-bit mode or no no-execute bit\n"
    .balign 4
MxcsrReset:
    .long 0x1F80

    .data
    .balign 8
    .globl BootEntryTsc
BootEntryTsc:
    .quad 0
BootGdt:
    .quad 0
    .quad 0x00AF9B000000FFFF /* 0x08: 64-bit code */
    .quad 0x00CF93000000FFFF /* 0x10: data */
BootGdtEnd:
GdtPointer32:
    .word BootGdtEnd - BootGdt - 1
    .long BootGdt

    .section .bss
    .balign 4096
BootTables:
    .skip 6 * 4096
    .globl BootStack
BootStack:
    .skip 0x8000             /* BOOT_STACK_SIZE */
BootStackTop:

    .section .note.GNU-stack, "", @progbits
