"""Golden WSDL files are written, and any difference is found."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_written_files_pass_the_check_until_one_is_changed(run, tmp_path: Path) -> None:
    assert run("wsdl", "--write", str(tmp_path / "golden")).exit_code == 0
    assert run("wsdl", "--check", str(tmp_path / "golden")).exit_code == 0
    changed = sorted((tmp_path / "golden").iterdir())[0]
    changed.write_text("<other/>")
    result = run("wsdl", "--check", str(tmp_path / "golden"))
    assert result.exit_code == 4
    assert changed.name in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--write", "a", "--check", "."]])
def test_one_of_both_is_needed(run, arguments: list[str]) -> None:
    assert run("wsdl", *arguments).exit_code == 2
