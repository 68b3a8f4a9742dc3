/* SPDX-License-Identifier: MIT */
/*
 * The unwinder on made-up and on damaged images. (That it is right on real code is tested by seh/host.c, against the
 * processor.) Images and stacks are exact heap blocks, so that the sanitizer sees a single byte too many.
 */
#include "rtltest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pe.h"
#include "unwindp.h"

static UCHAR *Base;
static ULONG Size;
static const char *GuestPath;

BOOLEAN RtlpFindImage(PVOID Pc, PVOID *ImageBase, PULONG ImageSize)
{
    *ImageBase = Base;
    *ImageSize = Size;
    return (ULONG_PTR)Pc - (ULONG_PTR)Base < Size;
}

static NTSTATUS Raised;
static jmp_buf RaisedTo;

DECLSPEC_NORETURN VOID RtlRaiseStatus(NTSTATUS Status)
{
    Raised = Status;
    longjmp(RaisedTo, 1);
}

/* ---- a small image, made by hand ---- */

#define CODE 0x400
#define XDATA 0x600
#define PDATA 0x700
#define IMAGE 0x800
#define STACK 64 /* in quadwords */

static ULONG64 *Stack;

static int MakeImage(void **State)
{
    PIMAGE_NT_HEADERS64 Nt;

    (void)State;
    Size = IMAGE;
    Base = calloc(1, Size);
    Stack = calloc(STACK, sizeof(ULONG64));
    ((PIMAGE_DOS_HEADER)Base)->e_magic = IMAGE_DOS_SIGNATURE;
    ((PIMAGE_DOS_HEADER)Base)->e_lfanew = 0x80;
    Nt = (PIMAGE_NT_HEADERS64)(Base + 0x80);
    Nt->Signature = IMAGE_NT_SIGNATURE;
    Nt->OptionalHeader.Magic = IMAGE_NT_OPTIONAL_HDR64_MAGIC;
    Nt->OptionalHeader.NumberOfRvaAndSizes = 16;
    Nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].VirtualAddress = PDATA;
    Nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].Size = 2 * sizeof(RUNTIME_FUNCTION);
    host_memset(Base + CODE, 0x90, 0x100);
    *((PRUNTIME_FUNCTION)(Base + PDATA) + 1) = (RUNTIME_FUNCTION){CODE + 0x180, CODE + 0x190, XDATA}; /* sorted */
    return 0;
}

static int FreeImage(void **State)
{
    (void)State;
    free(Base);
    free(Stack);
    return 0;
}

static PRUNTIME_FUNCTION Entry(ULONG Index, ULONG Begin, ULONG End, ULONG UnwindData)
{
    PRUNTIME_FUNCTION Function = (PRUNTIME_FUNCTION)(Base + PDATA) + Index;

    Function->BeginAddress = Begin;
    Function->EndAddress = End;
    Function->UnwindData = UnwindData;
    return Function;
}

static void Put(ULONG Rva, const char *Bytes, ULONG Length)
{
    host_memcpy(Base + Rva, Bytes, Length);
}

static NTSTATUS Unwind(PCONTEXT Context, ULONG Rva, PRTLP_FRAME Frame, PKNONVOLATILE_CONTEXT_POINTERS Pointers)
{
    ULONG Index;

    host_memset(Frame, 0, sizeof(*Frame));
    host_memset(Context, 0, sizeof(*Context));
    for (Index = 0; Index < STACK; Index += 1)
    {
        Stack[Index] = 0x1000 + Index;
    }

    Context->Rip = (ULONG64)(Base + Rva);
    Context->Rsp = (ULONG64)Stack;
    Context->Rbp = (ULONG64)&Stack[32];
    Frame->Context = Context;
    Frame->Pointers = Pointers;
    Frame->StackLow = (ULONG64)Stack;
    Frame->StackHigh = (ULONG64)(Stack + STACK);
    RtlpFindFrameCode(Frame, Context->Rip);
    return RtlpUnwindFrame(Frame, UNW_FLAG_EHANDLER);
}

