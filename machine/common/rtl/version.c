/* SPDX-License-Identifier: MIT */
/*
 * The version that the machine reports: Windows 10 22H2, 10.0.19045, a workstation.
 */
#include "rtlp.h"

/* A static library of the driver kit goes by these names on systems that lack the exports. */
#undef RtlIsNtDdiVersionAvailable
#undef RtlIsServicePackVersionInstalled

#define RTLP_MAJOR 10
#define RTLP_MINOR 0
#define RTLP_BUILD 19045
#define RTLP_PLATFORM VER_PLATFORM_WIN32_NT
#define RTLP_SUITE 0x100 /* VER_SUITE_SINGLEUSERTS */
#define RTLP_PRODUCT VER_NT_WORKSTATION

/**
 * Reports the version.
 *
 * @param VersionInformation  dwOSVersionInfoSize says which structure it is; RTL_OSVERSIONINFOEXW gets all fields
 * @return STATUS_SUCCESS
 *
 * IRQL: any (NT says PASSIVE_LEVEL).
 */
NTSTATUS NTAPI RtlGetVersion(_Inout_ PRTL_OSVERSIONINFOW VersionInformation)
{
    PRTL_OSVERSIONINFOEXW Extended = (PRTL_OSVERSIONINFOEXW)VersionInformation;

    VersionInformation->dwMajorVersion = RTLP_MAJOR;
    VersionInformation->dwMinorVersion = RTLP_MINOR;
    VersionInformation->dwBuildNumber = RTLP_BUILD;
    VersionInformation->dwPlatformId = RTLP_PLATFORM;
    RtlpZero(VersionInformation->szCSDVersion, sizeof(VersionInformation->szCSDVersion));
    if (VersionInformation->dwOSVersionInfoSize == sizeof(*Extended))
    {
        Extended->wServicePackMajor = 0;
        Extended->wServicePackMinor = 0;
        Extended->wSuiteMask = RTLP_SUITE;
        Extended->wProductType = RTLP_PRODUCT;
        Extended->wReserved = 0;
    }

    return STATUS_SUCCESS;
}

/**
 * Adds a condition to a mask for RtlVerifyVersionInfo: three bits for each of the eight kinds.
 */
ULONGLONG NTAPI VerSetConditionMask(_In_ ULONGLONG ConditionMask, _In_ ULONG TypeMask, _In_ UCHAR Condition)
{
    ULONG Shift;

    Condition &= VER_CONDITION_MASK;
    if (TypeMask == 0 || Condition == 0)
    {
        return ConditionMask;
    }

    /* The highest kind named is the one that is set. */
    Shift = (ULONG)(31 - __builtin_clz(TypeMask)) * VER_NUM_BITS_PER_CONDITION_MASK;
    return Shift <= 7 * VER_NUM_BITS_PER_CONDITION_MASK ? ConditionMask | ((ULONGLONG)Condition << Shift)
                                                        : ConditionMask;
}

static ULONG RtlpCondition(ULONGLONG ConditionMask, ULONG Type)
{
    ULONG Shift = (ULONG)__builtin_ctz(Type) * VER_NUM_BITS_PER_CONDITION_MASK;

    return (ULONG)(ConditionMask >> Shift) & VER_CONDITION_MASK;
}

static BOOLEAN RtlpMeets(ULONG Condition, ULONG Actual, ULONG Wanted)
{
    switch (Condition)
    {
    case VER_EQUAL:
        return Actual == Wanted;

    case VER_GREATER:
        return Actual > Wanted;

    case VER_GREATER_EQUAL:
        return Actual >= Wanted;

    case VER_LESS:
        return Actual < Wanted;

    case VER_LESS_EQUAL:
        return Actual <= Wanted;

    default:
        return FALSE;
    }
}

/*
 * Major, minor and service pack are parts of one number: a part decides only if those before it are equal. The
 * condition is that of the most significant part asked for.
 */
