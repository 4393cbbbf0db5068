"""GoogLeNet and Inception v3: Szegedy et al., "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842,
and "Rethinking the Inception Architecture for Computer Vision", https://arxiv.org/abs/1512.00567."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from archspec.diagnostics.checked import Prepared
from archspec.diagnostics.diagnostic import Diagnostic
from archspec.diagnostics.suggestions import alike, nearest
from archspec.diagnostics.validation import StrictModel, field_error, field_errors
from archspec.frontend.families.base import FamilySpec, Item, columns, item
from archspec.frontend.model.field_types import Name
from archspec.frontend.model.outputs import NetworkOutputs
from archspec.ops.fields import Pair, Probability, Size

_COLUMNS = columns("1x1", "3x3 reduce", "3x3", "5x5 reduce", "5x5", "pool projection")
Branches = Annotated[list[Size], Field(min_length=6, max_length=6), _COLUMNS]
"""1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection: a row of the paper's table 1."""

_BRANCH_NAMES = ("ch1x1", "ch3x3red", "ch3x3", "ch5x5red", "ch5x5", "pool_proj")


class Conv(StrictModel):
    """A convolution of the stem with its batch norm (if any) and ReLU."""

    conv: Size = Field(description="channels of the output")
    kernel_size: Pair = Field(1, description="extent of the window, or [height, width]")
    stride: Pair = Field(1, description="step of the window")
    padding: Pair = Field(0, description="zeros added on each side")


class Pool(StrictModel):
    """A max pool between the modules."""

    max_pool: Size = Field(description="extent of the window")
    stride: Size = Field(2, description="step of the window")
    padding: int = Field(0, ge=0, description="rows and columns added on each side")
    ceil_mode: bool = Field(True, description="round the output size up")


class Mixed(StrictModel):
    """One of the five kinds of module of Inception v3, each with fixed channels but for one number."""

    module: Literal["A", "B", "C", "D", "E"] = Field(description="the kind; B and D halve the size")
    pool_features: Size | None = Field(None, description="A: channels after the average pool")
    channels_7x7: Size | None = Field(None, description="C: channels inside the 7×7 branches")

    @model_validator(mode="after")
    def _has_its_number(self) -> Mixed:
        for name, kind in (("pool_features", "A"), ("channels_7x7", "C")):
            given = getattr(self, name) is not None
            if given and self.module != kind:
                raise field_errors(field_error((name,), f"a module {self.module} takes no {name}", about_key=True))
            if not given and self.module == kind:
                raise field_errors(
                    field_error(("module",), f"a module {kind} needs {name}", f"add {name}: 64, for example")
                )
        return self


_KINDS = ("conv", "max_pool", "module")
"""The keys that determine what a stage is, if it is a mapping."""


def _kind(stage: Any) -> Any:
    """Validate a stage as the kind it is, so that errors are about that kind only."""
    if isinstance(stage, list):
        return stage
    if not isinstance(stage, dict):
        raise ValueError("expected six channel counts, or a mapping: {conv: …}, {max_pool: …} or {module: …}")
    near = None if stage.keys() & set(_KINDS) else next((key for key in stage if alike(key, _KINDS)), None)
    if near is not None:
        raise field_errors(field_error((near,), f"unknown kind of stage '{near}'", nearest(near, _KINDS), True))
    model = Pool if "max_pool" in stage else Mixed if "module" in stage else Conv
    strays = [key for key in stage if key not in model.model_fields]
    if strays:
        known = model.model_fields
        raise field_errors(*(field_error((key,), f"unknown key '{key}'", nearest(key, known), True) for key in strays))
    return model.model_validate(stage)


Stage = Annotated[Branches | Conv | Pool | Mixed, Prepared(_kind)]
NamedStage = Annotated[dict[Name, Stage], Field(min_length=1, max_length=1)]


