# SPDX-License-Identifier: MIT
# Makes ntoskrnl.def from the rooms' lists of exports and from the system services (each is exported as ZwXxx),
# and zw.c with the ZwXxx entry points for kernel callers.
#   cmake -DSERVICES=services.def -DPOINTERS=pointers.def -DLISTS="a.exports;b.exports" -DDEF=ntoskrnl.def -DZW=zw.c
#         -P ntoskrnl-exports.cmake
file(STRINGS ${SERVICES} lines REGEX "^SERVICE\\(")
file(STRINGS ${POINTERS} pointers REGEX "^POINTERS\\(")
foreach(line IN LISTS pointers)
    string(REGEX MATCH "^POINTERS\\(([A-Za-z0-9]+), \"([-pos]+)\"\\)" ok "${line}")
    set(KINDS_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()
set(names)
set(thunks "")
set(letters a b c d e f g h i j k l m n)
foreach(line IN LISTS lines)
    string(REGEX MATCH "^SERVICE\\(Nt([A-Za-z0-9]+), *([0-9]+)\\)" ok "${line}")
    set(stem ${CMAKE_MATCH_1})
    set(count ${CMAKE_MATCH_2})
    list(APPEND names Zw${stem})
    set(parameters)
    set(arguments)
    set(i 0)
    while(i LESS count)
        list(GET letters ${i} letter)
        list(APPEND parameters "ULONG_PTR ${letter}")
        list(APPEND arguments ${letter})
        math(EXPR i "${i} + 1")
    endwhile()
    string(REPLACE ";" ", " parameters "${parameters}")
    string(REPLACE ";" ", " arguments "${arguments}")
    if(count EQUAL 0)
        set(parameters void)
    endif()
    set(check)
    if(DEFINED KINDS_${stem}) # the verifier looks at the addresses
        string(LENGTH "${KINDS_${stem}}" length)
        if(NOT length EQUAL count)
            message(FATAL_ERROR "pointers.def: ${stem} has ${count} arguments")
        endif()
        string(CONCAT check "    const ULONG_PTR all[] = {${arguments}};\n"
            "    VfCheckService(\"${KINDS_${stem}}\", all, __builtin_return_address(0));\n")
    endif()
    string(APPEND thunks "LONG Nt${stem}(${parameters});\nLONG Zw${stem}(${parameters})\n{\n${check}"
        "    UCHAR previous = KiEnterKernelService();\n    LONG status = Nt${stem}(${arguments});\n"
        "    KiLeaveKernelService(previous);\n    return status;\n}\n\n")
endforeach()
foreach(list ${LISTS})
    file(STRINGS ${list} entries)
    foreach(entry IN LISTS entries)
        string(REGEX REPLACE "#.*$" "" entry "${entry}")
        string(STRIP "${entry}" entry)
        if(NOT entry STREQUAL "")
            list(APPEND names "${entry}")
        endif()
    endforeach()
endforeach()
list(REMOVE_DUPLICATES names)
list(SORT names)
string(REPLACE ";" "\n    " body "${names}")
file(CONFIGURE OUTPUT ${DEF} CONTENT "LIBRARY ntoskrnl.exe\nEXPORTS\n    ${body}\n" @ONLY)
file(CONFIGURE OUTPUT ${ZW} CONTENT "/* Made from services.def: the services as kernel code calls them, with PreviousMode KernelMode. */
typedef long LONG;
typedef unsigned char UCHAR;
typedef unsigned long long ULONG_PTR;
UCHAR KiEnterKernelService(void);
void KiLeaveKernelService(UCHAR Previous);
void VfCheckService(const char *Kinds, const ULONG_PTR *Arguments, void *Caller);

${thunks}" @ONLY)
