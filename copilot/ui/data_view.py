"""Versions of the data set, and what moved between two of them: counts, files and pictures."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from copilot.core.datasets import MAX_PATHS, ClassCount, DataComparison, DataVersion, class_of
from copilot.core.findings import Finding
from copilot.errors import CopilotError
from copilot.reporting.palette import DARK, LIGHT
from copilot.ui import state
from copilot.ui.finding_card import finding_card
from copilot.ui.notices import notice, plain
from copilot.utils.validators import clean_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from copilot.core.findings import Outcome

MAX_CLASSES = 30
PICTURES = 8
_SIDE = 160
_WIDTH = 88
_CHART = {"displayModeBar": False, "responsive": True}


class Move(NamedTuple):
    """A way in which files moved: its words, its icon, and on which sides the files are."""

    name: str
    title: str
    icon: str
    before: bool
    after: bool


MOVES = (
    Move("changed", "Changed", "edit", True, True),
    Move("added", "Added", "add_circle", False, True),
    Move("removed", "Removed", "do_not_disturb_on", True, False),
)


def versions() -> list[DataVersion]:
    """Revisions in which the data changed, newest first."""
    return _versions(state.key())


@st.cache_resource(ttl=state.FRESH_S, max_entries=8, show_spinner="Reading the versions...")
def _versions(key: tuple) -> list[DataVersion]:
    return state.analyzer().data_versions()


def comparison(rev_a: str, rev_b: str) -> DataComparison:
    """What moved from one revision to the other."""
    return _comparison(state.key(), rev_a, rev_b)


@st.cache_resource(ttl=10 * state.FRESH_S, max_entries=16, show_spinner="Comparing the two versions...")
def _comparison(key: tuple, rev_a: str, rev_b: str) -> DataComparison:
    return state.analyzer().compare_data(rev_a, rev_b)


def versions_table(found: list[DataVersion]) -> None:
    """Every version with its date, message, files and size."""
    rows = [
        {
            "Version": _name(v),
            "Date": v.date,
            "Message": clean_text(v.message, 120),
            "Files": v.n_files,
            "Size": v.size_bytes,
        }
        for v in found
    ]
    c = st.column_config
    st.dataframe(
        rows,
        hide_index=True,
        key="versions-table",
        placeholder="",
        height=min(36 * (len(rows) + 1) + 2, 290),
        row_height=36,
        column_config={
            "Version": c.TextColumn(width=180, pinned=True),
            "Date": c.DatetimeColumn(format="distance", width=120),
            "Message": c.TextColumn(width="large"),
            "Files": c.NumberColumn(format="localized", width=80),
            "Size": c.NumberColumn(format="bytes", width=90),
        },
        alt="Versions of the data with date, message, number of files and size",
    )


def pick_two(found: list[DataVersion]) -> tuple[str, str] | None:
    """Two revisions to compare, the newest two at first; both live in the address."""
    if len(found) < 2:
        notice("history", "Only one version yet", "Commit another state of the data with DVC, then compare the two.")
        return None
    names = {v.revision: _name(v) for v in found}
    left, right = st.columns(2)
    with left:
        before = _pick("From", "from", names, usual=1)
    with right:
        after = _pick("To", "to", names, usual=0)
    if before == after:
        notice("compare_arrows", "The same version twice", "Choose two different versions to see what moved.")
        return None
    return before, after


def _pick(label: str, parameter: str, names: dict[str, str], usual: int) -> str:
    revisions, asked = list(names), st.query_params.get(parameter)
    index = revisions.index(asked) if asked in names else usual
    chosen = st.selectbox(label, revisions, index=index, format_func=names.get, key=f"version-{parameter}")
    if chosen != asked:
        st.query_params[parameter] = chosen
    return chosen


def what_moved(found: DataComparison) -> None:
    """The answer in words, the cards, and whether the class balance held."""
    st.markdown(f"**{plain(_first_sentence(found), 400)}**")
    cards = (
        ("Added", found.n_added, "add_circle", f"{found.n_moved:,} of them only moved" if found.n_moved else ""),
        ("Removed", found.n_removed, "do_not_disturb_on", ""),
        ("Changed", found.n_changed, "edit", "The same name with other content."),
        ("Unchanged", found.unchanged_count, "equal", ""),
    )
    with st.container(horizontal=True, gap="small", key="move-counts"):
        for label, count, icon, help_ in cards:
            st.metric(f":material/{icon}: {label}", f"{count:,}", border=True, width=150, help=help_ or None)
    for outcome in found.outcomes:
        _outcome(outcome)


def class_charts(found: DataComparison) -> None:
    """Images by class before and after, one chart a split."""
    if not found.class_counts:
        st.caption("No class folders here: classes are counted where images lie in one folder a class.")
        return
    st.subheader("Images by class", anchor=False)
    splits = [(split, list(rows)) for split, rows in groupby(found.class_counts, key=lambda row: row.split)]
    columns = st.columns(2 if len(splits) > 1 else 1)
    for i, (split, rows) in enumerate(splits):
        with columns[i % len(columns)]:
            st.markdown(f"**{plain(split or 'All images')}**")
            shown = _most_moved(rows)
            figure = class_figure(shown, found.rev_a, found.rev_b, dark=st.context.theme.type == "dark")
            st.plotly_chart(figure, config=_CHART, key=f"classes-{i}", alt=f"Images by class, {split or 'all'}")
            if len(rows) > len(shown):
                st.caption(f"The {len(shown)} classes that moved most, of {len(rows):,}.")


def class_figure(rows: list[ClassCount], rev_a: str, rev_b: str, *, dark: bool = False):
    """Two bars a class; the older version is hatched, so that colour is not the only sign.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    import plotly.graph_objects as go

    colours = DARK if dark else LIGHT
    labels = [escape(clean_text(row.label, 30)) for row in rows]  # Plotly draws some of HTML, links among it
    hatch = {"color": "rgba(0,0,0,0)", "line": {"color": colours.muted, "width": 1.2}}
    hatch |= {"pattern": {"shape": "/", "fgcolor": colours.muted, "size": 6}}
    figure = go.Figure()
    for rev, side, marker in ((rev_a, "a", hatch), (rev_b, "b", {"color": colours.train})):
        counts = [getattr(row, side) for row in rows]
        hover = "%{x}: %{y:,}<extra></extra>"
        figure.add_bar(x=labels, y=counts, name=escape(clean_text(rev, 30)), marker=marker, hovertemplate=hover)
    figure.update_layout(
        height=280, barmode="group", bargap=0.25, margin={"l": 8, "r": 8, "t": 30, "b": 8},
        font={"color": colours.text}, plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(type="category", title="class")
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False, title="images")
    return figure


