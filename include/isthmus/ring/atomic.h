/* SPDX-License-Identifier: MIT */
/*
 * The few atomic operations the ring needs, for clang and gcc (any system, C and C++) and for MSVC (user and kernel
 * mode). None calls a library. Part of isthmus_ring.h; include that.
 *
 * Loads must be loads: a peer's page is mapped read-only, and a compare-exchange used as a load (lock cmpxchg8b, the
 * usual way to read 64 bits on 32-bit x86) faults there. On 32-bit x86 the loads and stores below are SSE2 moves of
 * an aligned quadword, which the processor performs in one piece (Intel SDM volume 3, "Guaranteed Atomic Operations").
 */
#ifndef ISTHMUS_RING_ATOMIC_H
#define ISTHMUS_RING_ATOMIC_H

#if defined(_MSC_VER) && !defined(__clang__)
#define IST_RING_MSVC 1
#include <intrin.h>
#else
#define IST_RING_MSVC 0
#endif

#if IST_RING_MSVC
#define IST_RING_INLINE   static __forceinline
#define IST_RING_COLD     static __declspec(noinline)
#define IST_RING_LIKELY(x) (x)
#define IST_RING_LINE(n)  __declspec(align(n))
#else
#define IST_RING_INLINE   static inline __attribute__((always_inline, unused))
#define IST_RING_COLD     static __attribute__((noinline, cold, unused))
#define IST_RING_LIKELY(x) __builtin_expect(!!(x), 1)
#define IST_RING_LINE(n)  __attribute__((aligned(n)))
#endif

#if defined(__i386__) || defined(_M_IX86)
#if defined(_NTDDK_) || defined(_NTIFS_) || defined(_WDMDDK_) || defined(_NTDDK_INCLUDED_)
#error "isthmus_ring.h isn't for 32-bit x86 drivers: their kernel doesn't save the XMM registers that the ring uses."
#endif
#if !IST_RING_MSVC && !defined(__SSE2__)
#error "isthmus_ring.h on 32-bit x86 needs SSE2 (-msse2): 64-bit positions are read in one piece."
#endif
#include <emmintrin.h>
#define IST_RING_X86_32 1
#else
#define IST_RING_X86_32 0
#endif

#if defined(__x86_64__) || defined(_M_X64) || IST_RING_X86_32
#define IST_RING_X86 1
#else
#define IST_RING_X86 0
#endif

/* ---- Loads and stores ---------------------------------------------------------------------------------------- */

/* x86 orders loads with loads and stores with stores: acquire and release only have to stop the compiler there. */
#if IST_RING_MSVC && IST_RING_X86
#define IstCompilerFence() _ReadWriteBarrier()
#elif IST_RING_MSVC
#define IstCompilerFence() __dmb(_ARM64_BARRIER_ISH)
#elif IST_RING_X86
#define IstCompilerFence() __asm__ __volatile__("" ::: "memory")
#endif

IST_RING_INLINE UINT64 IstLoad64(const volatile UINT64 *Address)
{
#if IST_RING_X86_32 && IST_RING_MSVC
    UINT64 value;
    _ReadWriteBarrier(); /* the intrinsic isn't volatile: the compiler must neither repeat nor move it */
    _mm_storel_epi64((__m128i *)&value, _mm_loadl_epi64((const __m128i *)(UINT_PTR)Address));
    _ReadWriteBarrier();
    return value;
#elif IST_RING_X86_32
    __m128i move;
    UINT64 value;
    __asm__ __volatile__("movq %1, %0" : "=x"(move) : "m"(*Address));
    _mm_storel_epi64((__m128i *)(void *)&value, move);
    return value;
#elif IST_RING_MSVC
    return *Address;
#else
    return __atomic_load_n(Address, __ATOMIC_RELAXED);
#endif
}

