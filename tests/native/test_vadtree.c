/* SPDX-License-Identifier: MIT */
/*
 * The tree of a process's VADs (machine/kernel/mm/vadtree.c) against a plain list: after each of many insertions and
 * removals, order, balance and parents hold, and every search answers as a walk of the list does.
 */
#include "support.h"

#include "vadtree/mmp.h"

#define VADS 400
#define STEPS 60000

static MMVAD Vads[VADS];
static bool In[VADS];

/* Height of a subtree, everything about it checked. */
static int CheckTree(const MMVAD *Vad, const MMVAD *Parent, ULONG_PTR Low, ULONG_PTR High, int *Count)
{
    int heights[2];

    if (Vad == NULL)
    {
        return 0;
    }
    assert_ptr_equal(Vad->Parent, Parent);
    assert_true(Vad->Start >= Low && Vad->End <= High);
    heights[0] = CheckTree(Vad->Child[0], Vad, Low, Vad->Start - 1, Count);
    heights[1] = CheckTree(Vad->Child[1], Vad, Vad->End + 1, High, Count);
    assert_int_equal(heights[1] - heights[0], Vad->Balance);
    assert_in_range(Vad->Balance + 1, 0, 2);
    (*Count)++;
    return (heights[0] > heights[1] ? heights[0] : heights[1]) + 1;
}

static void CheckSearches(MM_ADDRESS_SPACE *Space, ULONG_PTR Page)
{
    MMVAD *at = NULL, *from = NULL, *below = NULL;

    for (int i = 0; i < VADS; i++) /* in order */
    {
        MMVAD *vad = In[i] ? &Vads[i] : NULL;
        at = vad != NULL && vad->Start <= Page && Page <= vad->End ? vad : at;
        from = vad != NULL && from == NULL && vad->End >= Page ? vad : from;
        below = vad != NULL && vad->Start <= Page ? vad : below;
    }
    assert_ptr_equal(MiFindVad(Space, Page), at);
    assert_ptr_equal(MiFindVadFrom(Space, Page), from);
    assert_ptr_equal(MiFindVadBelow(Space, Page), below);
}

static void TestTree(void **State)
{
    MM_ADDRESS_SPACE space = {0};
    int present = 0;

    (void)State;
    srand(1);
    for (int i = 0; i < VADS; i++)
    {
        Vads[i].Start = 16 + 16 * (ULONG_PTR)i;
        Vads[i].End = Vads[i].Start + (ULONG_PTR)(rand() % 16);
    }
    for (int step = 0; step < STEPS; step++)
    {
        /* Small trees reach all shapes, large ones all depths. */
        int which = rand() % (step / 2000 % 2 == 0 ? 12 : VADS);
        int count = 0;

        In[which] ? MiRemoveVad(&space, &Vads[which]) : MiInsertVad(&space, &Vads[which]);
        In[which] = !In[which];
        present += In[which] ? 1 : -1;
        CheckTree(space.Vads, NULL, 0, ~(ULONG_PTR)0, &count);
        assert_int_equal(count, present);
        if (step % 16 == 0)
        {
            CheckSearches(&space, (ULONG_PTR)(rand() % (16 * VADS + 64)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(TestTree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
