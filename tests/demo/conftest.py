"""A tiny demo: a few runs of two epochs, built once for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot.demo.assembly import DemoPlan, assemble
from copilot.demo.build import build_in_place
from copilot.demo.conditions import FOLD_PLANS, PLANS
from copilot.demo.paths import DemoPaths

TINY = DemoPlan(
    tuple(plan for plan in PLANS if plan.name in ("cnn-01", "cnn-04", "cnn-05", "cnn-07")),
    FOLD_PLANS[:2],
).shortened(2)


@dataclass(frozen=True)
class TinyDemo:
    paths: DemoPaths
    told: list[tuple[float, str]]
    left_behind: list[str]


@pytest.fixture(scope="session")
def tiny_demo(tmp_path_factory: pytest.TempPathFactory) -> TinyDemo:
    """Built in a folder with an odd name, from an empty working folder, without a Git identity."""
    place = tmp_path_factory.mktemp("place")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    told: list[tuple[float, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        patch.setenv("HOME", str(elsewhere))
        patch.setenv("GIT_DIR", str(elsewhere / "not-ours"))
        patch.setenv("MLFLOW_REGISTRY_URI", "sqlite:////nowhere/registry.db")
        paths = DemoPaths.of(place / "the démo")
        build_in_place(paths, 3, lambda done, line: told.append((done, line)), lambda *given: assemble(*given, TINY))
        left = sorted(str(path.relative_to(elsewhere)) for path in elsewhere.rglob("*") if path.is_file())
    return TinyDemo(paths, told, left)


@pytest.fixture(scope="session")
def paths(tiny_demo: TinyDemo) -> DemoPaths:
    return tiny_demo.paths


@pytest.fixture(scope="session")
def database(paths: DemoPaths) -> Path:
    return paths.folder / "mlflow.db"
