"""How far two thumbnails are from being one picture that was moved, zoomed, blurred, brightened or encoded again."""

from __future__ import annotations

import numpy as np

MOST_ZOOM = 0.1
MOST_SHIFT = 0.1  # of the side
_SOFT, _SOFTER = 0.8, 1.3  # pixels: what coding and resampling disturb is smoothed away; the blur that is allowed for
_STEPS = 3
_HOPELESS = 0.15  # differences beyond this one after the first step are not worth another
_MARGIN = 1
_PAIRS = 400
_FLOOR = 2.0  # grey levels: what varies less is noise


def differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What is left of the sharper of two thumbnails when it is fitted to the other, pair by pair.

    Contrast, brightness, a blur, a zoom and a shift are fitted together by least squares on the image's own
    derivatives, three times over (B. D. Lucas and T. Kanade, IJCAI 1981), and the difference is the share of the
    variance that remains.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (n, s, s)

    Returns
    -------
    ndarray of float32, shape (n,)
        0 for the same picture, 1 for unrelated ones.
    """
    found = [_fitted(first[i : i + _PAIRS], second[i : i + _PAIRS]) for i in range(0, len(first), _PAIRS)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def detail(thumbs: np.ndarray) -> np.ndarray:
    """Standard deviation of each thumbnail in grey levels, shape (n,)."""
    return np.concatenate(
        [thumbs[i : i + 10_000].astype(np.float32).std(axis=(1, 2)) for i in range(0, max(len(thumbs), 1), 10_000)]
    )


def _fitted(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    side = first.shape[1]
    a, b = (_even(_blur(side, _SOFT) @ x.astype(np.float32) @ _blur(side, _SOFT).T) for x in (first, second))
    swapped = (_sharpness(b) > _sharpness(a))[:, None, None]  # a blur can be fitted, sharpening cannot
    source, target = np.where(swapped, b, a), _inner(np.where(swapped, a, b))
    total = ((target - target.mean(1, keepdims=True)) ** 2).sum(1) + 1e-3
    moves = np.zeros((len(a), 3), np.float32)
    best = np.full(len(a), np.inf, np.float32)
    active = np.arange(len(a))
    moved = source
    for step in range(_STEPS):
        basis = _basis(moved)
        best[active] = np.minimum(best[active], _rest(basis[:, :3], target[active])[1] / total[active])
        if step:
            kept = best[active] < _HOPELESS
            active, moved, basis = active[kept], moved[kept], basis[kept]
        if step == _STEPS - 1 or not len(active):
            break
        weights, _ = _rest(basis, target[active])
        moves[active] = _within(moves[active] + weights[:, 3:] / np.maximum(weights[:, :2].sum(1), 0.3)[:, None], side)
        moved = _moved(source[active], moves[active])
    return best


def _basis(moved: np.ndarray) -> np.ndarray:
    """Image, blurred image and one; then what zooming and shifting would add. Shape (n, 6, pixels)."""
    side = moved.shape[1]
    soft = _blur(side, _SOFTER) @ moved @ _blur(side, _SOFTER).T
    axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
    along, down = np.zeros_like(moved), np.zeros_like(moved)
    along[:, :, 1:-1] = (moved[:, :, 2:] - moved[:, :, :-2]) / 2
    down[:, 1:-1] = (moved[:, 2:] - moved[:, :-2]) / 2
    parts = (moved, soft, np.ones_like(moved), along * axis + down * axis[:, None], along, down)
    return np.stack([_inner(part) for part in parts], axis=1)


def _rest(basis: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the least-squares fit, and the sum of squares that is left."""
    gram = basis @ basis.transpose(0, 2, 1)
    ridge = 1e-5 * np.trace(gram, axis1=1, axis2=2) / gram.shape[1] + 1e-6
    gram += np.eye(gram.shape[1], dtype=np.float32) * ridge[:, None, None]
    weights = np.linalg.solve(gram, basis @ target[:, :, None])[..., 0]
    return weights, ((target - (weights[:, None] @ basis)[:, 0]) ** 2).sum(1)


def _within(moves: np.ndarray, side: int) -> np.ndarray:
    most = np.array([MOST_ZOOM, MOST_SHIFT * side, MOST_SHIFT * side], np.float32)
    return np.clip(moves, -most, most)


def _moved(images: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Images zoomed and shifted, bilinear, the edge repeated. `moves` are zoom, shift along, shift down in pixels."""
    along, down = (_resampling(images.shape[1], moves[:, 0], moves[:, i]) for i in (1, 2))
    return down @ images @ along.transpose(0, 2, 1)


def _resampling(side: int, zoom: np.ndarray, shift: np.ndarray) -> np.ndarray:
    axis, middle = np.arange(side, dtype=np.float32), (side - 1) / 2
    place = np.clip((1 + zoom)[:, None] * (axis - middle) + middle + shift[:, None], 0, side - 1)
    return np.maximum(0, 1 - np.abs(place[:, :, None] - axis))


def _blur(side: int, spread: float) -> np.ndarray:
    """The matrix that blurs a column; rows sum to 1."""
    axis = np.arange(side, dtype=np.float32)
    weights = np.exp(-0.5 * ((axis[:, None] - axis) / spread) ** 2)
    return weights / weights.sum(1, keepdims=True)


def _even(images: np.ndarray) -> np.ndarray:
    return (images - images.mean((1, 2), keepdims=True)) / (images.std((1, 2), keepdims=True) + _FLOOR)


def _sharpness(images: np.ndarray) -> np.ndarray:
    return (np.diff(images, axis=1) ** 2).sum((1, 2)) + (np.diff(images, axis=2) ** 2).sum((1, 2))


def _inner(images: np.ndarray) -> np.ndarray:
    edge = slice(_MARGIN, images.shape[1] - _MARGIN)
    return images[:, edge, edge].reshape(len(images), -1)
