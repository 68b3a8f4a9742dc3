/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps, splay trees and generic tables, each against a simple model.
 */
#include "rtltest.h"

/* ---- bitmaps against an array of bytes ---- */

#define MAX_BITS 300

typedef struct
{
    RTL_BITMAP Map;
    ULONG *Words;
    UCHAR Model[MAX_BITS];
    ULONG Size;
} BITS;

static void CheckBits(const BITS *Bits)
{
    ULONG Index;
    ULONG Set = 0;

    for (Index = 0; Index < Bits->Size; Index += 1)
    {
        assert_int_equal(RtlTestBit((PRTL_BITMAP)&Bits->Map, Index), Bits->Model[Index]);
        Set += Bits->Model[Index];
    }

    assert_int_equal(RtlNumberOfSetBits((PRTL_BITMAP)&Bits->Map), Set);
    assert_int_equal(RtlNumberOfClearBits((PRTL_BITMAP)&Bits->Map), Bits->Size - Set);
}

static ULONG ModelRun(const BITS *Bits, ULONG At, UCHAR Value)
{
    ULONG End = At;

    while (End < Bits->Size && Bits->Model[End] == Value)
    {
        End += 1;
    }

    return End - At;
}

static ULONG ModelFind(const BITS *Bits, ULONG Count, ULONG Hint, UCHAR Value)
{
    ULONG At;

    if (Hint >= Bits->Size)
    {
        Hint = 0;
    }

    if (Count == 0)
    {
        return Hint & ~7u;
    }

    for (At = Hint; At < Bits->Size; At += 1)
    {
        if (ModelRun(Bits, At, Value) >= Count)
        {
            return At;
        }
    }

    for (At = 0; At < Hint; At += 1)
    {
        if (ModelRun(Bits, At, Value) >= Count)
        {
            return At;
        }
    }

    return 0xFFFFFFFF;
}

static void CheckRuns(BITS *Bits, ULONG From)
{
    ULONG Start;
    ULONG Length;
    ULONG Expected = From;
    ULONG End = min(From, Bits->Size - 1) + 1;
    ULONG Longest = 0;
    ULONG LongestAt = 0;
    ULONG At;
    RTL_BITMAP_RUN Runs[4];
    ULONG Count;

    while (Expected < Bits->Size && Bits->Model[Expected] != 0)
    {
        Expected += 1;
    }

    Length = RtlFindNextForwardRunClear(&Bits->Map, From, &Start);
    assert_int_equal(Length, Expected < Bits->Size ? ModelRun(Bits, Expected, 0) : 0);
    if (Length != 0)
    {
        assert_int_equal(Start, Expected);
    }

    while (End != 0 && Bits->Model[End - 1] != 0)
    {
        End -= 1;
    }

    for (At = End; At != 0 && Bits->Model[At - 1] == 0; At -= 1)
    {
    }

    assert_int_equal(RtlFindLastBackwardRunClear(&Bits->Map, From, &Start), End - At);
    assert_int_equal(Start, At);
    for (At = 0; At < Bits->Size; At += max(ModelRun(Bits, At, 0), 1))
    {
        if (ModelRun(Bits, At, 0) > Longest)
        {
            Longest = ModelRun(Bits, At, 0);
            LongestAt = At;
        }
    }

    assert_int_equal(RtlFindLongestRunClear(&Bits->Map, &Start), Longest);
    assert_int_equal(Start, LongestAt);
    Count = RtlFindClearRuns(&Bits->Map, Runs, 4, TRUE);
    for (At = 0; At < Count; At += 1)
    {
        assert_int_equal(ModelRun(Bits, Runs[At].StartingIndex, 0), Runs[At].NumberOfBits);
        assert_true(Runs[At].StartingIndex == 0 || Bits->Model[Runs[At].StartingIndex - 1] != 0);
        assert_true(At == 0 || Runs[At - 1].NumberOfBits >= Runs[At].NumberOfBits);
    }

    assert_true(Longest == 0 ? Count == 0 : Runs[0].NumberOfBits == Longest);
}

