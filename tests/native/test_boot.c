/* SPDX-License-Identifier: MIT */
/*
 * The loader, on QEMU: what it hands to the kernel (bootprobe.S sends it back), and what it refuses. The page tables
 * are walked here, from the probe's dump.
 */
#include "support.h"

#include "bootblock.h"
#include "pebuilder.h"

#include <sys/stat.h>
#include <unistd.h>

#define PTE_PRESENT 0x001ull
#define PTE_WRITE 0x002ull
#define PTE_USER 0x004ull
#define PTE_LARGE 0x080ull
#define PTE_GLOBAL 0x100ull
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull

#define KERNEL_PATH "Windows/System32/ntoskrnl.exe"

extern const uint8_t BootProbe[];
extern const uint8_t BootProbeEnd[];

static char Directory[256];

typedef struct STATE
{
    uint64_t Cr0;
    uint64_t Cr3;
    uint64_t Cr4;
    uint64_t Efer;
    uint64_t Rsp;
    uint64_t ReturnAddress;
} STATE;

/* One run of QEMU: what came out of the three consoles. */
typedef struct BOOT
{
    uint8_t *Output;
    size_t OutputSize;
    char Errors[512];
    char Report[512];
    const BOOT_BLOCK *Block;
    const STATE *State;
    const uint8_t *Tables;
    const uint8_t *Image;
} BOOT;

static char *Path(const char *Name)
{
    static char paths[6][320];
    static unsigned next;
    char *path = paths[next++ % 6];

    snprintf(path, sizeof(paths[0]), "%s/%s", Directory, Name);
    return path;
}

static int Setup(void **State)
{
    const char *temporary = getenv("TMPDIR");

    (void)State;
    snprintf(Directory, sizeof(Directory), "%s/isthmus-boot-XXXXXX", temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(Directory));
    return 0;
}

static int Teardown(void **State)
{
    static const char *const names[] = {"archive", "out", "err", "report"};

    (void)State;
    for (size_t i = 0; i < 4; i++)
    {
        unlink(Path(names[i]));
    }
    rmdir(Directory);
    return 0;
}

/* A kernel that sends everything back. */
static void BuildKernel(uint8_t *File)
{
    PeBuild(File);
    Put16(File + BUILT_NT + 22, 0x0022);
    Put16(File + BUILT_OPTIONAL + 68, 1);
    assert_true(BootProbeEnd - BootProbe <= 0x1F0);
    memcpy(File + BUILT_TEXT_RAW + (BUILT_ALPHA_RVA - BUILT_TEXT_RVA), BootProbe,
           (size_t)(BootProbeEnd - BootProbe));
}

static void PutMember(FILE *File, const char *Name, const void *Data, size_t Size)
{
    static const char zeroes[4];
    size_t head = 110 + strlen(Name) + 1;

    fprintf(File, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, 0100644u, 0u, 0u, 1u, 0u,
            (unsigned)Size, 0u, 0u, 0u, 0u, (unsigned)strlen(Name) + 1, 0u);
    fwrite(Name, 1, strlen(Name) + 1, File);
    fwrite(zeroes, 1, -head & 3, File);
    fwrite(Data, 1, Size, File);
    fwrite(zeroes, 1, -Size & 3, File);
}

static void WriteArchive(const char *Config, const uint8_t *Kernel, size_t KernelSize)
{
    FILE *file = fopen(Path("archive"), "wb");

    assert_non_null(file);
    PutMember(file, "boot.cfg", Config, strlen(Config));
    if (Kernel != NULL)
    {
        PutMember(file, KERNEL_PATH, Kernel, KernelSize);
    }
    PutMember(file, "TRAILER!!!", "", 0);
    assert_int_equal(fclose(file), 0);
}

static size_t ReadFile(const char *Name, void *Buffer, size_t Size)
{
    FILE *file = fopen(Path(Name), "rb");
    size_t count;

    assert_non_null(file);
    count = fread(Buffer, 1, Size, file);
    fclose(file);
    return count;
}

