/* SPDX-License-Identifier: MIT */
/*
 * The parts of exception handling that name registers.
 *
 * Offsets are those of CONTEXT, DISPATCHER_CONTEXT and the jump buffer; unwind.c asserts them.
 */
        .intel_syntax noprefix

        .set    CxContextFlags, 0x30
        .set    CxMxCsr, 0x34
        .set    CxSegCs, 0x38
        .set    CxSegDs, 0x3A
        .set    CxSegEs, 0x3C
        .set    CxSegFs, 0x3E
        .set    CxSegGs, 0x40
        .set    CxSegSs, 0x42
        .set    CxEFlags, 0x44
        .set    CxRax, 0x78
        .set    CxRcx, 0x80
        .set    CxRdx, 0x88
        .set    CxRbx, 0x90
        .set    CxRsp, 0x98
        .set    CxRbp, 0xA0
        .set    CxRsi, 0xA8
        .set    CxRdi, 0xB0
        .set    CxR8, 0xB8
        .set    CxR9, 0xC0
        .set    CxR10, 0xC8
        .set    CxR11, 0xD0
        .set    CxR12, 0xD8
        .set    CxR13, 0xE0
        .set    CxR14, 0xE8
        .set    CxR15, 0xF0
        .set    CxRip, 0xF8
        .set    CxFltSave, 0x100
        .set    CxXmm0, 0x1A0
        .set    CxCoreSize, 0x300
        .set    CONTEXT_FULL_AND_SEGMENTS, 0x10000F
        .set    CONTEXT_FLOATING_POINT_BIT, 0x08

        .set    DcControlPc, 0x00
        .set    DcImageBase, 0x08
        .set    DcFunctionEntry, 0x10
        .set    DcEstablisherFrame, 0x18
        .set    DcContextRecord, 0x28
        .set    DcLanguageHandler, 0x30
        .set    DcHandlerData, 0x38
        .set    DcHistoryTable, 0x40
        .set    DcScopeIndex, 0x48

        .set    ErExceptionFlags, 0x04
        .set    ErExceptionInformation, 0x20
        .set    EXCEPTION_UNWIND_FLAGS, 0x66
        .set    ExceptionContinueSearch, 1
        .set    ExceptionNestedException, 2
        .set    ExceptionCollidedUnwind, 3

        .text

/*
 * VOID RtlCaptureContext(PCONTEXT Context)
 *
 * The state as it will be right after the return. Changes no register but the flags it restores.
 */
        .globl  RtlCaptureContext
        .def    RtlCaptureContext; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc RtlCaptureContext
RtlCaptureContext:
        pushfq
        .seh_stackalloc 8
        .seh_endprologue
        mov     [rcx + CxRax], rax
        mov     [rcx + CxRcx], rcx
        mov     [rcx + CxRdx], rdx
        mov     [rcx + CxRbx], rbx
        mov     [rcx + CxRbp], rbp
        mov     [rcx + CxRsi], rsi
        mov     [rcx + CxRdi], rdi
        mov     [rcx + CxR8], r8
        mov     [rcx + CxR9], r9
        mov     [rcx + CxR10], r10
        mov     [rcx + CxR11], r11
        mov     [rcx + CxR12], r12
        mov     [rcx + CxR13], r13
        mov     [rcx + CxR14], r14
        mov     [rcx + CxR15], r15
        fxsave  [rcx + CxFltSave]
        stmxcsr [rcx + CxMxCsr]
        mov     word ptr [rcx + CxSegCs], cs
        mov     word ptr [rcx + CxSegDs], ds
        mov     word ptr [rcx + CxSegEs], es
        mov     word ptr [rcx + CxSegFs], fs
        mov     word ptr [rcx + CxSegGs], gs
        mov     word ptr [rcx + CxSegSs], ss
        mov     eax, [rsp]
        mov     [rcx + CxEFlags], eax
        mov     rax, [rsp + 8]
        mov     [rcx + CxRip], rax
        lea     rax, [rsp + 16]
        mov     [rcx + CxRsp], rax
        mov     dword ptr [rcx + CxContextFlags], CONTEXT_FULL_AND_SEGMENTS
        mov     rax, [rcx + CxRax]
        add     rsp, 8
        ret
        .seh_endproc

/*
 * DECLSPEC_NORETURN VOID RtlpRestoreContext(PCONTEXT Context)
 *
 * One iretq switches rip, rsp and the flags at once: nothing is written to the target's stack. The x87
 * registers are left alone, as they are volatile.
 */
        .globl  RtlpRestoreContext
        .def    RtlpRestoreContext; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc RtlpRestoreContext
