/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel enters user mode, and the interlocked list. Everything that has a caller in C
 * is in C; here are only the frames that the kernel builds and the C compiler can't describe.
 *
 * Offsets of CONTEXT used below: P1Home 0, P2Home 8, P3Home 0x10, P4Home 0x18, Rbx 0x90, Rsp 0x98,
 * Rbp 0xA0, Rsi 0xA8, Rdi 0xB0, R12 0xD8 .. R15 0xF0, Rip 0xF8, Xmm6 0x200 .. Xmm15 0x290.
 */
    .intel_syntax noprefix
    .text

/*
 * LdrInitializeThunk(PCONTEXT Context, PVOID NtdllBase) and RtlUserThreadStart(Start, Parameter):
 * the outermost frames of a thread. They have no caller, so a zero takes the place of the return
 * address: a walk of the stack ends there.
 */
    .globl LdrInitializeThunk
    .p2align 4
LdrInitializeThunk:
    and     rsp, -16
    push    0
    jmp     LdrpInitialize

    .globl RtlUserThreadStart
    .p2align 4
RtlUserThreadStart:
    and     rsp, -16
    push    0
    jmp     RtlpUserThreadStart

/*
 * The dispatchers. The kernel leaves rsp at a CONTEXT, which is all an unwinder needs to continue
 * in the interrupted code: an exception inside a filter must be able to find the frames below. The
 * frame is therefore described as a hardware frame, for which Rip and Rsp are copied together:
 *
 *   rsp + 0x00   home space of the routine called
 *   rsp + 0x20   Rip, -, -, Rsp, -       (what UWOP_PUSH_MACHFRAME reads)
 *   rsp + 0x50   CONTEXT                 (rsp at entry)
 *   rsp + 0x540  EXCEPTION_RECORD        (KiUserExceptionDispatcher only)
 */
    .set    CTX, 0x50

    .macro  BUILD_FRAME
    sub     rsp, CTX
    mov     rax, [rsp + CTX + 0xF8]
    mov     [rsp + 0x20], rax
    mov     rax, [rsp + CTX + 0x98]
    mov     [rsp + 0x38], rax
    .seh_pushframe
    .seh_stackalloc 0x20
    .seh_savereg rbx, CTX + 0x90
    .seh_savereg rbp, CTX + 0xA0
    .seh_savereg rsi, CTX + 0xA8
    .seh_savereg rdi, CTX + 0xB0
    .seh_savereg r12, CTX + 0xD8
    .seh_savereg r13, CTX + 0xE0
    .seh_savereg r14, CTX + 0xE8
    .seh_savereg r15, CTX + 0xF0
    .seh_savexmm xmm6, CTX + 0x200
    .seh_savexmm xmm7, CTX + 0x210
    .seh_savexmm xmm8, CTX + 0x220
    .seh_savexmm xmm9, CTX + 0x230
    .seh_savexmm xmm10, CTX + 0x240
    .seh_savexmm xmm11, CTX + 0x250
    .seh_savexmm xmm12, CTX + 0x260
    .seh_savexmm xmm13, CTX + 0x270
    .seh_savexmm xmm14, CTX + 0x280
    .seh_savexmm xmm15, CTX + 0x290
    .seh_endprologue
    .endm

    .globl KiUserExceptionDispatcher
    .p2align 4
    .seh_proc KiUserExceptionDispatcher
KiUserExceptionDispatcher:
    cld
    BUILD_FRAME
    lea     rcx, [rsp + CTX + 0x4F0]
    lea     rdx, [rsp + CTX]
    call    RtlpUserExceptionDispatch
    int3
    .seh_endproc

    .globl KiUserApcDispatcher
    .p2align 4
    .seh_proc KiUserApcDispatcher
KiUserApcDispatcher:
    cld
    BUILD_FRAME
    mov     rcx, [rsp + CTX]
    mov     rdx, [rsp + CTX + 0x08]
    mov     r8, [rsp + CTX + 0x10]
    lea     r9, [rsp + CTX]
    call    [rsp + CTX + 0x18]
    lea     rcx, [rsp + CTX]
    mov     edx, 1
    call    NtContinue
    mov     ecx, eax
    call    RtlRaiseStatus
    int3
    .seh_endproc

/*
 * The interlocked singly linked list (SLIST_HEADER, x64 layout): the low quadword holds depth and
 * sequence, the high quadword the first entry (its low four bits are flags: bit 0 = header type).
 * cmpxchg16b exchanges both, and the sequence makes a header that went A-B-A compare different.
 *
 * A popper reads Next of an entry that another thread may have popped and freed meanwhile: memory
 * under a list must stay readable, as on Windows.
 *
 *   depth    bits 0..15 of the low quadword
 *   sequence bits 16..63
 */

/* rax = PSLIST_ENTRY RtlInterlockedPushEntrySList(rcx = header, rdx = entry): the former first entry */
    .globl RtlInterlockedPushEntrySList
    .p2align 4
    .seh_proc RtlInterlockedPushEntrySList
RtlInterlockedPushEntrySList:
    push    rbx
    .seh_pushreg rbx
    .seh_endprologue
    mov     r8, rcx
    mov     r9, rdx
    mov     rax, [r8]
    mov     rdx, [r8 + 8]
1:  mov     r10, rdx
    and     r10, -16
    mov     [r9], r10
    lea     rbx, [rax + 0x10000]        /* next sequence */
    lea     r11d, [eax + 1]             /* next depth, 16 bits */
    mov     bx, r11w
    mov     rcx, r9
    or      rcx, 1                      /* rcx:rbx = the new header */
    lock cmpxchg16b [r8]
    jnz     1b
    mov     rax, r10
    pop     rbx
    ret
    .seh_endproc

/* rax = PSLIST_ENTRY RtlInterlockedPopEntrySList(rcx = header) or 0 */
    .globl RtlInterlockedPopEntrySList
    .p2align 4
    .seh_proc RtlInterlockedPopEntrySList
RtlInterlockedPopEntrySList:
    push    rbx
    .seh_pushreg rbx
    .seh_endprologue
    mov     r8, rcx
    mov     rax, [r8]
    mov     rdx, [r8 + 8]
1:  mov     r10, rdx
    and     r10, -16
    jz      2f
    mov     rcx, [r10]
    or      rcx, 1
    lea     rbx, [rax + 0x10000]
    lea     r11d, [eax - 1]
    mov     bx, r11w
    lock cmpxchg16b [r8]
    jnz     1b
2:  mov     rax, r10
    pop     rbx
    ret
    .seh_endproc

/* rax = PSLIST_ENTRY RtlInterlockedFlushSList(rcx = header): the whole list */
    .globl RtlInterlockedFlushSList
    .p2align 4
    .seh_proc RtlInterlockedFlushSList
RtlInterlockedFlushSList:
    push    rbx
    .seh_pushreg rbx
    .seh_endprologue
    mov     r8, rcx
    mov     rax, [r8]
    mov     rdx, [r8 + 8]
1:  mov     r10, rdx
    and     r10, -16
    jz      2f
    lea     rbx, [rax + 0x10000]
    xor     bx, bx                      /* depth 0 */
    mov     ecx, 1
    lock cmpxchg16b [r8]
    jnz     1b
2:  mov     rax, r10
    pop     rbx
    ret
    .seh_endproc
