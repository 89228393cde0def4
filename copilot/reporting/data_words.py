"""What the numbers of data checks are called; ``{p}`` is the image property that a name begins with."""

from __future__ import annotations

from copilot.core.data.image_properties import PROPERTIES

DATA = {
    # Duplicates.
    "duplicate_images": "validation images that are in training too",
    "duplicate_share": "their share of the validation images",
    "exact_duplicates": "of them, with the same pixels",
    "near_duplicates": "of them, changed a little",
    "mirrored_duplicates": "of them, mirrored",
    "images_searched": "validation images looked up",
    "exact_repeats_train": "training images that repeat another",
    "repeat_share_train": "share of training images that repeat another",
    "exact_repeats_val": "validation images that repeat another",
    "repeat_share_val": "share of validation images that repeat another",
    "groups_with_different_labels": "groups of copies with different labels",
    "score": "validation score",
    "score_without_duplicates": "validation score without the copies",
    "score_from_duplicates": "validation score that the copies add",
    # Label noise.
    "noise_rate_train": "share of wrong training labels",
    "noise_rate_val": "share of wrong validation labels",
    "suspicious_labels_train": "suspicious training labels",
    "suspicious_labels_val": "suspicious validation labels",
    "confident_learning_rate_train": "share of wrong training labels by confident learning alone",
    "confident_learning_rate_val": "share of wrong validation labels by confident learning alone",
    "classifier_sharpness_train": "how sure the classifier of training labels is",
    "classifier_sharpness_val": "how sure the classifier of validation labels is",
    "labels_judged_train": "training labels judged",
    "labels_judged_val": "validation labels judged",
    "labelled_as": "labels taken for another ({s})",
    # Class balance.
    "classes": "classes",
    "imbalance_ratio": "most frequent class over the rarest",
    "effective_classes": "classes, weighted by their share",
    "only_in_train": "classes without validation images",
    "only_in_val": "classes without training images",
    "rare_classes_val": "classes with few validation images",
    "class_share_distance": "difference of the class shares (total variation)",
    # Size of the validation set.
    "score_half_width": "half width of the validation score's interval",
    "smallest_gap": "smallest gap that this many images would show",
    "images_needed": "validation images it takes to tell the gap",
    "val_score": "validation score",
    "gap": "gap between training and validation",
    # Quality.
    "odd_images": "odd images",
    "odd_share": "share of odd images",
    # Groups.
    "groups": "groups in the names",
    "groups_in_both": "groups in both sets",
    "grouped_val_images": "validation images that belong to a group",
    "shared_share": "share of validation images whose group is in training",
    "shared_group": "a group in both sets",
    "score_of_shared": "validation score on groups that are in training",
    "score_of_others": "validation score on other groups",
    # What moved.
    "smallest_distance_told": "smallest distance that could be told",
    "total_variation": "difference of the class shares (total variation)",
    "p_value": "chance of such a difference by luck (p)",
    "most_moved_class": "class whose share moved most",
    "share_before": "its share before",
    "share_after": "its share after",
    "share_factor": "its share, times what it was",
    "domain_auc": "how often a classifier tells which image is of which set (half is chance)",
    "images_compared": "images compared",
    "features": "features compared",
    **{
        f"share_of_{part}": f"part of {part} in telling the sets apart"
        for part in ("edges", "layout", "levels", "texture")
    },
}
_KINDS = {
    "distance": "how far {p} moved (Kolmogorov-Smirnov)",
    "moved": "how far {p} moved, in its own spreads",
    "before": "mean {p} before",
    "after": "mean {p} after",
    "p_value": "chance of such a move of {p} by luck (p)",
}
DATA |= {
    f"{name}_{kind}": text.format(p=PROPERTIES[name].label) for name in PROPERTIES for kind, text in _KINDS.items()
}
DIFFERENCES = frozenset({"score_half_width", "smallest_gap", "gap", "score_from_duplicates"})
