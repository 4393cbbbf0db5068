"""The networks of `fixtures/examples` as others have published them: of timm, of transformers, or in plain torch from
what a paper or a table of layers says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import oracle  # noqa: F401  # torchvision, which timm and transformers import, cannot be imported before it
import timm
import torch
from torch import Tensor, nn


class Original(NamedTuple):
    """A network, and the arguments of the spec with which it is compared."""

    make: Callable[[], nn.Module]
    arguments: dict[str, Any]
    batch: int = 2


class DoubleConv(nn.Sequential):
    """Two convolutions with ReLU."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        for number, width in ((1, channels), (2, out_channels)):
            self.add_module(f"conv{number}", nn.Conv2d(width, out_channels, 3, padding=1))
            self.add_module(f"relu{number}", nn.ReLU())


class Up(nn.Module):
    """One step of the expanding path."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels // 2, 2, 2)
        self.conv = DoubleConv(channels, channels // 2)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        made: Tensor = self.conv(torch.cat((skip, self.up(x)), 1))
        return made


class UNet(nn.Module):
    """The paper's figure 1, with padding."""

    def __init__(self, widths: list[int], num_classes: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(map(DoubleConv, [1, *widths], widths))
        self.up = nn.ModuleList(map(Up, widths[:0:-1]))
        self.out = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for block in self.down:
            maps.append(block(nn.functional.max_pool2d(maps[-1], 2) if maps else x))
        x = maps.pop()
        for block in self.up:
            x = block(x, maps.pop())
        made: Tensor = self.out(x)
        return made


class Conv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, channels: int, out_channels: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, (kernel - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, 1e-3, 0.03)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Two convolutions, and the input where it is added."""

    def __init__(self, channels: int, adds: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.adds = Conv(channels, channels), Conv(channels, channels, 3), adds

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.cv2(self.cv1(x))
        return x + made if self.adds else made


class C3(nn.Module):
    """A stage in two halves."""

    def __init__(self, channels: int, out_channels: int, count: int, adds: bool = True) -> None:
        super().__init__()
        half = out_channels // 2
        self.cv1, self.cv2 = Conv(channels, half), Conv(channels, half)
        self.cv3 = Conv(2 * half, out_channels)
        self.m = nn.Sequential(*(Residual(half, adds) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))
        return made


class SPPF(nn.Module):
    """Pools of growing windows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(channels * 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.cv1(x)]
        for _ in range(3):
            found.append(nn.functional.max_pool2d(found[-1], 5, 1, 2))
        made: Tensor = self.cv2(torch.cat(found, 1))
        return made


class Backbone(nn.Module):
    """Five halvings of the map."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, w, 6, 2, 2, bias=False)
        self.bn = nn.BatchNorm2d(w, 1e-3, 0.03)
        for number, count in enumerate((1, 2, 3, 1), 1):
            self.add_module(f"down{number}", Conv(w, 2 * w, 3, 2))
            self.add_module(f"stage{number}", C3(2 * w, 2 * w, count))
            w *= 2
        self.pool = SPPF(w)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [nn.functional.silu(self.bn(self.stem(x)))]
        for number in range(1, 5):
            down, stage = (self.get_submodule(f"{name}{number}") for name in ("down", "stage"))
            found.append(stage(down(found[-1])))
        return [*found[2:4], self.pool(found[4])]


class Neck(nn.Module):
    """Up to the finest map and down again."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.reduce5, self.mix4 = Conv(16 * w, 8 * w), C3(16 * w, 8 * w, 1, False)
        self.reduce4, self.p3 = Conv(8 * w, 4 * w), C3(8 * w, 4 * w, 1, False)
        self.down3, self.p4 = Conv(4 * w, 4 * w, 3, 2), C3(8 * w, 8 * w, 1, False)
        self.down4, self.p5 = Conv(8 * w, 8 * w, 3, 2), C3(16 * w, 16 * w, 1, False)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r5 = self.reduce5(c5)
        r4 = self.reduce4(self.mix4(torch.cat((nn.functional.interpolate(r5, scale_factor=2.0), c4), 1)))
        p3 = self.p3(torch.cat((nn.functional.interpolate(r4, scale_factor=2.0), c3), 1))
        p4 = self.p4(torch.cat((self.down3(p3), r4), 1))
        return p3, p4, self.p5(torch.cat((self.down4(p4), r5), 1))


class YOLO(nn.Module):
    """The layers of YOLOv5s in its table, of some width."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.backbone, self.neck = Backbone(width), Neck(width)
        self.heads = nn.ModuleList(nn.Conv2d(width * k, 3 * (5 + num_classes), 1) for k in (4, 8, 16))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [head(level) for head, level in zip(self.heads, self.neck(*self.backbone(x)), strict=True)]


class Plain(nn.Module):
    """A model of transformers that returns a tuple of some of its outputs."""

    def __init__(self, model: nn.Module, *names: str) -> None:
        super().__init__()
        self.names = names
        self.model = model

    def forward(self, ids: Tensor) -> Any:
        found = self.model(input_ids=ids)
        values = tuple(found[name] for name in self.names)
        return values if len(values) > 1 else values[0]


EAGER: Final[dict[str, Any]] = {"attn_implementation": "eager"}
"""Attention written out, with dropout of its weights; torch's own function has it only on some devices."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without what transformers says of a small vocabulary."""
    from transformers import utils

    logging: Any = utils.logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    yield
    logging.set_verbosity(before)


def bert(
    vocab_size: int, max_length: int, hidden: int, num_layers: int, num_heads: int, intermediate: int
) -> nn.Module:
    from transformers.models.bert import BertConfig, BertModel

    with quiet():
        config = BertConfig(
            vocab_size=vocab_size, max_position_embeddings=max_length, hidden_size=hidden, num_hidden_layers=num_layers,
            num_attention_heads=num_heads, intermediate_size=intermediate, **EAGER,
        )  # fmt: skip
        return Plain(BertModel(config), "last_hidden_state", "pooler_output")


def gpt2(vocab_size: int, max_length: int, width: int, num_layers: int, num_heads: int) -> nn.Module:
    from transformers.models.gpt2 import GPT2Config, GPT2Model

    with quiet():
        config = GPT2Config(
            vocab_size=vocab_size, n_positions=max_length, n_embd=width, n_layer=num_layers, n_head=num_heads,
            use_cache=False, **EAGER,
        )  # fmt: skip
        return Plain(GPT2Model(config), "last_hidden_state")


def from_timm(name: str, **arguments: Any) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, pretrained=False, **arguments)


