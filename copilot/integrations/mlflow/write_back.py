"""What an analysis leaves in the run it judged: tags of our own prefix, and the analysis as an artifact."""

from __future__ import annotations

from copilot.core.findings import Analysis
from copilot.errors import CopilotError
from copilot.integrations.mlflow.stores import Store

PREFIX = "copilot."
WRITTEN_LAST = f"{PREFIX}analyzed_at"
ARTIFACT = "copilot/analysis.json"


def tags_of(analysis: Analysis) -> dict[str, str | None]:
    """The tags that an analysis gives its run; None for one that the run shall not have."""
    d = analysis.diagnosis
    values = {
        "verdict": d.verdict,
        "onset_epoch": None if d.onset_epoch is None else f"{d.onset_epoch:g}",
        "best_epoch": None if d.best_epoch is None else f"{d.best_epoch:g}",
        "confidence": f"{d.confidence:.3f}",
        "cause": d.causes[0].cause,
        "analyzed_at": analysis.subject.analyzed_at,
    }
    return {PREFIX + name: value for name, value in values.items()}


def write_back(store: Store, run_id: str, analysis: Analysis) -> bool:
    """Write an analysis into its run, where it is not there yet.

    Parameters
    ----------
    store : Store
    run_id : str
    analysis : Analysis

    Returns
    -------
    bool
        Whether something was written: an analysis of the same moment is there already.

    Raises
    ------
    CopilotError
        The store is never written to, the run is deleted, or the store refuses. Where only the artifact could not
        be written, the tags are there, without the one that says when.
    """
    now = store.run(run_id).tags
    changed = {name: value for name, value in tags_of(analysis).items() if now.get(name) != value}
    if not changed:
        return False
    failed: CopilotError | None = None
    try:
        store.put_artifact(run_id, ARTIFACT, analysis.model_dump_json(indent=2).encode())
    except CopilotError as error:
        failed = error
        changed.pop(WRITTEN_LAST, None)
    store.set_tags(run_id, changed)
    if failed is not None:
        raise failed
    return True