static void TestLeafAndLookup(void **State)
{
    CONTEXT Context;
    RTLP_FRAME Frame;
    ULONG64 ImageBase;
    PVOID Header;

    (void)State;
    Entry(0, CODE, CODE + 0x10, XDATA);
    Entry(1, CODE + 0x20, CODE + 0x30, XDATA);
    assert_non_null(RtlLookupFunctionEntry((ULONG64)Base + CODE, &ImageBase, NULL));
    assert_non_null(RtlLookupFunctionEntry((ULONG64)Base + CODE + 0x2F, &ImageBase, NULL));
    assert_null(RtlLookupFunctionEntry((ULONG64)Base + CODE + 0x10, &ImageBase, NULL));
    assert_int_equal(ImageBase, (ULONG64)Base);
    assert_null(RtlLookupFunctionEntry((ULONG64)Base - 1, &ImageBase, NULL));
    assert_int_equal(ImageBase, 0);
    assert_ptr_equal(RtlPcToFileHeader(Base + CODE, &Header), Base);
    assert_null(RtlPcToFileHeader(Base + IMAGE, &Header));
    /* A leaf's frame is rsp before the return address is popped. */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x15, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Frame.Establisher, (ULONG64)Stack);
    assert_int_equal(Context.Rip, 0x1000);
    assert_int_equal(Context.Rsp, (ULONG64)(Stack + 1));
}

