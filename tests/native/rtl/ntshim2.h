/* SPDX-License-Identifier: MIT */
/* Types of tables, time, versions and security; part of ntshim.h. */