/* Runs the loader on the archive. Result: QEMU's exit status. */
static int Boot(BOOT *Boot, const char *Options)
{
    static _Alignas(8) uint8_t output[4 << 20];
    char command[2048];
    int status;

    snprintf(command, sizeof(command),
             "timeout 60 qemu-system-x86_64 -accel tcg -smp 2 -nodefaults -no-reboot -display none -kernel %s %s "
             "-chardev file,id=o,path=%s -device isa-debugcon,iobase=0xe9,chardev=o "
             "-chardev file,id=e,path=%s -device isa-debugcon,iobase=0xea,chardev=e "
             "-chardev file,id=r,path=%s -device isa-debugcon,iobase=0xeb,chardev=r "
             "-device isa-debug-exit,iobase=0xf4,iosize=4",
             LOADER_PATH, Options, Path("out"), Path("err"), Path("report"));
    memset(Boot, 0, sizeof(*Boot));
    status = system(command);
    assert_true(WIFEXITED(status));
    Boot->Output = output;
    Boot->OutputSize = ReadFile("out", output, sizeof(output));
    Boot->Errors[ReadFile("err", Boot->Errors, sizeof(Boot->Errors) - 1)] = '\0';
    Boot->Report[ReadFile("report", Boot->Report, sizeof(Boot->Report) - 1)] = '\0';
    return WEXITSTATUS(status);
}

/* Boots the probe and finds the pieces of what it sent. */
static void BootProbeWith(BOOT *Result, const char *Machine, const char *Config)
{
    uint8_t kernel[BUILT_FILE_SIZE];
    char options[600];
    size_t tables = 0;

    BuildKernel(kernel);
    WriteArchive(Config, kernel, sizeof(kernel));
    snprintf(options, sizeof(options), "%s -initrd %s", Machine, Path("archive"));
    if (Boot(Result, options) != 33 || strcmp(Result->Report, "exit 0\n") != 0)
    {
        fail_msg("%s: report \"%s\", messages \"%s\"", Machine, Result->Report, Result->Errors);
    }
    Result->Block = (const BOOT_BLOCK *)Result->Output;
    Result->State = (const STATE *)(Result->Output + sizeof(BOOT_BLOCK));
    Result->Tables = Result->Output + sizeof(BOOT_BLOCK) + sizeof(STATE);
    assert_true(Result->Block->MemoryRangeCount <= BOOT_MAX_MEMORY_RANGES);
    for (uint32_t i = 0; i < Result->Block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Result->Block->MemoryRanges[i];

        tables += range->Type == BootMemoryPageTables ? range->Size : 0;
    }
    Result->Image = Result->Tables + tables;
    assert_int_equal(Result->OutputSize,
                     sizeof(BOOT_BLOCK) + sizeof(STATE) + tables + Result->Block->KernelSize);
}

/* A page table by its physical address, in the dump. */
static const uint64_t *Table(const BOOT *Boot, uint64_t Physical)
{
    size_t offset = 0;

    for (uint32_t i = 0; i < Boot->Block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Boot->Block->MemoryRanges[i];

        if (range->Type != BootMemoryPageTables)
        {
            continue;
        }
        if (Physical >= range->Base && Physical - range->Base < range->Size)
        {
            return (const uint64_t *)(const void *)(Boot->Tables + offset + (Physical - range->Base));
        }
        offset += range->Size;
    }
    fail_msg("table 0x%llx is not in a page-table range", (unsigned long long)Physical);
    return NULL;
}

/* The leaf entry of an address, or 0, and its physical address. */
static uint64_t Walk(const BOOT *Boot, uint64_t Virtual, uint64_t *Physical)
{
    uint64_t table = Boot->Block->Pml4Physical;

    for (int level = 4;; level--)
    {
        uint64_t entry = Table(Boot, table)[Virtual >> (12 + 9 * (level - 1)) & 511];
        bool large = level == 2 && (entry & PTE_LARGE) != 0;

        if ((entry & PTE_PRESENT) == 0)
        {
            return 0;
        }
        assert_int_equal(entry & PTE_USER, 0);
        if (level == 1 || large)
        {
            uint64_t mask = large ? 0x1FFFFF : 0xFFF;

            *Physical = (entry & PTE_ADDRESS & ~mask) | (Virtual & mask);
            return entry;
        }
        table = entry & PTE_ADDRESS;
    }
}

