/* SPDX-License-Identifier: MIT */
/*
 * Lengths, revisions, flags and codes that the driver must refuse.
 */
#include "check.h"

static const struct
{
    const char *Name;
    DWORD Code;
    DWORD Input;
    DWORD Output;
    BOOL MoreInput;
} Codes[] = {
    {"VERSION", IOCTL_ISTHMUS_VERSION, 0, sizeof(ISTHMUS_VERSION), FALSE},
    {"SHARE", IOCTL_ISTHMUS_SHARE, sizeof(ISTHMUS_SHARE), sizeof(ISTHMUS_REGION_INFO), FALSE},
    {"ALLOCATE", IOCTL_ISTHMUS_ALLOCATE, sizeof(ISTHMUS_ALLOCATE), sizeof(ISTHMUS_REGION_INFO), FALSE},
    {"RELEASE", IOCTL_ISTHMUS_RELEASE, sizeof(ISTHMUS_ID), 0, FALSE},
    {"NAME", IOCTL_ISTHMUS_NAME, sizeof(ISTHMUS_NAME), 0, TRUE},
    {"OPEN", IOCTL_ISTHMUS_OPEN, sizeof(ISTHMUS_NAME), sizeof(ISTHMUS_REGION_INFO), FALSE},
    {"MAP", IOCTL_ISTHMUS_MAP, sizeof(ISTHMUS_MAP), sizeof(ISTHMUS_VIEW_INFO), FALSE},
    {"UNMAP", IOCTL_ISTHMUS_UNMAP, sizeof(ISTHMUS_ID), 0, FALSE},
    {"CHECKSUM", IOCTL_ISTHMUS_CHECKSUM, sizeof(ISTHMUS_RANGE), sizeof(ISTHMUS_CHECKSUM), FALSE},
    {"WATCH", IOCTL_ISTHMUS_WATCH, sizeof(ISTHMUS_WATCH), 0, FALSE},
    {"DESCRIBE", IOCTL_ISTHMUS_DESCRIBE, sizeof(ISTHMUS_DESCRIBE), sizeof(ISTHMUS_DESCRIPTION), FALSE},
    {"LIST", IOCTL_ISTHMUS_LIST, sizeof(ISTHMUS_LIST), sizeof(ISTHMUS_LIST_PAGE), FALSE},
    {"STATISTICS", IOCTL_ISTHMUS_STATISTICS, 0, sizeof(ISTHMUS_STATISTICS), FALSE},
    {"TARGET", IOCTL_ISTHMUS_TARGET, sizeof(ISTHMUS_TARGET), 0, FALSE},
    {"LAST_REQUEST", IOCTL_ISTHMUS_LAST_REQUEST, 0, sizeof(ISTHMUS_LAST_REQUEST), FALSE},
    {"PEEK", IOCTL_ISTHMUS_PEEK, sizeof(ISTHMUS_PEEK), sizeof(ISTHMUS_PEEK_RESULT), FALSE},
};

#define CODE_COUNT (sizeof(Codes) / sizeof(Codes[0]))

static void WrongLengths(HANDLE Device, unsigned Index)
{
    BYTE input[8192] = {0}, output[8192];
    ISTHMUS_HEADER *header = (ISTHMUS_HEADER *)input;
    DWORD in = Codes[Index].Input, out = Codes[Index].Output, code = Codes[Index].Code;
    const char *name = Codes[Index].Name;
    header->Revision = ISTHMUS_REVISION;
    header->Size = in;
    if (in != 0)
    {
        CheckError(Raw(Device, code, NULL, 0, output, out, NULL), ERROR_BAD_LENGTH, "%s without input", name);
        CheckError(Raw(Device, code, input, in - 1, output, out, NULL), ERROR_BAD_LENGTH, "%s, input one byte short",
                   name);
        CheckError(Raw(Device, code, input, 8, output, out, NULL), ERROR_BAD_LENGTH, "%s, header only", name);
    }
    if (!Codes[Index].MoreInput)
    {
        CheckError(Raw(Device, code, input, in + 1, output, out, NULL), ERROR_BAD_LENGTH, "%s, input one byte long",
                   name);
        CheckError(Raw(Device, code, input, sizeof(input), output, out, NULL), ERROR_BAD_LENGTH,
                   "%s, input far too long", name);
    }
    if (out != 0)
    {
        CheckError(Raw(Device, code, input, in, NULL, 0, NULL), ERROR_INSUFFICIENT_BUFFER, "%s without output", name);
        CheckError(Raw(Device, code, input, in, output, out - 1, NULL), ERROR_INSUFFICIENT_BUFFER,
                   "%s, output one byte short", name);
    }
    if (in != 0)
    {
        static const UINT32 revisions[] = {0, 2, 0x80000001, 0xFFFFFFFF};
        for (unsigned i = 0; i < 4; i++)
        {
            header->Revision = revisions[i];
            CheckError(Raw(Device, code, input, in, output, out, NULL), ERROR_REVISION_MISMATCH, "%s, revision 0x%X",
                       name, revisions[i]);
        }
        header->Revision = ISTHMUS_REVISION;
        const UINT32 sizes[] = {0, in - 1, in + 1, 0xFFFFFFFF};
        for (unsigned i = 0; i < 4; i++)
        {
            header->Size = sizes[i];
            CheckError(Raw(Device, code, input, in, output, out, NULL), ERROR_BAD_LENGTH, "%s, size 0x%X", name,
                       sizes[i]);
        }
    }
}

