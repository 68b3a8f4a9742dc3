/* SPDX-License-Identifier: MIT */
/* The registry through Zw calls: keys, values, enumeration, deletion, and the run-time library's helpers. */
#include "ktlib.h"

#define ROOT L"\\Registry\\Machine\\Software\\KTest"

static NTSTATUS OpenKey(PHANDLE Key, PCWSTR Path, BOOLEAN Create, PULONG Disposition)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, Path);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return Create ? ZwCreateKey(Key, KEY_ALL_ACCESS, &attributes, 0, NULL, REG_OPTION_VOLATILE, Disposition)
                  : ZwOpenKey(Key, KEY_ALL_ACCESS, &attributes);
}

static NTSTATUS SetValue(HANDLE Key, PCWSTR Name, ULONG Type, PVOID Data, ULONG Size)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, Name);
    return ZwSetValueKey(Key, &name, 0, Type, Data, Size);
}

typedef union _VALUE
{
    KEY_VALUE_PARTIAL_INFORMATION Partial;
    KEY_VALUE_FULL_INFORMATION Full;
    KEY_BASIC_INFORMATION Basic;
    KEY_FULL_INFORMATION Key;
    UCHAR Bytes[512];
} VALUE;

static NTSTATUS GetValue(HANDLE Key, PCWSTR Name, VALUE *Value, ULONG Room, PULONG Length)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, Name);
    return ZwQueryValueKey(Key, &name, KeyValuePartialInformation, Value, Room, Length);
}

