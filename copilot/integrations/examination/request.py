"""What is asked of an examination, and what comes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from copilot.core.findings import Document, Outcome, Picture
from copilot.integrations.images.base import Task

MODEL_CODE, MODEL_TITLE = "OVF300", "Model and images"


class Request(Document):
    """A model and two image sets to look at.

    Parameters
    ----------
    model_uri : str or None
        As in `models.files.fetch_model`; None where predictions are given instead.
    predictions : (str, str) or None
        Files of predictions for the training and the validation images, instead of a model.
    train, test : str
        Image sets, as in `images.opening.open_images`.
    suite : str or None
        Deepchecks suite; None runs none.
    probes : tuple of str
        Names of probes, in the order in which they run.
    checks : dict
        ``detection.checks`` of the probes: thresholds by code.
    ignore : dict
        Muted codes, each with the reason.
    task : str or None
        What the labels must be for, where a set may be read in several ways; None: as the set is.
    seed : int
        Fixes which images are looked at.
    html_report : bool
        Keep Deepchecks' own report.
    """

    model_uri: str | None = None
    predictions: tuple[str, str] | None = None
    train: str
    test: str
    suite: str | None = None
    probes: tuple[str, ...] = ()
    checks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    ignore: dict[str, str] = Field(default_factory=dict)
    task: Task | None = None
    seed: int = 0
    html_report: bool = True


class Asked(Document):
    """What the process that asked the model left: outcomes of the probes, pictures, and how many images it saw."""

    outcomes: tuple[Outcome, ...] = ()
    pictures: tuple[Picture, ...] = ()
    n_train: int = 0
    n_test: int = 0
    class_names: tuple[str, ...] = ()


class Examination(Document):
    """All that was found.

    ``html_report`` is Deepchecks' own page, if it was kept; ``computed`` names the steps that were not in the cache.
    """

    outcomes: tuple[Outcome, ...] = ()
    pictures: tuple[Picture, ...] = ()
    html_report: Path | None = None
    computed: tuple[str, ...] = ()
