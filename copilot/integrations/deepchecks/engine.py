"""Run Deepchecks itself. Imported only inside the supervised child: it takes 15 s, and its licence is AGPL-3.0."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

for _name, _value in {"NINF": -np.inf, "NaN": np.nan}.items():  # Deepchecks 0.19 uses names that NumPy 2 dropped
    if not hasattr(np, _name):
        setattr(np, _name, _value)

import pandas as pd  # noqa: E402
import torch  # noqa: E402
from deepchecks.core import CheckFailure  # noqa: E402
from deepchecks.core.errors import DeepchecksBaseError, DeepchecksValueError  # noqa: E402
from deepchecks.core.suite import SuiteResult  # noqa: E402
from deepchecks.vision import Suite, VisionData, checks, suites  # noqa: E402
from deepchecks.vision.base_checks import SingleDatasetCheck  # noqa: E402
from deepchecks.vision.utils.image_properties import default_image_properties  # noqa: E402

from copilot.integrations.deepchecks.catalogue import SUITES  # noqa: E402
from copilot.integrations.deepchecks.records import CheckRun, Split  # noqa: E402
from copilot.utils.supervise import Progress  # noqa: E402

os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # one check would start worker processes, which takes longer than its work
BATCH = 64
_SCORES = ["accuracy", "precision_macro", "recall_macro", "f1_macro"]
_SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)
_LONG_SCRIPT = 100_000


def run(suite: str, train: Split, test: Split, html: Path | None, progress: Progress) -> list[CheckRun]:
    """Run every check of a suite, single-split ones on both splits; write Deepchecks' own report if `html` is given."""
    data = {"train": _vision_data(train, "train"), "test": _vision_data(test, "test")}
    chosen = _checks(suite, train.grey and test.grey)
    singles = [check for check in chosen if isinstance(check, SingleDatasetCheck)]
    pairs = [check for check in chosen if not isinstance(check, SingleDatasetCheck)]
    found: list[tuple[str, Any]] = []
    parts = [("", pairs, [data["train"], data["test"]]), *((split, singles, [data[split]]) for split in data)]
    for number, (split, group, sets) in enumerate(parts):
        progress(0.45 + 0.15 * number, f"Running the checks on {split or 'train against test'}")
        if group:
            result = Suite(suite, *group).run(*sets, with_display=html is not None)
            found += [(split, item) for item in result.results]
    if html is not None:
        progress(0.9, "Writing the report of Deepchecks")
        _write_report(suite, found, html)
    sides = {"train": train, "test": test}
    return [_check_run(split, item, sides.get(split)) for split, item in found]


def _checks(suite: str, grey: bool) -> list[Any]:
    """The suite's checks with the conditions that Deepchecks ships; grey images have no colour to look at."""
    colour_free = [p for p in default_image_properties if "Relative Intensity" not in p["name"]]
    options = {"image_properties": colour_free if grey else None}
    names = SUITES[suite]
    if names is None:
        return list(getattr(suites, suite)(**options).checks.values())
    shipped = [
        *suites.train_test_validation(**options).checks.values(),
        *suites.model_evaluation(**options).checks.values(),
    ]
    extra = [
        checks.SingleDatasetPerformance(scorers=_SCORES),
        checks.ImageDatasetDrift(**options).add_condition_drift_score_less_than(),
    ]
    by_name = {type(check).__name__: check for check in [*shipped, *extra]}
    return [by_name[name] for name in names]


def _vision_data(split: Split, name: str) -> VisionData:
    def collate(rows: Sequence[int]) -> dict[str, list[Any]]:
        return {
            "images": [split.images.image(int(split.indices[row]), channels=3) for row in rows],
            "labels": [int(split.labels[row]) for row in rows],
            "predictions": [split.probabilities[row] for row in rows],
        }

    loader = torch.utils.data.DataLoader(range(len(split.indices)), batch_size=BATCH, collate_fn=collate)
    # The report does not escape names, so they lose what HTML gives a meaning.
    names = {i: re.sub(r"[<>&\"'`]", "_", class_name) for i, class_name in enumerate(split.class_names)}
    return VisionData(loader, "classification", label_map=names, dataset_name=name, reshuffle_data=False)


def _check_run(split: str, result: Any, side: Split | None) -> CheckRun:
    name = type(result.check).__name__
    if isinstance(result, CheckFailure):
        error = result.exception
        expected = isinstance(error, DeepchecksBaseError) and not isinstance(error, DeepchecksValueError)
        return CheckRun(name, split, failure=str(error) or type(error).__name__, expected=expected)
    value = _named(result.value, side) if name == "ConfusionMatrixReport" and side else result.value
    conditions = tuple((c.category.value, c.name, c.details) for c in result.conditions_results)
    return CheckRun(name, split, value, conditions)


def _named(matrix: np.ndarray, side: Split) -> pd.DataFrame:
    """The confusion matrix with names; it has the classes that were seen, as label or as prediction, in order."""
    seen = sorted({*side.labels.tolist(), *side.probabilities.argmax(axis=1).tolist()})
    fits = len(seen) == len(matrix)
    names = [side.class_names[i] for i in seen] if fits else [f"class {i}" for i in range(len(matrix))]
    return pd.DataFrame(np.nan_to_num(matrix.astype(float)), index=names, columns=names)


def _write_report(suite: str, found: list[tuple[str, Any]], html: Path) -> None:
    for split, result in found:
        if split:
            result.header = f"{result.get_header()} ({split})"
    whole = SuiteResult(suite, [result for _, result in found])
    partial = html.with_name(f"{html.name}.part.html")
    whole.save_as_html(str(partial), as_widget=False, requirejs=False)
    html.write_text("".join(_without_repeats(partial.read_text(encoding="utf-8"))), encoding="utf-8")
    partial.unlink()


def _without_repeats(page: str) -> Iterator[str]:
    """The page with plotly.js once: each figure brings its own 5 MB, and so does a loader that only notebooks have."""
    seen: set[str] = set()
    end = 0
    for script in _SCRIPT.finditer(page):
        is_long = len(script[0]) > _LONG_SCRIPT
        dropped = is_long and (script[0] in seen or "typeof require" in script[0][:200])
        if is_long:
            seen.add(script[0])
        yield page[end : script.start() if dropped else script.end()]
        end = script.end()
    yield page[end:]
