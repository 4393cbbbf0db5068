"""Models as people write them: `IDIOMS` that an import must know, and what it must refuse, `REFUSED`."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfMade(nn.Module):
    """Functions in place of modules, and a view as flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.a(x))
        x = F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)
        x = F.dropout(F.leaky_relu(self.b(x), 0.2), 0.25, self.training)
        x = F.adaptive_avg_pool2d(x, (4, 4))
        return self.fc(x.view(x.size(0), -1))


class Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.act = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Any:
        out = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.act(out)


def residuals() -> nn.Module:
    """Blocks that differ in widths and strides, some without a shortcut: one block with parameters and a condition."""
    return nn.Sequential(
        Residual(3, 8), Residual(8, 8), Residual(8, 8), Residual(8, 16, 2), nn.Flatten(), nn.Linear(256, 3)
    )


class Attention(nn.Module):
    """A transformer's block: qkv by reshape and permute, a class token, positions, pre-norm."""

    def __init__(self, dim: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.full((1, 17, dim), 0.5))
        self.patch = nn.Conv2d(3, dim, 2, 2)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, 4)

    def forward(self, x: Tensor) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        b, n, c = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = ((q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, n, c))
        return self.head(x[:, 0])


class Windows(nn.Module):
    """Windows that are folded into the batch, and fused attention in them."""

    def __init__(self, dim: int = 8, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.stem = nn.Conv2d(3, dim, 1)
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        s = self.size
        x = x.view(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        x = torch.softmax(q @ k.transpose(1, 2), -1) @ v
        x = x.view(b, h // s, w // s, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return x.mean((1, 2))


class Shifted(nn.Module):
    """Rolled windows, whose mask is calculated in forward; a bias that is zero for the keys."""

    def __init__(self, dim: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor) -> Any:
        b, h, w, c = x.shape
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2)) if self.shift else x
        x = x.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        bias = self.qkv.bias.clone()
        bias[c : 2 * c].zero_()
        q, k, v = F.linear(x, self.qkv.weight, bias).chunk(3, dim=-1)
        scores = F.normalize(q, dim=-1) @ k.transpose(1, 2)
        if self.shift:
            scores = (scores.view(b, -1, 16, 16) + self.mask(h, w, x)).view(-1, 16, 16)
        x = torch.softmax(scores, -1) @ v
        x = x.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return torch.roll(x, (self.shift, self.shift), (1, 2)) if self.shift else x

    def mask(self, h: int, w: int, like: Tensor) -> Tensor:
        region = like.new_zeros((h, w))
        region[h - self.shift :] += 2
        region[:, w - self.shift :] += 1
        region = region.view(h // 4, 4, w // 4, 4).transpose(1, 2).reshape(-1, 16)
        apart = region[:, None] - region[:, :, None]
        return apart.masked_fill(apart != 0, -100.0)


class ShiftedPair(nn.Module):
    """One with shifted windows and one without are one block; a constant is added to both."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.shifted = Shifted(3, 0), Shifted(3, 2)

    def forward(self, x: Tensor) -> Any:
        x = x.permute(0, 2, 3, 1)
        x = x + self.plain(x) + torch.ones(3) * 0
        return x + self.shifted(x) * torch.tensor(0.5)


class WithTable(nn.Module):
    """A layer, and a parameter of its own that is random at first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(20, 20)
        self.table = nn.Parameter(torch.randn(20, 20) * 0.02)

    def forward(self, x: Tensor) -> Any:
        return self.fc(x) @ self.table


class Lookups(nn.Module):
    """A bias for each step between two positions, by a product with ones and zeros, and one that a layer computes from
    steps that are scaled as in windows of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(4, 39))
        lookup = F.one_hot(torch.arange(20) - torch.arange(20)[:, None] + 19).float()
        self.register_buffer("lookup", lookup, persistent=False)
        steps = torch.arange(-19.0, 20)
        scaled = torch.stack(torch.meshgrid(steps / 9, steps / 4, indexing="ij"), -1) * 8
        self.register_buffer("steps", scaled.sign() * torch.log2(scaled.abs() + 1) / 3, persistent=False)
        self.fc = nn.Linear(2, 1)

    lookup: Tensor
    steps: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.einsum("nw,ixw->nix", self.table, self.lookup)
        return x + self.fc(self.steps).mean()  # type: ignore[no-any-return]


class OneWindow(nn.Module):
    """Patches merged from strided slices, windows of which there is one only, products of matrices as `einsum`, a bias
    from a flattened index with a dimension for the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.reduction, self.qkv = nn.Linear(12, 8), nn.Linear(8, 24)
        self.table = nn.Parameter(torch.randn(9, 2))
        self.register_buffer("index", torch.arange(16).view(4, 4) // 2)

    index: Tensor

    def forward(self, x: Tensor) -> Any:
        x = x.permute(0, 2, 3, 1)
        x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
        b, h, w, c = (x := self.reduction(x)).shape
        windows = x.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        q, k, v = self.qkv(windows).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = torch.sigmoid(self.table[self.index.flatten()].view(4, 4, 2).permute(2, 0, 1)[None])
        scores = torch.softmax(torch.einsum("bhid,bhjd->bhij", q, k) + bias, -1)
        windows = torch.einsum("bhij,bhjd->bhid", scores, v).transpose(1, 2).reshape(-1, 4, c)
        merged = windows.view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return x + merged


class Bias(nn.Module):
    """A method in place of `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(49, 2))
        row, column = torch.arange(16) // 4, torch.arange(16) % 4
        index = (row[:, None] - row + 3) * 7 + column[:, None] - column + 3
        self.register_buffer("index", index.flatten(), persistent=False)

    index: Tensor

    def bias(self) -> Tensor:
        return self.table[self.index].view(16, 16, 2).permute(2, 0, 1)[None]


class Biased(nn.Module):
    """Fused attention, whose mask is computed by a method of a module; a sum over what is stacked before the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.bias = Bias()

    def forward(self, x: Tensor) -> Any:
        q, k, v = self.qkv(x).reshape(x.shape[0], 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias.bias())
        return torch.stack([x, x + 1]).sum(0).flatten(1)


class Shuffle(nn.Module):
    """chunk, cat, and a channel shuffle written out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Any:
        a, b = x.chunk(2, dim=1)
        x = torch.cat((a, self.conv(b)), dim=1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


class Dense(nn.Module):
    """A `ModuleList` whose entries each take all values before them."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3 + 4 * i, 4, 3, padding=1) for i in range(3)])

    def forward(self, x: Tensor) -> Any:
        features = [x]
        for conv in self.convs:
            features.append(torch.relu(conv(torch.cat(features, 1))))
        return torch.cat(features, 1)


class Joining(nn.Module):
    """One layer of a dense block: it joins all that it is given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, values: list[Tensor]) -> Tensor:
        made: Tensor = self.conv(F.relu(self.norm(torch.cat(values, 1))))
        return made


class JoiningBlock(nn.Module):
    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        for number in range(count):
            self.add_module(f"layer{number + 1}", Joining(channels + 4 * number))

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for layer in self.children():
            values.append(layer(values))
        return torch.cat(values, 1)


def dense_blocks() -> nn.Module:
    """Dense blocks of different depths are one block with a count."""
    return nn.Sequential(nn.Conv2d(3, 8, 1), JoiningBlock(8, 3), nn.Conv2d(20, 8, 1), JoiningBlock(8, 5))


class Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 4, 1)
        self.fc2 = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Any:
        return x * self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()


class NormAct(nn.BatchNorm2d):
    """A norm and an activation as one module, whose parameters are its own."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


def gates() -> nn.Module:
    """Widths that follow from the input's; a norm with its activation in an `nn.Sequential`."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), Gate(8), NormAct(8), nn.Conv2d(8, 16, 3), Gate(16), nn.Conv2d(16, 32, 1), Gate(32)
    )


class Words(nn.Module):
    """Token ids, positions as a constant, and attention that sees no later words."""

    def __init__(self, words: int = 20, dim: int = 8) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, dim), nn.Embedding(12, dim)
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.head = nn.Linear(dim, words, bias=False)

    def forward(self, ids: Tensor) -> Any:
        count = ids.shape[1]
        x = self.words(ids) + self.places(torch.arange(count, device=ids.device))
        mask = torch.full((count, count), float("-inf"), device=ids.device).triu(1)
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 8**0.5 + mask
        x = x + scores.softmax(-1) @ self.value(x)
        return self.head(torch.stack([x, x * 2]).mean(0))


class Single(nn.Module):
    """One value in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Any:
        return {"out": F.interpolate(self.conv(x), scale_factor=2.0)}


class Pyramid(nn.Module):
    """Two values, one of them made larger to fit the other; a module that yields two, and a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Conv2d(3, 8, 3, padding=1)
        self.high = nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, x: Tensor) -> Any:
        low = self.low(x)
        high = self.high(low)
        up = F.interpolate(high, size=low.shape[-2:], mode="bilinear", align_corners=False)
        return {"fine": low + up, "coarse": high}


Outputs = namedtuple("Outputs", ["logits", "aux"])


class Auxiliary(nn.Module):
    """A head that runs in training only, and is registered before what runs before it."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(8, 3)
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        aux = self.aux(x.mean((2, 3))) if self.training else None
        x = self.fc(self.body(x).mean((2, 3)))
        return Outputs(x, aux) if self.training else x


class Shared(nn.Module):
    """One module that runs three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        for _ in range(3):
            x = x + self.block(x)
        return x


class Excitation(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Any:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Unit(nn.Module):
    """A gate in some of them, a shortcut where shapes agree, padding that follows dilation."""

    def __init__(self, channels: int, out: int, stride: int = 1, dilation: int = 1, gate: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride, dilation, dilation)
        self.gate = Excitation(out, gate) if gate else None
        self.is_residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        y = y if self.gate is None else self.gate(y)
        return x + y if self.is_residual else y


class Middle(nn.Module):
    """A convolution that some lack, and a shortcut where shapes agree, which is in one of those that lack it."""

    def __init__(self, channels: int, out: int, stride: int | None) -> None:
        super().__init__()
        self.mid = nn.Conv2d(channels, channels, 3, stride, 1) if stride else None
        self.out = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Any:
        y = self.out(x if self.mid is None else self.mid(x))
        return x + y if x.shape == y.shape else y


def middles() -> nn.Module:
    return nn.Sequential(Middle(3, 8, 2), Middle(8, 8, 1), Middle(8, 8, None), Middle(8, 8, 2), Middle(8, 12, None))


class Units(nn.Module):
    """A list that is run in order; a result as large as the input, under a name."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.ModuleList(
            [Unit(3, 8), Unit(8, 8, gate=2), Unit(8, 12, 2, gate=3), Unit(12, 12, 1, 2), Unit(12, 16)]
        )

    def forward(self, x: Tensor) -> Any:
        y = x
        for unit in self.units:
            y = unit(y)
        return {"small": y, "large": F.interpolate(y, size=x.shape[-2:])}


class LayerScale(nn.Module):
    """Arithmetic with numbers and parameters, one of which is resized."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.full((1, 8, 4, 3), 0.25))
        self.gamma = nn.Parameter(torch.full((8, 1, 1), 1e-6))
        self.conv = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        y = y + F.interpolate(self.places, size=y.shape[-2:], mode="bicubic", antialias=True)
        return 1 - self.gamma * (2 * y) / 3 + y[:, :, 1:, ::2].amax((2, 3), keepdim=True)


INITIALISERS: Final[dict[str, tuple[Callable[[Tensor], Any], Any]]] = {
    "kaiming": (
        lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
        {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}},
    ),
    "fan_in": (lambda w: nn.init.kaiming_normal_(w), {"kaiming_normal": {"nonlinearity": "relu"}}),
    "xavier": (lambda w: nn.init.xavier_uniform_(w), "xavier_uniform"),
    "normal": (lambda w: nn.init.normal_(w, std=0.02), {"normal": {"std": 0.02}}),
    "trunc_normal": (lambda w: nn.init.trunc_normal_(w, std=0.02), {"normal": {"std": 0.02}}),  # equal: bounds are ±2
    "other": (lambda w: nn.init.uniform_(w, 0.1, 0.2), None),
}
"""Initialisers of weights, and the rule that an import finds for each; there is none for the last."""


def initialised(name: str) -> nn.Module:
    """A network whose weights are filled by an initialiser, and whose biases are zero."""
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.Flatten(), nn.Linear(384, 10))
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            INITIALISERS[name][0](module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return net


class Drawn(nn.Module):
    """A parameter of random numbers, which are drawn after those of a layer."""

    def __init__(self, fill: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.own = nn.Parameter(torch.empty(12, 8))
        fill(self.own)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.linear(self.stem(x).mean((2, 3)), self.own))  # type: ignore[no-any-return]


class UpsFirst(nn.Module):
    """The modules of a way up are registered before those that run before them, and constructed after them."""

    def __init__(self) -> None:
        super().__init__()
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        self.downs.extend([nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 3, 2, 1)])
        self.middle = nn.Conv2d(8, 8, 1)
        self.ups.extend([nn.ConvTranspose2d(8, 4, 2, 2), nn.ConvTranspose2d(4, 3, 2, 2)])

    def forward(self, x: Tensor) -> Any:
        for down in self.downs:
            x = down(x)
        x = self.middle(x)
        for up in self.ups:
            x = up(x)
        return x


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return torch.cumprod(self.rnn(x)[0], 1).sort().values


class Looks(nn.Module):
    """Numbers decide what runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Any:
        mask = torch.rand(x.shape[-2:])
        return self.conv(x) * mask


class Modes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        x = self.fc(x)
        return x if self.training else x.softmax(1)


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.forgotten = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        return self.fc(x)


class Standardised(nn.Module):
    """The weight is calculated."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x: Tensor) -> Any:
        return F.conv2d(x, self.conv.weight - self.conv.weight.mean(), self.conv.bias)


class Filtered(nn.Module):
    """Weights that are computed: standardised, scaled, fixed; a bias of parts."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.gain = nn.Parameter(torch.full((8, 1, 1, 1), 0.5))
        self.register_buffer("filter", torch.ones(8, 1, 3, 3) / 9, persistent=False)
        self.qkv = nn.Linear(8, 24, bias=False)
        self.q, self.v = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor) -> Any:
        flat = self.weight.reshape(1, 8, -1)
        weight = F.batch_norm(flat, None, None, (self.gain * 0.3).view(-1), training=True, momentum=0.0, eps=1e-4)
        x = F.conv2d(x, weight.reshape_as(self.weight), None, 1, 1)
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.filter, stride=2, groups=8)
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 2, 2)
        bias = torch.cat([self.q, torch.zeros_like(self.q), self.v])
        return F.linear(x.flatten(2).transpose(1, 2), self.qkv.weight, bias)