RtlpRestoreContext:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        test    byte ptr [rcx + CxContextFlags], CONTEXT_FLOATING_POINT_BIT
        jz      1f
        ldmxcsr [rcx + CxMxCsr]
        movups  xmm0, [rcx + CxXmm0]
        movups  xmm1, [rcx + CxXmm0 + 0x10]
        movups  xmm2, [rcx + CxXmm0 + 0x20]
        movups  xmm3, [rcx + CxXmm0 + 0x30]
        movups  xmm4, [rcx + CxXmm0 + 0x40]
        movups  xmm5, [rcx + CxXmm0 + 0x50]
        movups  xmm6, [rcx + CxXmm0 + 0x60]
        movups  xmm7, [rcx + CxXmm0 + 0x70]
        movups  xmm8, [rcx + CxXmm0 + 0x80]
        movups  xmm9, [rcx + CxXmm0 + 0x90]
        movups  xmm10, [rcx + CxXmm0 + 0xA0]
        movups  xmm11, [rcx + CxXmm0 + 0xB0]
        movups  xmm12, [rcx + CxXmm0 + 0xC0]
        movups  xmm13, [rcx + CxXmm0 + 0xD0]
        movups  xmm14, [rcx + CxXmm0 + 0xE0]
        movups  xmm15, [rcx + CxXmm0 + 0xF0]
1:
        movzx   eax, word ptr [rcx + CxSegSs]
        mov     [rsp + 0x20], rax
        mov     rax, [rcx + CxRsp]
        mov     [rsp + 0x18], rax
        mov     eax, [rcx + CxEFlags]
        mov     [rsp + 0x10], rax
        movzx   eax, word ptr [rcx + CxSegCs]
        mov     [rsp + 0x08], rax
        mov     rax, [rcx + CxRip]
        mov     [rsp], rax
        mov     rax, [rcx + CxRax]
        mov     rdx, [rcx + CxRdx]
        mov     rbx, [rcx + CxRbx]
        mov     rbp, [rcx + CxRbp]
        mov     rsi, [rcx + CxRsi]
        mov     rdi, [rcx + CxRdi]
        mov     r8, [rcx + CxR8]
        mov     r9, [rcx + CxR9]
        mov     r10, [rcx + CxR10]
        mov     r11, [rcx + CxR11]
        mov     r12, [rcx + CxR12]
        mov     r13, [rcx + CxR13]
        mov     r14, [rcx + CxR14]
        mov     r15, [rcx + CxR15]
        mov     rcx, [rcx + CxRcx]
        iretq
        .seh_endproc

/*
 * EXCEPTION_DISPOSITION RtlpExecuteHandlerForException(Record, EstablisherFrame, Context, Dispatcher)
 *
 * The dispatcher context's address is kept at a fixed place of the frame, where the handler below finds it.
 */
        .globl  RtlpExecuteHandlerForException
        .def    RtlpExecuteHandlerForException; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc RtlpExecuteHandlerForException
        .seh_handler RtlpExceptionHandler, @unwind, @except
RtlpExecuteHandlerForException:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        mov     [rsp + 0x20], r9
        call    [r9 + DcLanguageHandler]
        nop
        add     rsp, 0x28
        ret
        .seh_endproc

/* A filter raised an exception: tell the new dispatch how far the old one had come. */
        .def    RtlpExceptionHandler; .scl 3; .type 32; .endef
        .p2align 4
RtlpExceptionHandler:
        mov     eax, ExceptionContinueSearch
        test    dword ptr [rcx + ErExceptionFlags], EXCEPTION_UNWIND_FLAGS
        jnz     1f
        mov     rax, [rdx + 0x20]
        mov     rax, [rax + DcEstablisherFrame]
        mov     [r9 + DcEstablisherFrame], rax
        mov     eax, ExceptionNestedException
1:
        ret

/*
 * EXCEPTION_DISPOSITION RtlpExecuteHandlerForUnwind(Record, EstablisherFrame, Context, Dispatcher)
 */
        .globl  RtlpExecuteHandlerForUnwind
        .def    RtlpExecuteHandlerForUnwind; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc RtlpExecuteHandlerForUnwind
        .seh_handler RtlpUnwindHandler, @unwind, @except
RtlpExecuteHandlerForUnwind:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        mov     [rsp + 0x20], r9
        call    [r9 + DcLanguageHandler]
        nop
        add     rsp, 0x28
        ret
        .seh_endproc

/* A termination handler raised or unwound: hand the interrupted unwind over, all but its target. */
        .def    RtlpUnwindHandler; .scl 3; .type 32; .endef
        .p2align 4
