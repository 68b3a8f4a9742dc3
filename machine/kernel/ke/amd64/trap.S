/* SPDX-License-Identifier: MIT */
/*
 * Every way into the kernel but the system call: exceptions and interrupts.
 *
 *   vector n -> KiTrapStubs + 16 n: pushes an error code where the processor has none, and the number
 *            -> KiTrapEntry: completes the KTRAP_FRAME, takes the kernel's GS if it came from user mode,
 *               calls KiTrapDispatch(Frame) with interrupts off
 *            -> back through the frame
 *
 * NMI, machine check, double fault and debug traps can arrive where the usual test "came from user mode, so swap
 * GS" lies: between a system call's entry and its swapgs, or after the swapgs of an exit. They have stacks of their
 * own and look at the GS base itself (KiParanoidEntry). A debug trap from user mode then moves to the thread's
 * stack, because the program may handle it.
 */
#include "offsets.h"
        .intel_syntax noprefix
        .text

        .globl  KiTrapStubs
        .p2align 4
KiTrapStubs:
        .set    v, 0
        .rept   256
        .p2align 4
        .if     (v < 32) && ((0x60227D00 >> v) & 1) /* bit set: the processor pushes an error code */
        .else
        push    0
        .endif
        push    v
        .if     (v == 1) || (v == 2) || (v == 8) || (v == 18)
        jmp     KiParanoidEntry
        .else
        jmp     KiTrapEntry
        .endif
        .set    v, v + 1
        .endr
        .p2align 4

        .macro  SAVE_FRAME
        sub     rsp, KTF_VECTOR
        .seh_stackalloc KTF_VECTOR
        mov     [rsp + KTF_RAX], rax
        mov     [rsp + KTF_RCX], rcx
        mov     [rsp + KTF_RDX], rdx
        mov     [rsp + KTF_RBX], rbx
        .seh_savereg rbx, KTF_RBX
        mov     [rsp + KTF_RBP], rbp
        .seh_savereg rbp, KTF_RBP
        mov     [rsp + KTF_RSI], rsi
        .seh_savereg rsi, KTF_RSI
        mov     [rsp + KTF_RDI], rdi
        .seh_savereg rdi, KTF_RDI
        mov     [rsp + KTF_R8], r8
        mov     [rsp + KTF_R9], r9
        mov     [rsp + KTF_R10], r10
        mov     [rsp + KTF_R11], r11
        mov     [rsp + KTF_R12], r12
        .seh_savereg r12, KTF_R12
        mov     [rsp + KTF_R13], r13
        .seh_savereg r13, KTF_R13
        mov     [rsp + KTF_R14], r14
        .seh_savereg r14, KTF_R14
        mov     [rsp + KTF_R15], r15
        .seh_savereg r15, KTF_R15
        .seh_endprologue
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps  [rsp + KTF_XMM + 16 * \n], xmm\n
        .endr
        stmxcsr [rsp + KTF_MXCSR]
        mov     dword ptr [rsp + KTF_FLAGS], 0
        .endm

        .macro  RESTORE_XMM_VOLATILE
        .irp    n, 0, 1, 2, 3, 4, 5
        movaps  xmm\n, [rsp + KTF_XMM + 16 * \n]
        .endr
        .endm

        .macro  RESTORE_XMM_REST
        .irp    n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps  xmm\n, [rsp + KTF_XMM + 16 * \n]
        .endr
        .endm

        .macro  RESTORE_REGISTERS
        mov     rax, [rsp + KTF_RAX]
        mov     rcx, [rsp + KTF_RCX]
        mov     rdx, [rsp + KTF_RDX]
        mov     rbx, [rsp + KTF_RBX]
        mov     rbp, [rsp + KTF_RBP]
        mov     rsi, [rsp + KTF_RSI]
        mov     rdi, [rsp + KTF_RDI]
        mov     r8, [rsp + KTF_R8]
        mov     r9, [rsp + KTF_R9]
        mov     r10, [rsp + KTF_R10]
        mov     r11, [rsp + KTF_R11]
        mov     r12, [rsp + KTF_R12]
        mov     r13, [rsp + KTF_R13]
        mov     r14, [rsp + KTF_R14]
        mov     r15, [rsp + KTF_R15]
        .endm

        .globl  KiTrapEntry
        .p2align 4
        .seh_proc KiTrapEntry