class Sines(nn.Module):
    """Positions as sines and cosines that forward computes, projected as one sample; the batch is that of no input."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Conv2d(16, 4, 1)

    def forward(self, batch: int, size: int) -> Tensor:
        rows = torch.arange(1, size + 1).float().unsqueeze(1).repeat(1, 1, size)
        rows = rows / (rows[:, -1:] + 1e-6) * 6.25
        scale = torch.arange(16).float()
        angles = rows[:, :, :, None] / 100 ** (2 * torch.div(scale, 2, rounding_mode="floor") / 16)
        waves = torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=4).flatten(3)
        made: Tensor = self.project(waves.permute(0, 3, 1, 2).contiguous())
        return made.repeat(batch, 1, 1, 1)


class Placed(nn.Module):
    """Such positions are added, and ones of each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.places = Sines()

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        mask = torch.ones((x.shape[0], 1, 6, 6), device=x.device)
        return x + self.places(x.shape[0], x.shape[-1]) * mask.cumsum(2)


class Turn(nn.Module):
    def __init__(self, features: int = 8) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        x = self.norm(x)
        sines, cosines = turns.chunk(2, -1)
        return x * cosines + torch.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape) * sines


class Rotary(nn.Module):
    """Rotary positions, computed by the constructor."""

    turns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        angles = (torch.arange(144.0)[:, None] / 10 ** (torch.arange(4.0) / 4)).repeat_interleave(2, -1)
        self.register_buffer("turns", torch.empty(144, 16), persistent=False)
        self.turns.copy_(torch.cat([angles.sin(), angles.cos()], -1))
        self.one, self.other = Turn(), Turn()
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x).flatten(2).transpose(1, 2)
        return self.fc(self.other(self.one(x, self.turns), self.turns))