class Inception(FamilySpec):
    """A stem of convolutions and pools, modules of four parallel branches, and auxiliary classifiers beside them."""

    family: Literal["inception"]
    stages: Annotated[list[NamedStage], Field(min_length=1, max_length=200)] = Field(
        description="the network in order, each under its name: six channel counts, a conv, max pool, or module A to E"
    )
    batch_norm: bool = Field(True, description="batch norm after each convolution, which then has no bias")
    kernel5x5: Literal[3, 5] = Field(5, description='real kernel of the "5×5" branch: 5 in the paper, 3 in torchvision')
    pool_ceil_mode: bool = Field(False, description="ceil_mode of the pools inside the modules")
    dropout: Probability = Field(0.4, description="dropout before the classifier")
    aux: dict[Name, Name] = Field({}, description="auxiliary heads and the stage of each")
    aux_head: Literal["adaptive", "paper", "v3"] = Field(
        "adaptive", description="how the heads pool: to 4×4, or 5×5 with stride 3 as in the paper or as in Inception v3"
    )
    aux_dropout: Probability = Field(0.7, description="dropout in the auxiliary heads; those of v3 have none")
    aux_logits: bool = Field(True, description="whether the auxiliary heads are there")
    transform_input: bool = Field(False, description="change input normalised for torchvision to Inception's range")
    outputs: NetworkOutputs | None = Field(None, description="names of the outputs in training")

    @model_validator(mode="after")
    def _attached(self) -> Inception:
        if errors := [*self._twice(), *self._without_norm(), *self._nowhere()]:
            raise field_errors(*errors)
        return self

    def _twice(self) -> Iterator[Diagnostic]:
        seen: set[str] = set()
        for number, name in enumerate(name for stage in self.stages for name in stage):
            if name in seen:
                yield field_error(("stages", number, name), f"duplicate stage '{name}'", about_key=True)
            seen.add(name)

    def _without_norm(self) -> Iterator[Diagnostic]:
        modules = any(isinstance(stage, Mixed) for entry in self.stages for stage in entry.values())
        if not self.batch_norm and (modules or (self.heads and self.aux_head == "v3")):
            reason = "the modules and heads of Inception v3 have batch norm"
            yield field_error(("batch_norm",), reason, "remove it")

    def _nowhere(self) -> Iterator[Diagnostic]:
        """Heads that are attached to an unknown stage."""
        names = [name for stage in self.stages for name in stage]
        for head, place in self.aux.items():
            if place not in names:
                yield field_error(("aux", head), f"unknown stage '{place}'", nearest(place, names))

    @property
    def heads(self) -> dict[str, str]:
        return self.aux if self.aux_logits else {}

    def absent_heads(self) -> tuple[str, ...]:
        return () if self.aux_logits else tuple(self.aux)

    def layers(self) -> list[Item]:
        flatten, dropout = {"op": "flatten"}, item("dropout", op="dropout", p=self.dropout)
        return [
            *self._transform(),
            *self._stages(),
            item("avgpool", op="adaptive_avg_pool2d", output_size=1),
            *([dropout, flatten] if self.aux_head == "v3" else [flatten, dropout]),
            item("fc", op="linear", out_features="=num_classes"),
        ]

    def _transform(self) -> list[Item]:
        """From the mean and deviation of ImageNet's channels, as torchvision normalises, to (x − 0.5) / 0.5."""
        if not self.transform_input:
            return []
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        scale, shift = [s / 0.5 for s in std], [(m - 0.5) / 0.5 for m in mean]
        return [{"op": "channel_affine", "scale": scale, "shift": shift}]

    def _stages(self) -> Iterator[Item]:
        for entry in self.stages:
            ((name, stage),) = entry.items()
            yield self._stage(name, stage)
            for head in (head for head, place in self.heads.items() if place == name):
                yield self._head(head)

    def _stage(self, name: str, stage: list[int] | Conv | Pool | Mixed) -> Item:
        if isinstance(stage, Mixed):
            return item(name, block=f"Inception{stage.module}", pool_features=stage.pool_features,
                        channels_7x7=stage.channels_7x7)  # fmt: skip
        if isinstance(stage, Pool):
            settings: dict[str, Any] = {"padding": stage.padding or None, "ceil_mode": stage.ceil_mode or None}
            return item(name, op="max_pool2d", kernel_size=stage.max_pool, stride=stage.stride, **settings)
        plain = None if self.batch_norm else False
        if isinstance(stage, Conv):
            settings = {"stride": stage.stride if stage.stride != 1 else None, "padding": stage.padding or None}
            return item(name, block="BasicConv2d", out_channels=stage.conv, kernel_size=stage.kernel_size, **settings,
                        batch_norm=plain)  # fmt: skip
        branches = dict(zip(_BRANCH_NAMES, stage, strict=True))
        return item(name, block="Inception", **branches, kernel5x5=3 if self.kernel5x5 == 3 else None,
                    ceil_mode=self.pool_ceil_mode or None, batch_norm=plain)  # fmt: skip

    def _head(self, name: str) -> Item:
        if self.aux_head == "v3":
            return item(name, block="InceptionAuxV3", num_classes="=num_classes", train_only=True)
        block = "InceptionAux" if self.aux_head == "adaptive" else "InceptionAuxPaper"
        return item(name, block=block, num_classes="=num_classes", dropout=self.aux_dropout,
                    batch_norm=self.batch_norm, train_only=True)  # fmt: skip

    def init_rules(self) -> list[Any]:
        return [{"op": ["conv2d", "linear"], "weight": {"trunc_normal": {"std": 0.01}}}]

    def extras(self) -> dict[str, Any]:
        """GoogLeNet's heads are registered after the modules, wherever they are attached; those of v3 are not."""
        if not self.heads:
            return {}
        outputs = self.outputs.to_data() if self.outputs else self._default_outputs()
        if self.aux_head == "v3":
            return {"outputs": outputs}
        return {"register": [*self.heads, "avgpool", "dropout", "fc"], "outputs": outputs}

    def _default_outputs(self) -> dict[str, Any]:
        fields = {"logits": "fc", **{head: head for head in reversed(self.heads)}}
        return {"type": f"{self.class_name or self.name.title().replace('_', '')}Outputs", "fields": fields}

    def origins(self) -> dict[str, tuple[str | int, ...]]:
        places: dict[str, tuple[str | int, ...]] = {
            name: ("stages", number, name) for number, stage in enumerate(self.stages) for name in stage
        }
        return {**places, **{head: ("aux", head) for head in self.aux}, "dropout": ("dropout",)}
