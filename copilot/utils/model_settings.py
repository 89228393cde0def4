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
    timeout_s: float = Field(900.0, gt=0, description="Time that the probes' process may take.")


class DeepchecksSettings(Section):
    suite: str = Field("computer_vision", description="Suite that `validate` runs.")
    custom_checks: Words = Field([], description="Checks of ours to run beside the suite.")
    memory_limit_gb: float = Field(6.0, gt=0, description="Memory that the suite's process may use.")
    timeout_s: float = Field(600.0, gt=0, description="Time that the suite's process may take.")
    max_samples: int = Field(5000, ge=10, description="Images of a set that are looked at; larger sets are sampled.")
