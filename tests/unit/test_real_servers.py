"""Installing the real servers never fails a run: what can't be had is told, remembered, and tried again."""

import os
import shutil
from pathlib import Path

import pytest

from devtools import real_servers
from devtools.errors import DevError
from devtools.real_servers import install_all, installed

POM = Path(__file__).resolve().parents[2] / real_servers.OPENSEARCH_POM

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs executable scripts as POSIX has them")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    pom = tmp_path / "checkout" / real_servers.OPENSEARCH_POM
    pom.parent.mkdir(parents=True)
    shutil.copy(POM, pom)
    return tmp_path / "checkout"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, with a Java that does nothing; no Python is found at all."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(real_servers, "find", lambda: None)
    for name in ("java", "javac"):
        _tool(folder, name, "exit 0")
    return folder


def _tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_before_any_installation_the_reason_names_the_command(checkout: Path):
    found = installed(checkout, "opensearch")
    assert found.version.startswith("2.")
    assert found.reason == "not installed; python3 scripts/dev.py servers does it"


@posix_only
def test_what_is_missing_on_the_machine_is_told_and_remembered(checkout: Path, tools: Path):
    (tools / "java").unlink()
    missing = ["no java on PATH", "no fitting Python found", "no apt-get on PATH"]
    assert [found.reason for found in install_all(checkout)] == missing
    assert installed(checkout, "opensearch").reason == "no java on PATH"
    assert not installed(checkout, "opensearch").folder.exists()


@posix_only
def test_a_download_that_fails_is_told_in_its_own_words_and_tried_again(checkout: Path, tools: Path):
    _tool(tools, "mvn", r"printf '\033[31m[ERROR] Unknown host\033[0m\nmore\n'; exit 1")
    assert install_all(checkout)[0].reason == "mvn failed: [ERROR] Unknown host"
    _tool(
        tools,
        "mvn",
        'for word in "$@"; do case $word in -DoutputDirectory=*) : > "${word#*=}/opensearch-1.jar";; esac; done',
    )
    assert install_all(checkout)[0].reason == ""
    assert installed(checkout, "opensearch").reason == ""


@posix_only
def test_a_download_that_hangs_is_given_up(checkout: Path, tools: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(real_servers, "MAVEN_SECONDS", 0.2)
    _tool(tools, "mvn", "while :; do :; done")
    assert install_all(checkout)[0].reason == "mvn was not done within 0.2 s"


@posix_only
def test_what_is_there_is_not_installed_again_until_its_description_changes(checkout: Path, tools: Path):
    _tool(
        tools,
        "mvn",
        'for word in "$@"; do case $word in -DoutputDirectory=*) : > "${word#*=}/opensearch-1.jar";; esac; done',
    )
    assert install_all(checkout)[0].reason == ""
    _tool(tools, "mvn", "exit 1")
    assert install_all(checkout)[0].reason == ""
    pom = checkout / real_servers.OPENSEARCH_POM
    pom.write_text(pom.read_text(encoding="utf-8").replace("<version>1</version>", "<version>2</version>"))
    assert "does it" in installed(checkout, "opensearch").reason
    assert install_all(checkout)[0].reason == "mvn failed: it said nothing"


def test_a_program_that_cannot_start_is_a_reason(tmp_path: Path):
    with pytest.raises(DevError, match="did not start"):
        real_servers._run([str(tmp_path / "missing")], 1.0)
