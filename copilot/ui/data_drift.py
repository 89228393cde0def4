"""What moved in the images between two versions: the job that looks into them, and what it found."""

from __future__ import annotations

from collections import defaultdict

import streamlit as st

from copilot.core.data.set_comparison import SetComparison
from copilot.core.datasets import DataComparison
from copilot.core.findings import Finding, number_evidence
from copilot.jobs import Job
from copilot.ui import finding_groups, jobs_view
from copilot.ui.notices import plain
from copilot.ui.pictures import show_pictures
from copilot.utils.names import in_words

KIND = "data_drift"
_ADDRESS = "split"
_WHOLE = ""


def images_moved(found: DataComparison) -> None:
    """The part of the page about the images of the two versions of `found`."""
    st.subheader("What moved in the images", anchor=False)
    splits = shared_splits(found)
    if not splits:
        st.caption(
            ":material/info: No class folder is in both versions, so their images cannot be compared. "
            "Images are read from one folder a class, with or without folders of splits above them."
        )
        return
    a, b = named_sets(found, _pick_split(splits))
    mine = [job for job in jobs_view.jobs_of(KIND) if (job.payload.get("a"), job.payload.get("b")) == (a, b)]
    if not mine:
        _offer(a, b)
        return
    job = jobs_view.finished(mine[0].id)
    comparison = jobs_view.result_as(job, SetComparison) if job else None
    if job and comparison:
        _shown(job, comparison)


def shared_splits(found: DataComparison) -> list[str]:
    """Splits with images on both sides; one empty name where the class folders lie in no split."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in found.class_counts:
        own = counts[row.split or _WHOLE]
        own[0], own[1] = own[0] + row.a, own[1] + row.b
    return [split for split, (a, b) in counts.items() if a and b]


def named_sets(found: DataComparison, split: str) -> tuple[str, str]:
    """The image sets of both revisions, as `data_drift` takes them."""
    tail = f"#{split}" if split else ""
    return f"dvc:{found.rev_a}:{found.path}{tail}", f"dvc:{found.rev_b}:{found.path}{tail}"


def _pick_split(splits: list[str]) -> str:
    """The split to look at; in the address."""
    if len(splits) == 1:
        return splits[0]
    asked = st.query_params.get(_ADDRESS)
    chosen = st.segmented_control(
        "Images of",
        splits,
        default=asked if asked in splits else splits[0],
        required=True,
        format_func=lambda split: plain(split or "no split", 40),
        key="drift-split",
        label_visibility="collapsed",
    )
    chosen = chosen if chosen in splits else splits[0]
    if chosen != (asked or splits[0]):
        st.query_params[_ADDRESS] = chosen
    return chosen


def _offer(a: str, b: str) -> None:
    """What the comparison does, and the button that starts it."""
    with st.container(border=True, gap="small", key="drift-offer"):
        st.markdown(
            "The files tell what was added and removed. The images tell whether they **look** different: darker, "
            "blurrier, of other sizes or colours, other shares of the classes, or another kind altogether."
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Compare the images", type="primary", icon=":material/image_search:", key="drift-start"):
                _submit(a, b)
            st.caption("Nothing is checked out. Images that were measured before are not measured again.")


def _submit(a: str, b: str) -> None:
    jobs_view.submit(KIND, {"a": a, "b": b})
    st.rerun()


def _shown(job: Job, found: SetComparison) -> None:
    """The answer in words, then a card a check with the images of both sides."""
    findings, evidence = number_evidence(list(found.outcomes))
    st.markdown(f"#### {_answer(findings)}")
    st.markdown(plain(_counted(found), 600))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_looked_at(job, found), width="content")
        if st.button("Compare again", icon=":material/replay:", type="tertiary", key="drift-again"):
            _submit(str(job.payload["a"]), str(job.payload["b"]))
    finding_groups.group("", findings, {item.id: item for item in evidence}, found.pictures)
    codes = {finding.code for finding in findings}
    show_pictures([picture for picture in found.pictures if picture.finding_code not in codes])


def _answer(findings: tuple[Finding, ...]) -> str:
    """What moved, by the titles of the checks that say so."""
    moved = [plain(f.title, 80) for f in findings if f.state == "issue"]
    if moved:
        return f"{' · '.join(moved)}."
    if any(f.state == "passed" for f in findings):
        return "Nothing that was looked at moved."
    return "There was too little to judge."


def _counted(found: SetComparison) -> str:
    """The summary without what the cards below it say again; revisions by their names."""
    said, origins = found.summary, (found.a.origin, found.b.origin)
    for origin, name in zip(origins, in_words(*origins), strict=True):
        said = said.replace(origin, name)
    for outcome in found.outcomes:
        said = said.replace(outcome.summary, "")
    return said.replace("Nothing that was looked at moved.", "").strip()


def _looked_at(job: Job, found: SetComparison) -> str:
    (a, b), (n_a, n_b) = found.compared, found.n_compared
    took = jobs_view.duration(job)
    known = "all known from earlier" if not found.n_measured else f"{found.n_measured:,} measured now"
    return (
        f"Looked at {plain(a, 80)} ({n_a:,} images) and {plain(b, 80)} ({n_b:,}); {known}. "
        f"Finished {jobs_view.when(job)}{f', took {took}' if took else ''}."
    )
