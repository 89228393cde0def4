"""The child's side of a suite: load the model and the images, let the engine run, return outcomes as JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from copilot.core.findings import Outcome, State
from copilot.errors import InputError, MissingExtraError
from copilot.integrations.deepchecks.catalogue import codes_of
from copilot.integrations.deepchecks.evidence import evidence_of
from copilot.integrations.deepchecks.records import CheckRun, Split
from copilot.integrations.images.folder import ImageFolder
from copilot.integrations.models.spec import InputSpec, ModelFiles
from copilot.utils.supervise import Progress
from copilot.utils.validators import clean_text

Predict = Callable[[np.ndarray], np.ndarray]

READ_AT_ONCE = 256
MAX_SKIPPED = 50
_SEVERITY = {"FAIL": "medium", "WARN": "low"}
_CONFIDENCE = 0.6  # a condition holds one number against a limit; Deepchecks says nothing of its spread


def run(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Run a suite.

    Parameters
    ----------
    payload : dict
        ``model`` (ModelFiles), ``train``, ``test`` (folders), ``suite``, ``max_samples``, ``seed``, ``allow_pickle``,
        ``html`` (path or None).
    progress : callable

    Returns
    -------
    dict
        ``outcomes``, ``n_train``, ``n_test``, ``skipped``.
    """
    begin = time.monotonic()
    train, test = ImageFolder(payload["train"]), ImageFolder(payload["test"])
    progress(0.02, "Loading the model")
    predict, spec = _load(ModelFiles(**payload["model"]), payload["allow_pickle"])
    progress(0.15, "Loading Deepchecks")
    engine = _engine()
    progress(0.35, "Asking the model about the images")
    splits = _splits(predict, spec, train, test, payload["max_samples"], payload["seed"])
    html = Path(payload["html"]) if payload["html"] else None
    runs = engine.run(payload["suite"], *splits, html, progress)
    skipped = [f"{folder.path.name}/{name}: {why}" for folder in (train, test) for name, why in folder.skipped.items()]
    progress(1.0, f"Checked in {time.monotonic() - begin:.0f} s")
    return {
        "outcomes": [outcome.model_dump(mode="json") for outcome in outcomes_of(runs)],
        "n_train": len(splits[0].indices),
        "n_test": len(splits[1].indices),
        "skipped": skipped[:MAX_SKIPPED],
    }


def _load(files: ModelFiles, allow_pickle: bool) -> tuple[Predict, InputSpec]:
    try:
        import torch

        from copilot.integrations.models.loader import load_model
    except ImportError as error:
        raise MissingExtraError("Loading models", "models") from error
    torch.set_num_threads(max(1, min(4, torch.get_num_threads())))
    model = load_model(files, allow_pickle=allow_pickle)
    return model.predict, model.spec


def _engine() -> Any:
    try:
        from copilot.integrations.deepchecks import engine
    except ImportError as error:
        raise MissingExtraError("Deepchecks suites", "deepchecks") from error
    return engine


def _splits(
    predict: Predict, spec: InputSpec, train: ImageFolder, test: ImageFolder, max_samples: int, seed: int
) -> tuple[Split, Split]:
    chosen = [(folder, folder.sample(max_samples, seed)) for folder in (train, test)]
    scores = [_predictions(predict, spec, folder, indices) for folder, indices in chosen]
    names = shared_classes(spec, scores[0].shape[1], train.class_names, test.class_names)
    return tuple(
        Split(
            images=folder,
            indices=indices,
            labels=np.array([names.index(folder.class_names[label]) for label in folder.labels[indices]]),
            # A class that the model does not know gets probability 0.
            probabilities=np.pad(rows, ((0, 0), (0, len(names) - rows.shape[1]))),
            class_names=names,
            grey=all(folder.image(int(i)).shape[2] == 1 for i in indices[:READ_AT_ONCE]),
        )
        for (folder, indices), rows in zip(chosen, scores, strict=True)
    )