static void CheckMapped(const BOOT *Boot, uint64_t Virtual, uint64_t Physical, bool Write, bool Execute)
{
    uint64_t physical = 0;
    uint64_t entry = Walk(Boot, Virtual, &physical);

    if ((entry & PTE_PRESENT) == 0 || physical != Physical || ((entry & PTE_WRITE) != 0) != Write ||
        ((entry & PTE_NO_EXECUTE) == 0) != Execute || (entry & PTE_GLOBAL) == 0)
    {
        fail_msg("0x%llx: entry 0x%llx", (unsigned long long)Virtual, (unsigned long long)entry);
    }
}

static void CheckBlock(const BOOT *Boot, uint64_t Megabytes)
{
    const BOOT_BLOCK *block = Boot->Block;
    uint64_t ram = 0;
    uint64_t end = 0;
    bool trampoline = false;

    assert_int_equal(block->Revision, BOOT_BLOCK_REVISION);
    assert_int_equal(block->Size, sizeof(BOOT_BLOCK));
    assert_int_equal(block->ProcessorCount, 2);
    assert_int_equal(block->DirectMapBase, BOOT_DIRECT_MAP);
    assert_int_equal(block->KernelSize, BUILT_IMAGE_SIZE);
    assert_int_equal(block->KernelPreferredBase, BUILT_IMAGE_BASE);
    assert_true(block->KernelBase >= BOOT_KERNEL_LOWEST && block->KernelBase <= BOOT_KERNEL_HIGHEST);
    assert_int_equal(block->KernelBase % BOOT_KERNEL_ALIGNMENT, 0);
    assert_true(block->ExitTsc > block->EntryTsc);
    for (uint32_t i = 0; i < block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &block->MemoryRanges[i];

        assert_true(range->Base >= end);
        end = range->Base + range->Size;
        ram += range->Type != BootMemoryFirmware ? range->Size : 0;
        trampoline |= range->Type == BootMemoryLoaderReclaimable && block->TrampolinePhysical >= range->Base &&
                      block->TrampolinePhysical < end;
        if (range->Type != BootMemoryFirmware)
        {
            assert_true(end - 1 <= block->HighestPhysicalAddress);
        }
    }
    assert_true(trampoline && block->TrampolinePhysical < 0x100000 && block->TrampolinePhysical != 0);
    assert_in_range(ram, (Megabytes << 20) - 0x100000, (Megabytes << 20) + 0x100000);
}

static void CheckProcessor(const BOOT *Boot)
{
    const STATE *state = Boot->State;

    assert_int_equal(state->Cr0, 0x80050033);
    assert_int_equal(state->Cr3, Boot->Block->Pml4Physical);
    assert_int_equal(state->Cr4, 0x6A0);
    assert_int_equal(state->Efer, 0xD00);
    assert_int_equal(state->Rsp & 15, 8);
    assert_in_range(state->Rsp, Boot->Block->StackBase + 0x4000, Boot->Block->StackBase + BOOT_STACK_SIZE - 0x28);
    assert_int_equal(state->ReturnAddress, 0);
}

static void CheckKernelImage(const BOOT *Boot)
{
    static const struct
    {
        uint32_t Rva;
        bool Write;
        bool Execute;
    } pages[] = {{0, false, false},
                 {BUILT_TEXT_RVA, false, true},
                 {BUILT_RDATA_RVA, false, false},
                 {BUILT_DATA_RVA, true, false},
                 {BUILT_BSS_RVA, true, false},
                 {BUILT_RELOC_RVA, false, false}};
    const BOOT_BLOCK *block = Boot->Block;
    uint64_t physical;

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
    {
        CheckMapped(Boot, block->KernelBase + pages[i].Rva, block->KernelPhysical + pages[i].Rva, pages[i].Write,
                    pages[i].Execute);
    }
    assert_int_equal(Walk(Boot, block->KernelBase + block->KernelSize, &physical), 0);
    assert_int_equal(Get64(Boot->Image + BUILT_POINTER_RVA), block->KernelBase + BUILT_ALPHA_RVA);
    assert_int_equal(Get64(Boot->Image + BUILT_POINTER_RVA + 8), block->KernelBase + BUILT_BETA_RVA);
    assert_int_equal(Get64(Boot->Image + BUILT_OPTIONAL + 24), block->KernelBase);
    assert_int_equal(Boot->Image[BUILT_BSS_RVA], 0);
}

