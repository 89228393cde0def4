"""The words of metric names: splits, measures and their direction, other spellings, and what is no curve.

The one table of them; `naming` reads names with it. docs/metric-names.md says the same for people.
"""

from __future__ import annotations

import re
from typing import Literal

Split = Literal["train", "val", "test", "unknown"]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SPLIT_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trainings", "trn", "tr", "trian", "learn"), "train"),
    **dict.fromkeys(("entrainement", "apprentissage", "entrenamiento", "addestramento"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "eval", "evaluation", "dev", "holdout", "heldout"), "val"
    ),
    **dict.fromkeys(
        ("vali", "vald", "vaild", "vail", "validierung", "validierungs", "validacion", "validazione"), "val"
    ),
    **dict.fromkeys(("test", "testing", "tst", "te", "prueba", "testset"), "test"),
    "trainset": "train",
    **dict.fromkeys(("valset", "validset", "devset", "evalset"), "val"),
}
WEAK_SPLIT_WORDS = words("eval evaluation")  # `eval_train_loss` was evaluated on the training set
ALIASES = {
    **dict.fromkeys(("losses", "cost", "verlust", "perte", "perdida", "perdita", "lose"), "loss"),
    **dict.fromkeys(("acc", "acc1", "top1", "prec1", "accs", "accuracies"), "accuracy"),
    **dict.fromkeys(("accuarcy", "acuracy", "accurary", "accurancy", "accurracy", "acurracy"), "accuracy"),
    **dict.fromkeys(("genauigkeit", "exactitude", "exactitud", "accuratezza"), "accuracy"),
    **dict.fromkeys(("err", "err1", "errors", "fehler", "erreur"), "error"),
    **dict.fromkeys(("acc5", "prec5"), "top5"),
    **dict.fromkeys(("auroc", "rocauc"), "auc"),
    **dict.fromkeys(("miou", "meaniou"), "iou"),
    **dict.fromkeys(("xent", "xentropy"), "crossentropy"),
    "mdice": "dice",
    "f1score": "f1",
    "ppl": "perplexity",
    "prec": "precision",
    "rec": "recall",
    "rappel": "recall",
}
NOT_IN_LOSSES = words("prec rec")  # `rec_loss` is a reconstruction loss

# Words that name how a number was made, not what it measures.
FILLER = words(
    "avg average mean epoch epochs metrics metric score coef coefficient index rate running total per on the set "
    "dataset multiclass binary categorical sparse pct percent percentage"
)
WITHIN_EPOCH = words("step steps batch batches iter iters iteration")
FALLS = words(
    "loss error mse mae rmse rmsle mape smape medae nll ce crossentropy perplexity wer cer brier ece fid kl kld bce "
    "hinge logloss mlogloss lpips eer fpr fnr mpjpe epe ade fde hd95 nme rl sl huber quantile pinball"
)
FALLS_ON_A_SPLIT = words("l1 l2")  # LightGBM's `valid_0-l2`; bare, it is a penalty's weight
BOUNDED_SCORES = words(
    "accuracy aacc macc top5 f1 fbeta precision recall sensitivity specificity tpr tnr auc auprc ap ap50 ap75 ar ar100 "
    "map map50 map75 map50-95 iou dice jaccard pck pq exactmatch"
)
RISES = BOUNDED_SCORES | words(
    "r2 kappa mcc psnr ssim bleu rouge1 rouge2 rougel meteor cider hota mota idf1 ndcg mrr hit loglikelihood pearson "
    "spearman cindex explainedvariance gini negated"
)

# A running best, a spread or a figure logged once at the end is not a curve.
SUMMARY = words("best final min max last initial std stdev stderr variance")
DERIVED = words("gap diff difference delta ratio improvement slope change")
TURNED = words("minus inverse inverted inv reciprocal")  # they say that the direction is another
TURNED_LOSS = words("neg negative")  # a loss of negatives or a negated one; with a score it is the class
TURNED_NAMES = re.compile(r"^\s*(?:-|1 ?- ?(?=\D))")
PARAMETER_ENDS = words("weight weights coef coefficient lambda alpha threshold thresh thr scale")
COUNTS = words("count counts num number n")
NOISE = re.compile(
    r"(?i)^(?:system[/.]|lr\b|lr[/_-]|.*learn(?:ing)?[ _-]?rate|"
    r"(?!.*(?:loss|losses|acc|accuracy|error|f1|iou|dice|auc|map)/)(?:.*/)?epochs?$|(?:global[ _-]?)?steps?$|"
    r"iter(?:ation)?s?$|(?:.*/)?lr$|.*(?:^|[_/ -])(?:time|dur|duration|seconds|runtime|throughput|samples|per_second|"
    r"grad_norm|gnorm|momentum|memory|batch_size|patience|flos|loss_scale|eta|fps)(?:$|[_/ -]))"
)

