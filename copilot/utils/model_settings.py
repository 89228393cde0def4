"""Settings of what looks at models: how they are loaded, which images, which probes and suites."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from copilot.utils.sections import Section, Words


class ModelsSettings(Section):
    allow_pickle: bool = Field(False, description="Load models whose files can run code. Only for models you trust.")
    architecture: str | None = Field(
        None, description="Network that bare weights belong to, by torchvision's name, such as resnet18."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run; auto: on the GPU if there is one."
    )
    preprocessing: dict[str, Any] = Field(
        {},
        description=(
            "What the model takes and gives, over what it says: image_size, channels, mean, std, range, layout, "
            "resize, task, class_names, background, output."
        ),
    )


class ImagesSettings(Section):
    allow_functions: bool = Field(
        False,
        description="Let image sets name a function, module:function. It is imported and run: only for your own code.",
    )


class ProbesSettings(Section):
    run: Words = Field(
        [], description="Probes that `validate` runs, by name; default: all of them. `none` runs no probe."
    )
    max_samples: int = Field(
        1000, ge=20, le=100_000, description="Images of a set that are probed; larger sets are sampled."
    )
    memory_limit_gb: float = Field(6.0, gt=0, description="Memory that the probes' process may use.")
    timeout_s: float = Field(1800.0, gt=0, description="Time that the probes' process may take.")


class DeepchecksSettings(Section):
    suite: str = Field("computer_vision", description="Suite that `validate` runs: a built-in one or one of `suites`.")
    suites: dict[str, list[str | dict[str, dict[str, Any]]]] = Field(
        {},
        description="Suites of your own: a name and its checks, each a name such as LabelDrift or, with parameters of "
        "the check, a mapping such as ConfusionMatrixReport: {iou_threshold: 0.7}.",
    )
    thresholds: dict[str, dict[str, Any]] = Field(
        {},
        description="Limits by check, in every suite. A parameter of the check's usual condition, as in "
        "ImagePropertyDrift: {max_allowed_drift_score: 0.3}, or the name of one of Deepchecks' conditions without "
        "add_condition_, as in ClassPerformance: {test_performance_greater_than: 0.8}, which is then held too.",
    )
    custom_checks: Words = Field(
        [], description="Checks of ours to run beside the suite: overfitting_analysis, data_drift_detection."
    )
    memory_limit_gb: float = Field(6.0, gt=0, description="Memory that the suite's process may use.")
    timeout_s: float = Field(600.0, gt=0, description="Time that the suite's process may take.")
    max_samples: int = Field(5000, ge=10, description="Images of a set that are looked at; larger sets are sampled.")
    html_report: bool = Field(True, description="Keep the page that Deepchecks makes of a suite, about 5 MB.")
