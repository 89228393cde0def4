"""The HTML report: one file, no outside request, light and dark, for screens and paper."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from copilot.core.findings import Analysis, Finding
from copilot.errors import InputError
from copilot.reporting import words
from copilot.reporting.charts import curve_svg
from copilot.reporting.palette import VERDICT_STYLES
from copilot.utils.validators import clean_text

_FOLDER = Path(str(files("copilot"))) / "templates" / "reports"
_STATE_ORDER = ("issue", "error", "passed", "not_applicable", "skipped", "ignored")
MAX_CHARTS = 12


def render_html(
    analysis: Analysis, *, template: str = "default", include_visualizations: bool = True, paper: bool = False
) -> str:
    """Render the report.

    Parameters
    ----------
    analysis : Analysis
    template : str, default "default"
        A folder of ``templates/reports``.
    include_visualizations : bool, default True
    paper : bool, default False
        Add the style of printed pages.

    Raises
    ------
    InputError
        The template is not known or not valid.
    """
    environment = _environment(_checked(template))
    style = VERDICT_STYLES[analysis.diagnosis.verdict]
    try:
        css = environment.get_template("style.css").render(style=style)
        if paper:
            css = _without_dark(css) + environment.get_template("print.css").render(style=style)
        return environment.get_template("report.html").render(
            a=analysis,
            css=Markup(css),
            style=style,
            title=clean_text(analysis.subject.run_name or analysis.subject.model_uri or "Analysis", 120),
            verdict=words.verdict_label(analysis.diagnosis.verdict),
            figures=key_figures(analysis),
            charts=[Markup(curve_svg(analysis, p)) for p in analysis.history.pairs[:MAX_CHARTS]]
            if include_visualizations
            else [],
            causes=[c for c in analysis.diagnosis.causes if c.cause != "none"],
            findings=sorted(analysis.findings, key=lambda f: _STATE_ORDER.index(f.state)),
            known=analysis.evidence_by_id(),
        )
    except TemplateError as error:
        raise InputError(
            f"The report template '{template}' is not valid: {error}", "Mend it, or use template: default."
        ) from error


def templates() -> list[str]:
    """The report templates that are there."""
    return sorted(p.name for p in _FOLDER.iterdir() if (p / "report.html").is_file())


def key_figures(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Label, value and note of the numbers that decide; what was not measured is left out."""
    d = analysis.diagnosis
    found = []
    gap = next((e for e in analysis.evidence if e.name == "gap_final" and e.unit == "fraction"), None)
    gap = gap or next((e for e in analysis.evidence if e.name == "gap_final"), None)
    if gap and gap.value is not None:
        found.append(("Gap at the end", words.evidence_value(gap), f"{gap.quantity}, validation against training"))
    if d.best_epoch is not None:
        best = next((e for e in analysis.evidence if e.name == "val_best" and e.epoch == d.best_epoch), None)
        note = f"validation {best.quantity} {words.evidence_value(best)}" if best else "by the primary metric"
        found.append(("Best epoch", words.number(d.best_epoch), note))
    if d.onset_epoch is not None:
        found.append(("Onset", words.number(d.onset_epoch), "validation gets worse from here on"))
    after = next((e for e in analysis.evidence if e.name == "epochs_after_best"), None)
    if after:
        found.append(("Epochs after the best", words.evidence_value(after), "they made validation worse"))
    return found


def _checked(template: str) -> str:
    if template not in templates():
        raise InputError(f"Unknown report template '{clean_text(template, 40)}'.", f"Known: {', '.join(templates())}")
    return template


@cache
def _environment(template: str) -> Environment:
    environment = Environment(loader=FileSystemLoader(_FOLDER / template), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "line": clean_text,
        "sure": words.percent_sure,
        "cause": words.cause_label,
        "paper": words.paper_link,
        "value": words.evidence_value,
        "label": words.citation_label,
        "state": _state,
        "tone": _tone,
    }
    return environment


def _state(finding: Finding) -> str:
    return f"{finding.severity.capitalize()} severity" if finding.state == "issue" else words.state_label(finding.state)


def _tone(finding: Finding) -> str:
    if finding.state == "issue":
        return finding.severity if finding.severity != "none" else "issue"
    return finding.state if finding.state in ("passed", "error") else "quiet"


def _without_dark(css: str) -> str:
    """Paper is light, whatever the screen prefers."""
    return css.replace("prefers-color-scheme: dark", "prefers-color-scheme: none").replace("light dark", "light")
