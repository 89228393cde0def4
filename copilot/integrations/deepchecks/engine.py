"""Run Deepchecks itself. Imported only inside the supervised child: it takes 15 s, and its licence is AGPL-3.0."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from deepchecks.core import CheckFailure
from deepchecks.core.errors import DeepchecksBaseError, DeepchecksValueError
from deepchecks.core.suite import SuiteResult
from deepchecks.vision import Suite, VisionData
from deepchecks.vision.base_checks import SingleDatasetCheck

from copilot.errors import InputError
from copilot.integrations.deepchecks import shims
from copilot.integrations.deepchecks.batches import NO_CLASS_NAME, TASKS, Batches, shown_names
from copilot.integrations.deepchecks.making import made
from copilot.integrations.deepchecks.records import CheckRun, Split, SuiteRun
from copilot.utils.supervise import Progress

shims.install()
os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # one check would start worker processes, which takes longer than its work
_READ, _WRITE = 0.3, 0.95  # share of the work that is done when the images begin to be read, and when they have been
_SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)
_LONG_SCRIPT = 100_000
_FETCH_NOTHING = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:\">"
)


def run(suite: SuiteRun, train: Split, test: Split, html: Path | None, progress: Progress) -> list[CheckRun]:
    """Run every check of a suite, single-split ones on both splits; write Deepchecks' own report if `html` is given.

    Raises
    ------
    ConfigError
        A check has no such parameter or condition, or cannot take its value.
    InputError
        Deepchecks cannot read the images, or one of them cannot be decoded any more.
    """
    grey = train.grey and test.grey
    told = _Counter(progress, 2 * (len(train) + len(test)))
    data = {name: _vision_data(split, name, told) for name, split in (("train", train), ("test", test))}
    found: list[tuple[str, Any]] = []
    for split, sets in (("", [data["train"], data["test"]]), ("train", [data["train"]]), ("test", [data["test"]])):
        told.what = f"Running the checks on {split or 'train against test'}"
        # Some checks keep what they saw from one run to the next, so each run gets new ones.
        checks = [check for check in made(suite, train.images.task, grey) if _is_single(check) == bool(split)]
        if checks:
            result = Suite(suite.name, *checks).run(*sets, random_state=suite.seed, with_display=html is not None)
            found += [(split, item) for item in result.results]
    if html is not None:
        progress(_WRITE, "Writing the report of Deepchecks")
        _write_report(suite.name, found, html)
    return [_check_run(split, item, train) for split, item in found]


class _Counter:
    """Turns images that have been read into progress."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.read, self.what = progress, total, 0, ""

    def __call__(self, images: int) -> None:
        self.read = min(self.read + images, self.total)
        self.progress(_READ + (_WRITE - _READ) * self.read / self.total, f"{self.what}: {self.read:,} images read")


def _is_single(check: Any) -> bool:
    return isinstance(check, SingleDatasetCheck)


def _vision_data(split: Split, name: str, told: _Counter) -> VisionData:
    names = dict(enumerate(shown_names(split.class_names)))
    if split.images.task == "segmentation":
        names[len(names)] = NO_CLASS_NAME
    task = TASKS[split.images.task]
    try:
        return VisionData(Batches(split, told), task, label_map=names, dataset_name=name, reshuffle_data=False)
    except DeepchecksBaseError as error:
        message = f"Deepchecks cannot read the {name} images and their labels: {_first_line(error)}"
        raise InputError(message, "See that labels and predictions have the form that their task needs.") from error


def _check_run(split: str, result: Any, train: Split) -> CheckRun:
    name = type(result.check).__name__
    if isinstance(result, CheckFailure):
        error = result.exception
        expected = isinstance(error, DeepchecksBaseError) and (
            not isinstance(error, DeepchecksValueError) or str(error).startswith("Unsupported task type")
        )
        return CheckRun(name, split, failure=_first_line(error) or type(error).__name__, expected=expected)
    value = result.value
    if name == "ConfusionMatrixReport":
        value = _named(result.check.matrix, shown_names(train.class_names))
        value.index.name = _counted(train)
    if name == "NewLabels":
        value = {**value, "counted": _counted(train)}
    if isinstance(value, pd.DataFrame) and "Class Name" in value.columns:
        value = value[value["Class Name"] != NO_CLASS_NAME]
    return CheckRun(name, split, value, tuple((c.category.value, c.name, c.details) for c in result.conditions_results))


def _counted(split: Split) -> str:
    return "objects" if split.images.task == "detection" else "images"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _named(counts: Mapping[int, Mapping[int, int]], class_names: Sequence[str]) -> pd.DataFrame:
    """The confusion matrix with names; it has the classes that were seen, as label or as prediction, in order."""
    seen = sorted({*counts, *(given for row in counts.values() for given in row)}, key=lambda i: (i < 0, i))
    names = ["nothing" if i < 0 else class_names[i] for i in seen]  # an object that was not found, or is not there
    cells = [[counts.get(true, {}).get(given, 0) for given in seen] for true in seen]
    return pd.DataFrame(cells, index=names, columns=names, dtype=float)


def _write_report(suite: str, found: list[tuple[str, Any]], html: Path) -> None:
    for split, result in found:
        if split:
            result.header = f"{result.get_header()} ({split})"
    whole = SuiteResult(shown_names([suite])[0], [result for _, result in found])
    partial = html.with_name(f"{html.name}.part.html")
    partial.unlink(missing_ok=True)  # of a suite that was killed; Deepchecks would choose another name
    whole.save_as_html(str(partial), as_widget=False, requirejs=False)
    page = "".join(_without_repeats(partial.read_text(encoding="utf-8")))
    html.write_text(page.replace("<head>", f"<head>{_FETCH_NOTHING}", 1), encoding="utf-8")
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