def files(found: DataComparison) -> None:
    """The files that moved, and pictures of some of them."""
    moves = [move for move in MOVES if getattr(found, move.name)]
    if not moves:
        return
    st.subheader("Files", anchor=False)
    for move in moves:
        paths, count = getattr(found, move.name), getattr(found, f"n_{move.name}")
        with st.expander(f"{move.title}: {count:,}", icon=f":material/{move.icon}:"):
            if count > len(paths):
                st.caption(f"The first {MAX_PATHS} of {count:,}.")
            st.dataframe({"File": [clean_text(p, 300) for p in paths]}, hide_index=True, key=f"files-{move.name}")


def pictures(found: DataComparison) -> None:
    """Some of the pictures that moved, as they were on the side that has them."""
    moves = {m.name: m for m in MOVES if any(class_of(p) for p in getattr(found, m.name))}
    if not moves:
        return
    st.subheader("Pictures", anchor=False)
    chosen = st.segmented_control(
        "Pictures",
        list(moves),
        default=next(iter(moves)),
        required=True,
        format_func=lambda name: f"{moves[name].title} ({getattr(found, f'n_{name}'):,})",
        key="pictures-of",
        label_visibility="collapsed",
    )
    move = moves.get(chosen) or next(iter(moves.values()))
    paths = _spread([p for p in getattr(found, move.name) if class_of(p)])
    sides = [rev for rev, is_there in ((found.rev_a, move.before), (found.rev_b, move.after)) if is_there]
    st.caption(f"As they were in {plain(' and in '.join(sides))}")
    with st.container(horizontal=True, gap="small", key="pictures"):
        for path in paths:
            _picture(path, sides)


def _picture(path: str, revisions: list[str]) -> None:
    """One picture in each revision, side by side."""
    with st.container(border=True, width="content", gap="xsmall"):
        st.caption(plain(" ".join(filter(None, class_of(path))), 40))
        with st.container(horizontal=True, wrap=False, width="content", gap="xsmall"):
            for rev in revisions:
                with st.container(width=_WIDTH, gap=None):
                    try:
                        st.image(_image(state.key(), path, rev), width=_WIDTH, alt=_picture_words(path, rev))
                    except CopilotError as error:
                        st.caption(":material/broken_image: Cannot be shown", help=plain(error, 200))
                    if len(revisions) > 1:
                        st.caption(plain(rev, 12))


def _picture_words(path: str, rev: str) -> str:
    return f"{clean_text(path, 120)} in {clean_text(rev, 40)}"


@st.cache_resource(max_entries=256, show_spinner=False)
def _image(key: tuple, path: str, rev: str) -> Image:
    """A picture small enough for a row of them; pixels of tiny ones stay sharp."""
    image = state.analyzer().data_image(path, rev).convert("RGB")
    image.thumbnail((2 * _SIDE, 2 * _SIDE))
    scale = _SIDE // max(image.size)
    return image.resize((image.width * scale, image.height * scale), 0) if scale > 1 else image


def _spread(paths: list[str]) -> list[str]:
    """A few paths from all over the list, so that several classes are seen."""
    step = max(1, len(paths) // PICTURES)
    return paths[::step][:PICTURES]


def _outcome(outcome: Outcome) -> None:
    """A finding about the data; its evidence has no ids here."""
    known = {f"D{i}": item for i, item in enumerate(outcome.evidence, 1)}
    fields = {name: getattr(outcome, name) for name in Finding.model_fields if name != "evidence"}
    finding_card(Finding(**fields, evidence=tuple(known)), known)


def _first_sentence(found: DataComparison) -> str:
    """The summary without what the finding below it says again."""
    said = found.summary
    for outcome in found.outcomes:
        said = said.replace(outcome.summary, "")
    return said


def _most_moved(rows: list[ClassCount]) -> list[ClassCount]:
    if len(rows) <= MAX_CLASSES:
        return rows
    kept = sorted(rows, key=lambda row: -abs(row.b - row.a))[:MAX_CLASSES]
    return [row for row in rows if row in kept]


def _name(version: DataVersion) -> str:
    """A tag, else the commit with its branch."""
    branches = f" ({', '.join(version.branches[:2])})" if version.branches else ""
    return clean_text(f"{version.revision}{branches}", 60)
