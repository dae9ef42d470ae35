from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from sightline.environment import Environment


def env(**variables: str) -> Environment:
    return Environment(variables)


def test_it_reads_text_without_the_white_space_around_it() -> None:
    assert env(NAME=" dock \n").text("NAME", "other") == "dock"
    assert env().text("NAME", "other") == "other"


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = env(NAME="")

    assert empty.text("NAME", "other") == "other"
    assert empty.number("NAME", 7) == 7
    assert empty.flag("NAME", default=True) is True
    assert empty.items("NAME", "a,b") == ["a", "b"]


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n", encoding="utf-8")

    assert env(KEY="ignored", KEY_FILE=str(file)).text("KEY") == "s3cret"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"KEY_FILE names .*/gone, which cannot be read: No such file"
    ):
        env(KEY_FILE=str(tmp_path / "gone")).text("KEY")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE names .* not text"):
        env(KEY_FILE=str(file)).text("KEY")


def test_numbers_are_whole_and_within_bounds() -> None:
    assert env(PORT="8080").number("PORT", 1, minimum=1, maximum=65535) == 8080
    for wrong, said in (
        ("x", "'x'; it must be a whole number"),
        ("8.5", "whole number"),
        ("0", "0; it must be between 1 and 65535"),
        ("70000", "7"),
    ):
        with pytest.raises(ImproperlyConfigured, match=f"PORT is .*{said}"):
            env(PORT=wrong).number("PORT", 1, minimum=1, maximum=65535)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", True),
        ("yes", True),
        ("ON", True),
        ("True", True),
        ("0", False),
        ("no", False),
        ("off", False),
    ],
)
def test_flags_are_written_in_many_ways(text: str, meant: bool) -> None:
    assert env(DEBUG=text).flag("DEBUG", default=not meant) is meant


def test_a_flag_is_yes_or_no() -> None:
    with pytest.raises(ImproperlyConfigured, match="DEBUG is 'maybe'; it must be 1 or 0"):
        env(DEBUG="maybe").flag("DEBUG")


def test_a_choice_is_one_of_its_names() -> None:
    assert env(LEVEL="low").choice("LEVEL", ("LOW", "HIGH"), "HIGH") == "LOW"
    with pytest.raises(
        ImproperlyConfigured, match="LEVEL is 'MIDDLE'; it must be one of LOW, HIGH"
    ):
        env(LEVEL="middle").choice("LEVEL", ("LOW", "HIGH"), "HIGH")


def test_lists_are_separated_by_commas() -> None:
    assert env(HOSTS="a, b,,c ").items("HOSTS") == ["a", "b", "c"]


def test_a_wrong_value_that_may_be_secret_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^URL must be a number\.$") as caught:
        env(URL="hunter2").checked("URL", "", int, "a number")
    with pytest.raises(ImproperlyConfigured, match=r"^KEYS must be numbers\.$"):
        env(KEYS="1,hunter2").checked_items("KEYS", int, "numbers")

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_variables_with_a_prefix_come_together(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret", encoding="utf-8")
    variables = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SECURITY_SASL_PASSWORD_FILE": str(file),
        "KAFKA_SECURITY_SASL_USERNAME": "",
    }

    assert Environment({**variables, "PORT": "1"}).prefixed("KAFKA_SECURITY_") == {
        "PROTOCOL": "SASL_SSL",
        "SASL_PASSWORD": "s3cret",
    }