SMALL_BERT: Final = {"vocab_size": 50, "max_length": 24, "hidden": 32, "num_layers": 2, "num_heads": 4,
                     "intermediate": 48}  # fmt: skip

SMALL_GPT2: Final = {"vocab_size": 50, "max_length": 24, "width": 32, "num_layers": 2, "num_heads": 4}

ORIGINALS: Final[dict[str, Original]] = {
    "res2net50_26w_4s": Original(from_timm("res2net50_26w_4s"), {"input": [3, 64, 64]}),
    "mixer_s16_224": Original(from_timm("mixer_s16_224"), {}, 1),
    "hrnet_w18_small": Original(from_timm("hrnet_w18_small"), {"input": [3, 64, 64]}),
    "dpn68": Original(from_timm("dpn68"), {"input": [3, 64, 64]}),
    "unet": Original(lambda: UNet([8, 16, 32, 64], 3),
                     {"input": [1, 32, 48], "width": 8, "depth": 3, "num_classes": 3}),
    "yolov5s": Original(lambda: YOLO(8, 4), {"input": [3, 64, 96], "width": 8, "num_classes": 4}),
    "gpt2": Original(lambda: gpt2(**SMALL_GPT2), {"input": [12], **SMALL_GPT2}),
    "bert_base": Original(lambda: bert(**SMALL_BERT), {"input": [12], **SMALL_BERT}),
}  # fmt: skip
"""The examples, by their names."""