static void CheckDirectMap(const BOOT *Boot)
{
    const BOOT_BLOCK *block = Boot->Block;
    uint64_t physical;

    for (uint32_t i = 0; i < block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &block->MemoryRanges[i];
        uint64_t end = range->Base + range->Size;

        if (range->Type == BootMemoryFirmware)
        {
            if (range->Base >= 0x100000)
            {
                assert_int_equal(Walk(Boot, BOOT_DIRECT_MAP + range->Base, &physical), 0);
            }
            continue;
        }
        for (uint64_t at = range->Base; at < end; at += 0x1000)
        {
            CheckMapped(Boot, BOOT_DIRECT_MAP + at, at, true, false);
        }
    }
    CheckMapped(Boot, BOOT_DIRECT_MAP + 0xB8000, 0xB8000, true, false);
    assert_int_equal(Walk(Boot, BOOT_DIRECT_MAP + block->HighestPhysicalAddress + 1, &physical), 0);
    assert_int_equal(Walk(Boot, BOOT_DIRECT_MAP + 0xFEE00000, &physical), 0);
}

/* The identity map is one page of 2 MB, and nothing else is mapped than what the contract says. */
static void CheckRest(const BOOT *Boot)
{
    const uint64_t *pml4 = Table(Boot, Boot->Block->Pml4Physical);
    uint64_t physical = 0;

    for (uint64_t i = 0; i < 512; i++)
    {
        bool expected = i == 0 || i == (BOOT_DIRECT_MAP >> 39 & 511) || i == (Boot->Block->KernelBase >> 39 & 511);

        assert_int_equal(pml4[i] != 0, expected);
    }
    assert_true((Walk(Boot, 0x100000, &physical) & (PTE_NO_EXECUTE | PTE_GLOBAL)) == 0);
    assert_int_equal(physical, 0x100000);
    assert_int_equal(Walk(Boot, 0x200000, &physical), 0);
}

static void CheckAll(const char *Machine, uint64_t Megabytes)
{
    BOOT boot;

    BootProbeWith(&boot, Machine, "program=x\n");
    CheckBlock(&boot, Megabytes);
    CheckProcessor(&boot);
    CheckKernelImage(&boot);
    CheckDirectMap(&boot);
    CheckRest(&boot);
}

static void TestSmallMachine(void **State)
{
    (void)State;
    CheckAll("-M microvm -cpu max -m 64", 64);
}

static void TestDefaultMachine(void **State)
{
    (void)State;
    CheckAll("-M microvm -cpu max -m 256", 256);
}

static void TestMemoryAbove4G(void **State)
{
    BOOT boot;

    (void)State;
    CheckAll("-M microvm -cpu max -m 3200", 3200);
    BootProbeWith(&boot, "-M microvm -cpu max -m 3200", "");
    assert_true(boot.Block->HighestPhysicalAddress >= 1ull << 32);
}

static void TestOtherMachines(void **State)
{
    (void)State;
    CheckAll("-M q35 -cpu max -m 256", 256);
    CheckAll("-M pc -cpu max -m 256", 256);
}

static void TestSeed(void **State)
{
    uint64_t seeds[3][4];
    uint64_t bases[3];
    BOOT boot;

    (void)State;
    for (int i = 0; i < 3; i++)
    {
        static const char *const configs[] = {"a=b\noption=x\noption=seed:5\n", "option=seed:5", "option=seed:6\r\n"};

        BootProbeWith(&boot, "-M microvm -cpu max -m 64", configs[i]);
        assert_int_equal(boot.Block->Flags, BOOT_FLAG_FIXED_SEED);
        bases[i] = boot.Block->KernelBase;
        memcpy(seeds[i], boot.Block->RandomSeed, sizeof(seeds[i]));
    }
    assert_int_equal(bases[0], bases[1]);
    assert_memory_equal(seeds[0], seeds[1], sizeof(seeds[0]));
    assert_int_not_equal(bases[0], bases[2]);
    assert_memory_not_equal(seeds[0], seeds[2], sizeof(seeds[0]));

    BootProbeWith(&boot, "-M microvm -cpu max -m 64", "");
    assert_int_equal(boot.Block->Flags, 0);
    memcpy(seeds[0], boot.Block->RandomSeed, sizeof(seeds[0]));
    BootProbeWith(&boot, "-M microvm -cpu max -m 64", "");
    assert_memory_not_equal(seeds[0], boot.Block->RandomSeed, sizeof(seeds[0]));
}