/* push rbp; push rbx; sub rsp, 0x20; mov [rsp+8], rsi; movaps [rsp+0x10], xmm7 */
static void TestPrologue(void **State)
{
    static const UCHAR Info[] = {1 | UNW_FLAG_EHANDLER << 3, 16, 6, 0, 16, 0x78, 1, 0, 11, 0x64, 1, 0,
                                 6, 0x32, 2, 0x30};
    CONTEXT Context;
    RTLP_FRAME Frame;
    KNONVOLATILE_CONTEXT_POINTERS Pointers = {0};

    (void)State;
    Entry(0, CODE, CODE + 0x40, XDATA);
    Put(XDATA, (const char *)Info, sizeof(Info));
    *(PULONG)(Base + XDATA + 16) = CODE + 0x80; /* the handler */
    *(PULONG)(Base + XDATA + 20) = 0x12345678;  /* its data */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x20, &Frame, &Pointers), STATUS_SUCCESS);
    assert_int_equal(Frame.Establisher, (ULONG64)Stack);
    assert_int_equal(Context.Rsi, 0x1001);
    assert_int_equal(Context.Xmm7.Low, 0x1002);
    assert_int_equal(Context.Xmm7.High, 0x1003);
    assert_int_equal(Context.Rbx, 0x1004);
    assert_int_equal(Context.Rip, 0x1005);
    assert_int_equal(Context.Rsp, (ULONG64)(Stack + 6));
    assert_ptr_equal(Frame.Handler, Base + CODE + 0x80);
    assert_int_equal(*(PULONG)Frame.HandlerData, 0x12345678);
    assert_ptr_equal(Pointers.IntegerContext[6], &Stack[1]);
    assert_ptr_equal(Pointers.IntegerContext[3], &Stack[4]);
    assert_ptr_equal(Pointers.FloatingContext[7], &Stack[2]);
    /* In the middle of the prologue only what has run is undone, and no handler is reported. */
    ASSERT_STATUS(Unwind(&Context, CODE + 6, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rsi, 0);
    assert_int_equal(Context.Rbx, 0x1004);
    assert_null(Frame.Handler);
    ASSERT_STATUS(Unwind(&Context, CODE + 2, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rbx, 0x1000);
    assert_int_equal(Context.Rip, 0x1001);
    ASSERT_STATUS(Unwind(&Context, CODE, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rbx, 0);
    assert_int_equal(Context.Rip, 0x1000);
}

static void TestMachineFrame(void **State)
{
    static const UCHAR Plain[] = {1, 4, 2, 0, 4, 0x02, 0, 0x0A};
    static const UCHAR WithCode[] = {1, 4, 2, 0, 4, 0x02, 0, 0x1A};
    CONTEXT Context;
    RTLP_FRAME Frame;

    (void)State;
    Entry(0, CODE, CODE + 0x40, XDATA);
    Put(XDATA, (const char *)Plain, sizeof(Plain));
    ASSERT_STATUS(Unwind(&Context, CODE + 0x20, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1001);
    assert_int_equal(Context.Rsp, 0x1004);
    assert_true(Frame.MachineFrame);
    Put(XDATA, (const char *)WithCode, sizeof(WithCode));
    ASSERT_STATUS(Unwind(&Context, CODE + 0x20, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1002);
    assert_int_equal(Context.Rsp, 0x1005);
}

/* Far saves, a large allocation, a frame register with an offset. */
static void TestFarAndFrameRegister(void **State)
{
    static const UCHAR Info[] = {1, 20, 10, 5 | 1 << 4, /* rbp = rsp + 16 */
                                 20, 0x89, 0x20, 0, 0, 0, /* xmm8 at 0x20, far */
                                 18, 0xC5, 0x18, 0, 0, 0, /* r12 at 0x18, far */
                                 14, 0x53,                /* set rbp */
                                 10, 0x11, 0x40, 0, 0, 0}; /* alloc 0x40, 32 bits */
    CONTEXT Context;
    RTLP_FRAME Frame;

    (void)State;
    Entry(0, CODE, CODE + 0x40, XDATA);
    Put(XDATA, (const char *)Info, sizeof(Info));
    ASSERT_STATUS(Unwind(&Context, CODE + 0x20, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Frame.Establisher, (ULONG64)&Stack[30]);
    assert_int_equal(Context.Xmm8.Low, 0x1000 + 34);
    assert_int_equal(Context.R12, 0x1000 + 33);
    assert_int_equal(Context.Rip, 0x1000 + 38);
    /* Before the frame register is set, rsp is the frame. */
    ASSERT_STATUS(Unwind(&Context, CODE + 12, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Frame.Establisher, (ULONG64)Stack);
    assert_int_equal(Context.Rip, 0x1008);
}

/* Version 2: epilogues are only where the information says. */
static void TestVersion2(void **State)
{
    /* size 2, one at the end (flag 1), one that begins 0x20 before the end; then push rbx */
    static const UCHAR Info[] = {2, 1, 3, 0, 2, 0x16, 0x20, 0x06, 1, 0x30, 0, 0};
    CONTEXT Context;
    RTLP_FRAME Frame;

    (void)State;
    Entry(0, CODE, CODE + 0x40, XDATA);
    Put(XDATA, (const char *)Info, sizeof(Info));
    Put(CODE + 0x10, "\x5B\xC3", 2); /* looks like an epilogue, but is not listed */
    Put(CODE + 0x20, "\x5B\xC3", 2);
    Put(CODE + 0x3E, "\x5B\xC3", 2);
    ASSERT_STATUS(Unwind(&Context, CODE + 0x11, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1001); /* body */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x21, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1000); /* at the ret */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x3F, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1000);
    ASSERT_STATUS(Unwind(&Context, CODE + 0x3E, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1001);
    assert_int_equal(Context.Rbx, 0x1000);
}

/* Every form of an epilogue, from its first instruction. */
static void TestEpilogues(void **State)
{
    static const struct
    {
        const char *Bytes;
        ULONG Length;
        LONG Slot; /* of the return address; -1: no epilogue, the body's unwind (slot 1) applies */
    } Cases[] = {
        {"\xC3", 1, 0},
        {"\xF3\xC3", 2, 0},
        {"\xC2\x10\x00", 3, 0},
        {"\x5B\xC3", 2, 1},
        {"\x41\x5F\x5B\xC3", 4, 2},
        {"\x48\x83\xC4\x18\x5B\xC3", 6, 4},
        {"\x48\x81\xC4\x18\x00\x00\x00\xC3", 8, 3},
        {"\x48\x83\xC4\x08\x48\xFF\xE0", 7, 1}, /* rex.w jmp rax */
        {"\x5B\xFF\x25\x00\x00\x00\x00", 7, 1}, /* jmp [rip] */
        {"\x5B\xE9\x00\x01\x00\x00", 6, 1},     /* out of the function */
        {"\x5B\xEB\xBD", 3, 1},                 /* to its first instruction: it calls itself */
        {"\x5B\xEB\x02", 3, -1},                /* inside the function */
        {"\x5B\xFF\xE0", 3, -1},                /* a plain jump through a register is a switch */
        {"\x48\x83\xC4\xF8\xC3", 5, -1},        /* rsp goes down */
        {"\x5B\x48\x83\xC4\x08\xC3", 6, -1},    /* not first */
        {"\x5C\xC3", 2, -1},                    /* pop rsp */
        {"\x48\x8D\x65\x08\xC3", 5, -1},        /* lea rsp, [rbp+8] without a frame register */
        {"\x5B", 1, -1},                        /* runs out of the function */
        {"\x90\xC3", 2, -1},
    };
    static const UCHAR Info[] = {1, 1, 1, 0, 1, 0x30, 0, 0};
    ULONG Index;

    (void)State;
    Put(XDATA, (const char *)Info, sizeof(Info));
    for (Index = 0; Index < RTL_NUMBER_OF(Cases); Index += 1)
    {
        CONTEXT Context;
        RTLP_FRAME Frame;

        host_memset(Base + CODE, 0x90, 0x100);
        Put(CODE + 0x40, Cases[Index].Bytes, Cases[Index].Length);
        Entry(0, CODE, CODE + 0x40 + Cases[Index].Length + (Cases[Index].Length == 1 ? 0 : 8), XDATA);
        ASSERT_STATUS(Unwind(&Context, CODE + 0x40, &Frame, NULL), STATUS_SUCCESS);
        if (Context.Rip != 0x1000 + (ULONG64)(Cases[Index].Slot < 0 ? 1 : Cases[Index].Slot))
        {
            fail_msg("case %u: rip %llx", (unsigned)Index, Context.Rip);
        }
    }
}

static void TestEpilogueWithFrameRegister(void **State)
{
    static const UCHAR Info[] = {1, 4, 1, 5, 4, 0x53, 0, 0};
    static const UCHAR R13[] = {1, 4, 1, 13, 4, 0x53, 0, 0};
    CONTEXT Context;
    RTLP_FRAME Frame;

    (void)State;
    Entry(0, CODE, CODE + 0x80, XDATA);
    Put(XDATA, (const char *)Info, sizeof(Info));
    Put(CODE + 0x40, "\x48\x8D\x65\x10\x5D\xC3", 6); /* lea rsp, [rbp+16]; pop rbp; ret */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x40, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rbp, 0x1000 + 34);
    assert_int_equal(Context.Rip, 0x1000 + 35);
    Put(CODE + 0x40, "\x48\x8D\xA5\x00\x01\x00\x00\xC3", 8); /* a 32-bit displacement, off the stack */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x40, &Frame, NULL), STATUS_BAD_STACK);
    Put(XDATA, (const char *)R13, sizeof(R13));
    Put(CODE + 0x40, "\x49\x8D\x65\x00\xC3", 5); /* lea rsp, [r13]: r13 is zero here */
    ASSERT_STATUS(Unwind(&Context, CODE + 0x40, &Frame, NULL), STATUS_BAD_STACK);
}

static void TestChains(void **State)
{
    static const UCHAR First[] = {1, 1, 1, 0, 1, 0x30, 0, 0};
    static const UCHAR Chained[] = {1 | UNW_FLAG_CHAININFO << 3, 1, 1, 0, 1, 0x60, 0, 0};
    CONTEXT Context;
    RTLP_FRAME Frame;
    PRUNTIME_FUNCTION Parent;

    (void)State;
    Entry(0, CODE, CODE + 0x20, XDATA);
    Entry(1, CODE + 0x20, CODE + 0x40, XDATA + 0x20);
    Put(XDATA, (const char *)First, sizeof(First));
    Put(XDATA + 0x20, (const char *)Chained, sizeof(Chained));
    Parent = (PRUNTIME_FUNCTION)(Base + XDATA + 0x28);
    *Parent = (RUNTIME_FUNCTION){CODE, CODE + 0x20, XDATA};
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rsi, 0x1000);
    assert_int_equal(Context.Rbx, 0x1001);
    assert_int_equal(Context.Rip, 0x1002);
    /* A jump into the other region is inside the function; one to its start is not. */
    Put(CODE + 0x30, "\xE9\xDB\xFF\xFF\xFF", 5);
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1002);
    Put(CODE + 0x30, "\xE9\xCB\xFF\xFF\xFF", 5);
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_SUCCESS);
    assert_int_equal(Context.Rip, 0x1000);
    host_memset(Base + CODE + 0x30, 0x90, 8);
    /* A chain that leads back to itself, and ones that leave the image. */
    *Parent = (RUNTIME_FUNCTION){CODE + 0x20, CODE + 0x40, XDATA + 0x20};
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_BAD_FUNCTION_TABLE);
    *Parent = (RUNTIME_FUNCTION){CODE, CODE + 0x20, IMAGE};
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_BAD_FUNCTION_TABLE);
    *Parent = (RUNTIME_FUNCTION){CODE, CODE + 0x20, 0xFFFFFFFC};
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_BAD_FUNCTION_TABLE);
    Entry(1, CODE + 0x20, CODE + 0x40, IMAGE - 4); /* its codes and its parent lie outside */
    Put(IMAGE - 4, (const char *)Chained, 4);
    ASSERT_STATUS(Unwind(&Context, CODE + 0x30, &Frame, NULL), STATUS_BAD_FUNCTION_TABLE);
}