_SPLITS = r"train(?:ings?)?|val(?:id|idation|i|idierungs?)?|test|eval|dev"
_MEASURES = r"loss|losses|acc|accuracy|err|error|f1|auc|iou|miou|dice|mse|mae|rmse|map|verlust|genauigkeit|fehler"
GLUED = re.compile(rf"^(?:({_SPLITS})({_MEASURES})|({_MEASURES})({_SPLITS}))$")
NUMBERED = re.compile(r"^(loss|accuracy|error)(\d+)$")
AVERAGED = words("macro micro weighted")
FOLD = re.compile(r"^fold\d+$")
# One of several evaluation sets: Lightning's loaders, the numbered sets of XGBoost and LightGBM.
NUMBERED_SETS = re.compile(r"(?i)[/_ ]?dataloader_idx_(\d+)$|^(?:valid|validation|eval|test)_(\d+)(?=[-/])")
# XGBoost's scikit-learn models name all sets so, the training set too, mostly first; they stop early by the last.
LAST_SET_COUNTS = re.compile(r"^validation_\d+-")
# Trainers of detection and segmentation log these without a split, and only when they evaluate.
EVALUATED_NAMES = re.compile(r"^(?i:metrics|coco|bbox|segm|keypoints|lvis|voc|pascal_?voc)/|^m(?:IoU|Dice)$")
EVALUATED = words("aacc macc ap ap50 ap75 ar map map50 map75 map50-95 pq mota idf1 hota")
# Names of several words, written as one; the order matters.
PHRASES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"训练集?", " train "),
        (r"验证集?", " val "),
        (r"测试集?", " test "),
        (r"损失(?:函数)?", " loss "),
        (r"准确率", " accuracy "),
        (r"[mM]?I[oO]U", " iou "),
        (r"mDice", " dice "),
        (r"\baAcc\b", "aacc"),
        (r"\bmAcc\b", "macc"),
        (r"(?i)(?:negative|neg)[_ ]?log[_ ]?likelihood", "nll"),
        (r"(?i)log[_ ]?likelihood", "loglikelihood"),
        (r"(?i)neg[_ ](?=(?:root|mean|median|mse|mae|rmse|log[_ ]?loss|brier))", "negated_"),
        (r"(?i)log[_ ]loss", "logloss"),
        (r"(?i)(?:@ ?|[_ ]at[_ ])fpr", " atfpr "),  # `TPR@FPR` is a TPR
        (r"(?i)(?:@ ?|[_ ]at[_ ])tpr", " attpr "),
        (r"(?i)(?<![a-z])out[_ -]?of[_ -]?sample(?![a-z])", " val "),
        (r"(?i)(?<![a-z])in[_ -]?sample(?![a-z])", " train "),
        (r"(?i)explained[_ ]?variance", "explainedvariance"),
        (r"(?i)exact[_ ]?match", "exactmatch"),
        (r"(?i)h(?:o|e)ld[_ -]out", "holdout"),
        (r"(?i)fold[_ -]?(\d+)", r" fold\1 "),
        (r"(?i)root[_ ]?mean[_ ]?squared?[_ ]?error", "rmse"),
        (r"(?i)mean[_ ]?squared?[_ ]?error", "mse"),
        (r"(?i)mean[_ ]?absolute[_ ]?error", "mae"),
        (r"(?i)mean[_ ]?average[_ ]?precision", "map"),
        (r"(?i)average[_ ]?precision", "ap"),
        (r"(?i)cross[_ ]?entropy", "crossentropy"),
        (r"(?i)mAP[_@ .]*(?:0?[.]?)?50?[-_: .]+(?:0?[.]?)?95", "map50-95"),
        (r"(?i)mAP[_@ .]*(?:0?[.]?)50[.]95", "map50-95"),
        (r"(?i)top[-_ ]?1[-_ ]?err", "err"),
        (r"(?i)(acc(?:uracy)?|prec)(?:@|[@_ ]*top)[-_ ]?([15])\b", r"acc\2"),
        (r"(?i)top[-_ ]?([15])[-_ ]?(?:acc(?:uracy)?)?\b", r"acc\1"),
        (r"(?i)mAP[_@ ]*(?:0?[.]5(?!\d)|0?[.]?50)(?!\d)(?!-)", "map50"),
        (r"(?i)mAP[_@ ]*(?:0?[.]?75)(?!\d)(?!-)", "map75"),
        (r"mAP", "map"),
    )
)
ULTRALYTICS = {"b": "", "m": "mask", "p": "pose"}
