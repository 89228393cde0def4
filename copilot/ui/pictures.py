"""Pictures that show a finding: each with its caption, below the finding's card. A click enlarges one."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence

import streamlit as st
from PIL import Image, UnidentifiedImageError

from copilot.core.findings import Analysis, Picture
from copilot.ui.notices import plain
from copilot.utils.validators import clean_text

SHOWN = 6  # of one finding; the reports have the others
_MOST_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_UNREADABLE = (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, binascii.Error)


def pictures_of(analysis: Analysis, code: str) -> list[Picture]:
    """The pictures that show the finding of this code."""
    return [picture for picture in analysis.pictures if picture.finding_code == code]


def other_pictures(analysis: Analysis) -> list[Picture]:
    """Those that belong to no finding of the analysis."""
    codes = {finding.code for finding in analysis.findings}
    return [picture for picture in analysis.pictures if picture.finding_code not in codes]


def show_pictures(found: Sequence[Picture]) -> None:
    """Draw the pictures below each other, as wide as they are or as there is room."""
    for picture in found[:SHOWN]:
        _picture(picture)
    if len(found) > SHOWN:
        st.caption(f"{len(found) - SHOWN} more pictures are in the JSON report.")


def _picture(picture: Picture) -> None:
    title, caption = plain(picture.title, 160), plain(picture.caption, 600)
    image = _decoded(picture.data)
    st.markdown(f":small[**{title}**{f' :gray[{caption}]' if caption else ''}]")
    if image is None:
        st.caption(":material/broken_image: This picture cannot be shown.")
        return
    st.image(image, width="content", alt=clean_text(picture.title, 160))


def _decoded(data: str) -> bytes | None:
    """The file, if it is a picture of a kind and size that we draw; None otherwise."""
    try:
        raw = base64.b64decode(data, validate=True)
        with Image.open(io.BytesIO(raw), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.verify()
    except _UNREADABLE:
        return None
    return raw
