"""scripts/dev.py finds a Python, installs only when something changed, and returns what the command returned."""

import ast
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import override

import pytest

import dev
from devtools import environment, interpreters, processes
from devtools.environment import Environment, Stamp, explain_pip_failure
from devtools.errors import DevError
from devtools.interpreters import Interpreter
from devtools.processes import Beside

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FILES = [SCRIPTS / "dev.py", *sorted((SCRIPTS / "devtools").glob("*.py"))]

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs executable scripts and signals as POSIX has them")


def _fake_python(folder: Path, version: tuple[int, int, int], *, usable: bool = True) -> list[str]:
    """An executable that answers the probe as that Python would."""
    facts = {"usable": usable, "executable": f"/fake/python{version[1]}", "version": list(version)}
    path = folder / f"python-{'.'.join(map(str, version))}-{usable}"
    path.write_text(f"#!/bin/sh\necho '{json.dumps(facts)}'\n", encoding="utf-8")
    path.chmod(0o755)
    return [str(path)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_parse_on_the_oldest_python_that_may_start_them(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_import_the_standard_library_alone(file: Path) -> None:
    allowed = sys.stdlib_module_names | {"devtools"}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed


class TestInterpreters:
    def test_probe_recognises_the_running_python(self) -> None:
        found = interpreters.probe([sys.executable])
        assert found is not None
        assert found.version == sys.version_info[:3]

    def test_probe_of_a_command_that_does_not_exist_is_none(self, tmp_path: Path) -> None:
        assert interpreters.probe([str(tmp_path / "python3.12")]) is None

    @posix_only
    def test_probe_of_a_shim_without_an_interpreter_behind_it_is_none(self, tmp_path: Path) -> None:
        shim = tmp_path / "python3.12"
        shim.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n", encoding="utf-8")
        shim.chmod(0o755)
        assert interpreters.probe([str(shim)]) is None

    @posix_only
    def test_preferred_version_wins_over_a_newer_one_found_first(self, tmp_path: Path) -> None:
        commands = [_fake_python(tmp_path, version) for version in ((3, 11, 7), (3, 13, 0), (3, 12, 4))]
        assert interpreters.choose(commands) == Interpreter("/fake/python12", (3, 12, 4))

    @posix_only
    def test_oldest_supported_version_is_taken_where_the_preferred_one_is_missing(self, tmp_path: Path) -> None:
        commands = [_fake_python(tmp_path, version) for version in ((3, 14, 0), (3, 11, 7), (3, 13, 0))]
        assert interpreters.choose(commands) == Interpreter("/fake/python13", (3, 13, 0))

    @posix_only
    def test_a_wanted_version_is_not_replaced_by_another(self, tmp_path: Path) -> None:
        commands = [_fake_python(tmp_path, (3, 12, 4)), _fake_python(tmp_path, (3, 13, 0))]
        assert interpreters.choose(commands, 13) == Interpreter("/fake/python13", (3, 13, 0))
        assert interpreters.choose(commands, 14) is None

    @posix_only
    def test_what_is_too_old_or_not_usable_is_not_chosen(self, tmp_path: Path) -> None:
        commands = [_fake_python(tmp_path, (3, 11, 7)), _fake_python(tmp_path, (3, 12, 4), usable=False)]
        assert interpreters.choose(commands) is None

    @posix_only
    def test_a_broken_shim_does_not_hide_an_interpreter_later_on_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("shims", "real"):
            (tmp_path / name).mkdir()
            path = tmp_path / name / "python3.12"
            path.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "real")]))
        found = [command[0] for command in interpreters.candidates()]
        assert str(tmp_path / "shims" / "python3.12") in found
        assert str(tmp_path / "real" / "python3.12") in found

    @posix_only
    def test_pyenv_versions_are_searched_newest_release_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for version in ("3.12.1", "3.12.10", "3.11.9", "3.13-dev", "pypy3.11"):
            executable = tmp_path / "versions" / version / "bin" / "python3"
            executable.parent.mkdir(parents=True)
            executable.touch()
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
        monkeypatch.setenv("PATH", "")
        found = [Path(command[0]) for command in interpreters.candidates()]
        assert [path.parts[-3] for path in found if path.is_relative_to(tmp_path)] == ["3.12.10", "3.12.1"]

    @posix_only
    def test_uv_fetches_what_the_machine_lacks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = _fake_python(tmp_path, (3, 12, 9))[0]
        uv = tmp_path / "uv"
        uv.write_text(f'#!/bin/sh\n[ "$2" = find ] && echo {python}\nexit 0\n', encoding="utf-8")
        uv.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(interpreters, "candidates", lambda: iter(()))
        assert interpreters.find_or_fetch() == Interpreter("/fake/python12", (3, 12, 9))

    @posix_only
    def test_the_remedy_is_told_when_uv_cannot_fetch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        uv = tmp_path / "uv"
        uv.write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
        uv.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(interpreters, "candidates", lambda: iter(()))
        with pytest.raises(DevError, match=r"Install Python 3\.12"):
            interpreters.find_or_fetch()