class RelativeRows(nn.Module):
    """Products with keys of each row, whose batch is folded with heads; windows that overlap; einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(3, 24, 1)
        self.keys = nn.Parameter(torch.full((7, 4), 0.25))
        self.mix = nn.Parameter(torch.full((2, 4), 0.25))

    def forward(self, x: Tensor) -> Any:
        b = x.shape[0]
        q, k, v = self.qkv(x).reshape(b * 2, 12, 16).split(4, dim=1)
        rows = q.transpose(1, 2).reshape(-1, 4, 4, 4) @ self.keys.transpose(0, 1)
        rows = F.pad(rows.reshape(-1, 4, 7), [0, 1]).flatten(1)
        rows = F.pad(rows, [0, 3]).reshape(-1, 5, 7)[:, :4, 3:].reshape(b * 2, 4, 1, 4, 4).expand(-1, -1, 4, -1, -1)
        scores = q.transpose(1, 2) @ k + rows.permute(0, 1, 3, 2, 4).reshape(b * 2, 16, 16)
        x = (scores.softmax(-1) @ v.transpose(1, 2)).reshape(b, 2, 16, 4)
        x = torch.einsum("bhnd,hd->bnd", x, self.mix).transpose(1, 2).reshape(b, 4, 4, 4)
        windows = x.unfold(2, 2, 1).unfold(3, 2, 1).flip(2)
        return torch.einsum("bchwij,bcxyij->bhx", windows, windows[:, :, :2]).norm(dim=2)


class PlainNorms(nn.Module):
    """Norms without a bias; a mean that is scaled and added at once; biases by the distance between positions."""

    distance: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = nn.GroupNorm(2, 4, bias=False), nn.LayerNorm(4)
        self.last.register_parameter("bias", None)
        self.scale, self.shift = nn.Parameter(torch.ones(1, 1, 4)), nn.Parameter(torch.zeros(1, 1, 4))
        self.biases = nn.Parameter(torch.zeros(2, 9))
        row, column = torch.arange(9) // 3, torch.arange(9) % 3
        distance = (row[:, None] - row).abs() * 3 + (column[:, None] - column).abs()
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, x: Tensor) -> Any:
        x = self.last(self.norm(x).flatten(2).transpose(1, 2))
        x = torch.addcmul(self.shift, self.scale, x) + torch.sign(x)
        return x.tile((1, 1, 2)).unsqueeze(1) + self.biases[:, self.distance].softmax(-1).sum(-1, keepdim=True)


class Distances(nn.Module):
    """Biases by the distance from every second position, and by the step between positions with a class token."""

    distance: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.biases, self.of_steps = nn.Parameter(torch.zeros(2, 12)), nn.Parameter(torch.zeros(7 * 5 + 3, 2))
        row, column = torch.arange(4).repeat_interleave(3), torch.arange(3).repeat(4)
        queries = (row % 2 == 0) & (column % 2 == 0)
        apart = (row[queries][:, None] - row).abs() * 3 + (column[queries][:, None] - column).abs()
        self.register_buffer("distance", apart, persistent=False)
        steps = (row[:, None] - row + 3) * 5 + column[:, None] - column + 2
        self.register_buffer("steps", F.pad(steps, (1, 0, 1, 0), value=35))
        self.steps[1:, 0], self.steps[0, 0] = 36, 37

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        keys = x.reshape(-1, 2, 4, 12)
        queries = x[:, :, ::2, ::2].reshape(-1, 2, 4, 4).transpose(2, 3)
        scores = (queries @ keys + self.biases[:, self.distance]).softmax(-1)
        x = (scores @ keys.transpose(2, 3)).transpose(1, 2).flatten(2)
        table = self.of_steps[self.steps.view(-1)].view(13, 13, -1).permute(2, 0, 1)
        return x.sum(2)[:, None, :, None] * table[:, :4, :].mean(2, keepdim=True).unsqueeze(0)


class Places(nn.Module):
    """Positions from a parameter and a buffer, which a method computes."""

    columns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.waves = nn.Parameter(torch.full((2, 4), 0.25))
        self.register_buffer("columns", torch.arange(8.0), persistent=False)

    def positions(self) -> Tensor:
        angles = self.columns[:, None] * self.waves.flatten()
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class OfMethod(nn.Module):
    """A module whose method is called, not the module itself; what it returns is read by two others."""

    def __init__(self) -> None:
        super().__init__()
        self.places = Places()
        self.stem = nn.Linear(16, 16)
        self.one, self.other = Turn(16), Turn(16)

    def forward(self, x: Tensor) -> Any:
        x, places = self.stem(x), self.places.positions()
        return self.other(self.one(x, places.repeat(1, 2)), places.repeat(1, 2))


class Copied(nn.Module):
    """Tokens become a map that is copied, so that a convolution sees channels first in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(32)
        self.conv = nn.Conv2d(32, 64, 3, 2, 1)

    def forward(self, x: Tensor) -> Any:
        x = self.norm(x)
        return self.conv(x.reshape(-1, 12, 12, 32).permute(0, 3, 1, 2).contiguous())


