"""Properties of an image that need no model: light, sharpness, colour and shape."""

from __future__ import annotations

import math

import cv2
import numpy as np

SHARP_SIDE = 256  # pixels: longer images are shrunk to this before their sharpness is measured
_LIMITS = (0.01, 0.99)
_LOG2 = np.concatenate([[0.0], np.log2(np.arange(1, 4097))])
_RG, _YB = np.array([1.0, -1.0, 0.0]), np.array([0.5, 0.5, -1.0])


class Properties:
    """The properties of an image, float32 each; `core.data.image_properties.PROPERTIES` has their units.

    ===============  ==================================================================================================
    name             what it is
    ===============  ==================================================================================================
    `width` `height` `aspect`  pixels; width over height
    `stored`         channels of the file: 1 or 3
    `grey`           1 where all channels are equal, else 0
    `brightness`     mean of the luma of ITU-R BT.601
    `contrast`       standard deviation of the luma
    `darkest` `brightest`  1 % and 99 % quantile of the luma
    `sharpness`      variance of the luma's Laplacian (J. L. Pech-Pacheco et al., ICPR 2000), in an image whose longer
                     side is at most 256 pixels, so that large images compare
    `colourfulness`  of D. Hasler and S. Süsstrunk, Measuring Colourfulness in Natural Images, SPIE 5007, 2003
    `saturation`     mean saturation of HSV, 0 to 1
    `red` `green` `blue`  share of each in all light; a third each where there is none
    `entropy`        of the luma's histogram in bits, 0 to 8
    `clipped`        share of pixels whose luma is 0 or 255
    ===============  ==================================================================================================
    """

    name = "properties"
    version = "1"

    def __call__(self, image: np.ndarray) -> dict[str, np.float32]:
        """Parameters
        ----------
        image : ndarray of uint8, shape (h, w, c) with 1, 3 or 4 channels; a fourth (opacity) is passed over
        """
        image = np.ascontiguousarray(image[..., :3])
        height, width, channels = image.shape
        luma = image[..., 0] if channels == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found = {"width": width, "height": height, "aspect": width / height, "stored": channels}
        found |= _light(luma)
        found["sharpness"] = _sharpness(luma)
        found |= _colour(image) if channels == 3 else _no_colour()
        return {name: np.float32(value) for name, value in found.items()}


def _light(luma: np.ndarray) -> dict[str, float]:
    counts = np.bincount(luma.ravel(), minlength=256)
    n = luma.size
    mean, deviation = cv2.meanStdDev(luma)
    darkest, brightest = np.searchsorted(np.cumsum(counts), (_LIMITS[0] * n, _LIMITS[1] * n))
    logs = _LOG2[counts] if n < len(_LOG2) else np.log2(np.maximum(counts, 1))
    return {
        "brightness": mean[0, 0],
        "contrast": deviation[0, 0],
        "darkest": darkest,
        "brightest": brightest,
        "entropy": max(0.0, math.log2(n) - float(counts @ logs) / n),
        "clipped": (counts[0] + counts[255]) / n,
    }


def _sharpness(luma: np.ndarray) -> float:
    longest = max(luma.shape)
    if longest > SHARP_SIDE:
        size = tuple(max(1, round(side * SHARP_SIDE / longest)) for side in luma.shape[::-1])
        luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return float(cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_32F))[1][0, 0]) ** 2


def _colour(image: np.ndarray) -> dict[str, float]:
    """Means and deviations of red minus green and yellow minus blue follow from those of the channels."""
    mean = np.array(cv2.mean(image)[:3])
    apart = image.reshape(-1, 3) - mean.astype(np.float32)
    spread = (apart.T @ apart).astype(np.float64) / len(apart)
    deviation = math.sqrt(max(0.0, _RG @ spread @ _RG + _YB @ spread @ _YB))
    saturation = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))[1] / 255
    total = mean.sum()
    red, green, blue = mean / total if total > 0 else np.full(3, 1 / 3)
    grey = saturation == 0
    return {
        "grey": grey,
        "colourfulness": 0.0 if grey else deviation + 0.3 * math.hypot(_RG @ mean, _YB @ mean),
        "saturation": saturation,
        "red": red,
        "green": green,
        "blue": blue,
    }


def _no_colour() -> dict[str, float]:
    third = 1 / 3
    return {"grey": 1, "colourfulness": 0, "saturation": 0, "red": third, "green": third, "blue": third}