KiTrapEntry:
        .seh_pushframe @code
        .seh_stackalloc 8
        SAVE_FRAME
        cld
        test    byte ptr [rsp + KTF_CS], 3
        jz      KiTrapCall
        swapgs
        cmp     dword ptr [rsp + KTF_MXCSR], 0x1F80
        je      KiTrapCall
        ldmxcsr gs:[PCR_MXCSR]
KiTrapCall:
        mov     rcx, rsp
        call    KiTrapDispatch

        /* Interrupts are off again, and a return to user mode has been prepared. */
        test    byte ptr [rsp + KTF_CS], 3
        jnz     1f
        RESTORE_XMM_VOLATILE
        test    byte ptr [rsp + KTF_FLAGS], KTF_FLAG_FULL
        jz      2f
        RESTORE_XMM_REST
        ldmxcsr [rsp + KTF_MXCSR]
2:      RESTORE_REGISTERS
        add     rsp, KTF_RIP
        iretq
1:      jmp     KiUserExit
        .seh_endproc

/*
 * Leaves to user mode with every register from the frame at rsp. Interrupts off, nothing left to deliver.
 * The selectors, the flags and the canonical RIP in the frame were vouched for by those who wrote them,
 * so that iretq cannot fault with the user's GS already in place.
 */
        .globl  KiUserExit
        .p2align 4
        .seh_proc KiUserExit
KiUserExit:
        .seh_endprologue
        test    byte ptr [rsp + KTF_FLAGS], KTF_FLAG_FLOAT
        jz      1f
        mov     rax, gs:[PCR_CURRENT_THREAD]
        mov     rax, [rax + KTHREAD_USER_FLOAT_SAVE]
        fxrstor64 [rax]
1:      RESTORE_XMM_VOLATILE
        test    byte ptr [rsp + KTF_FLAGS], KTF_FLAG_FULL
        jz      2f
        RESTORE_XMM_REST
2:      ldmxcsr [rsp + KTF_MXCSR]
        RESTORE_REGISTERS
        add     rsp, KTF_RIP
        swapgs
        iretq
        .seh_endproc

        .globl  KiParanoidEntry
        .p2align 4
        .seh_proc KiParanoidEntry
KiParanoidEntry:
        .seh_pushframe @code
        .seh_stackalloc 8
        SAVE_FRAME
        cld
        mov     rax, dr6
        mov     [rsp + KTF_VECTOR - 0x18], rax
        cmp     byte ptr [rsp + KTF_VECTOR], 1
        jne     1f
        test    byte ptr [rsp + KTF_CS], 3
        jnz     KiDebugFromUser
1:      xor     r12d, r12d
        mov     ecx, KI_MSR_GS_BASE
        rdmsr
        test    edx, edx
        js      2f
        swapgs
        mov     r12d, 1
2:      ldmxcsr gs:[PCR_MXCSR]
        mov     rcx, rsp
        call    KiParanoidDispatch
        test    r12d, r12d
        jz      3f
        swapgs
3:      RESTORE_XMM_VOLATILE
        RESTORE_XMM_REST
        ldmxcsr [rsp + KTF_MXCSR]
        RESTORE_REGISTERS
        add     rsp, KTF_RIP
        iretq

        /* The same frame again, on the thread's own stack. */
KiDebugFromUser:
        swapgs
        mov     rsi, rsp
        mov     rsp, gs:[PCR_RSP_BASE]
        sub     rsp, KTF_SIZE
        mov     rdi, rsp
        mov     ecx, KTF_SIZE / 8
        rep movsq
        ldmxcsr gs:[PCR_MXCSR]
        jmp     KiTrapCall
        .seh_endproc