IST_RING_INLINE void IstStore64(volatile UINT64 *Address, UINT64 Value)
{
#if IST_RING_X86_32 && IST_RING_MSVC
    _ReadWriteBarrier();
    _mm_storel_epi64((__m128i *)(UINT_PTR)Address, _mm_loadl_epi64((const __m128i *)&Value));
    _ReadWriteBarrier();
#elif IST_RING_X86_32
    __m128i move = _mm_loadl_epi64((const __m128i *)(const void *)&Value);
    __asm__ __volatile__("movq %1, %0" : "=m"(*Address) : "x"(move));
#elif IST_RING_MSVC
    *Address = Value;
#else
    __atomic_store_n(Address, Value, __ATOMIC_RELAXED);
#endif
}

IST_RING_INLINE UINT64 IstLoadAcquire64(const volatile UINT64 *Address)
{
#if IST_RING_X86_32 || IST_RING_MSVC
    UINT64 value = IstLoad64(Address);
    IstCompilerFence();
    return value;
#else
    return __atomic_load_n(Address, __ATOMIC_ACQUIRE);
#endif
}

IST_RING_INLINE void IstStoreRelease64(volatile UINT64 *Address, UINT64 Value)
{
#if IST_RING_X86_32 || IST_RING_MSVC
    IstCompilerFence();
    IstStore64(Address, Value);
#else
    __atomic_store_n(Address, Value, __ATOMIC_RELEASE);
#endif
}

IST_RING_INLINE UINT32 IstLoadAcquire32(const volatile UINT32 *Address)
{
#if IST_RING_MSVC
    UINT32 value = *Address;
    IstCompilerFence();
    return value;
#else
    return __atomic_load_n(Address, __ATOMIC_ACQUIRE);
#endif
}

IST_RING_INLINE void IstStoreRelease32(volatile UINT32 *Address, UINT32 Value)
{
#if IST_RING_MSVC
    IstCompilerFence();
    *Address = Value;
#else
    __atomic_store_n(Address, Value, __ATOMIC_RELEASE);
#endif
}

/* ---- Read-modify-write, sequentially consistent; on x86 each is also a full fence ----------------------------- */