class OfChild(nn.Module):
    """A parameter of a module that does not run, read in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Module()
        self.inner.scale = nn.Parameter(torch.ones(8))
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        return self.fc(x) * self.inner.scale.float() + self.inner.scale


class Foreign(nn.Module):
    """A parameter of a module that is beside the one that reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.reader = Reader(self.fc)

    def forward(self, x: Tensor) -> Any:
        return self.reader(self.fc(x))


class Reader(nn.Module):
    def __init__(self, other: nn.Linear) -> None:
        super().__init__()
        self.others = [other]
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.norm(x) * self.others[0].weight[0]
        return made


class Numbers(nn.Module):
    """Many numbers that are saved."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 5000)
        self.register_buffer("table", torch.arange(5000.0).sin())

    def forward(self, x: Tensor) -> Any:
        return self.fc(x) * self.table


class Gain(nn.Module):
    """A parameter that is one number, and a buffer that is one."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.gain = nn.Linear(8, 8), nn.Parameter(torch.tensor(0.25))
        self.register_buffer("shift", torch.tensor(0.5))

    def forward(self, x: Tensor) -> Any:
        return (self.fc(x) * self.gain + self.shift) * self.gain.exp()


class Prefixed(nn.Module):
    """Tokens behind a prefix that may be empty, as it is here, are scaled."""

    def __init__(self, prefix: int = 0) -> None:
        super().__init__()
        self.prefix = prefix
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        x = self.fc(x)
        x = torch.cat([x[:, : self.prefix], x[:, self.prefix :] * 2], dim=1)
        return torch.cat([x[:, : self.prefix], x, x.flip(1)], dim=1)