def _predictions(predict: Predict, spec: InputSpec, folder: ImageFolder, indices: np.ndarray) -> np.ndarray:
    parts = np.split(indices, range(READ_AT_ONCE, len(indices), READ_AT_ONCE))
    return np.concatenate([predict(folder.read(part, channels=spec.channels, size=spec.size)) for part in parts])


def shared_classes(spec: InputSpec, outputs: int, train: Sequence[str], test: Sequence[str]) -> tuple[str, ...]:
    """Names of the model's outputs, in order, then the classes that only the folders have.

    Raises
    ------
    InputError
        Nothing says which output stands for which folder.
    """
    numbers = all(re.fullmatch(r"\d{1,6}", name) and int(name) < outputs for name in train)
    if len(set(spec.class_names)) == len(spec.class_names) == outputs:
        known = list(spec.class_names)
    elif len(train) == outputs:
        known = list(train)
    elif numbers and len({int(name) for name in train}) == len(train):
        by_number = {int(name): name for name in train}
        known = [by_number.get(number, str(number)) for number in range(outputs)]
    else:
        raise InputError(
            f"The model has {outputs} classes, but the training folder has {len(train)}.",
            "Log class_names as the model's metadata, or pass the folder that it was trained on.",
        )
    if not set(known) & set(train):
        raise InputError(
            f"The model knows classes such as {known[0]!r}, the training folder has classes such as {train[0]!r}.",
            "Pass the folder that the model was trained on.",
        )
    return tuple(dict.fromkeys([*known, *train, *test]))


def outcomes_of(runs: Sequence[CheckRun]) -> list[Outcome]:
    """One outcome a check, in the order of codes; what it gave on train and on test is joined."""
    codes = codes_of(run.check for run in runs)
    return [_outcome(name, *codes[name], [r for r in runs if r.check == name]) for name in sorted(codes, key=codes.get)]


def _outcome(check: str, code: str, title: str, runs: Sequence[CheckRun]) -> Outcome:
    done = [run for run in runs if not run.failure]
    reasons = {run.split: run.failure for run in runs if run.failure}
    same = len(set(reasons.values())) == 1 and not done
    failed = [reason if same else _labelled(split, reason) for split, reason in reasons.items()]
    if not done:
        state: State = "not_applicable" if all(run.expected for run in runs) else "error"
        return Outcome(code=code, title=title, state=state, summary=_line(failed))
    try:
        evidence = evidence_of(check, {run.split: run.value for run in done})
    except Exception as error:  # a result of a form that is not known must not hide the verdict
        evidence, failed = (), [*failed, f"Its numbers cannot be read: {type(error).__name__}."]
    conditions = [(run.split, *condition) for run in done for condition in run.conditions]
    worst = next((c for c in ("FAIL", "WARN", "ERROR") if any(c == item[1] for item in conditions)), "PASS")
    told = [
        _labelled(split, _told(name, details)) for split, category, name, details in conditions if category == worst
    ]
    return Outcome(
        code=code,
        title=title,
        state={"PASS": "passed", "ERROR": "error"}.get(worst, "issue"),
        severity=_SEVERITY.get(worst, "none"),
        confidence=_CONFIDENCE if conditions and worst != "ERROR" else 0.0,
        summary=_line([*(told or ["Measured; Deepchecks sets no condition."]), *failed]),
        evidence=evidence,
    )


def _labelled(split: str, text: str) -> str:
    return f"{split}: {text}" if split else text


def _told(condition: str, details: str) -> str:
    return f"{details.strip().rstrip('.')} (condition: {condition.strip().rstrip('.')})."


def _line(parts: Sequence[str]) -> str:
    """One line of plain text: Deepchecks writes some of its messages as HTML, and names its own enumerations."""
    text = re.sub(r"<[^>]*>", " ", " ".join(dict.fromkeys(parts)))
    return clean_text(re.sub(r"\bTaskType\.(\w+)", lambda found: found[1].lower(), text), 400)
