"""Analysis documents made by hand, for the tests of everything that only shows."""

from __future__ import annotations

import math
from dataclasses import replace

from copilot.core.findings import (
    Analysis,
    Cause,
    Diagnosis,
    Evidence,
    Finding,
    HistoryRecord,
    PairRecord,
    Provenance,
    Recommendation,
    Subject,
)

EPOCHS = tuple(range(1, 41))
BEST, ONSET = 13, 14
ATTACK = "<script>alert(1)</script>\u202e]]><!--\x00\x1b[31m{{7*7}}[x](javascript:alert(2))|`**_#\"'&"


def pair(quantity: str, train, val, higher: bool = False) -> PairRecord:
    return PairRecord(
        quantity=quantity,
        train_name=f"train_{quantity}",
        val_name=f"val_{quantity}",
        train=tuple(train),
        val=tuple(val),
        higher_is_better=higher,
    )


def _loss() -> PairRecord:
    train = [round(0.03 + 2.1 * math.exp(-e / 7), 4) for e in EPOCHS]
    val = [round(0.55 + 1.6 * math.exp(-e / 4) + 0.021 * max(e - BEST, 0), 4) for e in EPOCHS]
    return pair("loss", train, val)


def _accuracy() -> PairRecord:
    train = [round(0.995 - 0.85 * math.exp(-e / 6), 4) for e in EPOCHS]
    val = [round(0.87 - 0.7 * math.exp(-e / 5), 4) for e in EPOCHS]
    return pair("accuracy", train, val, higher=True)


def overfitting() -> Analysis:
    """A run that overfits since epoch 14, with every state of a finding."""
    loss, accuracy = _loss(), _accuracy()
    evidence = (
        Evidence(id="E1", name="val_best", value=0.612, epoch=BEST, source="val_loss", quantity="loss"),
        Evidence(id="E2", name="onset", value=ONSET, unit="epoch", epoch=ONSET, source="val_loss", quantity="loss"),
        Evidence(id="E3", name="epochs_after_best", value=27, unit="epochs", source="val_loss", quantity="loss"),
        Evidence(
            id="E4", name="gap_final", value=0.124, unit="fraction", epoch=40, source="val_accuracy",
            quantity="accuracy", low=0.101, high=0.147,
        ),
        Evidence(id="E5", name="val_final", value=0.873, unit="fraction", epoch=40, quantity="accuracy"),
        Evidence(id="E6", name="train_best", value=0.031, source="train_loss", quantity="loss"),
        Evidence(id="E7", name="label_errors", value=12, unit="images", source="label check"),
        Evidence(id="E9", name="best_checkpoint", value=0.612, epoch=BEST, source="val_loss", quantity="loss"),
        Evidence(id="E10", name="verdict_confidence", value=97, unit="%", source="diagnosis"),
        Evidence(id="E11", name="probability_of_small_dataset", value=62, unit="%", source="diagnosis"),
        Evidence(id="E8", name="rise", value=None, source="val_loss", quantity="loss"),
    )  # fmt: skip
    findings = (
        Finding(
            code="OVF103", title="Underfitting", state="passed", confidence=0.9,
            summary="Training gets somewhere.", evidence=("E6",),
        ),
        Finding(
            code="OVF101", title="Generalisation gap", state="issue", severity="medium", confidence=0.81,
            summary="Accuracy is 12.4 points worse on validation.", evidence=("E4", "E5"),
        ),
        Finding(
            code="OVF102", title="Validation divergence", state="issue", severity="high", confidence=0.97,
            summary="Validation loss rises from epoch 14 on.", evidence=("E1", "E2", "E3", "E8"),
        ),
        Finding(
            code="OVF501", title="Label check", state="error", evidence=("E7",), summary="The images could not be read."
        ),
        Finding(code="OVF201", title="Folds", state="not_applicable", summary="This run is no fold of a group."),
        Finding(code="OVF401", title="Data drift", state="skipped", summary="No data path is set."),
        Finding(code="OVF105", title="Plateau", state="ignored", summary="Muted: schedules are short here."),
    )  # fmt: skip
    return Analysis(
        subject=Subject(
            kind="run", run_id="3f0c6a1be2d94f67", run_name="resnet18-02", experiment="digits",
            analyzed_at="2026-11-24T03:46:00+00:00", finished_at="2026-11-23T21:00:00+00:00",
        ),
        history=HistoryRecord(
            epochs=EPOCHS, pairs=(loss, accuracy), warnings=("Logged twice, the first was kept: val_loss at epoch 7.",)
        ),
        diagnosis=Diagnosis(
            verdict="overfitting", confidence=0.97, severity="high", onset_epoch=ONSET, best_epoch=BEST,
            summary="Overfitting since epoch 14. Keep the checkpoint of epoch 13. "
            "Most likely cause: too little training data.",
            causes=(
                Cause(cause="small_dataset", probability=0.62, finding_codes=("OVF101",)),
                Cause(cause="trained_too_long", probability=0.24, finding_codes=("OVF102",), against=("OVF103",)),
            ),
        ),
        findings=findings,
        evidence=evidence,
        recommendations=(
            Recommendation(
                id="early-stopping", action="Stop when validation has stopped improving.",
                why="Later epochs made it worse.",
                expected_effect="Keeps the best score seen.", finding_codes=("OVF102",),
                papers=("arxiv:2002.11569", "doi:10.1007/3-540-49430-8_3"),
            ),
            Recommendation(
                id="more-data", action="Collect more training images.", why="The set is small.",
                expected_effect="A narrower gap.", finding_codes=("OVF101",), papers=("arxiv:1912.11370",),
            ),
        ),
        provenance=Provenance(
            versions={"mlops-copilot": "0.1.0", "numpy": "2.4.0"},
            settings={"thresholds": {"train_val_gap": 0.1}, "metrics": ["accuracy", "loss"]},
            duration_s=0.012,
        ),
    )  # fmt: skip


