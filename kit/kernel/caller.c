/* SPDX-License-Identifier: MIT */
/*
 * Who is calling: the effective token of the current thread.
 */
#include "ist.h"

BOOLEAN IsthmusCallerIsAdministrator(VOID)
{
    SECURITY_SUBJECT_CONTEXT subject;
    BOOLEAN administrator = FALSE;

    __try
    {
        SeCaptureSubjectContext(&subject);
        SeLockSubjectContext(&subject);
        /* A client that lets itself be identified only hasn't lent its rights. */
        if (subject.ClientToken == NULL || subject.ImpersonationLevel >= SecurityImpersonation)
        {
            administrator = SeTokenIsAdmin(SeQuerySubjectContextToken(&subject));
        }
        SeUnlockSubjectContext(&subject);
        SeReleaseSubjectContext(&subject);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        /* A kernel without tokens exports routines that raise. Nobody is an administrator there. */
        administrator = FALSE;
    }
    return administrator;
}