static NTSTATUS RtlpCompareParts(PRTL_OSVERSIONINFOEXW Wanted, ULONG TypeMask, ULONGLONG ConditionMask)
{
    const struct
    {
        ULONG Type;
        ULONG Actual;
        ULONG Wanted;
    } Parts[] = {
        {VER_MAJORVERSION, RTLP_MAJOR, Wanted->dwMajorVersion},
        {VER_MINORVERSION, RTLP_MINOR, Wanted->dwMinorVersion},
        {VER_SERVICEPACKMAJOR, 0, Wanted->wServicePackMajor},
        {VER_SERVICEPACKMINOR, 0, Wanted->wServicePackMinor},
    };
    ULONG Condition = 0;
    ULONG Index;

    for (Index = 0; Index < RTL_NUMBER_OF(Parts); Index += 1)
    {
        if ((TypeMask & Parts[Index].Type) == 0)
        {
            continue;
        }

        if (Condition == 0)
        {
            Condition = RtlpCondition(ConditionMask, Parts[Index].Type);
            if (Condition < VER_EQUAL || Condition > VER_LESS_EQUAL)
            {
                return STATUS_INVALID_PARAMETER;
            }
        }

        if (Parts[Index].Actual != Parts[Index].Wanted)
        {
            return RtlpMeets(Condition, Parts[Index].Actual, Parts[Index].Wanted) ? STATUS_SUCCESS
                                                                                  : STATUS_REVISION_MISMATCH;
        }
    }

    /* All parts are equal: good, unless a difference was asked for. */
    return Condition == VER_GREATER || Condition == VER_LESS ? STATUS_REVISION_MISMATCH : STATUS_SUCCESS;
}

/**
 * Compares the version with a wanted one.
 *
 * @param VersionInfo    the wanted values
 * @param TypeMask       VER_...: which of them count
 * @param ConditionMask  from VerSetConditionMask
 * @return STATUS_SUCCESS, STATUS_REVISION_MISMATCH, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlVerifyVersionInfo(_In_ PRTL_OSVERSIONINFOEXW VersionInfo, _In_ ULONG TypeMask,
                                    _In_ ULONGLONG ConditionMask)
{
    const struct
    {
        ULONG Type;
        ULONG Actual;
        ULONG Wanted;
    } Single[] = {
        {VER_BUILDNUMBER, RTLP_BUILD, VersionInfo->dwBuildNumber},
        {VER_PLATFORMID, RTLP_PLATFORM, VersionInfo->dwPlatformId},
        {VER_PRODUCT_TYPE, RTLP_PRODUCT, VersionInfo->wProductType},
    };
    ULONG Index;

    if (TypeMask == 0 || ConditionMask == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (Index = 0; Index < RTL_NUMBER_OF(Single); Index += 1)
    {
        if ((TypeMask & Single[Index].Type) != 0 &&
            !RtlpMeets(RtlpCondition(ConditionMask, Single[Index].Type), Single[Index].Actual, Single[Index].Wanted))
        {
            return STATUS_REVISION_MISMATCH;
        }
    }

    if ((TypeMask & VER_SUITENAME) != 0)
    {
        ULONG Both = RTLP_SUITE & VersionInfo->wSuiteMask;
        ULONG Condition = RtlpCondition(ConditionMask, VER_SUITENAME);

        if (Condition == VER_AND ? Both != VersionInfo->wSuiteMask
                                 : Condition != VER_OR || (Both == 0 && VersionInfo->wSuiteMask != 0))
        {
            return STATUS_REVISION_MISMATCH;
        }
    }

    return RtlpCompareParts(VersionInfo, TypeMask, ConditionMask);
}

/**
 * TRUE if the system is at least the version that an NTDDI_ constant names. Constants that also name a service pack
 * or a release are answered with FALSE, as documented.
 */
BOOLEAN NTAPI RtlIsNtDdiVersionAvailable(_In_ ULONG Version)
{
    return (Version & 0xFFFF) == 0 && Version <= ((ULONG)RTLP_MAJOR << 24 | RTLP_MINOR << 16);
}

/**
 * TRUE if the version is this one and its service pack is there. This version never had one.
 */
BOOLEAN NTAPI RtlIsServicePackVersionInstalled(_In_ ULONG Version)
{
    return (Version & 0xFFFFFF00) == ((ULONG)RTLP_MAJOR << 24 | RTLP_MINOR << 16);
}