static void TestBadInformation(void **State)
{
    static const UCHAR Bad[][8] = {
        {0, 0, 0, 0},                   /* version */
        {3, 0, 0, 0},
        {1, 1, 1, 0, 1, 0x06},          /* an epilogue code in version 1 */
        {1, 1, 1, 0, 1, 0x07},
        {1, 1, 1, 0, 1, 0x0B},
        {1, 1, 1, 0, 1, 0x2A},          /* machine frame of kind 2 */
        {1, 1, 1, 0, 1, 0x21, 0, 0},    /* large allocation of kind 2 */
        {1, 1, 1, 0, 1, 0x01, 0, 0},    /* its operand is missing */
        {1, 1, 1, 0, 1, 0x03},          /* sets a frame register that there is not */
        {1 | UNW_FLAG_EHANDLER << 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}, /* handler outside */
    };
    CONTEXT Context;
    RTLP_FRAME Frame;
    PVOID Data;
    ULONG64 Establisher;
    ULONG Index;

    (void)State;
    Entry(0, CODE, CODE + 0x40, XDATA);
    for (Index = 0; Index < RTL_NUMBER_OF(Bad); Index += 1)
    {
        Put(XDATA, (const char *)Bad[Index], 8);
        if (Unwind(&Context, CODE + 0x20, &Frame, NULL) != STATUS_BAD_FUNCTION_TABLE)
        {
            fail_msg("case %u was accepted", (unsigned)Index);
        }
    }

    /* The public routine raises. */
    Context.Rsp = (ULONG64)Stack;
    if (setjmp(RaisedTo) == 0)
    {
        RtlVirtualUnwind(UNW_FLAG_EHANDLER, (ULONG64)Base, (ULONG64)Base + CODE + 0x20,
                         (PRUNTIME_FUNCTION)(Base + PDATA), &Context, &Data, &Establisher, NULL);
        fail_msg("no exception");
    }

    ASSERT_STATUS(Raised, STATUS_BAD_FUNCTION_TABLE);
}

