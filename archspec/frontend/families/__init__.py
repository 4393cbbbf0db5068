"""The families of networks (ResNet, VGG, …). Each is a Pydantic model whose `desugar` gives a core-language network;
`base` has what they share."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from archspec.frontend.families.base import FamilySpec

FAMILIES: Final = {
    "vgg": "VGG",
    "resnet": "ResNet",
    "inception": "Inception",
    "densenet": "DenseNet",
    "shufflenet_v2": "ShuffleNetV2",
    "convnext": "ConvNeXt",
    "swin": "Swin",
    "maxvit": "MaxVit",
    "efficientnet": "EfficientNet",
    "regnet": "RegNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3",
    "mnasnet": "MNASNet",
    "vit": "ViT",
    "video_resnet": "VideoResNet",
}
"""The families' names, which are also those of their files, and their classes. A family is imported when it is used."""


def family(name: str) -> type[FamilySpec]:
    """The model of a family."""
    model: type[FamilySpec] = getattr(import_module(f"archspec.frontend.families.{name}"), FAMILIES[name])
    return model


__all__ = ["FAMILIES", "FamilySpec", "family"]
