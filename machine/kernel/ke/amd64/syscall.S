/* SPDX-License-Identifier: MIT */
/*
 * System calls. User mode passes the service number in eax, the first argument in r10 (syscall takes rcx), the
 * others as any function of the Microsoft ABI: rdx, r8, r9, then the stack above the return address and home space.
 *
 * The frame is always at the same place, the top of the thread's kernel stack, so KTHREAD.TrapFrame need not be
 * kept up to date. Volatile registers other than rax return as they came (rcx and r11 excepted, which the
 * instruction itself overwrites) and the volatile XMM registers as zero: nothing of the kernel's leaks.
 */
#include "offsets.h"
        .intel_syntax noprefix
        .text

        .globl  KiSystemCall64
        .globl  KiSystemCallEnd
        .p2align 4
        .seh_proc KiSystemCall64
KiSystemCall64:
        swapgs
        mov     gs:[PCR_USER_RSP], rsp
        mov     rsp, gs:[PCR_RSP_BASE]
        push    0x2B
        push    qword ptr gs:[PCR_USER_RSP]
        push    r11
        push    0x33
        push    rcx
        .seh_pushframe @code
        push    0
        push    0x100
        .seh_stackalloc 8
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
        mov     rbp, rsp
        .seh_setframe rbp, 0
        .seh_endprologue
        .irp    n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps  [rbp + KTF_XMM + 16 * \n], xmm\n
        .endr
        stmxcsr [rbp + KTF_MXCSR]
        mov     dword ptr [rbp + KTF_FLAGS], 0
        cmp     dword ptr [rbp + KTF_MXCSR], 0x1F80
        je      1f
        ldmxcsr gs:[PCR_MXCSR]
1:      mov     rbx, gs:[PCR_CURRENT_THREAD]
        mov     byte ptr [rbx + KTHREAD_PREVIOUS_MODE], 1
        sti
        cmp     eax, dword ptr [rip + KiServiceLimit]
        jae     KiServiceInvalid
        mov     esi, eax
        lea     r11, [rip + KiServiceTable]
        mov     rdi, [r11 + rsi * 8]
        lea     r11, [rip + KiServiceArguments]
        movzx   eax, byte ptr [r11 + rsi]
        mov     rcx, r10
        sub     eax, 4
        jbe     KiServiceCall

        /* Arguments from the fifth on: the user's stack is not to be trusted. */
        mov     r11, [rbp + KTF_RSP]
        add     r11, 0x28
        mov     r10, 0x7FFFFFFF0000 /* MM_USER_PROBE_ADDRESS */
        sub     r10, r11
        jb      KiServiceFault
        shr     r10, 3
        cmp     r10, rax
        jb      KiServiceFault
        sub     rsp, 0x20 + 16 * 8
        .globl  KiServiceCopyStart
KiServiceCopyStart:
        mov     r10, [r11 + rax * 8 - 8]
        .globl  KiServiceCopyEnd
KiServiceCopyEnd:
        mov     [rsp + 0x20 + rax * 8 - 8], r10
        dec     eax
        jnz     KiServiceCopyStart

KiServiceCall:
        cmp     byte ptr [rip + KiServiceWatch], 0
        jne     KiServiceWatchedCall
5:      call    rdi

        .globl  KiServiceReturn
KiServiceReturn:
        mov     rsp, rbp
        cmp     byte ptr [rip + KiServiceWatch], 0
        jne     KiServiceWatchedReturn
6:
        cli                     /* an APC that writes the frame must not come between the test and the store */
        test    byte ptr [rbp + KTF_FLAGS], KTF_FLAG_FULL
        jnz     2f
        mov     [rbp + KTF_RAX], rax
2:      mov     rbx, gs:[PCR_CURRENT_THREAD]
        mov     rdx, cr8
        or      edx, dword ptr [rbx + KTHREAD_COMBINED_APC_DISABLE]
        movzx   ecx, byte ptr [rbx + KTHREAD_APC_STATE_INDEX]
        or      edx, ecx
        jnz     KiServiceUnbalanced
        cmp     byte ptr [rbx + KTHREAD_USER_APC_PENDING], 0
        jne     KiServiceApc
3:      test    byte ptr [rbp + KTF_FLAGS], KTF_FLAG_FULL | KTF_FLAG_FLOAT
        jnz     KiUserExit
        cmp     dword ptr [rbp + KTF_MXCSR], 0x1F80
        je      4f
        ldmxcsr [rbp + KTF_MXCSR]
4:      .irp    n, 0, 1, 2, 3, 4, 5
        xorps   xmm\n, xmm\n
        .endr
        mov     rax, [rbp + KTF_RAX]
        mov     rcx, [rbp + KTF_RIP]
        mov     rdx, [rbp + KTF_RDX]
        mov     rbx, [rbp + KTF_RBX]
        mov     rsi, [rbp + KTF_RSI]
        mov     rdi, [rbp + KTF_RDI]
        mov     r8, [rbp + KTF_R8]
        mov     r9, [rbp + KTF_R9]
        mov     r10, [rbp + KTF_R10]
        mov     r11, [rbp + KTF_RFLAGS]
        mov     r12, [rbp + KTF_R12]
        mov     r13, [rbp + KTF_R13]
        mov     r14, [rbp + KTF_R14]
        mov     r15, [rbp + KTF_R15]
        mov     rsp, [rbp + KTF_RSP]
        mov     rbp, gs:[PCR_RSP_BASE]
        mov     rbp, [rbp - KTF_SIZE + KTF_RBP]
        swapgs
        sysretq

KiServiceApc:
        mov     rcx, rbp
        call    KiExitToUser
        jmp     3b
        /* The service's arguments in registers are in the frame; those on the stack, if any, stay where they are. */
KiServiceWatchedCall:
        sub     rsp, 0x20
        xor     ecx, ecx
        call    KiServiceWatched
        add     rsp, 0x20
        mov     rcx, [rbp + KTF_R10]
        mov     rdx, [rbp + KTF_RDX]
        mov     r8, [rbp + KTF_R8]
        mov     r9, [rbp + KTF_R9]
        jmp     5b
KiServiceWatchedReturn:
        mov     rsi, rax
        mov     ecx, 1
        call    KiServiceWatched
        mov     rax, rsi
        jmp     6b
KiServiceInvalid:
        mov     eax, 0xC000001C /* STATUS_INVALID_SYSTEM_SERVICE */
        jmp     KiServiceReturn
        .globl  KiServiceFault
KiServiceFault:
        mov     eax, 0xC0000005 /* STATUS_ACCESS_VIOLATION */
        jmp     KiServiceReturn
KiServiceUnbalanced:
        mov     rcx, rbp
        mov     rdx, rdi
        call    KiServiceExitCheck
        int3
        .seh_endproc
KiSystemCallEnd:
