"""The package: what is installed is complete, and says the truth about itself."""

from __future__ import annotations

import configparser
import fnmatch
import importlib.metadata
import re

from sources import PACKAGE, ROOT, files, relative

import dispatcher

CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg")
#: What only developers need: the pattern of new migrations.
DEVELOPMENT = {".mako"}


def test_installed_version_is_the_one_in_the_code() -> None:
    assert importlib.metadata.version("dispatcher") == dispatcher.__version__


def test_command_is_the_entry_point() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="dispatcher")

    assert callable(script.load())


def test_classifiers_name_the_pythons_that_are_tested() -> None:
    classified = re.findall(r"Python :: (3\.\d+)", CONFIG["metadata"]["classifiers"])

    tested = re.findall(r"^for version in ([\d. ]+); do$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[0].split()
    assert classified == tested
    assert CONFIG["options"]["python_requires"] == f">={classified[0]}"


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in files("dispatcher", suffix=".py")}

    assert [relative(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_data_file_is_installed() -> None:
    patterns = CONFIG["options.package_data"]["*"].replace(",", " ").split()
    data = [path for path in files("dispatcher") if path.suffix not in {".py", ".pyc", *DEVELOPMENT}]

    missing = []
    for path in data:
        package = next(folder for folder in path.parents if (folder / "__init__.py").exists())
        inside = path.relative_to(package).as_posix()
        # ``**/`` stands for any folders, none included; a plain pattern for files beside the code only.
        if not any(_matches(inside, pattern) for pattern in patterns):
            missing.append(relative(path))
    assert missing == []
    assert PACKAGE / "py.typed" in data


def _matches(inside: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(inside.rpartition("/")[2], pattern[3:])
    return inside.count("/") == pattern.count("/") and fnmatch.fnmatch(inside, pattern)
