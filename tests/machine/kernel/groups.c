/* SPDX-License-Identifier: MIT */
/* The table of groups, from groups.def. */
#include "ktest.h"

#define LARGE_GROUP(name) GROUP(name)
#define UNCHECKED_GROUP(name) GROUP(name)
#define GROUP(name) VOID KtGroup_##name(KTEST_RUN *Run);
#include "groups.def"
#undef GROUP

const KTEST_GROUP KtGroups[] = {
#define GROUP(name) {#name, KtGroup_##name},
#include "groups.def"
#undef GROUP
};
const ULONG KtGroupCount = sizeof(KtGroups) / sizeof(KtGroups[0]);
