"""What the numbers of probes are called; ``{s}`` is what a number speaks of, from its source, ``{q}`` its quantity."""

from __future__ import annotations

PROBES = {
    "training_images": "training images looked at",
    "unreadable_images": "images that cannot be read",
    # Class gap.
    "train_accuracy": "accuracy on training images",
    "val_accuracy": "accuracy on validation images",
    "accuracy_gap": "training accuracy minus validation accuracy",
    "class_gap": "the same gap in the class {q}",
    "classes_missing": "classes without validation images",
    "train_images": "training images looked at",
    "val_images": "validation images looked at",
    # Calibration.
    "val_overconfidence": "confidence minus accuracy on validation",
    "train_overconfidence": "confidence minus accuracy on training",
    "val_confidence": "mean confidence on validation",
    "calibration_error": "expected calibration error",
    "calibration_error_by_chance": "calibration error that chance alone explains",
    "calibration_error_unbiased": "calibration error without its bias",
    "train_nll": "mean loss on training images",
    "val_nll": "mean loss on validation images",
    "temperature": "temperature that would mend it",
    "val_nll_at_temperature": "validation loss at that temperature",
    # Memorisation.
    "membership_auc": "chance that a training image has the lower loss",
    "train_loss": "mean loss on training images",
    "val_loss": "mean loss on validation images",
    "classes_compared": "classes in both sets",
    # Attribution.
    "attribution_odds": "how much more the model looks there than the area explains ({s})",
    "attribution_share": "share of what the model looks at ({s})",
    "images_covered": "images covered patch by patch ({s})",
    "occlusion_share": "share that covering it takes away ({s})",
    "area_share": "its share of the image ({s})",
    "gradient_share": "share by integrated gradients ({s})",
    # Shortcut.
    "shortcut_effect": "rise of the class by a training patch over a validation patch ({s})",
    "probability_with_training_patch": "probability of the class with a training patch ({s})",
    "probability_with_validation_patch": "probability of the class with a validation patch ({s})",
    "training_images_carrying_it": "share of the class' training images that carry it ({s})",
    "shortcut_class": "class that the mark gives away",
    "shortcut_place": "where the mark is",
    "shortcut_left": "left edge of the mark",
    "shortcut_top": "upper edge of the mark",
    "shortcut_width": "width of the mark",
    "shortcut_height": "height of the mark",
    "unused_difference": "how well the place tells the class in training only ({s})",
    "places_tried": "places tried",
    "images_asked": "changed images asked about",
    "largest_effect_at_random": "largest effect of patches at random places",
    # Robustness.
    "mean_corruption_accuracy": "mean accuracy under corruptions ({s})",
    "mild_loss": "share of what the model knew that mild corruptions cost",
    "accuracy_before": "accuracy on unchanged images ({s})",
    "images_corrupted": "validation images corrupted",
    "accuracy_fall": "fall of accuracy ({s})",
    "breaks_at_strength": "strength at which it breaks ({s})",
    # Augmentation and invariance.
    "accuracy_change": "change of accuracy ({s})",
    "images_changed": "images changed ({s})",
    # Weights.
    "over_trained_layers": "over-trained layers ({s})",
    "under_trained_layers": "under-trained layers ({s})",
    "layers_fitted": "layers that could be fitted",
    "layers": "layers",
    "mean_alpha": "mean alpha",
    "lowest_alpha": "lowest alpha",
}
DIFFERENCES = frozenset(
    {
        "accuracy_gap",
        "class_gap",
        "val_overconfidence",
        "train_overconfidence",
        "shortcut_effect",
        "largest_effect_at_random",
        "accuracy_fall",
        "accuracy_change",
    }
)