static void TestBitmaps(void **State)
{
    uint64_t Random = 3;
    int Round;

    (void)State;
    for (Round = 0; Round < 300; Round += 1)
    {
        BITS Bits = {0};
        int Step;

        Bits.Size = 1 + TestRandom(&Random) % (MAX_BITS - 1);
        Bits.Words = malloc((Bits.Size + 31) / 32 * 4);
        RtlInitializeBitMap(&Bits.Map, Bits.Words, Bits.Size);
        RtlClearAllBits(&Bits.Map);
        for (Step = 0; Step < 60; Step += 1)
        {
            ULONG At = TestRandom(&Random) % Bits.Size;
            ULONG Length = TestRandom(&Random) % (Bits.Size - At + 1);
            ULONG Hint = TestRandom(&Random) % (Bits.Size + 10);
            ULONG Found;
            UCHAR Value = (UCHAR)(Step & 1);

            switch (TestRandom(&Random) % 4)
            {
            case 0:
                Value ? RtlSetBits(&Bits.Map, At, Length) : RtlClearBits(&Bits.Map, At, Length);
                host_memset(Bits.Model + At, Value, Length);
                break;

            case 1:
                Value ? RtlSetBit(&Bits.Map, At) : RtlClearBit(&Bits.Map, At);
                Bits.Model[At] = Value;
                break;

            case 2:
                Length %= 20;
                Found = Value ? RtlFindClearBitsAndSet(&Bits.Map, Length, Hint)
                              : RtlFindSetBitsAndClear(&Bits.Map, Length, Hint);
                assert_int_equal(Found, ModelFind(&Bits, Length, Hint, !Value));
                if (Found != 0xFFFFFFFF)
                {
                    host_memset(Bits.Model + Found, Value, Length);
                }
                break;

            default:
                assert_int_equal(RtlFindClearBits(&Bits.Map, Length, Hint), ModelFind(&Bits, Length, Hint, 0));
                assert_int_equal(RtlAreBitsSet(&Bits.Map, At, Length), Length && ModelRun(&Bits, At, 1) >= Length);
                assert_int_equal(RtlAreBitsClear(&Bits.Map, At, Length), Length && ModelRun(&Bits, At, 0) >= Length);
                CheckRuns(&Bits, At);
                break;
            }

            CheckBits(&Bits);
        }

        RtlSetAllBits(&Bits.Map);
        assert_int_equal(RtlNumberOfSetBits(&Bits.Map), Bits.Size);
        assert_int_equal(RtlFindClearBits(&Bits.Map, 1, 0), 0xFFFFFFFF);
        assert_false(RtlAreBitsSet(&Bits.Map, 0, Bits.Size + 1));
        assert_false(RtlAreBitsSet(&Bits.Map, 0xFFFFFFFF, 2));
        free(Bits.Words);
    }

    assert_int_equal(RtlFindMostSignificantBit(0), -1);
    assert_int_equal(RtlFindMostSignificantBit(0x8000000000000001ULL), 63);
    assert_int_equal(RtlFindLeastSignificantBit(0x8000000000000000ULL), 63);
    assert_int_equal(RtlNumberOfSetBitsUlongPtr(0xF0F), 8);
}

/* ---- tables against a sorted array ---- */

#define KEYS 64

typedef struct
{
    int Key;
    int Payload[3];
} RECORD;

static int FailAllocation;

static RTL_GENERIC_COMPARE_RESULTS Order(const RECORD *A, const RECORD *B)
{
    return A->Key < B->Key ? GenericLessThan : A->Key > B->Key ? GenericGreaterThan : GenericEqual;
}

static RTL_GENERIC_COMPARE_RESULTS CompareSplay(struct _RTL_GENERIC_TABLE *Table, PVOID A, PVOID B)
{
    (void)Table;
    return Order(A, B);
}

static PVOID AllocateSplay(struct _RTL_GENERIC_TABLE *Table, CLONG Bytes)
{
    (void)Table;
    return FailAllocation ? NULL : malloc(Bytes);
}

static VOID FreeSplay(struct _RTL_GENERIC_TABLE *Table, PVOID Memory)
{
    (void)Table;
    free(Memory);
}

static RTL_GENERIC_COMPARE_RESULTS CompareAvl(struct _RTL_AVL_TABLE *Table, PVOID A, PVOID B)
{
    (void)Table;
    return Order(A, B);
}

static PVOID AllocateAvl(struct _RTL_AVL_TABLE *Table, CLONG Bytes)
{
    (void)Table;
    return FailAllocation ? NULL : malloc(Bytes);
}

static VOID FreeAvl(struct _RTL_AVL_TABLE *Table, PVOID Memory)
{
    (void)Table;
    free(Memory);
}