class FakePip:
    """Stands in for `subprocess.run` of the environment module: notes pip's installations, succeeds or fails."""

    def __init__(self, *, status: int = 0, stderr: str = "") -> None:
        self.installed: list[str] = []
        self.environments: list[dict[str, str]] = []
        self._answer = (status, stderr)

    def run(
        self, command: Sequence[str], *, env: dict[str, str] | None = None, **_options: object
    ) -> subprocess.CompletedProcess[str]:
        status, stderr = (0, "")
        if "install" in command:
            self.installed.append(command[-1])
            self.environments.append(env or {})
            status, stderr = self._answer
        return subprocess.CompletedProcess(command, status, "", stderr)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv is this test run's interpreter, without a stamp."""
    root = tmp_path / "check out"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (root / "constraints.txt").write_text("orjson==3\n", encoding="utf-8")
    python = Environment(root, ".venv").python
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return root


def _must_not_search() -> Interpreter:
    raise AssertionError("a working environment needs no search for an interpreter")


@posix_only
class TestEnvironment:
    @pytest.fixture
    def pip(self, monkeypatch: pytest.MonkeyPatch) -> FakePip:
        return self.use(FakePip(), monkeypatch)

    @staticmethod
    def use(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> FakePip:
        running = Interpreter(sys.executable, sys.version_info[:3])
        monkeypatch.setattr(environment.subprocess, "run", pip.run)
        monkeypatch.setattr(environment, "probe", lambda _command: running)
        return pip

    @staticmethod
    def prepare(checkout: Path, *extras: str) -> None:
        Environment(checkout, ".venv").prepare(extras, _must_not_search)

    def test_nothing_is_installed_twice(self, checkout: Path, pip: FakePip) -> None:
        self.prepare(checkout, "dev")
        self.prepare(checkout, "dev")
        assert pip.installed == [".[dev]"]

    def test_runtime_alone_installs_no_extras(self, checkout: Path, pip: FakePip) -> None:
        self.prepare(checkout)
        assert pip.installed == ["."]

    def test_an_environment_with_extras_serves_the_runtime_too(self, checkout: Path, pip: FakePip) -> None:
        self.prepare(checkout, "dev")
        self.prepare(checkout)
        assert pip.installed == [".[dev]"]

    def test_further_extras_are_added_to_those_that_are_there(self, checkout: Path, pip: FakePip) -> None:
        self.prepare(checkout, "test")
        self.prepare(checkout, "docs")
        assert pip.installed == [".[test]", ".[docs,test]"]

    @pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
    def test_a_changed_file_installs_again(self, checkout: Path, pip: FakePip, name: str) -> None:
        self.prepare(checkout, "dev")
        (checkout / name).write_text("changed\n", encoding="utf-8")
        self.prepare(checkout, "dev")
        assert pip.installed == [".[dev]", ".[dev]"]

    def test_another_interpreter_installs_again(
        self, checkout: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.prepare(checkout, "dev")
        other = Interpreter(sys.executable, (3, 12, 99))
        monkeypatch.setattr(environment, "probe", lambda _command: other)
        self.prepare(checkout, "dev")
        assert pip.installed == [".[dev]", ".[dev]"]

    def test_a_moved_checkout_installs_again(self, checkout: Path, pip: FakePip) -> None:
        self.prepare(checkout, "dev")
        moved = checkout.rename(checkout.with_name("moved"))
        self.prepare(moved, "dev")
        assert pip.installed == [".[dev]", ".[dev]"]

    def test_constraints_reach_the_build_as_one_value_even_with_a_blank_in_the_path(
        self, checkout: Path, pip: FakePip
    ) -> None:
        self.prepare(checkout)
        (handed_down,) = pip.environments
        for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
            assert handed_down[name] == (checkout / "constraints.txt").as_uri()
            assert " " not in handed_down[name]

    def test_a_failed_installation_is_tried_again(self, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        failing = self.use(FakePip(status=1, stderr="ERROR: no such thing"), monkeypatch)
        for _ in range(2):
            with pytest.raises(DevError, match="no such thing"):
                self.prepare(checkout)
        assert failing.installed == [".", "."]

    def test_a_broken_environment_is_made_anew(
        self, checkout: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(environment, "probe", lambda _command: None)
        Environment(checkout, ".venv").prepare((), lambda: Interpreter("/fake/python12", (3, 12, 4)))
        assert pip.installed == ["."]


def test_a_damaged_stamp_counts_as_none() -> None:
    stamp = Stamp("digest", "3.12.1", frozenset({"dev"}))
    assert Stamp.load(stamp.dump()) == stamp
    assert Stamp.load(stamp.dump()[:-1]) is None
    assert Stamp.load("{}") is None


def test_an_unreachable_index_is_told_apart_from_other_failures() -> None:
    offline = "WARNING: Retrying ... NewConnectionError('Temporary failure in name resolution')"
    assert "reaches no package index" in explain_pip_failure(offline)
    assert "reaches no package index" not in explain_pip_failure("ERROR: ResolutionImpossible")


class TestRun:
    @pytest.mark.parametrize("status", [0, 1, 5])
    def test_the_status_is_the_childs(self, tmp_path: Path, status: int) -> None:
        assert processes.run([sys.executable, "-c", f"raise SystemExit({status})"], cwd=tmp_path) == status

    @posix_only
    def test_a_child_ended_by_a_signal_reports_it_as_a_shell_does(self, tmp_path: Path) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        assert processes.run([sys.executable, "-c", code], cwd=tmp_path) == 128 + signal.SIGKILL

    @posix_only
    @pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
    def test_a_stop_waits_for_the_childs_own_shutdown_and_ends_the_script(
        self, tmp_path: Path, asked: signal.Signals
    ) -> None:
        child = (
            "import signal, sys\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('flushed', flush=True), sys.exit(7)))\n"
            "signal.signal(signal.SIGINT, lambda *_: (print('flushed', flush=True), sys.exit(7)))\n"
            "print('started', flush=True)\n"
            "while True: signal.pause()\n"
        )
        script = (
            f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
            "from pathlib import Path\n"
            "from devtools.processes import run\n"
            f"run([sys.executable, '-c', {child!r}], cwd=Path('.'))\n"
            "print('went on', flush=True)\n"
        )
        command = [sys.executable, "-c", script]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True
        ) as process:
            watchdog = threading.Timer(30, lambda: os.killpg(process.pid, signal.SIGKILL))
            watchdog.start()
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            if asked is signal.SIGINT:
                os.killpg(process.pid, asked)  # as a terminal does: to both
            else:
                process.send_signal(asked)
            assert process.stdout.read() == "flushed\n"
            assert process.wait() == 7
            watchdog.cancel()


class TestCommandLine:
    def test_usage_names_every_command(self) -> None:
        assert all(f"  {name} " in dev.usage() for name in dev.COMMANDS)

    def test_help_succeeds_and_no_command_is_a_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert dev.main(["--help"]) == 0
        assert dev.main([]) == 2
        assert capsys.readouterr().out.count("usage:") == 2

    @pytest.mark.parametrize("arguments", [["tset"], ["lint", "src"]])
    def test_what_is_not_understood_is_named(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        assert dev.main(arguments) == 2
        assert arguments[-1] in capsys.readouterr().err

    def test_a_failure_to_prepare_is_told_without_a_traceback(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_arguments: list[str]) -> int:
            raise DevError("no network; do this")

        monkeypatch.setitem(dev.COMMANDS, "test", dev.Command(fail, takes_arguments=True))
        assert dev.main(["test"]) == 2
        assert capsys.readouterr().err == "dev: no network; do this\n"

    @pytest.mark.parametrize(
        ("sources", "status"),
        [({"a": "", "b": "raise SystemExit(3)", "c": ""}, 1), ({"a": ""}, 0), ({}, 1)],
        ids=["one fails", "all pass", "none there"],
    )
    def test_examples_pass_only_when_there_are_some_and_each_ends_well(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: dict[str, str], status: int
    ) -> None:
        class RunningPython(Environment):
            @override
            def prepare(self, extras: Sequence[str], find_interpreter: Callable[[], Interpreter]) -> None:
                self.python = Path(sys.executable)

        (tmp_path / "examples").mkdir()
        for name, code in sources.items():
            note = f"from pathlib import Path\nPath({str(tmp_path)!r}, {name!r}).touch()\n"
            (tmp_path / "examples" / f"{name}.py").write_text(note + code, encoding="utf-8")
        monkeypatch.setattr(dev, "ROOT", tmp_path)
        monkeypatch.setattr(dev, "RUNTIME", RunningPython(tmp_path, ".venv"))
        assert dev.main(["examples"]) == status
        assert {path.name for path in tmp_path.iterdir() if path.is_file()} == sources.keys()

    def test_lint_tells_of_rules_even_when_the_format_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[tuple[str, ...]] = []

        def in_development(*command: str) -> int:
            ran.append(command)
            return 1 if "format" in command else 0

        monkeypatch.setattr(dev, "_in_development", in_development)
        assert dev.main(["lint"]) == 1
        assert ran == [("ruff", "format", "--check"), ("ruff", "check")]

    def test_check_runs_every_step_even_after_a_failure_and_tells_it(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran: list[str] = []

        def step(name: str, status: int) -> Callable[[list[str]], int]:
            def action(arguments: list[str]) -> int:
                ran.append(" ".join([name, *arguments]))
                return status

            return action

        for name in ("lint", "types", "examples", "docs", "bench"):
            monkeypatch.setattr(dev, name, step(name, 3 if name == "types" else 0))
        tests = [[sys.executable, "-c", "pass"], [sys.executable, "-c", "raise SystemExit(4)"]]
        monkeypatch.setattr(dev, "_tests_on_newer_python", lambda: (tests, ""))
        assert dev.main(["check"]) == 1
        assert ran == ["lint", "types", "examples", "docs", "bench --quick"]
        told = capsys.readouterr().err
        assert "types: FAILED (status 3)" in told
        assert "quick tests on Python 3.13: FAILED (status 4)" in told
        assert "check: 2 of 6 steps failed\n" in told

    def test_what_runs_beside_is_ended_when_check_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_arguments: list[str]) -> int:
            raise SystemExit(130)

        began = time.monotonic()
        tests = [[sys.executable, "-c", "import time; time.sleep(600)"]]
        monkeypatch.setattr(dev, "_tests_on_newer_python", lambda: (tests, ""))
        monkeypatch.setattr(dev, "lint", interrupted)
        with pytest.raises(SystemExit):
            dev.main(["check"])
        assert time.monotonic() - began < 300

    def test_what_runs_beside_says_all_it_has_to_say_in_the_end(self, capfd: pytest.CaptureFixture[str]) -> None:
        beside = Beside([sys.executable, "-c", "import sys; print('out'); sys.stderr.write('err')"], cwd=Path.cwd())
        assert beside.finished() == 0
        beside.stop()
        assert sorted(capfd.readouterr().out.split()) == ["err", "out"]

    def test_tests_on_a_missing_newer_python_are_told_as_not_run(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def find_none(_minor: int) -> None:
            return None

        for name in ("lint", "types", "examples", "docs", "bench"):
            monkeypatch.setattr(dev, name, lambda _arguments: 0)
        monkeypatch.setattr(dev, "find", find_none)
        assert dev.main(["check"]) == 0
        told = capsys.readouterr().err
        assert told.count("quick tests on Python 3.13: not run: no Python 3.13 found\n") == 2  # at once, and in the end
        assert "Python 3.13: passed" not in told
        assert "check: 5 of 6 steps passed, 1 not run\n" in told
