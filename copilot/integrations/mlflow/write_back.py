"""What an analysis leaves in the run it judged: tags of our own prefix, and the analysis as an artifact."""

from __future__ import annotations

from collections.abc import Mapping

from copilot.core.findings import Analysis
from copilot.errors import CopilotError, ToolError
from copilot.integrations.mlflow.stores import Store
from copilot.utils.parallel import parallel_map

AT_ONCE = 4  # requests; more do not make a server faster
GIVE_UP_AFTER = 5  # failures in a row: a server that is gone would cost its time limit for each run
PREFIX = "copilot."
WRITTEN_LAST = f"{PREFIX}analyzed_at"
ARTIFACT, PAGE = "copilot/analysis.json", "copilot/report.html"


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


def write_back(store: Store, run_id: str, analysis: Analysis, page: bytes | None = None) -> bool:
    """Write an analysis into its run, where it is not there yet.

    Parameters
    ----------
    store : Store
    run_id : str
    analysis : Analysis
    page : bytes, optional
        The report as HTML, to lie beside the analysis.

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
        if page is not None:
            store.put_artifact(run_id, PAGE, page)
    except CopilotError as error:
        failed = error
        changed.pop(WRITTEN_LAST, None)
    store.set_tags(run_id, changed)
    if failed is not None:
        raise failed
    return True


def write_all_back(
    store: Store, analyses: Mapping[str, Analysis], pages: Mapping[str, bytes]
) -> dict[str, CopilotError]:
    """See `MlflowSource.write_back`."""
    failures: list[CopilotError] = []

    def write(run_id: str) -> CopilotError | None:
        if len(failures) >= GIVE_UP_AFTER:
            return failures[-1]
        try:
            write_back(store, run_id, analyses[run_id], pages.get(run_id))
            failures.clear()
        except CopilotError as error:
            if isinstance(error, ToolError):
                failures.append(error)
            return error
        return None

    told = parallel_map(write, analyses, workers=AT_ONCE)
    return {run_id: error for run_id, error in zip(analyses, told, strict=True) if error is not None}