static ULONG CountSplay(PRTL_SPLAY_LINKS Node)
{
    if (Node == NULL)
    {
        return 0;
    }

    assert_true(Node->LeftChild == NULL || Node->LeftChild->Parent == Node);
    assert_true(Node->RightChild == NULL || Node->RightChild->Parent == Node);
    return 1 + CountSplay(Node->LeftChild) + CountSplay(Node->RightChild);
}

static void TestSplayTable(void **State)
{
    RTL_GENERIC_TABLE Table;
    UCHAR Present[KEYS] = {0};
    int Inserted[4096]; /* keys in the order of insertion */
    int Count = 0;
    uint64_t Random = 11;
    int Step;

    (void)State;
    RtlInitializeGenericTable(&Table, CompareSplay, AllocateSplay, FreeSplay, NULL);
    assert_true(RtlIsGenericTableEmpty(&Table));
    assert_null(RtlEnumerateGenericTable(&Table, TRUE));
    for (Step = 0; Step < 20000; Step += 1)
    {
        RECORD Record = {(int)(TestRandom(&Random) % KEYS), {Step, 0, 0}};
        RECORD *Found;
        BOOLEAN New;
        int Index;

        switch (TestRandom(&Random) % 5)
        {
        case 0:
        case 1:
            FailAllocation = TestRandom(&Random) % 10 == 0;
            Found = RtlInsertElementGenericTable(&Table, &Record, sizeof(Record), &New);
            assert_int_equal(New, !Present[Record.Key] && !FailAllocation);
            assert_true(Found != NULL ? Found->Key == Record.Key : FailAllocation);
            if (New)
            {
                assert_int_equal(Found->Payload[0], Step);
                Present[Record.Key] = 1;
                Inserted[Count++] = Record.Key;
            }
            FailAllocation = 0;
            break;

        case 2:
            assert_int_equal(RtlDeleteElementGenericTable(&Table, &Record), Present[Record.Key]);
            if (Present[Record.Key])
            {
                for (Index = 0; Inserted[Index] != Record.Key; Index += 1)
                {
                }

                host_memmove(&Inserted[Index], &Inserted[Index + 1], (size_t)(Count - Index - 1) * sizeof(int));
                Count -= 1;
                Present[Record.Key] = 0;
            }
            break;

        case 3:
            Found = RtlLookupElementGenericTable(&Table, &Record);
            assert_int_equal(Found != NULL, Present[Record.Key]);
            break;

        default:
            if (Count != 0)
            {
                Index = (int)(TestRandom(&Random) % (unsigned)Count);
                Found = RtlGetElementGenericTable(&Table, (ULONG)Index);
                assert_int_equal(Found->Key, Inserted[Index]);
            }
            assert_null(RtlGetElementGenericTable(&Table, (ULONG)Count));
            break;
        }

        assert_int_equal(RtlNumberGenericTableElements(&Table), Count);
        if (Step % 64 == 0)
        {
            PVOID Key = NULL;
            int Expected = -1;

            assert_int_equal(CountSplay(Table.TableRoot), Count);
            assert_true(Table.TableRoot == NULL || Table.TableRoot->Parent == Table.TableRoot);
            for (Found = RtlEnumerateGenericTableWithoutSplaying(&Table, &Key); Found != NULL;
                 Found = RtlEnumerateGenericTableWithoutSplaying(&Table, &Key))
            {
                do
                {
                    Expected += 1;
                } while (!Present[Expected]);
                assert_int_equal(Found->Key, Expected);
            }

            Expected = -1;
            for (Found = RtlEnumerateGenericTable(&Table, TRUE); Found != NULL;
                 Found = RtlEnumerateGenericTable(&Table, FALSE))
            {
                assert_true(Found->Key > Expected);
                Expected = Found->Key;
            }
        }
    }

    while (!RtlIsGenericTableEmpty(&Table))
    {
        assert_true(RtlDeleteElementGenericTable(&Table, RtlGetElementGenericTable(&Table, 0)));
    }
}

