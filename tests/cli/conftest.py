"""The command run inside the test process: what it printed and its exit code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot.cli.main import main
from tests.runs_folder import curves_of, write_csv, write_runs


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def fails(self, code: int, *named: str) -> None:
        """See that it failed with one line that names these things, and printed nothing else."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("Error: "), self.err
        assert not {"Traceback", "Unexpected"} & set(self.err.replace(":", " ").split()), self.err
        assert [name for name in named if name not in self.err] == [], self.err


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ended]]:
    """``run("analyze", "--history", "x.csv")``, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    own = logging.getLogger("copilot")
    before = own.handlers[:], own.propagate, own.level, logging.getLogger().level

    def call(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        printed = capsys.readouterr()
        return Ended(stopped.value.code or 0, printed.out, printed.err)

    yield call
    own.handlers[:], own.propagate = before[0], before[1]
    own.setLevel(before[2])
    logging.getLogger().setLevel(before[3])


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    """A CSV file of a run that overfits from about epoch 20 on."""
    return write_csv(tmp_path / "climbing.csv", curves_of("climbing"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder of MLflow runs."""
    return write_runs(tmp_path / "runs")
