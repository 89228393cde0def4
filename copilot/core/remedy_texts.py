"""The remedies: what to do, why, what to expect of it, and papers that show it. `remedies` says what each is for."""

from __future__ import annotations

from typing import NamedTuple


class Remedy(NamedTuple):
    id: str
    action: str
    why: str
    expected_effect: str
    papers: tuple[str, ...] = ()


STOP = Remedy(
    "early-stopping",
    "Stop when validation has stopped improving, and keep the best checkpoint.",
    "Epochs after the best one made validation worse.",
    "Keeps the best score seen and saves the epochs after it.",
    ("doi:10.1007/3-540-49430-8_3", "arxiv:2002.11569"),
)
AUGMENT = Remedy(
    "augment",
    "Add augmentation that keeps the label: random crops and flips, RandAugment, mixup or CutMix.",
    "The model fits its training images far better than others; new variants make memorising harder.",
    "Narrows the gap; training scores fall a little while validation holds or rises.",
    ("arxiv:1909.13719", "arxiv:1710.09412", "arxiv:1905.04899"),
)
DECAY = Remedy(
    "weight-decay",
    "Raise weight decay (decoupled, as in AdamW) or dropout.",
    "Regularisation limits how closely single images can be fitted.",
    "Narrows the gap; too much of it underfits, so change it in steps of three.",
    ("arxiv:1711.05101", "arxiv:1207.0580"),
)
DATA = Remedy(
    "more-data",
    "Collect or label more training images, or start from a pretrained network and fine-tune it.",
    "The training set is small for what the model can memorise.",
    "The largest effect of all where the set is small; pretraining gives much of it without new labels.",
    ("arxiv:1912.11370", "arxiv:1805.08974"),
)
SMALLER = Remedy(
    "smaller-model",
    "Try a smaller network, or freeze its early layers.",
    "The model has room to memorise the training set.",
    "Narrows the gap; check that validation does not fall with it.",
    ("arxiv:1611.03530", "arxiv:1912.02292"),
)
LABELS = Remedy(
    "check-labels",
    "Look for wrong labels (confident learning), and train with a loss that forgives them meanwhile.",
    "Validation scores fall late in training, as they do when wrong labels get memorised.",
    "Removes the late fall; validation scores rise with each mended label.",
    ("arxiv:1911.00068", "arxiv:1804.06872", "arxiv:1805.07836"),
)
SHIFT = Remedy(
    "compare-sets",
    "Compare training and validation images: source, camera, brightness, class mix.",
    "The gap was there from the first epochs, before anything could be memorised.",
    "Shows whether the gap is one of data; then mix the sources or adapt the augmentation.",
    ("arxiv:1810.11953", "arxiv:2012.07421"),
)
LEAK = Remedy(
    "purge-duplicates",
    "Search for near-duplicates between training and validation, and remove them from training.",
    "Images in both sets make validation look better than it is.",
    "Validation scores fall to their true value.",
    ("arxiv:1902.00423",),
)
BALANCE = Remedy(
    "balance-classes",
    "Weight the loss by class or sample classes evenly.",
    "Rare classes are learned by heart while common ones decide the average.",
    "Scores of rare classes rise.",
    ("arxiv:1901.05555", "arxiv:1708.02002"),
)
LARGER_VALIDATION = Remedy(
    "larger-validation",
    "Validate on more images, or cross-validate.",
    "The validation set is so small that chance moves its scores by several points.",
    "Scores that can be told apart.",
    ("arxiv:1811.12808",),
)
FRESH_VALIDATION = Remedy(
    "fresh-validation",
    "Score the chosen model once on a set that no choice was made on.",
    "Each choice made on the validation set fits it a little.",
    "An honest figure, usually lower.",
    ("arxiv:1902.10811",),
)
RATE = Remedy(
    "learning-rate",
    "Lower the learning rate by a factor of ten, warm it up, and clip gradients.",
    "Training does not settle.",
    "A training curve that falls steadily.",
    ("arxiv:1506.01186", "arxiv:1706.02677", "arxiv:1211.5063"),
)
LARGER = Remedy(
    "larger-model",
    "Use a larger or better-suited network, less regularisation, and more epochs.",
    "The model cannot fit even its training images.",
    "Training scores rise first; watch the gap from then on.",
    ("arxiv:1512.03385", "arxiv:1905.11946"),
)
CALIBRATE = Remedy(
    "calibrate",
    "Smooth labels or scale the temperature of the outputs.",
    "Validation loss rises while its score holds: the model grows over-confident.",
    "Probabilities that can be trusted; the ranking stays.",
    ("arxiv:1706.04599", "arxiv:1512.00567"),
)
SHORTER = Remedy(
    "shorter-training",
    "Plan fewer epochs, or a learning-rate schedule that ends sooner.",
    "Half of the epochs or more gained next to nothing.",
    "The same score for less compute.",
    ("arxiv:1608.03983",),
)
SHORTCUT = Remedy(
    "break-shortcuts",
    "Break the link between image property and label: collect or augment images that have one without the other.",
    "A property such as brightness or size gives the label away, so that the model need not look at the object.",
    "Scores fall where the shortcut is gone, and hold on images from elsewhere.",
    ("arxiv:2004.07780",),
)
OUTLIERS = Remedy(
    "look-at-outliers",
    "Look at the images that stand out, and mend or remove those that are broken or do not belong.",
    "Images unlike all others are learned by heart or not at all.",
    "A cleaner set; the gap narrows a little.",
)
LONGER = Remedy(
    "train-longer",
    "Train for more epochs, or log every epoch.",
    "Too few epochs were logged to see a trend.",
    "A verdict at the next run.",
)
LOG_MORE = Remedy(
    "log-validation",
    "Log the same metrics on training and validation every epoch.",
    "Without both curves nothing can be said about generalisation.",
    "A verdict at the next run.",
)
OTHER_SPLITS = Remedy(
    "repeat-folds",
    "Look at the images of the fold that stands apart, keep classes and groups (patients, videos) even across folds, "
    "and repeat the cross-validation with other splits.",
    "Folds disagree by more than the differences between models.",
    "A narrower interval: differences between models can be told from chance.",
    ("doi:10.1023/A:1024068626366", "arxiv:1811.12808"),
)
TURN_KNOB = Remedy(
    "turn-the-knob",
    "Try the values that go with a narrow gap, changing only that parameter, with two seeds or more.",
    "Across the runs of the experiment the gap goes with this parameter.",
    "A narrower gap if the parameter is the reason; the runs tell.",
    ("arxiv:1803.09820", "arxiv:2103.03098"),
)
FIND_CHANGE = Remedy(
    "find-the-change",
    "List what differs from the baseline (parameters, data version, code), undo half of it, and train both with a few "
    "seeds.",
    "The run is worse than the baseline beyond noise.",
    "The change that costs the score, or proof that it was the seed.",
    ("arxiv:2103.03098",),
)

