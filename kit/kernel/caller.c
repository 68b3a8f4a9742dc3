/* SPDX-License-Identifier: MIT */
/*
 * Who is calling: the effective token of the current thread.
 */
#include "ist.h"

/*
 * Whether this kernel has tokens. Wine runs drivers in a user process and has none: its Se routines end the process
 * when called. It is told by where our own data lies; every other system loads drivers into the upper half.
 */
BOOLEAN IstTokensDetect(VOID)
{
    return (LONG_PTR)&IstLibrary < 0;
}

BOOLEAN IsthmusSystemHasTokens(VOID)
{
    return IstLibrary.Tokens;
}

BOOLEAN IsthmusCallerIsAdministrator(VOID)
{
    SECURITY_SUBJECT_CONTEXT subject;
    BOOLEAN administrator = FALSE;

    if (!IstLibrary.Tokens)
    {
        return FALSE;
    }
    SeCaptureSubjectContext(&subject);
    SeLockSubjectContext(&subject);
    /* A client that lets itself be identified only hasn't lent its rights. */
    if (subject.ClientToken == NULL || subject.ImpersonationLevel >= SecurityImpersonation)
    {
        administrator = SeTokenIsAdmin(SeQuerySubjectContextToken(&subject));
    }
    SeUnlockSubjectContext(&subject);
    SeReleaseSubjectContext(&subject);
    return administrator;
}
