"""Which patient, video, scene or source image a file name tells of, if any."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from copilot.errors import InputError
from copilot.utils.validators import clean_text

# The most personal first: an image of a patient's video is of the patient. Words of a group, by what it is called.
_WORDS = {
    "patient": ("patient", "patients", "pat", "subject", "subj", "sub", "case", "donor", "participant", "volunteer"),
    "person": ("person", "people", "speaker", "driver", "user", "identity", "face"),
    "animal": ("animal", "specimen", "cow", "individual"),
    "plant": ("plant", "tree", "leaf"),
    "slide": ("slide", "wsi", "biopsy", "volume", "scan"),
    "video": ("video", "vid", "clip", "movie", "sequence", "seq", "track", "trajectory", "episode"),
    "flight": ("flight", "drone", "mission", "survey", "drive", "trip", "ride"),
    "scene": ("scene", "location", "loc", "place", "room", "plot", "field", "street"),
    "session": ("session", "sess", "visit", "study", "recording", "rec"),
    "site": ("site", "hospital", "center", "centre", "station"),
    "camera": ("camera", "cam"),
}
_SOURCE, _SERIES = "source image", "series"
_NAMED = {
    word: re.compile(
        rf"(?<![a-z])(?:{'|'.join(forms)})[-_ #]?(?:id|no|nr)?[-_ #]?([0-9]+[a-z]?|[a-z]?[0-9]+)(?![a-z0-9])"
    )
    for word, forms in _WORDS.items()
}
_ROBOFLOW = re.compile(r"^(.+?)(?:_(?:jpe?g|png|bmp|webp|tiff?))?\.rf\.[0-9a-z]{16,64}$")
_CHANGES = (
    "aug|augm|augmented|augmentation|copy|flip|flipped|hflip|vflip|mirror|mirrored|rot|rotate|rotated|crop|cropped|"
    "noise|noisy|blur|blurred|bright|dark|shear|zoom|scaled"
)
_COPY = re.compile(rf"[-_. ]?(?:\((?:copy|[0-9]{{1,2}})\)|(?:{_CHANGES})[-_]?[0-9]{{0,4}})$")
_PIECES = "frame|frm|fr|f|image|img|im|slice|sl|s|tile|patch|crop|view|shot|z|t|n|page|layer"
_COUNTED = re.compile(rf"^(.+?)[-_. ](?:{_PIECES})?[-_]?([0-9]{{1,6}})$")
_BATCH = re.compile(
    r"^(?:batch|part|fold|data|dataset|split|set|train|val|valid|test|class|label|cls|v|version)[-_]?[0-9]+$"
)
_DATE = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}[-_.]?[01][0-9][-_.]?[0-3][0-9](?![0-9])")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_DATED = ("video", "flight", "scene", "session")  # whose ids start anew each day
_CAMERA_NAMES = re.compile(
    r"^(?:img|dsc[a-z]?|dscn|dcim|pict|p|gopr|photo|image|screenshot|wp|mvimg|pxl|vid)[-_ ]?[0-9]*$"
)
_LEAST = 1.5  # images a group on average; below, ids are those of single images
_COVERED = 0.5  # of the images must have an id
_LONGEST = 200
_PATTERN_LENGTH = 200


@dataclass(frozen=True)
class Grouping:
    """The group of each image of both sets, None where it has none.

    ``word`` says what a group is, ``how`` how it was told, ``certainty`` how sure that is; ``given`` is True where a
    person named the groups.
    """

    word: str
    how: str
    train: tuple[str | None, ...]
    val: tuple[str | None, ...]
    certainty: float
    given: bool = False


def find_groups(
    train_names: Sequence[str],
    val_names: Sequence[str],
    *,
    train_labels: Sequence[int] | None = None,
    val_labels: Sequence[int] | None = None,
    pattern: str | None = None,
) -> Grouping | None:
    """The grouping that the names tell of, the surest first; None where they tell of none.

    Parameters
    ----------
    train_names, val_names : sequence of str
        Paths or names of the images.
    train_labels, val_labels : sequence of int, optional
        Classes; ids that only repeat the class are no groups. They must count the same classes. Without them the
        folder is taken for the class.
    pattern : str, optional
        A regular expression that is searched in each name; its first group, or all it finds, is the id.

    Raises
    ------
    InputError
        The pattern is no regular expression, or finds nothing in any name.
    """
    names = [*train_names, *val_names]
    cut = len(train_names)
    if pattern is not None:
        return _by_pattern(pattern, names, cut)
    labels = None if train_labels is None or val_labels is None else [*train_labels, *val_labels]
    plain = [_plain(name) for name in names]
    for word, expression in _NAMED.items():
        found = [_named(expression, path, dated=word in _DATED) for path in plain]
        if _are_groups(found, plain, labels):
            return _grouping(word, f"by {word} in the file names", found, cut, 0.95)
    sources, marked = zip(*(_source(path) for path in plain), strict=True) if plain else ((), ())
    if _are_copies(sources, marked):
        return _grouping(_SOURCE, "by marks of augmented copies in the file names", sources, cut, 0.9)
    series = [_series(path) for path in plain]
    if _are_groups(series, plain, labels):
        return _grouping(_SERIES, "by ids before a running number in the file names", series, cut, 0.7)
    return None


def given_groups(train: Sequence[object], val: Sequence[object], word: str = "group") -> Grouping:
    """Groups that a column or a person gives; an empty one is none."""
    first, second = (tuple(clean_text(g, _LONGEST) if g not in (None, "") else None for g in s) for s in (train, val))
    return Grouping(clean_text(word, 40), "by the groups given", first, second, 0.99, True)


def _by_pattern(pattern: str, names: Sequence[str], cut: int) -> Grouping:
    if len(pattern) > _PATTERN_LENGTH:
        raise InputError("The pattern of groups is too long.", f"Use at most {_PATTERN_LENGTH} characters.")
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(
            f"The pattern of groups is no regular expression: {clean_text(error, 80)}.", r"Such as: patient(\d+)"
        ) from error
    matches = [expression.search(name[:_LONGEST]) for name in names]
    found = [None if m is None else (m.group(1) if expression.groups else m.group(0)) for m in matches]
    if not any(found):
        raise InputError(
            f"The pattern of groups {clean_text(pattern, 60)} finds nothing in any name.",
            f"The names are such as {clean_text(names[0], 60) if names else 'none'}.",
        )
    return _grouping("group", "by the pattern given", [g or None for g in found], cut, 0.99, given=True)


def _grouping(
    word: str, how: str, found: Sequence[str | None], cut: int, certainty: float, given: bool = False
) -> Grouping:
    shown = tuple(None if group is None else clean_text(group, _LONGEST) for group in found)
    return Grouping(word, how, shown[:cut], shown[cut:], certainty, given)


def _plain(name: str) -> tuple[str, str]:
    """Folders and base name without its ending, in lower case; camel case is parted."""
    path = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("\\", "/")[-_LONGEST:]).lower()
    folders, _, base = path.rpartition("/")
    return folders, re.sub(r"\.(?:png|jpe?g|bmp|gif|webp|tiff?|p[gp]m|npy|dcm)$", "", base)


def _named(expression: re.Pattern[str], path: tuple[str, str], *, dated: bool) -> str | None:
    """The id in the base name, else in a folder; leading zeros do not matter, and the day does where `dated`."""
    for part in (path[1], path[0]):
        found = expression.search(part)
        if found:
            day = _DATE.search(part) if dated else None
            number = found.group(1).lstrip("0") or "0"
            return f"{day.group(0)} {number}" if day else number
    return None


def _source(path: tuple[str, str]) -> tuple[str | None, bool]:
    """What an image was made from, and whether it is marked as a copy; a bare running number names no source."""
    marked = _ROBOFLOW.match(path[1])
    if marked:
        return marked.group(1), True
    stem = path[1]
    while (shorter := _COPY.sub("", stem)) != stem and shorter:
        stem = shorter
    return None if stem.isdecimal() else stem, stem != path[1]


def _series(path: tuple[str, str]) -> str | None:
    """What stands before a running number, if it is an id: with digits, and no batch, date or a camera's own name."""
    found = _COUNTED.match(path[1])
    if not found:
        return None
    stem = found.group(1)
    bare = re.sub(r"[-_. ]+$", "", _DATE.sub("", stem))
    if not re.search(r"[0-9]", bare) or any(e.fullmatch(bare) for e in (_BATCH, _CAMERA_NAMES, _YEAR)):
        return None
    return stem


