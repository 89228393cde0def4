"""Contact sheets and overlays that show a finding to people: small files, on a background of their own."""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from copilot.core.findings import Picture
from copilot.utils.validators import clean_text

MOST_IMAGES = 24
MOST_BYTES = 200_000
_CELL, _GAP, _LINE, _LINES = 112, 10, 14, 2
_PAGE, _INK, _EDGE = (255, 255, 255), (33, 37, 41), (173, 181, 189)
# Blue against vermilion of M. Okabe and K. Ito, Color Universal Design, 2008: apart for every kind of colour vision.
_AGAINST, _FOR = np.array([0.0, 114.0, 178.0]), np.array([213.0, 94.0, 0.0])


def contact_sheet(
    images: np.ndarray | Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    title: str,
    caption: str = "",
    code: str = "",
    columns: int = 6,
) -> Picture:
    """Images in a grid, each with its caption below it.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, c) or (n, h, w), or a sequence of such images
        The first 24 are shown; small ones are enlarged without smoothing. Grey, or the first three channels.
    captions : sequence of str
        One an image, from anywhere: they are cleaned, wrapped into two lines and cut.
    title, caption, code : str
        Of the picture as a whole, and the finding it belongs to.
    columns : int, default 6
    """
    tiles = [_tile(_colours(image)) for image in list(images)[:MOST_IMAGES]]
    return _sheet(tiles, captions, title, caption, code, columns)


def overlay_sheet(
    images: np.ndarray | Sequence[np.ndarray],
    maps: np.ndarray | Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    title: str,
    caption: str = "",
    code: str = "",
    columns: int = 6,
) -> Picture:
    """As `contact_sheet`, each image greyed under its map: vermilion where it is above zero, blue where below.

    Parameters
    ----------
    maps : ndarray of float, shape (n, h, w), or a sequence of such maps
        In any unit and of any size; each is scaled by its own 99th percentile. What is not finite counts as zero.
    """
    pairs = list(zip(list(images)[:MOST_IMAGES], maps, strict=False))
    tiles = [_tile(_heated(_colours(image), np.asarray(heat, dtype=np.float64))) for image, heat in pairs]
    return _sheet(tiles, captions, title, caption, code, columns)


def _colours(image: np.ndarray) -> np.ndarray:
    """Any image as uint8 of shape (h, w, 3)."""
    image = np.asarray(image)
    image = image[..., None] if image.ndim == 2 else image
    chosen = image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)
    return np.ascontiguousarray(chosen if chosen.dtype == np.uint8 else np.clip(chosen, 0, 255).astype(np.uint8))


def _heated(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    heat = np.nan_to_num(heat, nan=0.0, posinf=0.0, neginf=0.0)
    if heat.shape != image.shape[:2]:
        resized = Image.fromarray(heat.astype(np.float32)).resize(image.shape[1::-1], Image.Resampling.BILINEAR)
        heat = np.asarray(resized, dtype=np.float64)
    scale = np.percentile(np.abs(heat), 99) or np.abs(heat).max() or 1.0
    share = np.clip(np.abs(heat) / scale, 0, 1)[..., None] ** 0.7  # lifts the weak parts, which would be lost on grey
    grey = 110 + image.mean(axis=-1, keepdims=True) * (145 / 255)
    mixed = grey * (1 - 0.85 * share) + np.where(heat[..., None] > 0, _FOR, _AGAINST) * 0.85 * share
    return mixed.round().astype(np.uint8)


def _tile(image: np.ndarray) -> Image.Image:
    """The image, made to fit a cell; enlarged by whole numbers and without smoothing, so that pixels stay pixels."""
    picture = Image.fromarray(image)
    longest = max(picture.size)
    if longest > _CELL:
        size = tuple(max(1, round(side * _CELL / longest)) for side in picture.size)
        return picture.resize(size, Image.Resampling.LANCZOS)
    times = _CELL // longest
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def _sheet(
    tiles: list[Image.Image], captions: Sequence[str], title: str, caption: str, code: str, columns: int
) -> Picture:
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    width, height = _CELL + _GAP, _CELL + _LINES * _LINE + _GAP
    page = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAGE)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for number, tile in enumerate(tiles):
        x, y = _GAP + number % columns * width, _GAP + number // columns * height
        left, top = x + (_CELL - tile.width) // 2, y + (_CELL - tile.height) // 2
        draw.rectangle((left - 1, top - 1, left + tile.width, top + tile.height), outline=_EDGE)
        page.paste(tile, (left, top))
        words = captions[number] if number < len(captions) else ""
        for line, text in enumerate(_wrapped(words, font)):
            draw.text((x + _CELL / 2, y + _CELL + 2 + line * _LINE), text, fill=_INK, font=font, anchor="ma")
    media_type, data = _file(page)
    return Picture(
        title=clean_text(title, 120),
        caption=clean_text(caption, 400),
        finding_code=code,
        media_type=media_type,
        width=page.width,
        height=page.height,
        data=base64.b64encode(data).decode("ascii"),
    )


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """The text in at most two lines that fit a cell; what does not fit is cut."""
    lines: list[str] = []
    for word in _drawable(clean_text(text, 120)).replace(" %", "%").split():  # a lone "%" would start a line
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= _CELL:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], " ".join(lines[_LINES - 1 :])]
    return [_cut(line, font) for line in lines]


def _drawable(text: str) -> str:
    """The text in the letters that Pillow's own font has: accents fall, a letter of another script becomes "?"."""
    plain = unicodedata.normalize("NFKD", text.replace("…", "..."))
    return "".join(letter if letter.isascii() else "?" for letter in plain if not unicodedata.combining(letter))


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(line) <= _CELL:
        return line
    while line and font.getlength(line + "...") > _CELL:
        line = line[:-1]
    return line.rstrip() + "..."


def _file(page: Image.Image) -> tuple[str, bytes]:
    """PNG where that is small enough, else JPEG, as good as the size allows."""
    data = _saved(page, "PNG", optimize=True)
    if len(data) <= MOST_BYTES:
        return "image/png", data
    for quality in (92, 85, 75, 60, 40):
        data = _saved(page, "JPEG", quality=quality, subsampling=0 if quality > 80 else 2)
        if len(data) <= MOST_BYTES:
            break
    return "image/jpeg", data


def _saved(page: Image.Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    page.save(buffer, kind, **options)
    return buffer.getvalue()
