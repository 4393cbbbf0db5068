"""Layer normalisation over the channels of a feature map."""

from pydantic import Field

from archspec.ops.base import Op
from archspec.ops.call import Argument
from archspec.ops.shapes import Shape, require_map
from archspec.ops.window import All, Windows, without


class LayerNorm2d(Op):
    """Layer normalisation over the channels of a feature map (ConvNeXt, https://arxiv.org/abs/2201.03545)."""

    kind = "layer_norm2d"
    also = ("torchvision.models.convnext:LayerNorm2d", "timm.layers.norm:LayerNorm2d")
    module = "LayerNorm2d"
    helpers = ("archspec.backends.torch.helpers:LayerNorm2d",)
    extends = ("nn.LayerNorm",)
    role = "norm"
    numbers = frozenset({"eps"})
    vectors = frozenset({"weight", "bias"})
    # not fresh: a view, with the channels moved to the front; autograd copies values overwritten through a view

    eps: float = Field(1e-5, gt=0, description="added to the variance")
    bias: bool = Field(True, description="whether the shift is learned, too")

    def infer(self, *inputs: Shape) -> Shape:
        return require_map(inputs[0], "layer_norm2d")

    def windows(self, *inputs: Shape) -> Windows:
        return (without(3, All(0)),)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]} if self.bias else {"weight": inputs[0][:1]}

    def constructor(self, *inputs: Shape) -> tuple[Argument, ...]:
        return (Argument("normalized_shape", inputs[0][0], positional=True), *map(self.argument, ("eps", "bias")))
