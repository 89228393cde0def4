"""Documents of model checks as `validate` makes them, for the tests of the pages that show them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image
from pydantic import BaseModel

from copilot.core.analysis import analyse
from copilot.core.findings import Analysis, Evidence, Outcome, Picture
from copilot.core.history import RunHistory
from copilot.store import Store


def number(name: str, value: float, half: float | None = None, unit: str = "fraction") -> Evidence:
    """A number with an interval of `half` on both sides."""
    ends = {} if half is None else {"low": value - half, "high": value + half}
    return Evidence(name=name, value=value, unit=unit, source="probe:x", **ends)


def class_gap(train: float, val: float, severity: str = "none") -> Outcome:
    """OVF301 with its numbers."""
    return Outcome(
        code="OVF301",
        title="Generalisation by class",
        state="passed" if severity == "none" else "issue",
        severity=severity,
        confidence=0.8,
        summary=f"Accuracy is {train:.0%} on training and {val:.0%} on validation images.",
        evidence=(
            number("accuracy_gap", train - val, 0.04),
            number("train_accuracy", train, 0.01),
            number("val_accuracy", val, 0.04),
        ),
    )


def checked(outcomes: Sequence[Outcome], pictures: Sequence[Picture] = (), **subject: str | None) -> Analysis:
    """A document of these outcomes alone, without curves."""
    [analysis] = analyse([RunHistory.empty()], [{"kind": "model", **subject}], [], extra=outcomes, pictures=pictures)
    return analysis


def picture(code: str, title: str = "Some images", caption: str = "") -> Picture:
    """A small PNG that shows the finding of that code."""
    file = io.BytesIO()
    Image.new("RGB", (12, 8), "teal").save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return Picture(title=title, caption=caption, finding_code=code, width=12, height=8, data=data)


def finish(store: Store, payload: dict, result: BaseModel | dict, kind: str = "validate") -> str:
    """Put a finished job with this result into the store; its id."""
    job_id = store.add_job(kind, payload)
    store.claim_job(job_id, 1, "here")
    found = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
    store.finish_job(job_id, 1, "done", result=found)
    return job_id


def fail(store: Store, payload: dict, reason: str, kind: str) -> str:
    """Put a failed job with this reason into the store; its id."""
    job_id = store.add_job(kind, payload)
    store.claim_job(job_id, 1, "here")
    store.finish_job(job_id, 1, "failed", error=reason)
    return job_id
