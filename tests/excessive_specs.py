"""Small specs that describe an excessive amount of work, one for each kind of repetition.

`EXCESSIVE` were found by hand; `excessive(seed)` combines the same kinds of repetition at random. Each must end soon,
with a result or an error of kind `limit`: `test_resource_limits.py` runs them with limits of CPU and memory.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

HEAD: Final = "name: bomb\ninput: [3, 8, 8]\n"
CONV: Final = "{op: conv2d, out_channels: 4, kernel_size: 1}"
STEM: Final = f"- s: {CONV}\n"
LEFT_OUT: Final = "{op: relu, when: =1 > 2}"


def lets(count: int, first: str, rest: str, name: str = "a") -> str:
    """Local names, each made of the one before it (`PREV`)."""
    later = (f'  {name}{k}: "={rest.replace("PREV", f"{name}{k - 1}")}"\n' for k in range(1, count))
    return f'  {name}0: "={first}"\n' + "".join(later)


def convs(fields: Callable[[int], str], count: int, name: str = "c") -> str:
    """Convolutions written one by one, each with different fields."""
    return "".join(f"- {name}{k}: {{op: conv2d, kernel_size: 1, {fields(k)}}}\n" for k in range(count))


def nested(depth: int, count: int, item: str) -> str:
    """An item within `depth` repeats."""
    text, indent = "", ""
    for level in range(depth):
        text += f"{indent}- repeat: {count}\n{indent}  index: i{level}\n{indent}  layers:\n"
        indent += "  "
    return f"{text}{indent}- {item}\n"


def chain(depth: int, last: str) -> str:
    """Blocks that use the next one twice."""
    uses = "".join(f"  B{k}: {{layers: [x: {{block: B{k + 1}}}, y: {{block: B{k + 1}}}]}}\n" for k in range(depth))
    return f"blocks:\n{uses}  B{depth}: {{layers: [z: {last}]}}\n"


def listed(names: Iterable[str]) -> str:
    """A flow sequence."""
    return f"[{', '.join(names)}]"


DOUBLED: Final = lets(40, "[1, 2]", "[PREV, PREV]")
EXCESSIVE: Final[dict[str, str]] = {
    "lists that double, compared": f"{HEAD}let:\n{DOUBLED}{lets(40, '[1, 2]', '[PREV, PREV]', 'b')}layers:\n"
    f"{convs(lambda k: 'out_channels: =4 if a39 == b39 else 5', 1)}",
    "lists that double, in a name": f'{HEAD}let:\n{DOUBLED}layers:\n- "c{{a39}}": {CONV}\n',
    "lists that double, as an argument": f"{HEAD}let:\n{DOUBLED}blocks:\n"
    f"  B: {{params: {{x: }}, layers: [c: {CONV}]}}\nlayers:\n- b: {{block: B, x: =a39}}\n",
    "long lists, summed often": f"{HEAD}let:\n{lets(13, '[1, 2]', 'PREV + PREV')}layers:\n"
    f"{convs(lambda k: 'out_channels: =sum(a12) // 8000 + 1', 5000)}",
    "nested repeats of what is left out": f"{HEAD}layers:\n{STEM}{nested(4, 10_000, f'c: {LEFT_OUT}')}",
    "many nested repeats": f"{HEAD}layers:\n{STEM}{nested(17, 2, f'r: {LEFT_OUT}')}",
    "a chain of blocks that end empty": f"{HEAD}{chain(45, LEFT_OUT)}layers:\n{STEM}- b: {{block: B0}}\n",
    "a chain of blocks": f"{HEAD}{chain(16, '{op: relu}')}layers:\n{STEM}- b: {{block: B0}}\n",
    "lists that grow, read in each round": f"{HEAD}layers:\n- repeat: 8000\n  index: i\n  layers:\n"
    "  - c{i}: {op: conv2d, out_channels: 1, kernel_size: 1, append: seen}\n  - {op: cat, from: seen}\n",
    "dense growth": f"{HEAD}layers:\n{STEM}- d: {{block: DenseBlock, num_layers: 8000, growth_rate: 1}}\n",
    "misspelt names": f"{HEAD}params: {{{', '.join(f'parameter_number_{k}: {k}' for k in range(2000))}}}\nlayers:\n"
    f"{convs(lambda k: f'out_channels: =parametre_numer_{k}', 10_000)}",
    "misspelt fields": f"{HEAD}layers:\n{convs(lambda k: 'out_chanels: 4', 14_000)}",
    "misspelt values": f"{HEAD}layers:\n"
    + "".join(f"- layer_number_{k}: {{op: relu, from: layernumber{k}}}\n" for k in range(10_000)),
    "misspelt ops": f"{HEAD}layers:\n" + "".join(f"- c{k}: {{op: cov2d}}\n" for k in range(20_000)),
    "wrong fields": f"{HEAD}layers:\n{convs(lambda k: 'out_channels: -1, foo: 1, bar: 2', 10_000)}",
    "a long tag": f"{HEAD}layers:\n- c: !{'a' * 900_000} 1\n",
    "a long number": f"{HEAD}layers:\n- c: {'1_' * 400_000}\n",
    "many local names": f"{HEAD}let:\n{lets(30_000, '1', 'PREV + 1')}layers:\n- c: {CONV}\n",
    "rules for many convolutions": f"{HEAD}layers:\n"
    "- c{i}: {op: conv2d, out_channels: 3, kernel_size: 1, repeat: 20000, index: i}\ninit:\n"
    + "- {op: conv2d, weight: {constant: {val: 1}}}\n"
    * 15_000,
    "many outputs": f"{HEAD}layers:\n"
    "- c{i}: {op: conv2d, out_channels: 3, kernel_size: 1, repeat: 9000, index: i}\n"
    f"outputs: {{type: T, fields: {{{', '.join(f'f{k}: c{k}' for k in range(9000))}}}}}\n",
    "different convolutions": f"{HEAD}layers:\n"
    '- c{i}: {op: conv2d, out_channels: "=i + 1", kernel_size: 1, repeat: 190000, index: i}\n',
    "convolutions, written": f"{HEAD}layers:\n{convs(lambda k: f'out_channels: {k % 7 + 1}', 14_000)}",
    "functions in a row": f"{HEAD}layers:\n{STEM}- {{op: relu, repeat: 100000}}\n",
    "a wide cat": f"{HEAD}layers:\n{convs(lambda k: 'out_channels: 1, from: input', 950)}"
    f"- {{op: cat, from: {listed(f'c{k}' for k in range(950))}}}\n",
    "long edges": f"{HEAD}layers:\n- x0: {{op: conv2d, out_channels: 3, kernel_size: 1}}\n"
    + "".join(f"- {{op: add, from: [input, x{k}], as: x{k + 1}}}\n" for k in range(900)),
    "many blocks": f"{HEAD}blocks:\n{''.join(f'  B{k}: {{layers: [c: {CONV}]}}' + chr(10) for k in range(9000))}"
    "layers:\n" + "".join(f"- b{k}: {{block: B{k}}}\n" for k in range(9000)),
    "a block with other arguments each time": f"{HEAD}blocks:\n  B: {{params: {{w: 3}}, layers: [c: {{op: conv2d, "
    'out_channels: =w, kernel_size: 1}]}\nlayers:\n- b{i}: {block: B, w: "=i + 1", repeat: 60000, index: i}\n',
    "long names": f"{HEAD}blocks:\n"
    + "".join(f"  B{k}: {{layers: [{{{'y' * 150}: {{block: B{k + 1}}}}}]}}\n" for k in range(45))
    + "  B45: {layers: [{'c{i}': {op: conv2d, out_channels: 3, kernel_size: 1, repeat: 50000, index: i}}]}\n"
    + f"layers:\n{STEM}- b: {{block: B0}}\n",
    "conditions of each instance": f"{HEAD}blocks:\n  B: {{params: {{n: 0}}, layers: "
    f"{listed(f'c{k}: {{op: relu, when: =n == {k}}}' for k in range(300))}}}\n"
    f"layers:\n{STEM}- b{{i}}: {{block: B, n: =i, repeat: 600, index: i}}\n",
    "a module that is called often": f"{HEAD}layers:\n{STEM.replace('4', '3')}- {{call: s, repeat: 150000}}\n",
    "maps that change their size": f"{HEAD}layers:\n"
    + "".join(
        f"- u{k}: {{op: upsample, scale_factor: 2}}\n"
        f"- p{k}: {{op: max_pool2d, kernel_size: 3, stride: 2, padding: 1}}\n"
        for k in range(7000)
    ),
    "a long family": f"name: v\nfamily: vgg\ninput: [3, 8, 8]\ncfg: {listed(['64'] * 9000)}\n",
    "deep stages": "name: r\nfamily: resnet\ninput: [3, 64, 64]\nblock: basic\nstages: [40000, 40000, 40000, 1]\n",
}
"""The specs by the construct that repeats in them."""


def excessive(seed: int) -> str:
    """Repeats, blocks, lists and expressions that multiply each other, at random."""
    chance = random.Random(seed)
    count = chance.choice([2, 3, 50, 1000, 9999])
    depth = chance.randint(1, 6)
    value = chance.choice(["=i0 + 1", "=4 if a9 == a8 else 5", "=sum(a9)", "=len(a9) + max(a9)", "=s.channels", "4"])
    end = chance.choice([
        f"c: {LEFT_OUT}", "{op: relu, append: seen}", "{op: cat, from: seen}", "b: {block: B0}", "{call: s}",
        f"'n{{i0}}': {{op: conv2d, kernel_size: 1, out_channels: \"{value}\"}}", "{op: add, from: [s, input], as: t}",
        "seq: [{op: relu}, {op: relu, when: =1 > 2}]", "'m{i0}': {block: B0, when: =i0 % 2 == 0}",
    ])  # fmt: skip
    lists = lets(10, "[1, 2]", chance.choice(["PREV + PREV", "[PREV, PREV]", "PREV + [3]", "[sum(PREV)] + PREV"]))
    inner = chance.choice([CONV.replace("4", "3"), LEFT_OUT, "{op: relu}", "{op: upsample, scale_factor: 2}"])
    last = chance.choice(["- {op: cat, from: seen}\n", "- {op: relu}\n", ""])
    start = "- {op: relu, append: seen}\n" if "seen" in end + last else ""
    return (
        f"{HEAD}let:\n{lists}{chain(chance.choice([1, 8, 30]), inner)}layers:\n{STEM.replace('4', '3')}{start}"
        f"{nested(depth, count, end)}{last}"
    )
