"""Problems: how they read, their order, and the nearest spelling."""

from __future__ import annotations

import pytest

from cosim.spec.problems import Problem, Refused, SpecError, describe, nearest, nearest_hint, one_of, refuse


def test_a_problem_reads_as_place_path_found_allowed_hint() -> None:
    problem = Problem(
        "a.yaml", 3, 5, "array.rowz", "the unknown key 'rowz'", "rows, cols", "nearest spelling 'rows'"
    )
    assert str(problem) == (
        "a.yaml:3:5  array.rowz: found the unknown key 'rowz', allowed rows, cols, nearest spelling 'rows'"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert str(Problem("a.yaml", 0, 0, "", "no such file", "")) == "a.yaml  found no such file"


def test_a_spec_error_lists_each_problem_once_in_the_order_of_the_text() -> None:
    late, early = Problem("a", 9, 1, "x", "b", ""), Problem("a", 2, 7, "y", "a", "")
    error = SpecError([late, early, late])
    assert error.problems == [early, late]
    assert str(error) == "a:2:7  y: found a\na:9:1  x: found b"


@pytest.mark.parametrize(
    ("word", "match"),
    [("rowz", "rows"), ("Rows", "rows"), ("clock", "clock_hz"), ("CLOCK_HZ", "clock_hz"), ("voltage", None)],
)
def test_nearest(word: str, match: str | None) -> None:
    assert nearest(word, ["cols", "rows", "clock_hz"]) == match


def test_nearest_by_how_it_begins() -> None:
    """Too short to be alike, but the beginning of one choice only."""
    assert nearest("rate", ["rate_px_per_s", "roi", "bits"]) == "rate_px_per_s"
    assert nearest("prune", ["prune_channels", "prune_tokens"]) is None
    assert nearest("ra", ["rate_px_per_s"]) is None


def test_nearest_without_choices() -> None:
    assert nearest("x", []) is None
    assert nearest_hint("x", []) == ""


def test_one_of_is_cut() -> None:
    assert one_of(["a", "b"]) == "a, b"
    assert one_of("abcde", limit=3) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing (null)"),
        (True, "true (true/false)"),
        (3, "3 (whole number)"),
        (1e-12, "1e-12 (number)"),
        ("5 ns", "'5 ns' (text)"),
        ({"a": 1, "b": 2}, "a mapping with a, b"),
        ({}, "an empty mapping"),
        ([1, 2], "a list of 2"),
        ((), "a list of 0"),
    ],
)
def test_describe(value: object, text: str) -> None:
    assert describe(value) == text


def test_long_text_is_cut() -> None:
    assert len(describe("x" * 500)) < 80


def test_refuse_takes_one_step_or_a_path() -> None:
    assert refuse("a", "b", at="x").refusals[0].at == ("x",)
    assert refuse("a", "b", at=("x", 0)).refusals[0].at == ("x", 0)
    assert isinstance(refuse("a", "b"), Refused)
