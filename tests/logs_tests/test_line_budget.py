"""Lines that clients cause at will: ten a second of each kind, and a count of the others."""

from pegcount.logs.line_budget import LINES_PER_SECOND, LineBudget


def test_the_first_lines_of_a_second_are_written_and_the_others_counted() -> None:
    now_s = 100.0
    budget = LineBudget(lambda: now_s)
    allowed = [budget.allows("a") for _ in range(LINES_PER_SECOND + 2)]
    assert allowed == [True] * LINES_PER_SECOND + [False] * 2
    assert budget.allows("b")
    assert budget.take_omitted() == {}
    now_s += 1.0
    assert budget.take_omitted() == {"a": 2}
    assert budget.take_omitted() == {}
    assert budget.allows("a")


def test_what_was_left_out_is_told_although_a_new_second_has_begun() -> None:
    now_s = 100.0
    budget = LineBudget(lambda: now_s)
    for _ in range(LINES_PER_SECOND + 3):
        budget.allows("a")
    now_s += 1.5
    assert budget.allows("a")
    assert budget.take_omitted(at_once=True) == {"a": 3}
