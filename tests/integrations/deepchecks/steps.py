"""What the tests run in one supervised child: many suites, also on annotated images of a small format of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from copilot.errors import CopilotError
from copilot.integrations.deepchecks import child
from copilot.integrations.images.base import ImageSet
from copilot.integrations.images.decoding import decoded
from copilot.integrations.images.folder import ImageFolder


class AnnotatedImages(ImageSet):
    """A folder with ``set.json`` (task, classes, names, boxes by image), PNG images and masks ``<name>.mask.png``."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        about = json.loads((self.path / "set.json").read_text())
        self.task = about["task"]
        self._boxes = about.get("boxes")
        super().__init__(path, about["classes"], about["names"])

    def boxes(self, index):
        return np.array(self._boxes[index], dtype=float).reshape(-1, 5)

    def mask(self, index):
        return np.asarray(Image.open(self.path / f"{self.names[index]}.mask.png"))

    def _decoded(self, index):
        return decoded(self.path / self.names[index])

    def _stamp(self, index):
        return self.names[index]


def opened(named, payload):
    return AnnotatedImages(named) if Path(named, "set.json").is_file() else ImageFolder(named)


def installed():
    """Checks, suites and conditions of the Deepchecks that is installed, beside those of ours."""
    from deepchecks.vision import checks, suites

    from copilot.integrations.deepchecks.catalogue import SUITES
    from copilot.integrations.deepchecks.making import made
    from copilot.integrations.deepchecks.records import SuiteRun

    def conditions(made_checks):
        return {type(c).__name__: [condition.name for condition in c._conditions.values()] for c in made_checks}

    homes = {name: name for name in SUITES if name != "computer_vision"} | {"full": "full_suite"}
    theirs = {name: conditions(getattr(suites, home)().checks.values()) for name, home in homes.items()}
    suite = SuiteRun("full", {name: {} for name in SUITES["full"]}, {})
    return {"checks": list(checks.__all__), "suites": theirs, "ours": conditions(made(suite, "classification", False))}


def plain():
    """Our checks in a suite of Deepchecks' own, as somebody else would use them: values, conditions and a page."""
    from deepchecks.vision import Suite, VisionData

    from copilot.integrations.deepchecks.custom_checks import DataDriftDetection, OverfittingAnalysis

    def batches(wrong, seed):
        rng = np.random.default_rng(seed)
        labels = [k % 2 for k in range(60)]
        sure = [0.9 - 0.8 * (label if k % 10 >= wrong else 1 - label) for k, label in enumerate(labels)]
        images = [rng.integers(0, 200, (9, 9, 3), dtype=np.uint8) for _ in labels]
        return [{"images": images, "labels": labels, "predictions": [np.array([p, 1 - p]) for p in sure]}]

    names = {0: "<script>alert(1)</script>", 1: "dog"}
    data = [VisionData(batches(*made), "classification", names, side) for made, side in (((0, 0), "a"), ((5, 1), "b"))]
    gaps = OverfittingAnalysis().add_condition_gap_less_than(0.2).add_condition_loss_gap_less_than(9.0)
    drift = DataDriftDetection().add_condition_drift_less_than()
    found = {type(r.check).__name__: r for r in Suite("mine", gaps, drift).run(*data).results}
    shown = [str(item) for item in found["OverfittingAnalysis"].display]
    return {
        "conditions": {name: [c.category.value for c in r.conditions_results] for name, r in found.items()},
        "details": found["OverfittingAnalysis"].conditions_results[0].details,
        "gaps": found["OverfittingAnalysis"].value.to_dict("records"),
        "properties": found["DataDriftDetection"].value["Property"].tolist(),
        "hostile": any("<script>alert" in text for text in shown),
    }


def run(payload, progress):
    """The answer of `child.run`, or the error, for each of ``payload["cases"]``, with the seconds it took."""
    child._opened = opened
    answers = {"installed": installed(), "plain": plain()}
    for name, case in payload["cases"].items():
        begin = time.monotonic()
        try:
            answers[name] = child.run(case, progress)
        except CopilotError as error:
            answers[name] = {"error": type(error).__name__, "message": str(error)}
        answers[name]["seconds"] = time.monotonic() - begin
    return answers