/* TRUE (1): *Address was *Expected and is now Value. FALSE (0): *Expected is what was there. */
IST_RING_INLINE int IstCompareExchange64(volatile UINT64 *Address, UINT64 *Expected, UINT64 Value)
{
#if IST_RING_MSVC
    UINT64 seen =
        (UINT64)_InterlockedCompareExchange64((volatile __int64 *)Address, (__int64)Value, (__int64)*Expected);
    int done = seen == *Expected;
    *Expected = seen;
    return done;
#else
    return __atomic_compare_exchange_n(Address, Expected, Value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
}

IST_RING_INLINE UINT64 IstExchange64(volatile UINT64 *Address, UINT64 Value)
{
    UINT64 seen = IstLoad64(Address);

    while (!IstCompareExchange64(Address, &seen, Value))
    {
    }
    return seen;
}

IST_RING_INLINE void IstAdd64(volatile UINT64 *Address, UINT64 Value)
{
#if IST_RING_MSVC || IST_RING_X86_32
    UINT64 seen = IstLoad64(Address);
    while (!IstCompareExchange64(Address, &seen, seen + Value))
    {
    }
#else
    __atomic_fetch_add(Address, Value, __ATOMIC_RELAXED);
#endif
}

/* Adds to what only this side writes, so without interlock; others read the old value or the new one. */
IST_RING_INLINE void IstCount64(volatile UINT64 *Counter, UINT64 Value)
{
    IstStore64(Counter, IstLoad64(Counter) + Value);
}

IST_RING_INLINE void IstXor64(volatile UINT64 *Address, UINT64 Value)
{
#if IST_RING_MSVC || IST_RING_X86_32
    UINT64 seen = IstLoad64(Address);
    while (!IstCompareExchange64(Address, &seen, seen ^ Value))
    {
    }
#else
    __atomic_fetch_xor(Address, Value, __ATOMIC_SEQ_CST);
#endif
}

/* ---- Fences -------------------------------------------------------------------------------------------------- */

/* Orders everything before with everything after, store before load included: the one thing x86 reorders. */
IST_RING_INLINE void IstFenceFull(void)
{
#if IST_RING_MSVC && defined(_M_X64)
    __faststorefence();
#elif IST_RING_MSVC && defined(_M_IX86)
    long unused = 0;
    _InterlockedOr(&unused, 0);
#elif IST_RING_MSVC
    __dmb(_ARM64_BARRIER_ISH);
#elif defined(__x86_64__)
    /* A locked operation on the stack costs about half of mfence and orders ordinary memory just as well. */
    __asm__ __volatile__("lock; orl $0, -4(%%rsp)" ::: "memory", "cc");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* After a sequentially consistent read-modify-write: nothing left to do on x86. */
IST_RING_INLINE void IstFenceAfterExchange(void)
{
#if IST_RING_X86
    IstCompilerFence();
#else
    IstFenceFull();
#endif
}

/* Loads before it stay before loads and stores after it. */
IST_RING_INLINE void IstFenceAcquire(void)
{
#if IST_RING_X86 || IST_RING_MSVC
    IstCompilerFence();
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* Loads and stores before it stay before stores after it. */
IST_RING_INLINE void IstFenceRelease(void)
{
#if IST_RING_X86 || IST_RING_MSVC
    IstCompilerFence();
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* ---- Processor ----------------------------------------------------------------------------------------------- */

/* Tells the processor that this is a spin loop. */
IST_RING_INLINE void IstPause(void)
{
#if IST_RING_MSVC && IST_RING_X86
    _mm_pause();
#elif IST_RING_MSVC
    __yield();
#elif IST_RING_X86
    __asm__ __volatile__("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

/*
 * Hints that a line will soon be read, or written; see ahead.h. PREFETCHW fetches the line for writing, PREFETCHT0 would
 * fetch it twice. It is spelled out because gcc gives PREFETCHT0 unless told of the processor; every processor that
 * runs 64-bit Windows 8.1 or later has it ("Windows 8.1 system requirements", PrefetchW). 32-bit programs may meet
 * older ones and take what the compiler gives.
 */
#if IST_RING_MSVC && IST_RING_X86
#define IstPrefetch(Address) _mm_prefetch((const char *)(Address), _MM_HINT_T0)
#elif IST_RING_MSVC
#define IstPrefetch(Address) __prefetch((const void *)(Address))
#else
#define IstPrefetch(Address) __builtin_prefetch((Address), 0, 3)
#endif
#if IST_RING_MSVC && IST_RING_X86_32
#define IstPrefetchWrite(Address) IstPrefetch(Address)
#elif IST_RING_MSVC && IST_RING_X86
#define IstPrefetchWrite(Address) _m_prefetchw((const volatile void *)(Address))
#elif IST_RING_MSVC
#define IstPrefetchWrite(Address) __prefetch2((const void *)(Address), 16)
#elif IST_RING_X86 && !IST_RING_X86_32
#define IstPrefetchWrite(Address) __asm__ __volatile__("prefetchw %0" : : "m"(*(const UINT8 *)(Address)))
#else
#define IstPrefetchWrite(Address) __builtin_prefetch((Address), 1, 3)
#endif

/* Number of one bits from bit 0 up to the first zero; 64 if there is none. */
IST_RING_INLINE UINT32 IstTrailingOnes64(UINT64 Word)
{
    UINT64 zeros = ~Word;

    if (zeros == 0)
    {
        return 64;
    }
#if IST_RING_MSVC && defined(_WIN64)
    {
        unsigned long index;
        _BitScanForward64(&index, zeros);
        return (UINT32)index;
    }
#elif IST_RING_MSVC
    {
        unsigned long index;
        if (_BitScanForward(&index, (unsigned long)zeros))
        {
            return (UINT32)index;
        }
        _BitScanForward(&index, (unsigned long)(zeros >> 32));
        return (UINT32)index + 32;
    }
#else
    return (UINT32)__builtin_ctzll(zeros);
#endif
}

#endif
