"""The report as PDF, by WeasyPrint: tagged for screen readers, and unable to fetch anything while it is made."""

from __future__ import annotations

from types import ModuleType

from copilot.core.findings import Analysis
from copilot.errors import MissingExtraError, ToolError
from copilot.reporting.html import render_html

VARIANT = "pdf/ua-1"


def render_pdf(analysis: Analysis, *, template: str = "default", include_visualizations: bool = True) -> bytes:
    """The report as an A4 PDF (PDF/UA-1).

    Parameters
    ----------
    analysis : Analysis
    template : str, default "default"
    include_visualizations : bool, default True

    Raises
    ------
    InputError
        There is no such template.
    MissingExtraError
        WeasyPrint is not installed.
    ToolError
        Pango, the library that WeasyPrint sets text with, is not on this machine.
    """
    weasyprint = check_libraries()
    page = render_html(analysis, template=template, include_visualizations=include_visualizations, paged=True)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])  # hostile text must not reach network or files
    return weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf(pdf_variant=VARIANT)


def check_libraries() -> ModuleType:
    """WeasyPrint, if it and the system library behind it are there."""
    try:
        from PIL import ImageFile

        lenient = ImageFile.LOAD_TRUNCATED_IMAGES
        import weasyprint

        # On import it makes Pillow take damaged images for whole, everywhere in this process.
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    except ImportError as error:
        raise MissingExtraError("PDF reports", "pdf") from error
    except OSError as error:  # the system library is loaded on import
        raise ToolError(
            "PDF reports need the Pango library, which is not on this machine.",
            "Install it: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0, or brew install pango.",
        ) from error
    return weasyprint
