"""What is measured on every image by itself: names, units, and the words for more and less of each."""

from __future__ import annotations

from typing import NamedTuple


class ImageProperty(NamedTuple):
    """``unit`` follows a value; ``more`` and ``less`` complete "the images are ..."."""

    label: str
    unit: str
    more: str
    less: str
    digits: int = 1


PROPERTIES: dict[str, ImageProperty] = {
    "brightness": ImageProperty("brightness", "grey levels", "brighter", "darker"),
    "contrast": ImageProperty("contrast", "grey levels", "richer in contrast", "flatter"),
    "darkest": ImageProperty("darkest level", "grey levels", "paler in the shadows", "deeper in the shadows"),
    "brightest": ImageProperty("brightest level", "grey levels", "brighter in the lights", "duller in the lights"),
    "sharpness": ImageProperty("sharpness", "grey levels squared", "sharper or noisier", "blurrier"),
    "colourfulness": ImageProperty("colourfulness", "levels", "more colourful", "less colourful"),
    "saturation": ImageProperty("saturation", "fraction", "more saturated", "less saturated", 3),
    "red": ImageProperty("share of red", "fraction", "redder", "less red", 3),
    "green": ImageProperty("share of green", "fraction", "greener", "less green", 3),
    "blue": ImageProperty("share of blue", "fraction", "bluer", "less blue", 3),
    "entropy": ImageProperty("entropy", "bits", "richer in grey levels", "poorer in grey levels", 2),
    "clipped": ImageProperty("share of clipped pixels", "fraction", "more clipped", "less clipped", 3),
    "width": ImageProperty("width", "pixels", "wider", "narrower", 0),
    "height": ImageProperty("height", "pixels", "taller", "lower", 0),
    "aspect": ImageProperty("width over height", "", "broader in shape", "slimmer in shape", 2),
}
COLOURS = ("colourfulness", "saturation", "red", "green", "blue")  # which say nothing of grey images