static VOID TestValues(KTEST_RUN *Run, HANDLE Key)
{
    WCHAR text[] = L"some text";
    ULONG number = 0x12345678, length = 0;
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"Number");
    VALUE value;

    CHECK_STATUS(SetValue(Key, L"Text", REG_SZ, text, sizeof(text)), STATUS_SUCCESS);
    CHECK_STATUS(SetValue(Key, L"Number", REG_DWORD, &number, sizeof(number)), STATUS_SUCCESS);
    CHECK_STATUS(SetValue(Key, L"", REG_BINARY, &number, 3), STATUS_SUCCESS); /* the default value */
    CHECK_STATUS(SetValue(Key, L"Empty", REG_BINARY, NULL, 0), STATUS_SUCCESS);

    CHECK_STATUS(GetValue(Key, L"NUMBER", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK_EQUAL(value.Partial.Type, REG_DWORD);
    CHECK_EQUAL(value.Partial.DataLength, 4);
    CHECK_EQUAL(*(PULONG)value.Partial.Data, 0x12345678);
    CHECK_STATUS(GetValue(Key, L"Text", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK_EQUAL(value.Partial.DataLength, sizeof(text));
    CHECK(memcmp(value.Partial.Data, text, sizeof(text)) == 0);
    CHECK_STATUS(GetValue(Key, L"Empty", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK_EQUAL(value.Partial.DataLength, 0);
    CHECK_STATUS(GetValue(Key, L"", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK_EQUAL(value.Partial.DataLength, 3);
    CHECK_STATUS(GetValue(Key, L"Nothing", &value, sizeof(value), &length), STATUS_OBJECT_NAME_NOT_FOUND);

    /* Too small: what fits, and how much there is. */
    CHECK_STATUS(GetValue(Key, L"Text", &value, FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + 4, &length),
                 STATUS_BUFFER_OVERFLOW);
    CHECK_EQUAL(length, FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + sizeof(text));
    CHECK_EQUAL(value.Partial.DataLength, sizeof(text));
    CHECK_STATUS(GetValue(Key, L"Text", &value, 4, &length), STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(length, FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + sizeof(text));

    number = 7; /* replaced, also by another type and size */
    CHECK_STATUS(SetValue(Key, L"Text", REG_DWORD, &number, 4), STATUS_SUCCESS);
    CHECK_STATUS(GetValue(Key, L"Text", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK(value.Partial.Type == REG_DWORD && *(PULONG)value.Partial.Data == 7);
    CHECK_STATUS(ZwDeleteValueKey(Key, &name), STATUS_SUCCESS);
    CHECK_STATUS(ZwDeleteValueKey(Key, &name), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID TestEnumeration(KTEST_RUN *Run, HANDLE Key)
{
    static const PCWSTR children[] = {ROOT L"\\One", ROOT L"\\Two", ROOT L"\\Three"};
    ULONG length, keys = 0, values = 0, disposition;
    HANDLE handles[3];
    VALUE value;

    for (ULONG i = 0; i < 3; i++)
    {
        CHECK_STATUS(OpenKey(&handles[i], children[i], TRUE, &disposition), STATUS_SUCCESS);
        CHECK_EQUAL(disposition, REG_CREATED_NEW_KEY);
    }
    while (NT_SUCCESS(ZwEnumerateKey(Key, keys, KeyBasicInformation, &value, sizeof(value), &length)))
    {
        KtSay(Run, "subkey %lu: %.*ws", keys, (int)(value.Basic.NameLength / sizeof(WCHAR)), value.Basic.Name);
        keys++;
    }
    CHECK_EQUAL(keys, 3);
    CHECK_STATUS(ZwEnumerateKey(Key, keys, KeyBasicInformation, &value, sizeof(value), &length),
                 STATUS_NO_MORE_ENTRIES);
    while (NT_SUCCESS(ZwEnumerateValueKey(Key, values, KeyValueFullInformation, &value, sizeof(value), &length)))
    {
        values++;
    }
    CHECK_STATUS(ZwQueryKey(Key, KeyFullInformation, &value, sizeof(value), &length), STATUS_SUCCESS);
    KtSay(Run, "%lu subkeys and %lu values; the key says %lu and %lu", keys, values, value.Key.SubKeys,
          value.Key.Values);
    CHECK_EQUAL(value.Key.SubKeys, keys);
    CHECK_EQUAL(value.Key.Values, values);
    CHECK_EQUAL(values, 3);

    /* A key with subkeys stays; one without goes, and its handle knows it. */
    CHECK_STATUS(ZwDeleteKey(Key), STATUS_CANNOT_DELETE);
    for (ULONG i = 0; i < 3; i++)
    {
        CHECK_STATUS(ZwDeleteKey(handles[i]), STATUS_SUCCESS);
        CHECK_STATUS(ZwQueryKey(handles[i], KeyFullInformation, &value, sizeof(value), &length), STATUS_KEY_DELETED);
        ZwClose(handles[i]);
    }
}

static VOID TestHelpers(KTEST_RUN *Run)
{
    ULONG written = 99, read = 0;
    RTL_QUERY_REGISTRY_TABLE table[2] = {
        {.Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, .Name = L"Helped", .EntryContext = &read},
        {0}};

    CHECK_STATUS(RtlWriteRegistryValue(RTL_REGISTRY_ABSOLUTE, ROOT, L"Helped", REG_DWORD, &written, sizeof(written)),
                 STATUS_SUCCESS);
    CHECK_STATUS(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, ROOT, table, NULL, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(read, 99);
    CHECK_STATUS(RtlDeleteRegistryValue(RTL_REGISTRY_ABSOLUTE, ROOT, L"Helped"), STATUS_SUCCESS);
    CHECK_STATUS(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, ROOT, table, NULL, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(RtlCheckRegistryKey(RTL_REGISTRY_ABSOLUTE, ROOT), STATUS_SUCCESS);
}

/* The service key of this very driver, as ntrun or the program wrote it. */
static VOID TestService(KTEST_RUN *Run)
{
    HANDLE key;
    ULONG length;
    VALUE value;

    CHECK_STATUS(OpenKey(&key, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\ktest", FALSE, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(GetValue(key, L"ImagePath", &value, sizeof(value), &length), STATUS_SUCCESS);
    KtSay(Run, "ImagePath: %.*ws", (int)(value.Partial.DataLength / sizeof(WCHAR)), (PWCHAR)value.Partial.Data);
    CHECK(value.Partial.Type == REG_EXPAND_SZ || value.Partial.Type == REG_SZ);
    CHECK_STATUS(GetValue(key, L"Type", &value, sizeof(value), &length), STATUS_SUCCESS);
    CHECK_EQUAL(*(PULONG)value.Partial.Data, 1);
    ZwClose(key);
}

VOID KtGroup_registry(KTEST_RUN *Run)
{
    ULONG disposition = 0;
    HANDLE key, same;

    CHECK_STATUS(OpenKey(&key, ROOT, FALSE, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK_STATUS(OpenKey(&key, ROOT, TRUE, &disposition), STATUS_SUCCESS);
    CHECK_EQUAL(disposition, REG_CREATED_NEW_KEY);
    CHECK_STATUS(OpenKey(&same, ROOT, TRUE, &disposition), STATUS_SUCCESS);
    CHECK_EQUAL(disposition, REG_OPENED_EXISTING_KEY);
    ZwClose(same);
    TestValues(Run, key);
    TestEnumeration(Run, key);
    TestHelpers(Run);
    TestService(Run);
    CHECK_STATUS(ZwDeleteKey(key), STATUS_SUCCESS);
    ZwClose(key);
    CHECK_STATUS(OpenKey(&key, ROOT, FALSE, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
}