static void TestIndirectEntries(void **State)
{
    static const UCHAR Info[] = {1, 0, 0, 0};
    ULONG64 ImageBase;

    (void)State;
    Put(XDATA, (const char *)Info, sizeof(Info));
    Entry(0, CODE, CODE + 0x20, (PDATA + 12) | RUNTIME_FUNCTION_INDIRECT);
    Entry(1, CODE + 0x20, CODE + 0x40, XDATA);
    assert_ptr_equal(RtlLookupFunctionEntry((ULONG64)Base + CODE, &ImageBase, NULL), Base + PDATA + 12);
    Entry(0, CODE, CODE + 0x20, PDATA | RUNTIME_FUNCTION_INDIRECT); /* itself */
    assert_null(RtlLookupFunctionEntry((ULONG64)Base + CODE, &ImageBase, NULL));
    Entry(0, CODE, CODE + 0x20, 0xFFFFFFF1);
    assert_null(RtlLookupFunctionEntry((ULONG64)Base + CODE, &ImageBase, NULL));
}

/* ---- a real image, damaged at random ---- */

static UCHAR *Whole;

static void LoadGuest(void)
{
    int File = open(GuestPath, O_RDONLY);
    struct stat Status;
    UCHAR *Bytes;
    PE_IMAGE Image;

    assert_true(File >= 0 && fstat(File, &Status) == 0);
    Bytes = malloc((size_t)Status.st_size);
    assert_int_equal(read(File, Bytes, (size_t)Status.st_size), Status.st_size);
    close(File);
    assert_int_equal(PeOpenFile(&Image, Bytes, (size_t)Status.st_size), PeOk);
    Size = Image.SizeOfImage;
    Whole = malloc(Size);
    assert_int_equal(PeMapFile(&Image, Whole, Size), PeOk);
    free(Bytes);
}