/* Bare splay links: deleting with and without splaying keeps the order. */
static void TestSplayLinks(void **State)
{
    RTL_SPLAY_LINKS Nodes[40];
    uint64_t Random = 17;
    int Round;

    (void)State;
    for (Round = 0; Round < 500; Round += 1)
    {
        PRTL_SPLAY_LINKS Root = &Nodes[20];
        UCHAR Present[40] = {0};
        int Left = 40;
        int Index;

        RtlpZero(Nodes, sizeof(Nodes));
        Root->Parent = Root;
        Present[20] = 1;
        for (Index = 0; Index < 40; Index += 1)
        {
            int Pick = (Index * 7 + Round) % 40; /* 7 and 40 share no factor: every node once */
            PRTL_SPLAY_LINKS At = Root;

            if (Present[Pick])
            {
                continue;
            }

            for (;;)
            {
                PRTL_SPLAY_LINKS *Child = &Nodes[Pick] < At ? &At->LeftChild : &At->RightChild;

                if (*Child == NULL)
                {
                    *Child = &Nodes[Pick];
                    Nodes[Pick].Parent = At;
                    break;
                }

                At = *Child;
            }

            Present[Pick] = 1;
            if (TestRandom(&Random) & 1)
            {
                Root = RtlSplay(&Nodes[Pick]);
            }
        }

        while (Left > 0)
        {
            int Pick = (int)(TestRandom(&Random) % 40);
            PRTL_SPLAY_LINKS At;
            int Seen = 0;

            if (!Present[Pick])
            {
                continue;
            }

            if (TestRandom(&Random) & 1)
            {
                Root = RtlDelete(&Nodes[Pick]);
            }
            else
            {
                RtlDeleteNoSplay(&Nodes[Pick], &Root);
            }

            Present[Pick] = 0;
            Left -= 1;
            assert_int_equal(CountSplay(Root), Left);
            assert_true(Root == NULL || Root->Parent == Root);
            for (At = Root; At != NULL && At->LeftChild != NULL; At = At->LeftChild)
            {
            }

            for (; At != NULL; At = RtlRealSuccessor(At))
            {
                PRTL_SPLAY_LINKS Before = RtlRealPredecessor(At);

                assert_true(Present[At - Nodes] && (Before == NULL || Before < At));
                Seen += 1;
            }

            assert_int_equal(Seen, Left);
        }
    }
}

/* Height of a subtree; checks every balance on the way. */
static int CheckAvl(PRTL_BALANCED_LINKS Node)
{
    int Left;
    int Right;

    if (Node == NULL)
    {
        return 0;
    }

    assert_true(Node->LeftChild == NULL || Node->LeftChild->Parent == Node);
    assert_true(Node->RightChild == NULL || Node->RightChild->Parent == Node);
    Left = CheckAvl(Node->LeftChild);
    Right = CheckAvl(Node->RightChild);
    assert_int_equal(Right - Left, (signed char)Node->Balance);
    assert_true(Right - Left >= -1 && Right - Left <= 1);
    return 1 + max(Left, Right);
}

