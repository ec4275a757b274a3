"""Strict YAML: one test per trap, on the C parser and on the pure Python one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.spec.problems import Problem, SpecError
from cosim.spec.strict_yaml import Document, FastLoader, Mark, PythonLoader, load, loads

LOADERS = pytest.mark.parametrize("loader", [FastLoader, PythonLoader], ids=["c", "python"])


def refusals(text: str, loader: type[Any] | None = None) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        loads(text, "f.yaml", loader)
    return caught.value.problems


def test_the_fast_parser_is_libyaml() -> None:
    assert FastLoader is not PythonLoader


@LOADERS
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-12", 1e-12),
        ("4e9", 4e9),
        ("2.5e9", 2.5e9),
        ("1E6", 1e6),
        ("1.e9", 1e9),
        (".5", 0.5),
        ("-1.5e+3", -1500.0),
        ("1.0", 1.0),
    ],
)
def test_floats_of_yaml_1_2(loader: type[Any], text: str, value: float) -> None:
    read = loads(f"x: {text}", loader=loader).data["x"]
    assert type(read) is float
    assert read == value


@LOADERS
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_whole_numbers(loader: type[Any], text: str, value: int) -> None:
    read = loads(f"x: {text}", loader=loader).data["x"]
    assert type(read) is int
    assert read == value


@LOADERS
@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "no",
        "On",
        "NO",
        "y",
        "n",
        "12:30",
        "1:30:00",
        "2024-01-01",
        "1_000",
        "0b11",
        "=",
        "1e",
        ".",
        "trUe",
        "nUll",
        "0x",
        "e5",
        "+-1",
        "1.2.3",
        "--",
        "5_ns",
    ],
)
def test_text_that_yaml_1_1_converts_stays_text(loader: type[Any], text: str) -> None:
    assert loads(f"x: {text}", loader=loader).data["x"] == text


@LOADERS
@pytest.mark.parametrize("text", ["'8'", '"1e9"', "'true'", "'null'", "'010'", "'.nan'", "'<<'"])
def test_quotes_keep_text(loader: type[Any], text: str) -> None:
    assert loads(f"x: {text}", loader=loader).data["x"] == text[1:-1]


@LOADERS
def test_booleans_and_null(loader: type[Any]) -> None:
    data = loads("a: true\nb: False\nc: ~\nd: null\ne:\nf: {}\ng: []\n", loader=loader).data
    assert data == {"a": True, "b": False, "c": None, "d": None, "e": None, "f": {}, "g": []}


@LOADERS
@pytest.mark.parametrize("text", ["010", "-010", "+08", "00", "0123456789"])
def test_leading_zeros_are_refused(loader: type[Any], text: str) -> None:
    (problem,) = refusals(f"a: 1\nrows: {text}", loader)
    assert (problem.line, problem.column, problem.path) == (2, 7, "rows")
    assert problem.found == f"{text}, a whole number with a leading zero"
    assert "in quotes" in problem.hint


@LOADERS
@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", ".NAN", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(loader: type[Any], text: str) -> None:
    (problem,) = refusals(f"clock_hz: {text}", loader)
    assert (problem.line, problem.column, problem.path) == (1, 11, "clock_hz")


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775808", "1" * 5000])
def test_whole_numbers_beyond_64_bits_are_refused(text: str) -> None:
    assert refusals(f"x: {text}")[0].found == "a whole number beyond 64 bits"


@LOADERS
def test_duplicate_keys_name_both_places(loader: type[Any]) -> None:
    (problem,) = refusals("array:\n  rows: 1\n  cols: 2\n  rows: 3\n", loader)
    assert str(problem) == (
        "f.yaml:4:3  array: found the key 'rows' again (first at line 2, column 3), allowed each key once"
    )


@LOADERS
def test_duplicate_keys_in_flow_style_and_across_quotes(loader: type[Any]) -> None:
    (problem,) = refusals("l: [{a: 1, 'a': 2}]", loader)
    assert (problem.line, problem.column, problem.path) == (1, 12, "l.0")


def test_the_same_bad_scalar_twice_is_two_problems() -> None:
    assert [p.path for p in refusals("a: 010\nb: 010\nc: [.nan, 010]")] == ["a", "b", "c.0", "c.1"]


@LOADERS
def test_keys_are_text_as_written(loader: type[Any]) -> None:
    assert loads("8: a\non: b\ntrue: c\n1e3: d\n010: e\n", loader=loader).data == {
        "8": "a",
        "on": "b",
        "true": "c",
        "1e3": "d",
        "010": "e",
    }


@LOADERS
@pytest.mark.parametrize("text", ["? [a, b]\n: 1", "? {a: 1}\n: 1", "{[a]: 1}"])
def test_keys_that_are_not_scalars_are_refused(loader: type[Any], text: str) -> None:
    assert refusals(text, loader)[0].found == "a list or a mapping as a key"


@LOADERS
def test_empty_keys_are_refused(loader: type[Any]) -> None:
    assert refusals("? \n: 2\n", loader)[0].found == "an empty key"
    assert refusals("'': 2\n", loader)[0].found == "an empty key"


@LOADERS
def test_anchors_and_aliases_copy(loader: type[Any]) -> None:
    data = loads("a: &x {rows: 4}\nb: *x\n", loader=loader).data
    assert data == {"a": {"rows": 4}, "b": {"rows": 4}}
    assert data["a"] is not data["b"]


@LOADERS
def test_merge_keys_are_refused(loader: type[Any]) -> None:
    (problem,) = refusals("a: &x {rows: 4}\nb:\n  <<: *x\n  cols: 2\n", loader)
    assert (problem.line, problem.column, problem.path) == (3, 3, "b")
    assert problem.found == "a merge key '<<'"


@LOADERS
def test_an_alias_to_its_own_block_is_refused(loader: type[Any]) -> None:
    (problem,) = refusals("a: &x\n  b: [*x]\n", loader)
    assert problem.found == "an alias to a block that contains it"


def test_aliases_cannot_grow_without_bound() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (problem,) = refusals("\n".join(lines))
    assert "once aliases are expanded" in problem.found


@LOADERS
@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['ls']", "!!str 5", "!mine {a: 1}", "!!float 3"]
)
def test_tags_are_refused(loader: type[Any], text: str) -> None:
    (problem,) = refusals(f"a: {text}", loader)
    assert problem.path == "a"
    assert "the tag" in problem.found


@LOADERS
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n\tb: 2\n", 2),
        ("a: [1, 2\nb: 3\n", 2),
        ("a: 1\n b: 2\n", 2),
        ("a: 'open\n", 2),
        ("a: *nowhere\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: @x\n", 1),
        ("{a: 1}}\n", 1),
    ],
)
def test_text_that_is_not_yaml(loader: type[Any], text: str, line: int) -> None:
    (problem,) = refusals(text, loader)
    assert problem.line in (line, line + 1)
    assert problem.column >= 1
    assert problem.found.startswith("something that is not YAML")


@LOADERS
def test_a_tab_is_named(loader: type[Any]) -> None:
    (problem,) = refusals("a:\n\tb: 2\n", loader)
    assert (problem.line, problem.hint) == (2, "indent with spaces, not tabs")


@LOADERS
@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", "---\n", "---\n...\n"])
def test_empty_documents(loader: type[Any], text: str) -> None:
    (problem,) = refusals(text, loader)
    assert (problem.line, problem.found) == (1, "an empty document")


@LOADERS
@pytest.mark.parametrize("opening", ["[", "{a: "])
@pytest.mark.parametrize("depth", [101, 300_000])
def test_deep_nesting_is_refused(loader: type[Any], opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    (problem,) = refusals(opening * depth + closing * depth, loader)
    assert (problem.line, problem.found) == (1, "blocks nested too deeply")


def test_alias_chains_count_as_depth() -> None:
    chain = "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 1}]" for i in range(150))
    assert any(p.found == "blocks nested too deeply" for p in refusals(chain))


@LOADERS
def test_control_characters_have_a_place(loader: type[Any]) -> None:
    (problem,) = refusals("a: 1\nbc: \x07x\n", loader)
    assert (problem.line, problem.column) == (2, 5)


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "optical4f.yaml").write_text("a: 1\n")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "optical4.yaml")
    (problem,) = caught.value.problems
    assert (problem.found, problem.hint) == ("no such file", "nearest spelling 'optical4f.yaml'")
    with pytest.raises(SpecError, match="no such file"):
        load(tmp_path / "none" / "x.yaml")


def test_directory_binary_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a directory"):
        load(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"a: 1\nb: \xff\xfe\x00")
    with pytest.raises(SpecError) as caught:
        load(binary)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 4)
    assert "0xff" in problem.found
    binary.write_bytes(b"a: 1\nb: \x00\x01\x02")
    with pytest.raises(SpecError, match="which is not text"):
        load(binary)
    with pytest.raises(SpecError, match="cannot be read"):
        load("a\0b")


def test_byte_order_mark_and_dos_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("\ufeffa: 1\r\nb: µm\r\n".encode())
    document = load(file)
    assert document.data == {"a": 1, "b": "µm"}
    assert document.mark(("b",)) == Mark(str(file), 2, 4)


TEXT = """\
name: x
array:
  rows: 4
  "cols": [8, {deep: 1.5}]
