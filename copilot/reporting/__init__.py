"""Reports: the analysis document as HTML, PDF, JSON, Markdown, JUnit and SARIF. They show, and compute no number."""

from __future__ import annotations

from copilot.core.findings import Analysis
from copilot.errors import InputError
from copilot.utils.validators import clean_text

FORMATS = ("html", "pdf", "json", "markdown", "junit", "sarif")
__all__ = ["FORMATS", "render"]


def render(
    analysis: Analysis, format: str, *, template: str = "default", include_visualizations: bool = True
) -> str | bytes:
    """The analysis as a report.

    Parameters
    ----------
    analysis : Analysis
    format : {"html", "pdf", "json", "markdown", "junit", "sarif"}
    template : str, default "default"
        Of HTML and PDF.
    include_visualizations : bool, default True
        Draw the curves, in HTML and PDF.

    Returns
    -------
    str or bytes
        Bytes for PDF.

    Raises
    ------
    InputError
        The format or the template is not known.
    ToolError
        The PDF cannot be made on this machine.
    """
    if format in ("html", "pdf"):
        return _page(analysis, format, template=template, include_visualizations=include_visualizations)
    if format == "json":
        return analysis.model_dump_json(indent=2)
    if format == "markdown":
        from copilot.reporting.markdown import render_markdown

        return render_markdown(analysis)
    if format in ("junit", "sarif"):
        from copilot.reporting import ci

        return ci.render_junit(analysis) if format == "junit" else ci.render_sarif(analysis)
    raise InputError(f"Unknown report format: {clean_text(format, 40)}.", f"Known: {', '.join(FORMATS)}")


def _page(analysis: Analysis, format: str, **options: str | bool) -> str | bytes:
    if format == "html":
        from copilot.reporting.html import render_html

        return render_html(analysis, **options)
    from copilot.reporting.pdf import render_pdf

    return render_pdf(analysis, **options)
