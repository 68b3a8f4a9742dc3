/* SPDX-License-Identifier: MIT */
/*
 * What structured exception handling asks of its surroundings. The kernel (ke, ldr) and ntdll each define
 * these functions; the native tests bring their own.
 *
 * One more thing is asked, of the code that calls RtlDispatchException for a fault: the frames between it and the
 * faulting code must be unwindable, because a handler's unwind starts inside the dispatch and goes up to the handler.
 *
 *      function with the __except      <- target of the unwind
 *      function that faulted
 *      trap entry                      <- .seh_pushframe, .seh_stackalloc, and .seh_savereg for every non-volatile
 *      ...                                register that it overwrites; for ntdll!KiUserExceptionDispatcher that is
 *      RtlDispatchException               all of them, saved in the CONTEXT
 *      __C_specific_handler
 *      RtlUnwindEx
 */
#ifndef ISTHMUS_SEHHOOKS_H
#define ISTHMUS_SEHHOOKS_H

/**
 * Finds the loaded image that covers an address.
 *
 * Called on every step of every unwind, also with addresses taken from damaged stacks. Must not fault, wait or
 * raise; in the kernel it runs at any IRQL and while a blue screen is drawn, so it may at most take a lock that
 * is never held across a fault. A kernel implementation answers for kernel addresses only: it must never return
 * an image in user space.
 *
 * @param Pc    any address
 * @param Base  receives the image's first address; its headers are readable there
 * @param Size  receives SizeOfImage in bytes
 * @return FALSE if no image covers Pc
 */
BOOLEAN RtlpFindImage(_In_ PVOID Pc, _Out_ PVOID *Base, _Out_ PULONG Size);

/**
 * Gives the bounds of the stack that the caller runs on now.
 *
 * Kernel: the thread's kernel stack, or the DPC or exception stack of this processor if the stack pointer lies
 * there. ntdll: Low is the lowest address the stack may ever grow to (TEB.DeallocationStack), unless the stack
 * limit in the TEB is kept exact while the guard page moves; High is TEB.NtTib.StackBase.
 *
 * @param Low   receives the lowest valid address
 * @param High  receives the address behind the highest valid byte
 *
 * IRQL: any. Must not fail: an unknown stack is answered with Low = High = 0, and no frame is then in bounds.
 */
VOID RtlpGetStackLimits(_Out_ PULONG_PTR Low, _Out_ PULONG_PTR High);

/**
 * Takes an exception that was raised by software and that no handler took (second chance).
 *
 * Kernel: KMODE_EXCEPTION_NOT_HANDLED or the code that fits the thread. ntdll: NtRaiseException(ExceptionRecord,
 * Context, FALSE), and if that returns, ends the process with the status.
 *
 * @param ExceptionRecord  the exception; EXCEPTION_STACK_INVALID in its flags tells that the walk met a bad frame
 * @param Context          the state of the code that raised it
 */
DECLSPEC_NORETURN VOID RtlpUnhandledException(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context);

#if defined(RTL_USER_MODE)

/**
 * Runs the vectored exception handlers, before any frame is looked at.
 *
 * @return TRUE if one answered EXCEPTION_CONTINUE_EXECUTION
 */
BOOLEAN RtlpCallVectoredHandlers(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context);

/**
 * Runs the vectored continue handlers, after a handler asked to continue at Context.
 */
VOID RtlpCallContinueHandlers(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context);

#endif /* RTL_USER_MODE */

#endif /* ISTHMUS_SEHHOOKS_H */
