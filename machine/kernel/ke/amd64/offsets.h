/* SPDX-License-Identifier: MIT */
/*
 * Offsets that assembly code uses. C asserts each of them (amd64/cpu.c), so that a changed structure
 * is a compile error and not a crash.
 */
#pragma once

/* KTRAP_FRAME */
#define KTF_XMM 0x020
#define KTF_RAX 0x120
#define KTF_RCX 0x128
#define KTF_RDX 0x130
#define KTF_RBX 0x138
#define KTF_RBP 0x140
#define KTF_RSI 0x148
#define KTF_RDI 0x150
#define KTF_R8 0x158
#define KTF_R9 0x160
#define KTF_R10 0x168
#define KTF_R11 0x170
#define KTF_R12 0x178
#define KTF_R13 0x180
#define KTF_R14 0x188
#define KTF_R15 0x190
#define KTF_MXCSR 0x198
#define KTF_FLAGS 0x19C
#define KTF_VECTOR 0x1B8
#define KTF_ERROR 0x1C0
#define KTF_RIP 0x1C8
#define KTF_CS 0x1D0
#define KTF_RFLAGS 0x1D8
#define KTF_RSP 0x1E0
#define KTF_SS 0x1E8
#define KTF_SIZE 0x1F0

/* KTRAP_FRAME.Flags */
#define KTF_FLAG_FULL 1  /* registers were replaced: every one is loaded from the frame, return by iretq */
#define KTF_FLAG_FLOAT 2 /* the x87 state in KTHREAD.UserFloatSave is loaded too */

/* KPCR and KPRCB, from gs */
#define PCR_USER_RSP 0x010
#define PCR_MXCSR 0x180
#define PCR_CURRENT_THREAD 0x188
#define PCR_RSP_BASE 0x1A8

/* KTHREAD */
#define KTHREAD_KERNEL_STACK 64
#define KTHREAD_PREVIOUS_MODE 96
#define KTHREAD_COMBINED_APC_DISABLE 428
#define KTHREAD_APC_STATE_INDEX 528
#define KTHREAD_USER_APC_PENDING 474
#define KTHREAD_FLOAT_SAVE 744
#define KTHREAD_USER_FLOAT_SAVE 768

/* MSRs */
#define KI_MSR_GS_BASE 0xC0000101