def _are_groups(found: Sequence[str | None], plain: Sequence[tuple[str, str]], labels: Sequence[int] | None) -> bool:
    """Whether ids name groups: most images have one, they are several, of several images each, and are no classes."""
    members = [i for i, group in enumerate(found) if group is not None]
    counts = Counter(found[i] for i in members)
    if len(members) < _COVERED * len(found) or len(counts) < 2 or len(members) < _LEAST * len(counts):
        return False
    classes = labels if labels is not None else [folders.rpartition("/")[2] for folders, _ in plain]
    return not _repeats(found, classes, members)


def _repeats(found: Sequence[str | None], other: Sequence[object], members: Iterable[int]) -> bool:
    """Whether each id has one class and each class one id, so that it is the class itself."""
    one, two = defaultdict(set), defaultdict(set)
    for i in members:
        one[found[i]].add(other[i])
        two[other[i]].add(found[i])
    return len(two) > 1 and all(len(s) == 1 for s in one.values()) and all(len(s) == 1 for s in two.values())


def _are_copies(sources: Sequence[str | None], marked: Sequence[bool]) -> bool:
    """Whether at least one image in twenty is marked as a copy of a source that another image has too."""
    counts = Counter(source for source in sources if source is not None)
    copies = sum(mark and counts[source] > 1 for source, mark in zip(sources, marked, strict=True))
    return copies >= max(2, 0.05 * len(sources))
