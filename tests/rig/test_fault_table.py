from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.table import FOLDER, Row, Table, markdown, read


def test_rows_are_kept_and_written_as_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    table = Table("tests/faults/test_cameras.py::test_it")
    table.add(
        Row(
            "reset",
            "it comes back",
            detect_s=0.04,
            recover_s=2,
            bound_detect_s=10,
            bound_recover_s=5,
            dropped=3,
        )
    )
    with pytest.raises(
        AssertionError,
        match=r"hole: well again after 7 s, bound 5 s; a planted password is in up.log",
    ):
        table.add(Row("hole", "it comes back", recover_s=7, bound_recover_s=5, secrets="up.log"))

    sections = read(tmp_path)

    assert list(sections) == ["cameras"]
    lines = markdown(sections["cameras"]).splitlines()
    assert lines[2] == "| reset | it comes back | 0 (10) | 2 (5) |  | 3 | none |  |"
    assert (
        "**Missed:** well again after 7 s, bound 5 s; a planted password is in up.log. " in lines[3]
    )

    Table("tests/faults/test_cameras.py::test_it")
    assert read(tmp_path) == {}, "a test that runs again begins anew"


def test_without_a_folder_rows_are_only_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    table = Table("tests/faults/test_cameras.py::test_it")
    table.add(Row("reset", "it comes back", memory_mib=3.2, bound_memory_mib=8))
    with pytest.raises(AssertionError, match="grew by 9 MiB, bound 8 MiB"):
        table.add(Row("reset", "it comes back", memory_mib=9, bound_memory_mib=8))
