"""Help for the unknown name of a spec: the name that was probably meant, or how to list the shipped ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from archspec.diagnostics.suggestions import alike

_ALIKE: Final = 0.7
"""How similar two names with the same digits must be for a suggestion; 1 means equal."""

_ALL_BUT_EQUAL: Final = 0.85
"""The same for names with different digits."""

_FAMILY: Final = 3
"""A family of at least so many letters is recognised at the beginning of a longer word; many words begin with fewer,
such as the `r` of `r3d`."""


def help_for(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown name.

    Digits are the size of a network and are rarely mistyped: names are similar only if they have the same digits, in
    any order.

    >>> known = ["lenet", "resnet18", "resnet50", "vgg16_bn"]
    >>> help_for("ResNet-50", known), help_for("resnet81", known)
    ("did you mean 'resnet50'?", "did you mean 'resnet18'?")
    >>> help_for("resnet10", known)
    "'archspec list resnet' shows the shipped ones: resnet18, resnet50"
    >>> help_for("vit_b_16", known)
    "'archspec list' shows the shipped specs"
    >>> help_for("resent50", ["r3d_18", "r2plus1d_18", *known]), help_for("r3d_50", ["r3d_18", "r2plus1d_18", *known])
    ("did you mean 'resnet50'?", "'archspec list r' shows the shipped ones: r3d_18, r2plus1d_18")
    """
    names = {_squashed(spec): spec for spec in known}
    given = _squashed(name)[:100]
    family = max((found for found in map(_family, names.values()) if _begins(found, given)), key=len, default="")
    relatives = [spec for spec in names if family and _family(names[spec]) == family]
    meant = _meant(given, list(names), relatives)
    if meant:
        return f"did you mean '{names[meant[0]]}'?"
    if relatives:
        return f"'archspec list {family}' shows the shipped ones: {_abridged([names[spec] for spec in relatives])}"
    return "'archspec list' shows the shipped specs"


def _meant(given: str, names: list[str], relatives: list[str]) -> list[str]:
    """The one name that was probably meant, or none."""
    if given in names or len(relatives) == 1:
        return [given] if given in names else relatives
    found = alike(given, (spec for spec in relatives or names if _digits(spec) == _digits(given)), _ALIKE)
    if found is None and not relatives:
        found = alike(given, names, _ALL_BUT_EQUAL)
    return [] if found is None else [found]


def _squashed(name: str) -> str:
    """A name in lower case, without hyphens, underscores, dots and spaces, which people write in different ways."""
    return re.sub(r"[-_. ]", "", name.lower())


def _family(name: str) -> str:
    """The letters that a name begins with."""
    found = re.match("[a-z]*", name)
    return found[0] if found else ""


def _begins(family: str, name: str) -> bool:
    return name.startswith(family) and (len(family) >= _FAMILY or family == _family(name))


def _digits(name: str) -> list[str]:
    return sorted(re.findall("[0-9]", name))


def _abridged(names: Sequence[str], most: int = 6) -> str:
    ordered = sorted(names, key=lambda name: (len(name), name))
    return ", ".join([*ordered[:most], *(["…"] if len(names) > most else [])])