layers:
  - {name: a, k: 3}
  - name: b
"""


@LOADERS
def test_marks_of_keys_and_values(loader: type[Any]) -> None:
    document = loads(TEXT, "m.yaml", loader)

    def place(*path: str | int, key: bool = False) -> tuple[int, int]:
        mark = document.mark(path, key)
        return mark.line, mark.column

    assert place() == (1, 1)
    assert place("array", "rows") == (3, 9)
    assert place("array", "rows", key=True) == (3, 3)
    assert place("array", "cols", 1, "deep") == (4, 22)
    assert place("layers", 0, "k") == (6, 18)
    assert place("layers", 1) == (7, 5)
    assert place("array", "absent") == (3, 3)
    assert place("array", "absent", key=True) == (2, 1)


def test_get() -> None:
    document = loads(TEXT)
    assert document.get("array", "cols", 1, "deep") == 1.5
    assert document.get("array", "cols", 7) is None
    assert document.get("name", "x") is None
    assert document.get() is document.data


words = st.text(st.characters(max_codepoint=0x2000, exclude_categories=("C", "Z")), min_size=1, max_size=6)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**62), 2**62), floats, words
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(words, trees, min_size=1, max_size=4))
def test_json_is_read_as_json_by_both_parsers(data: dict[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False)
    assert loads(text).data == data == loads(text, loader=PythonLoader).data


plain = st.text(alphabet="0123456789+-.eExo_:ainfNtrue ", min_size=1, max_size=7)


def outcome(text: str, loader: type[Any]) -> Any:
    try:
        document: Document = loads(text, "f", loader)
    except SpecError as error:
        return [(p.line, p.path) for p in error.problems if "not YAML" not in p.found]
    return repr(document.data)


@settings(max_examples=300, deadline=None)
@given(st.lists(plain, min_size=1, max_size=3))
def test_both_parsers_agree_on_any_plain_scalar(items: list[str]) -> None:
    text = "".join(f"k{i}: {item}\n" for i, item in enumerate(items))
    assert outcome(text, FastLoader) == outcome(text, PythonLoader)
