"""The PDF report, made from the HTML one by WeasyPrint; nothing outside the document is ever fetched."""

from __future__ import annotations

import logging

from copilot.core.findings import Analysis
from copilot.errors import MissingExtraError, ToolError
from copilot.reporting.html import render_html


def render_pdf(analysis: Analysis, *, template: str = "default", include_visualizations: bool = True) -> bytes:
    """Render the report as a PDF/UA-1 document.

    Raises
    ------
    MissingExtraError
        WeasyPrint is not installed.
    ToolError
        Pango is missing on this machine.
    """
    weasyprint = check_libraries()
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    page = render_html(analysis, template=template, include_visualizations=include_visualizations, paper=True)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])
    return weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf(pdf_variant="pdf/ua-1")


def check_libraries():
    """WeasyPrint, if it and the libraries below it work."""
    try:
        import weasyprint
    except ImportError:
        raise MissingExtraError("PDF reports", "pdf") from None
    except OSError as error:
        hint = "Install it: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        raise ToolError(f"PDF reports need Pango, which was not found ({str(error)[:80]}).", hint) from error
    return weasyprint
