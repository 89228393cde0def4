"""What the tests run in one supervised child: many suites, also on annotated images of a small format of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from copilot.errors import CopilotError
from copilot.integrations.deepchecks import child
from copilot.integrations.images.base import ImageSet, decoded
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


def run(payload, progress):
    """The answer of `child.run`, or the error, for each of ``payload["cases"]``, with the seconds it took."""
    child._opened = opened
    answers = {}
    for name, case in payload["cases"].items():
        begin = time.monotonic()
        try:
            answers[name] = child.run(case, progress)
        except CopilotError as error:
            answers[name] = {"error": type(error).__name__, "message": str(error)}
        answers[name]["seconds"] = time.monotonic() - begin
    return answers