static void TestAvlTable(void **State)
{
    RTL_AVL_TABLE Table;
    UCHAR Present[KEYS] = {0};
    int Count = 0;
    uint64_t Random = 23;
    int Step;

    (void)State;
    RtlInitializeGenericTableAvl(&Table, CompareAvl, AllocateAvl, FreeAvl, NULL);
    for (Step = 0; Step < 30000; Step += 1)
    {
        RECORD Record = {(int)(TestRandom(&Random) % KEYS), {Step, 0, 0}};
        RECORD *Found;
        BOOLEAN New;
        int Index;
        int Expected;

        switch (TestRandom(&Random) % 6)
        {
        case 0:
        case 1:
            FailAllocation = TestRandom(&Random) % 10 == 0;
            Found = RtlInsertElementGenericTableAvl(&Table, &Record, sizeof(Record), &New);
            assert_int_equal(New, !Present[Record.Key] && !FailAllocation);
            assert_true(Found != NULL ? Found->Key == Record.Key : FailAllocation);
            Count += New;
            Present[Record.Key] |= New;
            FailAllocation = 0;
            break;

        case 2:
            assert_int_equal(RtlDeleteElementGenericTableAvl(&Table, &Record), Present[Record.Key]);
            Count -= Present[Record.Key];
            Present[Record.Key] = 0;
            break;

        case 3:
            Found = RtlLookupElementGenericTableAvl(&Table, &Record);
            assert_int_equal(Found != NULL, Present[Record.Key]);
            break;

        case 4:
            Index = (int)(TestRandom(&Random) % (KEYS + 1));
            Found = RtlGetElementGenericTableAvl(&Table, (ULONG)Index);
            for (Expected = 0; Expected < KEYS && (Index -= Present[Expected]) >= 0; Expected += 1)
            {
            }
            assert_true(Found == NULL ? Expected == KEYS : Found->Key == Expected);
            break;

        default:
        {
            PVOID Key = NULL;
            ULONG Deletes = 0;

            /* From the first element that is not smaller. */
            Found = RtlEnumerateGenericTableLikeADirectory(&Table, NULL, NULL, FALSE, &Key, &Deletes, &Record);
            for (Expected = Record.Key; Expected < KEYS && !Present[Expected]; Expected += 1)
            {
            }
            assert_true(Found == NULL ? Expected == KEYS : Found->Key == Expected);
            break;
        }
        }

        assert_int_equal(RtlNumberGenericTableElementsAvl(&Table), Count);
        assert_int_equal(CheckAvl(Table.BalancedRoot.RightChild), Table.DepthOfTree);
        assert_null(Table.BalancedRoot.LeftChild);
        if (Step % 64 == 0)
        {
            Expected = -1;
            for (Found = RtlEnumerateGenericTableAvl(&Table, TRUE); Found != NULL;
                 Found = RtlEnumerateGenericTableAvl(&Table, FALSE))
            {
                do
                {
                    Expected += 1;
                } while (!Present[Expected]);
                assert_int_equal(Found->Key, Expected);
            }
        }
    }

    /* Deleting during an enumeration loses no other element. */
    for (Step = 0; Step < KEYS; Step += 1)
    {
        RECORD Record = {Step, {0}};

        RtlInsertElementGenericTableAvl(&Table, &Record, sizeof(Record), NULL);
    }

    Count = 0;
    for (RECORD *Found = RtlEnumerateGenericTableAvl(&Table, TRUE); Found != NULL;
         Found = RtlEnumerateGenericTableAvl(&Table, FALSE))
    {
        RECORD Record = *Found;

        assert_int_equal(Record.Key, Count);
        Count += 1;
        assert_true(RtlDeleteElementGenericTableAvl(&Table, &Record));
    }

    assert_int_equal(Count, KEYS);
    assert_true(RtlIsGenericTableEmptyAvl(&Table));
    assert_int_equal(Table.DepthOfTree, 0);
}

static NTSTATUS MatchOdd(struct _RTL_AVL_TABLE *Table, PVOID Data, PVOID Limit)
{
    (void)Table;
    if (((RECORD *)Data)->Key >= *(int *)Limit)
    {
        return STATUS_NO_MORE_MATCHES;
    }

    return ((RECORD *)Data)->Key & 1 ? STATUS_SUCCESS : STATUS_NO_MATCH;
}

static void TestDirectoryEnumeration(void **State)
{
    RTL_AVL_TABLE Table;
    RECORD Record = {0, {0}};
    RECORD *Found;
    PVOID Key = NULL;
    ULONG Deletes = 0;
    int Limit = 8;
    int Index;

    (void)State;
    RtlInitializeGenericTableAvl(&Table, CompareAvl, AllocateAvl, FreeAvl, NULL);
    for (Index = 0; Index < 12; Index += 1)
    {
        Record.Key = Index;
        RtlInsertElementGenericTableAvl(&Table, &Record, sizeof(Record), NULL);
    }

    Record.Key = 2;
    Found = RtlEnumerateGenericTableLikeADirectory(&Table, MatchOdd, &Limit, FALSE, &Key, &Deletes, &Record);
    assert_int_equal(Found->Key, 3);
    Record = *Found;
    assert_true(RtlDeleteElementGenericTableAvl(&Table, &Record)); /* the position is gone: looked up by key */
    Found = RtlEnumerateGenericTableLikeADirectory(&Table, MatchOdd, &Limit, TRUE, &Key, &Deletes, &Record);
    assert_int_equal(Found->Key, 5);
    Found = RtlEnumerateGenericTableLikeADirectory(&Table, MatchOdd, &Limit, TRUE, &Key, &Deletes, &Record);
    assert_int_equal(Found->Key, 7);
    assert_null(RtlEnumerateGenericTableLikeADirectory(&Table, MatchOdd, &Limit, TRUE, &Key, &Deletes, &Record));
    while (!RtlIsGenericTableEmptyAvl(&Table))
    {
        RtlDeleteElementGenericTableAvl(&Table, RtlGetElementGenericTableAvl(&Table, 0));
    }
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestBitmaps),    cmocka_unit_test(TestSplayTable), cmocka_unit_test(TestSplayLinks),
        cmocka_unit_test(TestAvlTable),   cmocka_unit_test(TestDirectoryEnumeration),
    };

    return cmocka_run_group_tests(Tests, NULL, NULL);
}