RtlpUnwindHandler:
        mov     rdx, [rdx + 0x20]
        mov     rax, [rdx + DcControlPc]
        mov     [r9 + DcControlPc], rax
        mov     rax, [rdx + DcImageBase]
        mov     [r9 + DcImageBase], rax
        mov     rax, [rdx + DcFunctionEntry]
        mov     [r9 + DcFunctionEntry], rax
        mov     rax, [rdx + DcEstablisherFrame]
        mov     [r9 + DcEstablisherFrame], rax
        mov     rax, [rdx + DcContextRecord]
        mov     [r9 + DcContextRecord], rax
        mov     rax, [rdx + DcLanguageHandler]
        mov     [r9 + DcLanguageHandler], rax
        mov     rax, [rdx + DcHandlerData]
        mov     [r9 + DcHandlerData], rax
        mov     rax, [rdx + DcHistoryTable]
        mov     [r9 + DcHistoryTable], rax
        mov     rax, [rdx + DcScopeIndex]
        mov     [r9 + DcScopeIndex], rax        /* and Fill0, the kind of the pc */
        mov     eax, ExceptionCollidedUnwind
        ret

/*
 * DECLSPEC_NORETURN VOID RtlpConsolidateFrames(PCONTEXT Context, PEXCEPTION_RECORD Record)
 *
 * The frame as the unwinder sees it: home space, a copy of the context's registers where the unwind codes look
 * for the non-volatile ones, and a machine frame with the target's rip and rsp on top.
 *
 *      rsp + 0x000   home space
 *      rsp + 0x020   the core of the context (0x300 bytes)
 *      rsp + 0x320   machine frame: rip, cs, eflags, rsp, ss
 */
        .globl  RtlpConsolidateFrames
        .def    RtlpConsolidateFrames; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc RtlpConsolidateFrames
RtlpConsolidateFrames:
        .seh_pushframe
        sub     rsp, 0x350
        .seh_stackalloc 0x320
        and     rsp, -16
        .seh_savereg rbx, 0x20 + CxRbx
        .seh_savereg rbp, 0x20 + CxRbp
        .seh_savereg rsi, 0x20 + CxRsi
        .seh_savereg rdi, 0x20 + CxRdi
        .seh_savereg r12, 0x20 + CxR12
        .seh_savereg r13, 0x20 + CxR13
        .seh_savereg r14, 0x20 + CxR14
        .seh_savereg r15, 0x20 + CxR15
        .seh_savexmm xmm6, 0x20 + CxXmm0 + 0x60
        .seh_savexmm xmm7, 0x20 + CxXmm0 + 0x70
        .seh_savexmm xmm8, 0x20 + CxXmm0 + 0x80
        .seh_savexmm xmm9, 0x20 + CxXmm0 + 0x90
        .seh_savexmm xmm10, 0x20 + CxXmm0 + 0xA0
        .seh_savexmm xmm11, 0x20 + CxXmm0 + 0xB0
        .seh_savexmm xmm12, 0x20 + CxXmm0 + 0xC0
        .seh_savexmm xmm13, 0x20 + CxXmm0 + 0xD0
        .seh_savexmm xmm14, 0x20 + CxXmm0 + 0xE0
        .seh_savexmm xmm15, 0x20 + CxXmm0 + 0xF0
        .seh_endprologue
        mov     rsi, rcx
        lea     rdi, [rsp + 0x20]
        mov     ecx, CxCoreSize / 8
        cld
        rep movsq
        mov     rcx, rdx
        lea     rdx, [rsp + 0x20]
        mov     rax, [rdx + CxRip]
        mov     [rsp + 0x320], rax
        mov     rax, [rdx + CxRsp]
        mov     [rsp + 0x338], rax
        call    [rcx + ErExceptionInformation]
        lea     rcx, [rsp + 0x20]
        mov     [rcx + CxRip], rax
        call    RtlpRestoreContext
        int3
        .seh_endproc

/*
 * int _setjmp(jmp_buf Buffer, PVOID Frame), int _setjmpex(jmp_buf Buffer, PVOID Frame)
 *
 * Frame is the establisher frame of the caller, or zero if longjmp need not unwind.
 */
        .globl  _setjmp
        .globl  _setjmpex
        .def    _setjmp; .scl 2; .type 32; .endef
        .def    _setjmpex; .scl 2; .type 32; .endef
        .p2align 4
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
        .globl  longjmp
        .def    longjmp; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc longjmp
longjmp:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        call    RtlpLongJump
        int3
        .seh_endproc