PAST_BUMP = Remedy(
    "past-the-bump",
    "Do not stop at the first minimum: let the run pass the rise, and keep the best checkpoint of the whole run.",
    "Validation got worse for a while and then better again.",
    "The second descent's score; fewer wrong labels or more regularisation flatten the rise.",
    ("arxiv:1912.02292", "arxiv:2003.01897"),
)

# The same actions for other reasons.
MORE_DATA_HELPS = DATA._replace(
    action="Collect or label more training images: about twice as many.",
    why="Validation error still falls as a power law with the number of training images.",
    expected_effect="The improvement that the learning curve predicts, within its interval.",
    papers=("arxiv:1712.00409", "arxiv:1707.02968"),
)
CHOSEN_TOO_OFTEN = FRESH_VALIDATION._replace(
    why="So many runs were compared on the validation set that the best one's lead may be luck.",
    papers=("arxiv:1909.03004", "arxiv:1902.10811", "doi:10.1186/1471-2105-7-91"),
)
SHIFTED = SHIFT._replace(why="The two sets of images differ measurably.")
LABELS_MIXED = LABELS._replace(why="Classes are mistaken for each other; wrong labels are one reason.")
WEAK_KINDS = DATA._replace(
    action="Collect more images of the weak kind, or augment towards it.",
    why="Some kinds of images do far worse than the rest.",
    expected_effect="Scores of that kind rise; the average moves little.",
)

REMOVE_MARK = SHORTCUT._replace(
    id="remove-mark",
    action="Find where the mark comes from (a scanner, a logo, a date stamp), then crop it away, paint it over at "
    "random in training, or collect images without it; train again and probe again.",
    why="A small mark in the training images gives the label away, and the model uses it.",
    expected_effect="Training scores fall to what the object allows; validation rises.",
    papers=("arxiv:2004.07780", "doi:10.1371/journal.pmed.1002683"),
)
BREAK_CONTEXT = SHORTCUT._replace(
    id="break-context",
    action="Crop closer to the object, or vary what surrounds it: other backgrounds, random erasing, CutMix.",
    why="The model looks at borders, corners or background more than at the object.",
    expected_effect="Scores hold where the surroundings change; on the old validation set they may fall a little.",
    papers=("arxiv:2006.09994", "arxiv:1708.04896"),
)
ROBUST = AUGMENT._replace(
    id="augment-corruptions",
    action="Train with the changes that hurt: noise, blur, brightness, JPEG, small shifts; AugMix does several.",
    why="Small changes of an image that leave its class alone cost the model much.",
    expected_effect="Scores under such changes rise most; clean ones stay or gain a little.",
    papers=("arxiv:1912.02781", "arxiv:1903.12261"),
)
PREPROCESSING = Remedy(
    "same-preprocessing",
    "Compare how images are prepared in training and here: order of colours, scale of values, size and crop.",
    "A change of the images that no model should like makes this one better, or it knows images only as they are.",
    "Validation scores rise at once where the preparation was wrong.",
    ("arxiv:1906.06423",),
)
SPLIT_BY_GROUP = Remedy(
    "split-by-group",
    "Split by group: all images of a patient, video or camera go to one side; then train and validate again.",
    "Groups stand on both sides of the split, so that validation asks about what training has seen.",
    "Validation scores fall to what they will be on new groups.",
    ("arxiv:2012.07421", "doi:10.1371/journal.pmed.1002683"),
)
