"""Operations that ONNX lacks, written with operations that it has.

torch's exporter has no translation for an adaptive max pool whose windows differ in size, and ONNX refuses a transposed
convolution whose `output_padding` is not below its stride, which torch allows if it is below the dilation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor


def adaptive_max_pool2d(x: Tensor, output_size: Sequence[int]) -> Any:
    """The maximum over the rows of each window, then over its columns. The indices, which nothing in a spec reads, have
    only the right shape.

    The positions of all windows are gathered, as many for each as for the longest. A shorter window repeats its last
    position, which does not change the maximum.
    """
    if all(size % count == 0 for size, count in zip(x.shape[-2:], output_size, strict=True)):
        return NotImplemented  # a max pool, which ONNX has
    for dim, count in enumerate(output_size, x.dim() - 2):
        size = x.shape[dim]
        longest = max(_ceil((i + 1) * size, count) - i * size // count for i in range(count))
        place = torch.arange(count * longest, device=x.device)
        window = place // longest
        last = ((window + 1) * size + count - 1) // count - 1
        index = torch.minimum(window * size // count + place % longest, last)
        x = torch.unflatten(x.index_select(dim, index), dim, (count, longest)).amax(dim + 1)
    return x, torch.zeros_like(x, dtype=torch.int64)


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)


def conv_transpose2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0), output_padding: Sequence[int] = (0, 0), groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Any:  # fmt: skip
    """A row of zeros added to the input adds `stride` rows to the output, as that much `output_padding` would."""
    if all(extra < step for extra, step in zip(output_padding, stride, strict=True)):
        return NotImplemented
    parts = [divmod(extra, step) for extra, step in zip(output_padding, stride, strict=True)]
    (rows, below), (columns, beside) = parts
    wider = F.pad(x, (0, columns, 0, rows))
    return F.conv_transpose2d(wider, weight, bias, stride, padding, (below, beside), groups, dilation)


FOR_ONNX: Final[dict[Any, Callable[..., Any]]] = {
    torch.ops.aten.adaptive_max_pool2d.default: adaptive_max_pool2d,
    torch.ops.aten.conv_transpose2d.input: conv_transpose2d,
}
"""The replacements of operations; one that returns `NotImplemented` leaves the operation unchanged."""