/* Fields without a meaning, each bit by itself. */
static void ReservedBits(HANDLE Device)
{
    for (unsigned bit = 0; bit < 32; bit += 5)
    {
        ISTHMUS_REGION_INFO info;
        ISTHMUS_VIEW_INFO view;
        BYTE memory[16];
        ISTHMUS_SHARE share = {{ISTHMUS_REVISION, sizeof(share)},
                               (UINT64)(ULONG_PTR)memory,
                               sizeof(memory),
                               ISTHMUS_ACCESS_READ,
                               1u << bit};
        CheckError(Raw(Device, IOCTL_ISTHMUS_SHARE, &share, sizeof(share), &info, sizeof(info), NULL),
                   ERROR_INVALID_PARAMETER, "SHARE, flag bit %u", bit);
        ISTHMUS_ALLOCATE allocate = {{ISTHMUS_REVISION, sizeof(allocate)}, 4096, ISTHMUS_KIND_PAGES, 1u << bit};
        CheckError(Raw(Device, IOCTL_ISTHMUS_ALLOCATE, &allocate, sizeof(allocate), &info, sizeof(info), NULL),
                   ERROR_INVALID_PARAMETER, "ALLOCATE, flag bit %u", bit);
        ISTHMUS_MAP map = {{ISTHMUS_REVISION, sizeof(map)}, 1, ISTHMUS_ACCESS_READ, 1u << bit};
        CheckError(Raw(Device, IOCTL_ISTHMUS_MAP, &map, sizeof(map), &view, sizeof(view), NULL),
                   ERROR_INVALID_PARAMETER, "MAP, flag bit %u", bit);
        if (bit >= 2)
        {
            share.Flags = 0;
            share.Access = ISTHMUS_ACCESS_READ | (1u << bit);
            CheckError(Raw(Device, IOCTL_ISTHMUS_SHARE, &share, sizeof(share), &info, sizeof(info), NULL),
                       ERROR_INVALID_PARAMETER, "SHARE, access bit %u", bit);
        }
    }
    static const UINT32 kinds[] = {0, ISTHMUS_KIND_USER_BUFFER, 5, 0x80000002, 0xFFFFFFFF};
    for (unsigned i = 0; i < 5; i++)
    {
        ISTHMUS_REGION_INFO info;
        ISTHMUS_ALLOCATE allocate = {{ISTHMUS_REVISION, sizeof(allocate)}, 4096, kinds[i], 0};
        CheckError(Raw(Device, IOCTL_ISTHMUS_ALLOCATE, &allocate, sizeof(allocate), &info, sizeof(info), NULL),
                   ERROR_INVALID_PARAMETER, "ALLOCATE, kind 0x%X", kinds[i]);
    }
}

static void UnknownCodes(HANDLE Device)
{
    static const unsigned functions[] = {0x000, 0x7FF, 0x810, 0x81F, 0x824, 0x8FF, 0xFFF};
    BYTE bytes[64] = {0};
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
    {
        for (unsigned method = 0; method < 4; method++)
        {
            CheckError(Raw(Device, ISTHMUS_CONTROL_CODE(functions[i], method), bytes, sizeof(bytes), bytes,
                           sizeof(bytes), NULL),
                       ERROR_INVALID_FUNCTION, "function 0x%X, method %u", functions[i], method);
        }
    }
    /* The right function with another method or access is another code. */
    for (unsigned i = 0; i < CODE_COUNT; i++)
    {
        CheckError(
            Raw(Device, Codes[i].Code | ISTHMUS_METHOD_NEITHER, bytes, Codes[i].Input, bytes, sizeof(bytes), NULL),
            ERROR_INVALID_FUNCTION, "%s by method neither", Codes[i].Name);
        CheckError(Raw(Device, Codes[i].Code & ~(3u << 14), bytes, Codes[i].Input, bytes, sizeof(bytes), NULL),
                   ERROR_INVALID_FUNCTION, "%s with access any", Codes[i].Name);
    }
}

static void Handles(void)
{
    ISTHMUS_STATISTICS statistics;
    HANDLE device = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (CheckDone(device != INVALID_HANDLE_VALUE, "open for reading only"))
    {
        CheckError(Raw(device, IOCTL_ISTHMUS_STATISTICS, NULL, 0, &statistics, sizeof(statistics), NULL),
                   ERROR_ACCESS_DENIED, "a control code on a handle without write access");
        CloseHandle(device);
    }
    device =
        CreateFileW(ISTHMUS_DEVICE_NEITHER_W L"\\below", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    CheckError(device != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND, "a name below the device");
}

/* What comes back must have its header and no kernel address. */
static void Answers(HANDLE Device)
{
    ISTHMUS_VERSION version;
    DWORD got = 0;
    ZeroMemory(&version, sizeof(version));
    CheckDone(Raw(Device, IOCTL_ISTHMUS_VERSION, NULL, 0, &version, sizeof(version), &got), "VERSION");
    Check(got == sizeof(version) && version.Header.Revision == ISTHMUS_REVISION &&
              version.Header.Size == sizeof(version) && version.Driver == ISTHMUS_VERSION_NUMBER &&
              version.PageSize == 4096 && version.Session != 0,
          "VERSION says revision %u, size %u, driver 0x%X, system %u.%u.%u, capabilities 0x%X, session %llu",
          version.Header.Revision, version.Header.Size, version.Driver, version.SystemMajor, version.SystemMinor,
          version.SystemBuild, version.Capabilities, (unsigned long long)version.Session);
}

void TestAbi(void)
{
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    if (device == INVALID_HANDLE_VALUE)
    {
        return;
    }
    Answers(device);
    for (unsigned i = 0; i < CODE_COUNT; i++)
    {
        WrongLengths(device, i);
    }
    ReservedBits(device);
    UnknownCodes(device);
    CloseHandle(device);
    Handles();
}