class Crossing(nn.Module):
    """torch's attention of one value, and of one to another."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(8, 2, batch_first=True)
        self.cross = nn.MultiheadAttention(8, 4, batch_first=True)
        self.memory = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        x = x + self.own(x, x, x, need_weights=False)[0]
        memory = self.memory(x)
        return self.cross(x, memory, memory, need_weights=False)[0]


class Split(nn.Module):
    """Windows of a map, by functions only; a buffer that is neither read nor saved."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.arange(4.0), persistent=False)

    def forward(self, x: Tensor, size: int) -> Tensor:
        b, c, h, w = x.shape
        x = x.view(b, c, h // size, size, w // size, size).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(-1, size * size, c)


class Pooling(nn.Module):
    """Modules without parameters."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.pool, self.act = nn.MaxPool2d(size), nn.Tanh()

    def forward(self, x: Tensor) -> Any:
        return self.act(self.pool(x))


class Reduction(nn.Module):
    """No convolution where the channels stay."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        self.expand = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Any:
        return self.expand(self.pool(x))


class Stateless(nn.Module):
    """Modules without a state; one of them runs twice, for maps of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Reduction(3, 3), Reduction(3, 4)
        self.pooling, self.often, self.split = Pooling(2), Pooling(2), Split()
        self.stages = nn.Sequential(nn.Conv2d(4, 4, 1), Pooling(1))
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Any:
        x = self.stages(self.second(self.first(x)))
        y = self.pooling(x).mean((2, 3), keepdim=True) + self.often(self.often(x))
        return self.fc(self.split(x + y, 2)).reshape(x.shape[0], -1, 2).sum(1)


class Cropped(nn.Module):
    """Padding by negative numbers, and bounds that are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.least = nn.Parameter(torch.rand(3, 1, 1))
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(F.pad(x, (-1, 1, -1, 1)))
        y = torch.maximum(y, self.least) + F.pad(x, pad=(-1, -1, -1, -1))
        return torch.minimum(F.pad(y, (0, 1, 2, 0), mode="reflect"), F.pad(x, (0, -1, 0, 0), value=2.0))


class InWindows(nn.Module):
    """Windows as samples of modules in a row, and of a pool of the values that these yield."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.local = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        x = x.view(b, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 4, 4, c).permute(0, 3, 1, 2)
        x = self.pool(self.local(x) + x)
        x = x.permute(0, 2, 3, 1).view(b, h // 4, w // 4, 2, 2, c).transpose(2, 3).reshape(b, h // 2, w // 2, c)
        return self.head(x.mean((1, 2)))


class OfTokens(nn.Module):
    """A linear layer of tokens, and the batch norm of their features."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, out, bias=False)
        self.bn = nn.BatchNorm1d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return self.bn(x.flatten(0, 1)).reshape_as(x)  # type: ignore[no-any-return]


class PooledHeads(nn.Module):
    """Each head of queries, keys and values as a map, whose rows are added to scores in place."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = OfTokens(8, 24)
        self.pool_q = nn.Conv2d(8 // heads, 8 // heads, 3, padding=1, groups=2, bias=False)
        self.pool_k = nn.Conv2d(8 // heads, 8 // heads, 3, stride=2, padding=1, groups=2, bias=False)
        self.norm = nn.LayerNorm(8 // heads)
        self.rows = nn.Parameter(torch.full((4, 8 // heads), 0.25))
        self.proj = OfTokens(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        b, count, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        q, k, v = self.pooled(q, self.pool_q), self.pooled(k, self.pool_k), self.pooled(v, self.pool_k)
        scores = q @ k.transpose(-2, -1)
        scores[:, :, 0:] = scores + (q @ self.rows.t())
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, count, -1))  # type: ignore[no-any-return]

    def pooled(self, x: Tensor, pool: nn.Module) -> Tensor:
        b, heads, _, features = x.shape
        x = pool(x.reshape(-1, 4, 4, features).permute(0, 3, 1, 2).contiguous())
        return self.norm(x.reshape(b, heads, features, -1).transpose(2, 3))  # type: ignore[no-any-return]


class Global(nn.Module):
    """Each window attends to the same tokens of its sample."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(8, 8)
        self.pool = nn.Conv2d(8, 8, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = self.pool(x).flatten(2).transpose(1, 2)
        x = x.view(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        tokens = tokens.repeat_interleave(x.shape[0] // b, dim=0)
        scores: Tensor = self.key(x) @ tokens.transpose(1, 2)
        return scores.reshape(b, -1, 16 * tokens.shape[1]).mean(1)


class Assigned(nn.Module):
    """Values put into a tensor, in its whole or at every other place."""

    def __init__(self, step: int = 1) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        x[:, :: self.step] = x[:, :: self.step].relu() + 1
        return x.tanh()


class InPlace(nn.Module):
    """Tokens changed at some places: by an operator, an assignment, a method, and through a part of a part."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.position = nn.Parameter(torch.zeros(1, 9, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        x[:, 1:] += self.position
        x[:, 0] = x[:, 3] + 1
        x[:, 2:-2, 1:4] = 0.5
        some = x[..., 5:]
        some[:, 4].mul_(2)
        x[:, 7, 6] = -1
        return x.tanh()


class Filled(nn.Module):
    """Maps that are made of parts: one shifted along the tokens, and one within a frame, and behind a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.first = nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        shifted = torch.zeros_like(x)
        shifted[:, :-1, :3] = x[:, 1:, :3]
        shifted[:, 1:, 3:] = x[:, :-1, 3:]
        framed = torch.ones(x.shape[0], 3, 14, 8)
        framed[:, 1, 2:-2] = shifted
        joined = x.new_empty(x.shape[0], 15, 8)
        joined[:, 1:] = framed.mean(1)
        joined[:, 0] = self.first
        return joined.tanh()


class SequenceFirst(nn.Module):
    """Tokens before samples, with a position for each, put behind another."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(10, 1, 8))
        self.first = nn.Parameter(torch.zeros(1, 1, 8))
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1) + self.position
        x = torch.cat([self.first.expand(-1, x.shape[1], -1), x])
        x[1:] *= 2
        return self.fc(x.mean(0))  # type: ignore[no-any-return]


class Aliased(nn.Module):
    """A tensor changed through one view of it, and read through another."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        halves = x.view(-1, 2, 4)
        x[:, 1:] += 1
        return halves.tanh()


class OneNumber(nn.Module):
    """A gate, which is one number for each sample, and a score."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.gate, self.score = nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        gate = self.gate(x.mean((2, 3)))[:, 0].sigmoid()
        x = x * gate.view(-1, 1, 1, 1) / (1 + x.abs().mean((1, 2, 3))[:, None, None, None])
        score = self.score(x.amax((2, 3))).squeeze(-1)
        return torch.stack([score, gate, gate * score], 1).sum(1)


class Clipped(nn.Module):
    """Values within a range that a checkpoint says."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(-1.0))

    low: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low)


class Shortcut(nn.Module):
    """A pool, and a convolution in some uses."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        self.expand = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(self.pool(x))  # type: ignore[no-any-return]


class Halving(nn.Module):
    """Half as large, with a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.shortcut = Shortcut(channels, out)
        self.conv = nn.Conv2d(channels, out, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.conv(x)  # type: ignore[no-any-return]


def halving() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), Halving(8, 8), Halving(8, 16), Halving(16, 24))


class Masked(nn.Module):
    """Scores that are -inf where a mask of truth values says so, whichever way, and torch's attention with such."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("mask", torch.tril(torch.ones(8, 8, dtype=torch.bool)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.fc(x) @ x.transpose(1, 2)
        x = scores.masked_fill(~self.mask, -float("inf")).softmax(-1) @ x
        x = torch.where(self.mask, scores, -float("inf")).softmax(-1) @ x
        x = scores.where(self.mask, torch.tensor(-float("inf"))).softmax(-1) @ x
        scores.masked_fill_(torch.triu(torch.ones(8, 8, dtype=torch.bool), 1), value=-float("inf"))
        x = (scores.softmax(-1) @ x)[:, None]
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask)


class Dropping(nn.Module):
    """Attention that drops weights in training, by a number that is another one in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q = self.fc(x)[:, None]
        return F.scaled_dot_product_attention(q, q, x[:, None], dropout_p=0.1 if self.training else 0.0)


class ByName(nn.Module):
    """Functions whose arguments have names, in another order than torch's."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.transpose(self.fc(x), 1, dim1=2)
        x = torch.movedim(x[:, None], destination=3, source=1)
        x = torch.permute(dims=(0, 3, 1, 2), input=x)
        first = torch.select(x, index=0, dim=1).permute((0, 2, 1)).permute(0, 2, 1)
        last: Any = {"axis": -1}  # torch knows NumPy's names, which its types do not say
        second = torch.transpose(input=x, dim0=2, dim1=3).transpose(1, 3).unbind(**last)[0]
        x = torch.einsum("bij,bkj->bik", [first, second]) + torch.swapaxes(first, axis1=1, axis0=2)
        x = torch.repeat_interleave(F.pad(pad=(1, 1), input=x, value=2.0), dim=1, repeats=2).mean(**last)
        return torch.flatten(input=x.view(size=(-1, 2, 8)), start_dim=1)


class Returns(nn.Module):
    """What is no tensor, beside one; a module inside may return what it will."""

    def __init__(self, what: Any, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.what, self.inner = what, inner or nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Any:
        x = self.inner(x)
        return (x, self.what) if isinstance(x, Tensor) else x[0] * x[1]


class Numbered(nn.Module):
    """The first of several values, in a dict without names."""

    def forward(self, given: Any) -> Any:
        return {0: given[0]}


class OfModes(nn.Module):
    """Outputs that differ between training and evaluation."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind = kind
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Any:
        found = {"first": self.first(x), **({"second": self.second(x)} if self.training else {})}
        return found if self.kind is dict else self.kind(found.values())


class OfWidth(nn.Module):
    """One number for each column of a map, integers and truth values that become real numbers, and one per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4, 8)
        self.gain = nn.Parameter(torch.linspace(0.5, 2, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = (self.conv(x) * self.gain).relu() + torch.arange(8)
        x = x.maximum(torch.tensor([1, 2, 3, 4]).view(4, 1, 1)) * torch.tensor([True, False] * 4)
        return self.fc(x.permute(0, 2, 3, 1)) * self.gain  # type: ignore[no-any-return]


def of_width(layer: nn.Module) -> nn.Module:
    """A layer on the width of a map."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), layer)


class Sum(nn.Module):
    """Inputs whose names an expression, or another input, has."""

    def forward(self, input1: Tensor, max: Tensor, type: Tensor) -> Tensor:
        return (input1 - max).relu() + type


class Named(nn.Module):
    """Modules in a dict under a name, and one with the name of a key of items."""

    def __init__(self, name: str, key: str) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({key: nn.Linear(8, 8)})
        self.add_module(name, nn.Linear(8, 8))
        self.name, self.key, self.sum = name, key, Sum()

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[self.key](x)
        y = self.get_submodule(self.name)(x)
        return self.sum(x, y, x + y)  # type: ignore[no-any-return]


class OfBatch(nn.Module):
    """A mean over samples."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x).mean(0)  # type: ignore[no-any-return]


class Counting(nn.Module):
    """A buffer of integers that is added."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("steps", torch.arange(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.steps  # type: ignore[no-any-return]


class Fills(nn.Module):
    """What no sum does with a mask: another number than -inf, and a mask that is not causal."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("mask", torch.eye(8) > 0, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x).masked_fill(self.mask, -1e9)
        return torch.where(self.mask, -float("inf"), x).softmax(-1)


IDIOMS: Final[dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]] = {
    "functions": (SelfMade, (3, 8, 8)),
    "residuals": (residuals, (3, 8, 8)),
    "attention": (Attention, (3, 8, 8)),
    "windows": (Windows, (3, 8, 8)),
    "lookups": (Lookups, (4, 20, 20)),
    "one_window": (OneWindow, (3, 4, 4)),
    "words": (Words, (10,)),
    "crossing": (Crossing, (6, 8)),
    "prefixed": (Prefixed, (6, 8)),
    "biased": (Biased, (16, 8)),
    "shifted": (ShiftedPair, (3, 8, 8)),
    "shuffle": (Shuffle, (8, 4, 4)),
    "cropped": (Cropped, (3, 8, 8)),
    "dense": (Dense, (3, 6, 6)),
    "dense_blocks": (dense_blocks, (3, 6, 6)),
    "gates": (gates, (3, 8, 8)),
    "single": (Single, (3, 4, 4)),
    "pyramid": (Pyramid, (3, 8, 8)),
    "auxiliary": (Auxiliary, (3, 8, 8)),
    "shared": (Shared, (3, 6, 6)),
    "units": (Units, (3, 8, 8)),
    "layer_scale": (LayerScale, (3, 6, 6)),
    "standardised": (Standardised, (3, 6, 6)),
    "filtered": (Filtered, (3, 6, 6)),
    "placed": (Placed, (3, 6, 6)),
    "relative_rows": (RelativeRows, (3, 4, 4)),
    "plain_norms": (PlainNorms, (4, 3, 3)),
    "of_child": (OfChild, (8,)),
    "gain": (Gain, (8,)),
    "copied": (Copied, (144, 32)),
    "middles": (middles, (3, 8, 8)),
    "of_method": (OfMethod, (8, 16)),
    "distances": (Distances, (3, 4, 3)),
    "stateless": (Stateless, (3, 16, 16)),
    "in_windows": (InWindows, (3, 8, 12)),
    "of_tokens": (lambda: OfTokens(8, 6), (16, 8)),
    "pooled_heads": (PooledHeads, (16, 8)),
    "global": (Global, (8, 8, 12)),
    "assigned": (Assigned, (8,)),
    "in_place": (InPlace, (10, 8)),
    "filled": (Filled, (10, 8)),
    "sequence_first": (SequenceFirst, (10, 8)),
    "one_number": (OneNumber, (3, 6, 6)),
    "halving": (halving, (3, 34, 34)),
    "masked": (Masked, (8, 8)),
    "named": (lambda: Named("call", "op"), (8,)),
    "of_width": (OfWidth, (3, 8, 8)),
    "returns": (lambda: Returns(0, Returns(3)), (3, 8, 8)),
    "by_name": (ByName, (8, 8)),
    "dropping": (Dropping, (8, 8)),
}

REFUSED: Final[dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], list[str]]]] = {
    "recurrent": (
        Recurrent,
        (6, 8),
        ["gru cannot be imported", "in rnn (GRU)", "cumprod cannot", "sort cannot"],
    ),
    "looks": (Looks, (3, 6, 6), ["mul cannot be imported: it takes a tensor whose numbers are random"]),
    "numbers": (Numbers, (8,), ["the buffer table cannot be imported: no `values` of a buffer can express it"]),
    "modes": (Modes, (8,), ["softmax cannot be imported: it runs in evaluation, but not in training"]),
    "foreign": (Foreign, (8,), ["fc.weight cannot be imported: it is read by a module that does not own it"]),
    "assigned": (lambda: Assigned(2), (8,), ["it changes a part of a tensor at places that are no slices with step 1"]),
    "clipped": (Clipped, (8,), ["clamp cannot be imported: min is a tensor, for which the op takes a number"]),
    "aliased": (Aliased, (8,), ["it takes a tensor that was changed in place through another view of it"]),
    "fills": (
        Fills,
        (8, 8),
        [
            "masked_fill cannot be imported: it fills the places of a mask with -1000000000.0",
            "where cannot be imported: it takes a constant of 64 numbers: no `values` of buffer calculate them, and "
            "only finite ones are listed",
            "own_models.py",
        ],
    ),
    "linear_of_width": (
        lambda: of_width(nn.Linear(8, 8)),
        (3, 8, 8),
        ["Linear cannot be imported: linear would act on the width of 4×8×8", "in 1 (Linear)"],
    ),
    "norm_of_width": (lambda: of_width(nn.LayerNorm(8)), (3, 8, 8), ["in 1 (LayerNorm)"]),
    "named": (
        lambda: Named("append", "class"),
        (8,),
        [
            "Linear cannot be imported: its name 'class' cannot be used: it is a Python keyword",
            "in layers.class (Linear)",
            "its name 'append' cannot be used: nn.Module has an attribute of that name",
            "in append (Linear)",
            "own_models.py",
        ],
    ),
    "input": (
        lambda: Named("input", "x"),
        (8,),
        ["its name 'input' cannot be used: it stands for the input of the network or block", "in input (Linear)"],
    ),
    "single_op": (lambda: nn.Linear(8, 8), (8,), ["the model is itself an op, Linear", "wrap it in nn.Sequential"]),
    "counting": (Counting, (8,), ["add cannot be imported: add: input 2 holds integers", "own_models.py"]),
    "of_batch": (OfBatch, (8, 8), ["mean cannot be imported: dimension 0 of 8×8 is the batch"]),
    "momentum": (
        lambda: nn.Sequential(nn.BatchNorm1d(8, momentum=None)),
        (8,),
        ["BatchNorm1d cannot be imported: momentum: expected a number, got nothing"],
    ),
    "returns": (lambda: Returns(3), (3, 8, 8), ["Returns cannot be imported: it returns a value of type int"]),
    "returns_none": (lambda: Returns(None), (3, 8, 8), ["it returns (…, None): all outputs are tensors"]),
    "returns_numbers": (
        lambda: nn.Sequential(Returns({1: None}), Numbered()),
        (3, 8, 8),
        ["it returns {0: …}: keys of outputs are text"],
    ),
    "returns_more": (
        lambda: OfModes(dict),
        (3, 8, 8),
        ["OfModes cannot be imported: it returns {'first': …, 'second': …} in training and {'first': …} in evaluation"],
    ),
    "returns_a_tuple": (lambda: OfModes(tuple), (3, 8, 8), ["returns (…, …) in training and (…,) in evaluation"]),
    "returns_flag": (lambda: Returns({"a": [True]}), (3, 8, 8), ["it returns a value of type bool"]),
    "returns_constant": (lambda: Returns(torch.ones(2)), (3, 8, 8), ["it returns a constant tensor"]),
    "unused": (Unused, (8,), ["forgotten"]),
}
