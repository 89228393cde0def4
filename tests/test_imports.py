"""The import direction of the package, read from its source: an import may only point to something lower.

`LAYERS` is the one list, the lowest first; docs/architecture.md explains it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import copilot

REPOSITORY = Path(__file__).resolve().parent.parent

# Names in one row are on one level: they may import each other, as long as no circle comes of it.
LAYERS = [
    ["copilot.errors"],
    ["copilot.utils"],
    [
        "copilot.core.conventions",
        "copilot.core.findings",
        "copilot.core.naming",
        "copilot.core.set_sizes",
        "copilot.core.statistics",
    ],
    [
        "copilot.core.alignment",
        "copilot.core.decisions",
        "copilot.core.datasets",
        "copilot.core.papers",
        "copilot.core.pipelines",
        "copilot.core.lineage",
    ],
    ["copilot.core.pairs"],
    ["copilot.core.axis", "copilot.core.clocks", "copilot.core.restarts"],
    ["copilot.core.pairing"],
    ["copilot.core.curves"],
    ["copilot.core.history"],
    ["copilot.core.explanation"],
    ["copilot.core.batch"],
    ["copilot.core.checks"],
    ["copilot.core.data"],
    ["copilot.core.stopping"],
    ["copilot.core.followed"],
    ["copilot.core.signs"],
    ["copilot.core.detector"],
    ["copilot.core.testimony"],
    ["copilot.core.causes", "copilot.core.confidence", "copilot.core.counterfactual"],
    ["copilot.core.diagnosis"],
    ["copilot.core.remedies", "copilot.core.remedy_texts"],
    ["copilot.core.comparisons"],
    ["copilot.core.analysis", "copilot.core.glance"],
    ["copilot.imaging"],
    ["copilot.probes"],
    ["copilot.plugins"],
    ["copilot.integrations"],
    ["copilot.store"],
    ["copilot.reporting"],
    ["copilot.results"],
    ["copilot.monitor"],
    ["copilot.integrations.callbacks"],
    ["copilot.watching"],
    ["copilot.chat"],
    ["copilot.health"],
    ["copilot.batching", "copilot.scanning", "copilot.servers"],
    ["copilot.workbench"],
    ["copilot.writing_back"],
    ["copilot.group_verbs"],
    ["copilot.model_verbs"],
    ["copilot.data_verbs"],
    ["copilot.analyzer"],
    ["copilot.hooks"],
    ["copilot.jobs"],
    ["copilot.demo"],
    ["copilot.cli"],
    ["copilot.ui"],
    ["pages"],
    ["app"],
]
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}

# Who may import an outside tool. Everything else reaches it through these.
SEAMS = {
    "alembic": ("copilot.store",),
    "arxiv": ("copilot.integrations.arxiv_source",),
    "chromadb": ("copilot.integrations.vector_store",),
    "cleanlab": ("copilot.integrations.inspection.noise_estimate",),
    "click": ("copilot.cli",),
    "cv2": ("copilot.imaging", "copilot.integrations", "copilot.probes", "copilot.demo"),
    "deepchecks": ("copilot.integrations",),
    "distributed": ("copilot.utils.dask_cluster",),
    "dvc": ("copilot.integrations", "copilot.demo"),
    "huey": ("copilot.jobs",),
    "keras": ("copilot.integrations.callbacks.keras",),
    "lightning": ("copilot.integrations.callbacks.lightning",),
    "pytorch_lightning": ("copilot.integrations.callbacks.lightning",),
    "transformers": ("copilot.integrations.callbacks.transformers",),
    "joblib": ("copilot.utils.parallel",),
    "langchain": ("copilot.integrations.language_model", "copilot.chat"),
    "langchain_openai": ("copilot.integrations.language_model",),
    "mlflow": ("copilot.integrations", "copilot.demo"),
    "openai": ("copilot.integrations.language_model",),
    "polars": ("copilot.integrations",),
    "pycocotools": ("copilot.integrations.images.coco_masks",),
    "rich": ("copilot.cli",),
    "semanticscholar": ("copilot.integrations.semantic_scholar_source",),
    "sklearn": ("copilot.integrations", "copilot.demo"),
    "sqlalchemy": ("copilot.store",),
    "streamlit": ("copilot.ui", "pages", "app"),
    "streamlit_chat": ("copilot.ui", "pages"),
    "tensorboard": ("copilot.integrations.tensorboard_reader",),
    "torch": ("copilot.integrations", "copilot.probes", "copilot.demo"),
    "torchvision": ("copilot.integrations", "copilot.probes", "copilot.demo"),
    "weasyprint": ("copilot.reporting",),
    "weightwatcher": ("copilot.probes.weights",),
}
ONE_A_FILE = {
    "mlflow",
    "dvc",
    "deepchecks",
    "chromadb",
    "arxiv",
    "semanticscholar",
    "langchain",
    "openai",
    "tensorboard",
    "lightning",
    "keras",
    "transformers",
}
CORE_MAY_USE = {"numpy", "scipy", "pydantic", *sys.stdlib_module_names}
SCREENS_MAY_USE = (
    "copilot.ui",
    "copilot.analyzer",
    "copilot.jobs",
    "copilot.results",
    "copilot.core",
    "copilot.utils",
    "copilot.errors",
)


def _module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    _module_name(path): path for folder in ("copilot", "pages") for path in sorted((REPOSITORY / folder).rglob("*.py"))
} | {"app": REPOSITORY / "app.py"}


def _resolve(module: str, name: str) -> str:
    """`from module import name`: the module that the name lives in."""
    if f"{module}.{name}" in FILES:
        return f"{module}.{name}"
    return copilot._HOMES.get(name, module) if module == "copilot" else module


def _imports(importer: str) -> Iterator[tuple[int, str]]:
    """Line and module of each import, those inside functions and `import_module("...")` too."""
    path = FILES[importer]
    package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, _resolve(module, alias.name)) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            yield node.lineno, str(getattr(node.args[0], "value", ""))


IMPORTS = [(importer, line, imported) for importer in FILES for line, imported in _imports(importer)]
INSIDE = [(a, line, b) for a, line, b in IMPORTS if b in FILES and a != "copilot"]


def _within(module: str, *names: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _level(module: str) -> int:
    return max((level for name, level in LEVELS.items() if _within(module, name)), default=-1)


def _told(found: list[tuple[str, int, str]]) -> str:
    return "\n".join(f"{FILES[a].relative_to(REPOSITORY)}:{line} imports {b}" for a, line, b in found)


def test_every_module_has_its_place_in_the_list():
    packages = {"copilot", "copilot.core"}
    assert [name for name in FILES if _level(name) < 0 and name not in packages] == []


def test_the_scan_sees_imports():
    seen = {(a, b) for a, _, b in IMPORTS}
    assert ("copilot.utils.config", "copilot.utils.validators") in seen  # inside a function
    assert ("copilot.utils.config", "copilot.errors") in seen
    assert ("copilot.core.history", "numpy") in seen


def test_imports_point_one_way():
    wrong = [(a, line, b) for a, line, b in INSIDE if _level(b) > _level(a)]
    assert not wrong, _told(wrong)


def test_no_circle_of_imports():
    graph: dict[str, set[str]] = {name: set() for name in FILES}
    for importer, _, imported in INSIDE:
        graph[importer].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_core_is_pure():
    wrong = [
        (a, line, b)
        for a, line, b in IMPORTS
        if _within(a, "copilot.core")
        and b.partition(".")[0] not in CORE_MAY_USE
        and not _within(b, "copilot.core", "copilot.errors", "copilot.utils")
    ]
    assert not wrong, _told(wrong)


@pytest.mark.parametrize("tool", SEAMS)
def test_outside_tool_is_reached_through_its_seam(tool: str):
    wrong = [(a, line, b) for a, line, b in IMPORTS if _within(b, tool) and not _within(a, *SEAMS[tool])]
    assert not wrong, _told(wrong)


def test_one_outside_tool_a_file():
    for name in FILES:
        if _within(name, "copilot.integrations"):
            tools = {b.partition(".")[0] for a, _, b in IMPORTS if a == name} & ONE_A_FILE
            assert len(tools) <= 1, f"{name} imports {sorted(tools)}"


def test_screens_reach_the_package_through_few_doors():
    wrong = [
        (a, line, b)
        for a, line, b in IMPORTS
        if _within(a, "pages", "app") and _within(b, "copilot") and not _within(b, *SCREENS_MAY_USE)
    ]
    assert not wrong, _told(wrong)
