"""The report as one HTML page: no outside request, light and dark, wide, on a phone and on paper."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from copilot.core.findings import Analysis
from copilot.errors import InputError
from copilot.reporting.charts import curve_svg
from copilot.reporting.palette import DARK, LIGHT, SEVERITY_STYLES, STATE_STYLES, VERDICT_STYLES, Style
from copilot.reporting.view import report_view
from copilot.reporting.words import capital, quantity_name
from copilot.utils.validators import clean_text

TEMPLATES = Path(__file__).resolve().parents[1] / "templates" / "reports"
PAGE = "report.html"
MAX_CHARTS = 24
_WIDE, _PAPER, _SMALL, _PHONE = (720, 330), (640, 330), (480, 270), (380, 280)


class Chart(NamedTuple):
    """One pair's drawing; ``compact`` is the same for narrow screens, where the page needs one."""

    title: str
    wide: Markup
    compact: Markup | None = None


def template_names() -> list[str]:
    """The report templates there are."""
    return sorted(folder.name for folder in TEMPLATES.iterdir() if (folder / PAGE).is_file())


def render_html(
    analysis: Analysis, *, template: str = "default", include_visualizations: bool = True, paged: bool = False
) -> str:
    """The report as HTML.

    Parameters
    ----------
    analysis : Analysis
    template : str, default "default"
        A folder of ``templates/reports``.
    include_visualizations : bool, default True
        Draw the curves.
    paged : bool, default False
        For the PDF: no script, one size of each chart.

    Raises
    ------
    InputError
        There is no such template, or it is not valid.
    """
    environment = _environment(_known(template))
    try:
        return _rendered(environment, analysis, drawn=include_visualizations, paged=paged)
    except TemplateError as error:
        problem = f"The report template {template} is not valid: {clean_text(error, 200)}"
        raise InputError(problem, "Mend it, or use template: default.") from error


def _rendered(environment: Environment, analysis: Analysis, *, drawn: bool, paged: bool) -> str:
    view = report_view(analysis)
    tones = _tones()
    shared = {"tones": tones, "light": LIGHT, "dark": DARK, "card_count": len(view.cards)}
    style = environment.get_template("style.css").render(shared)
    script = "" if paged or not drawn else environment.get_template("hover.js").render()
    by_colour = {style.light: name for name, style in tones.items()}
    return environment.get_template(PAGE).render(
        shared,
        view=view,
        charts=_charts(analysis, paged) if drawn else [],
        charts_left_out=max(0, len(analysis.history.pairs) - MAX_CHARTS) if drawn else 0,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        paged=paged,
        tone=lambda style: by_colour[style.light],
    )


def _known(template: str) -> str:
    names = template_names()
    if template not in names:
        raise InputError(f"Unknown report template: {clean_text(template, 60)}.", f"Known: {', '.join(names)}")
    return template


@lru_cache(maxsize=8)
def _environment(template: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / template), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    environment.filters["tint"] = _tint
    return environment


def _tones() -> dict[str, Style]:
    """One CSS class for each colour of the palette."""
    styles = [*VERDICT_STYLES.values(), *STATE_STYLES.values(), *SEVERITY_STYLES.values()]
    return {f"tone-{n}": style for n, style in enumerate({s.light: s for s in styles}.values())}


def _tint(colour: str, share: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {share})"


def _charts(analysis: Analysis, paged: bool) -> list[Chart]:
    charts = []
    for n, pair in enumerate(analysis.history.pairs[:MAX_CHARTS]):
        sizes = [_SMALL] if charts else [_PAPER] if paged else [_WIDE, _PHONE]
        drawn = [
            curve_svg(analysis, pair, width=width, height=height, ident=f"chart-{n}-{width}", hover=not paged)
            for width, height in sizes
        ]
        if drawn[0]:
            charts.append(Chart(f"{capital(quantity_name(pair.quantity))} by epoch", *map(Markup, drawn)))
    return charts


def _policy(style: str, script: str) -> str:
    """A content security policy that lets this page's own style and script run, and nothing else in."""
    allowed = f"default-src 'none'; style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    return f"{allowed}; script-src {_hash(script)}" if script else allowed


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