static void CheckRefused(const char *Machine, bool WithArchive, const char *Reason)
{
    char options[600];
    BOOT boot;
    int status;

    snprintf(options, sizeof(options), "%s%s%s", Machine, WithArchive ? " -initrd " : "",
             WithArchive ? Path("archive") : "");
    status = Boot(&boot, options);
    if (status != 3 || strncmp(boot.Report, "refused ", 8) != 0 || strstr(boot.Report, Reason) == NULL ||
        strncmp(boot.Errors, "loader: ", 8) != 0)
    {
        fail_msg("\"%s\" expected; status %d, report \"%s\", messages \"%s\"", Reason, status, boot.Report,
                 boot.Errors);
    }
}

static void TestRefusedArchives(void **State)
{
    const char *machine = "-M microvm -cpu max -m 64";
    uint8_t kernel[BUILT_FILE_SIZE];
    struct stat status;

    (void)State;
    CheckRefused(machine, false, "archive is missing");
    WriteArchive("", NULL, 0);
    CheckRefused(machine, true, "not in the archive");
    BuildKernel(kernel);
    WriteArchive("", kernel, sizeof(kernel));
    assert_int_equal(stat(Path("archive"), &status), 0);
    assert_int_equal(truncate(Path("archive"), status.st_size - 1000), 0);
    CheckRefused(machine, true, "cut off");
    assert_int_equal(truncate(Path("archive"), 60), 0);
    CheckRefused(machine, true, "cut off");
    WriteArchive("option=seed:12x\n", kernel, sizeof(kernel));
    CheckRefused(machine, true, "seed");
    WriteArchive("option=seed:18446744073709551616\n", kernel, sizeof(kernel));
    CheckRefused(machine, true, "seed");
}

static void TestRefusedKernels(void **State)
{
    static const struct
    {
        uint32_t Offset;
        unsigned Bytes;
        uint64_t Value;
        const char *Reason;
    } cases[] = {
        {0, 2, 0, "not a PE file"},
        {BUILT_NT + 4, 2, 0x014C, "32-bit"},
        {BUILT_NT + 22, 2, 0x0023, "no relocations"},
        {BUILT_OPTIONAL + 16, 4, 0, "entry point"},
        {BUILT_OPTIONAL + 16, 4, BUILT_RDATA_RVA, "entry point"},
        {BUILT_OPTIONAL + 68, 2, 3, "native subsystem"},
        {BUILT_SECTIONS + 36, 4, 0xE0000020, "both writable and executable"},
        {BUILT_SECTIONS + 40 + 12, 4, 0x1000, "section table"},
        {BUILT_RELOC_RAW + 8, 2, 0x3000, "broken relocations"},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        uint8_t kernel[BUILT_FILE_SIZE];

        BuildKernel(kernel);
        memcpy(kernel + cases[i].Offset, &cases[i].Value, cases[i].Bytes);
        WriteArchive("", kernel, sizeof(kernel));
        CheckRefused("-M microvm -cpu max -m 64", true, cases[i].Reason);
    }
}

static void TestRefusedMachines(void **State)
{
    uint8_t kernel[BUILT_FILE_SIZE];

    (void)State;
    BuildKernel(kernel);
    WriteArchive("", kernel, sizeof(kernel));
    CheckRefused("-M microvm -cpu pentium3 -m 64", true, "64-bit");

    /* A kernel with 256 MB of zeroes. */
    Put32(kernel + BUILT_OPTIONAL + 56, BUILT_IMAGE_SIZE + 0x10000000);
    Put32(kernel + BUILT_SECTIONS + 3 * 40 + 8, 0x10001000);
    Put32(kernel + BUILT_SECTIONS + 4 * 40 + 12, BUILT_RELOC_RVA + 0x10000000);
    Put32(kernel + BUILT_DIRECTORIES + 8 * 5, BUILT_RELOC_RVA + 0x10000000);
    WriteArchive("", kernel, sizeof(kernel));
    CheckRefused("-M microvm -cpu max -m 64", true, "does not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(TestSmallMachine, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestDefaultMachine, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestMemoryAbove4G, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestOtherMachines, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestSeed, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestRefusedArchives, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestRefusedKernels, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestRefusedMachines, Setup, Teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