def inconclusive() -> Analysis:
    """A model without any curve."""
    return Analysis(
        subject=Subject(kind="model", model_uri="models:/digits/3", analyzed_at="2026-11-24T03:46:00+00:00"),
        history=HistoryRecord(),
        diagnosis=Diagnosis(
            verdict="inconclusive", confidence=0.9, severity="none",
            summary="Inconclusive. Only training curves were logged. Log a validation metric every epoch.",
        ),
        findings=(
            Finding(code="OVF101", title="Generalisation gap", state="not_applicable", summary="There are no curves."),
        ),
    )  # fmt: skip


def holes() -> Analysis:
    """Missing values in both curves, one point on its own, and validation logged every fifth epoch."""
    whole = overfitting()
    loss, accuracy = whole.history.pairs
    train = [None if 8 <= e <= 12 or e in (20, 22) else v for e, v in zip(EPOCHS, loss.train, strict=True)]
    val = [None if e > 30 else v for e, v in zip(EPOCHS, loss.val, strict=True)]
    sparse = [v if e % 5 == 0 else None for e, v in zip(EPOCHS, accuracy.val, strict=True)]
    pairs = (
        pair("loss", train, val),
        pair("accuracy", accuracy.train, sparse, True),
        pair("f1", [None] * 40, [None] * 40),
    )
    return whole.model_copy(update={"history": whole.history.model_copy(update={"pairs": pairs})})


def many_pairs(count: int = 12) -> Analysis:
    """As many metrics as a detection run logs."""
    whole = overfitting()
    loss, accuracy = whole.history.pairs
    names = ["loss", "accuracy", *(f"box_loss_{n}" if n % 2 else f"map{n}" for n in range(count - 2))]
    pairs = tuple((accuracy if n % 2 else loss).model_copy(update={"quantity": name}) for n, name in enumerate(names))
    return whole.model_copy(update={"history": whole.history.model_copy(update={"pairs": pairs})})


def hostile() -> Analysis:
    """The attack in every text that comes from outside, and long ones."""
    whole = overfitting()
    long = ATTACK + "A" * 5000
    url = "https://user:secret@evil.example/?token=abc"
    evidence = tuple(
        replace(e, name=f"{{0.__class__}} {long}", source=f"{url} {long}", quantity=ATTACK, unit=ATTACK)
        for e in whole.evidence
    )
    evidence = (
        replace(evidence[0], id='"><img src=x onerror=alert(3)>'),
        replace(evidence[1], value=ATTACK),
        *evidence[2:],
        evidence[3],
    )
    findings = tuple(
        f.model_copy(update={"title": long, "summary": long, "evidence": (evidence[0].id, "E404", *f.evidence)})
        for f in whole.findings
    )
    findings = (findings[0].model_copy(update={"code": f"X {ATTACK}"}), *findings[1:])
    pairs = tuple(
        p.model_copy(update={"quantity": long, "train_name": long, "val_name": long}) for p in whole.history.pairs
    )
    advice = Recommendation(
        id="x", action=long, why=ATTACK, expected_effect=ATTACK, finding_codes=("OVF102", ATTACK),
        papers=("javascript:alert(4)", "arxiv:<script>", f"doi:{long}", "arxiv:1512.00567"),
    )  # fmt: skip
    subject = whole.subject.model_copy(
        update={
            "kind": ATTACK,
            "run_name": long,
            "experiment": ATTACK,
            "run_id": ATTACK,
            "model_uri": url,
            "analyzed_at": ATTACK,
        }
    )
    return whole.model_copy(
        update={
            "subject": subject,
            "history": whole.history.model_copy(update={"pairs": pairs, "warnings": (long,) * 80}),
            "diagnosis": whole.diagnosis.model_copy(update={"summary": f"{ATTACK} {long}"}),
            "findings": findings,
            "evidence": evidence,
            "recommendations": (advice,),
            "provenance": Provenance(versions={ATTACK: long}, settings={ATTACK: {ATTACK: [long, ATTACK]}, "url": url}),
        }
    )


ALL = {f.__name__: f for f in (overfitting, inconclusive, holes, many_pairs, hostile)}