static void TestDamagedImages(void **State)
{
    uint64_t Random = 2024;
    PRTLP_FRAME Frame = calloc(1, sizeof(*Frame));
    PIMAGE_NT_HEADERS64 Nt;
    ULONG Pdata;
    ULONG PdataSize;
    ULONG Good = 0;
    ULONG BadTable = 0;
    ULONG BadStack = 0;
    int Round;

    (void)State;
    LoadGuest();
    Base = malloc(Size);
    Stack = malloc(STACK * sizeof(ULONG64));
    Nt = (PIMAGE_NT_HEADERS64)(Whole + ((PIMAGE_DOS_HEADER)Whole)->e_lfanew);
    Pdata = Nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].VirtualAddress;
    PdataSize = Nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].Size;
    host_memcpy(Base, Whole, Size);
    for (Round = 0; Round < 200000; Round += 1)
    {
        ULONG Index = TestRandom(&Random) % (PdataSize / sizeof(RUNTIME_FUNCTION));
        PRUNTIME_FUNCTION Function = (PRUNTIME_FUNCTION)(Whole + Pdata) + Index;
        ULONG At[4];
        ULONG Changes = 1 + TestRandom(&Random) % 4;
        CONTEXT Context __attribute__((aligned(16)));
        ULONG Change;
        int Depth;

        for (Change = 0; Change < Changes; Change += 1)
        {
            switch (TestRandom(&Random) % 4)
            {
            case 0:
                At[Change] = Pdata + TestRandom(&Random) % PdataSize;
                break;

            case 1:
                At[Change] = TestRandom(&Random) % 0x200; /* headers */
                break;

            default:
                At[Change] = Function->UnwindData + TestRandom(&Random) % 24;
                break;
            }

            Base[At[Change]] = TestRandom(&Random) & 1 ? (UCHAR)TestRandom(&Random)
                                                       : (UCHAR)(Base[At[Change]] ^ (1u << TestRandom(&Random) % 8));
        }

        host_memset(&Context, 0, sizeof(Context));
        for (Index = 0; Index < STACK; Index += 1)
        {
            Stack[Index] = TestRandom(&Random) & 1 ? (ULONG64)(Stack + TestRandom(&Random) % STACK)
                                                   : (ULONG64)Base + TestRandom(&Random) % Size;
        }

        for (Index = 0; Index < 16; Index += 1)
        {
            *RtlpRegister(&Context, Index) = (ULONG64)(Stack + TestRandom(&Random) % STACK);
        }

        Context.Rsp = (ULONG64)(Stack + TestRandom(&Random) % STACK);
        Context.Rip = (ULONG64)Base + Function->BeginAddress +
                      TestRandom(&Random) % (Function->EndAddress - Function->BeginAddress);
        Frame->Context = &Context;
        Frame->StackLow = (ULONG64)Stack;
        Frame->StackHigh = (ULONG64)(Stack + STACK);
        for (Depth = 0; Depth < 20; Depth += 1)
        {
            NTSTATUS Status;

            RtlpFindFrameCode(Frame, Context.Rip);
            Status = RtlpUnwindFrame(Frame, Depth & 1 ? UNW_FLAG_UHANDLER : UNW_FLAG_EHANDLER);
            Good += Status == STATUS_SUCCESS;
            BadTable += Status == STATUS_BAD_FUNCTION_TABLE;
            BadStack += Status == STATUS_BAD_STACK;
            if (Status != STATUS_SUCCESS)
            {
                break;
            }
        }

        for (Change = 0; Change < Changes; Change += 1)
        {
            Base[At[Change]] = Whole[At[Change]];
        }
    }

    print_message("    %u frames unwound, %u damaged tables, %u damaged stacks\n", (unsigned)Good, (unsigned)BadTable,
                  (unsigned)BadStack);
    assert_true(Good > 100000 && BadTable > 1000 && BadStack > 10000);
    free(Base);
    free(Stack);
    free(Whole);
    free(Frame);
}

#define WITH_IMAGE(Test) cmocka_unit_test_setup_teardown(Test, MakeImage, FreeImage)

int main(int Count, char **Arguments)
{
    const struct CMUnitTest Tests[] = {
        WITH_IMAGE(TestLeafAndLookup),
        WITH_IMAGE(TestPrologue),
        WITH_IMAGE(TestMachineFrame),
        WITH_IMAGE(TestFarAndFrameRegister),
        WITH_IMAGE(TestVersion2),
        WITH_IMAGE(TestEpilogues),
        WITH_IMAGE(TestEpilogueWithFrameRegister),
        WITH_IMAGE(TestChains),
        WITH_IMAGE(TestBadInformation),
        WITH_IMAGE(TestIndirectEntries),
        cmocka_unit_test(TestDamagedImages),
    };

    if (Count < 2)
    {
        fprintf(stderr, "usage: %s guest.dll\n", Arguments[0]);
        return 2;
    }

    GuestPath = Arguments[1];
    return cmocka_run_group_tests(Tests, NULL, NULL);
}
