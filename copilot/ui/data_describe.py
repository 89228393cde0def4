"""What an image set holds: the job that describes it, and its description."""

from __future__ import annotations

import streamlit as st

from copilot.core.data.description import Description, Tally
from copilot.core.data.documents import DescribedData
from copilot.jobs import Job
from copilot.reporting.words import number
from copilot.ui import jobs_view
from copilot.ui.data_charts import MOST_BARS, class_bars, property_strips
from copilot.ui.image_set_field import image_set_field, is_there
from copilot.ui.model_checks_form import TRAIN_NAMES
from copilot.ui.notices import guard, notice, plain
from copilot.ui.pictures import show_pictures
from copilot.utils.validators import clean_text

KIND = "describe_data"
_CHART = {"displayModeBar": False, "responsive": True}
_KB = 1_000


def describe() -> None:
    """The field for a set, and what the chosen description says."""
    found = jobs_view.jobs_of(KIND)
    with guard("The form"):
        _form()
    with guard("The description"):
        _results(found)


def _form() -> None:
    with st.container(border=True, gap="small", key="describe-form"):
        named = image_set_field("Images", "data-images", TRAIN_NAMES, empty_allowed=False)
        ready = bool(named) and is_there(named)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            label = {"label": "Describe", "type": "primary", "icon": ":material/summarize:", "key": "describe-start"}
            if st.button(**label, disabled=not ready):
                jobs_view.submit(KIND, {"named": named})
                st.rerun()
            st.caption("Counts, classes, sizes, formats, brightness, sharpness and so on; what cannot be read.")


def _results(found: list[Job]) -> None:
    if not found:
        notice(
            "photo_library",
            "No set was described yet",
            "Name a folder, a table or a version above. It takes seconds for a thousand images, and what was measured "
            "once is kept.",
        )
        return
    chosen = jobs_view.pick_job("Sets that were described", found, {job.id: _label(job) for job in found})
    job = jobs_view.finished(chosen)
    described = jobs_view.result_as(job, DescribedData) if job else None
    if job and described:
        _shown(job, described)


def _label(job: Job) -> str:
    return clean_text(f"{clean_text(job.payload.get('named'), 100)} · {job.created_at:%d %b %Y, %H:%M} UTC", 160)


def _shown(job: Job, described: DescribedData) -> None:
    found = described.description
    st.markdown(f"**{plain(found.summary, 600)}**")
    _cards(found)
    took = jobs_view.duration(job)
    notes = [plain(note, 300) for note in found.notes]
    st.caption(" ".join([f"Finished {jobs_view.when(job)}{f', took {took}' if took else ''}.", *notes]))
    _corrupt(found)
    _classes(found)
    _makeup(found)
    _properties(found)
    if described.pictures:
        st.subheader("Pictures", anchor=False)
        show_pictures(described.pictures)


def _cards(found: Description) -> None:
    """The counts; what was not counted has no card."""
    cards = [("photo_library", "Images", f"{found.n_images:,}")]
    if found.n_classes:
        cards.append(("category", "Classes", f"{found.n_classes:,}"))
    if found.n_unlabelled:
        cards.append(("label_off", "Without a label", f"{found.n_unlabelled:,}"))
    cards.append(("broken_image", "Cannot be read", f"{found.n_corrupt:,}"))
    if found.exact_duplicates is not None:
        cards.append(("content_copy", "Exact copies", f"{found.exact_duplicates:,}"))
    if found.bytes is not None:
        cards.append(("hard_drive", "Size", size_text(found.bytes)))
    with st.container(horizontal=True, gap="small", key="describe-counts"):
        for icon, label, value in cards:
            st.metric(f":material/{icon}: {label}", value, border=True, width=160)


def size_text(size: int) -> str:
    """Bytes for people, for instance "344 kB"."""
    value, units = float(size), ("bytes", "kB", "MB", "GB", "TB")
    for unit in units:
        if value < _KB or unit == units[-1]:
            return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.2g} {unit}"
        value /= _KB
    return ""


def _corrupt(found: Description) -> None:
    """The images that cannot be read, each with the reason."""
    if not found.n_corrupt:
        return
    many = "1 image" if found.n_corrupt == 1 else f"{found.n_corrupt:,} images"
    with st.expander(f"{many} cannot be read", icon=":material/broken_image:", expanded=found.n_corrupt <= 5):
        if found.n_corrupt > len(found.corrupt):
            st.caption(f"The first {len(found.corrupt):,} are listed. Mend or remove them: training skips or crashes.")
        rows = [{"Image": clean_text(c.name, 300), "Reason": clean_text(c.reason, 200)} for c in found.corrupt]
        st.dataframe(rows, hide_index=True, key="describe-corrupt", alt="Images that cannot be read, with the reasons")


def _classes(found: Description) -> None:
    if not found.classes:
        return
    st.subheader("Images by class", anchor=False)
    figure = class_bars(found.classes, dark=st.context.theme.type == "dark")
    st.plotly_chart(figure, config=_CHART, key="describe-classes", alt="Images of each class")
    if found.n_classes > min(len(found.classes), MOST_BARS):
        st.caption(f"The {min(len(found.classes), MOST_BARS)} largest of {found.n_classes:,} classes.")


def _makeup(found: Description) -> None:
    """Sizes, formats and channels beside each other."""
    parts = [
        ("Sizes in pixels", found.sizes, found.n_sizes),
        ("Formats", found.formats, len(found.formats)),
        ("Channels", found.channels, len(found.channels)),
    ]
    parts = [part for part in parts if part[1]]
    if not parts:
        return
    st.subheader("Made of", anchor=False)
    for column, (title, rows, total) in zip(st.columns(len(parts)), parts, strict=True):
        with column:
            _tallies(title, rows, total)


def _tallies(title: str, rows: tuple[Tally, ...], total: int) -> None:
    st.markdown(f"**{title}**")
    if len(rows) == 1:
        st.markdown(f"All {plain(rows[0].name, 60)}")
        return
    st.dataframe(
        [{"": clean_text(row.name, 60), "Images": row.count, "Share": row.share} for row in rows],
        hide_index=True,
        key=f"describe-{title}",
        column_config={
            "Images": st.column_config.NumberColumn(format="localized", width=80),
            "Share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=110),
        },
        alt=f"{title} with the number of images",
    )
    if total > len(rows):
        st.caption(f"The {len(rows)} most frequent of {total:,}.")


def _properties(found: Description) -> None:
    """Where the values of each property lie: a strip each, and the numbers folded."""
    if not found.properties:
        return
    st.subheader("Properties", anchor=False)
    st.caption(
        "Each strip runs from the least to the most value: the line holds 90 % of the images, the bar the middle half, "
        "the mark is the median."
    )
    figure = property_strips(found.properties, dark=st.context.theme.type == "dark")
    st.plotly_chart(figure, config=_CHART, key="describe-properties", alt="Distribution of each property")
    with st.expander("The numbers"):
        columns = {"least": "Least", "q05": "5 %", "q25": "25 %", "median": "Median", "q75": "75 %", "q95": "95 %"}
        columns |= {"most": "Most", "mean": "Mean", "deviation": "Standard deviation"}
        rows = [
            {"Property": p.label, "Unit": p.unit} | {title: number(getattr(p, n)) for n, title in columns.items()}
            for p in found.properties
        ]
        st.dataframe(rows, hide_index=True, key="describe-numbers", alt="Quantiles of each property")
