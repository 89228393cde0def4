"""Analysis -> HTML, PDF, Markdown, JSON and CI formats. Shows what the document holds, computes nothing."""

from __future__ import annotations

from copilot.core.findings import Analysis
from copilot.errors import InputError

FORMATS = ("html", "pdf", "json", "markdown", "junit", "sarif")


def render(
    analysis: Analysis, format: str, *, template: str = "default", include_visualizations: bool = True
) -> str | bytes:
    """Render an analysis.

    Parameters
    ----------
    analysis : Analysis
    format : str
        One of `FORMATS`.
    template : str, default "default"
        Report template of HTML and PDF.
    include_visualizations : bool, default True
        Whether HTML and PDF hold charts.

    Returns
    -------
    str, or bytes for PDF

    Raises
    ------
    InputError
        The format or template is not known.
    """
    if format == "json":
        return analysis.model_dump_json(indent=2)
    if format in ("html", "pdf"):
        options = {"template": template, "include_visualizations": include_visualizations}
        if format == "pdf":
            from copilot.reporting.pdf import render_pdf

            return render_pdf(analysis, **options)
        from copilot.reporting.html import render_html

        return render_html(analysis, **options)
    if format == "markdown":
        from copilot.reporting.markdown import render_markdown

        return render_markdown(analysis)
    if format in ("junit", "sarif"):
        from copilot.reporting import ci

        return ci.render_junit(analysis) if format == "junit" else ci.render_sarif(analysis)
    raise InputError(f"Unknown format '{format}'.", f"Known: {', '.join(FORMATS)}")
