"""Plain data → YAML text, as a person would write it."""

from __future__ import annotations

from typing import Any, Final

import yaml

from archspec.diagnostics.formatting import is_visible
from archspec.frontend.yaml.scalars import FLOAT, INT, YAML_1_1

MAX_LINE: Final = 160
"""Anything longer is not written on one line."""


def dump(data: Any) -> str:
    """Plain data as YAML text, as a person would write it: flat, short values go on one line."""
    text = yaml.dump(_styled(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=MAX_LINE)
    return text if text.isascii() else "".join(c if is_visible(c) or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """An invisible character as an escape sequence; `_text` puts all text that contains one in double quotes."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _FlowDict(dict[str, Any]):
    """A mapping to be written on one line."""


class _FlowList(list[Any]):
    """A list to be written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and each mapping and list in the style `_styled` chose for it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), isinstance(data, _FlowDict))


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, isinstance(data, _FlowList))


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    """Text; with quotes that PyYAML omits if it has invisible characters or this reader would take it for a number."""
    is_number = INT.fullmatch(data) or FLOAT.fullmatch(data) or YAML_1_1.fullmatch(data)
    style = '"' if is_number or not (data.isascii() or all(is_visible(c) or c == "\n" for c in data)) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _text)
for _kind in (dict, _FlowDict):
    _Dumper.add_representer(_kind, _mapping)
for _list in (list, _FlowList):
    _Dumper.add_representer(_list, _sequence)


def _styled(data: Any, place: str = "root") -> Any:
    """`data` with its flat parts marked to go on one line; the name of an item (`- conv1: {…}`) stays outside."""
    if isinstance(data, dict):
        named = place == "list" and [type(value) for value in data.values()] == [dict]
        if place != "root" and not named and _is_flat(data) and len(str(data)) < MAX_LINE:
            return _FlowDict(data)
        return {key: _styled(value, "mapping") for key, value in data.items()}
    if isinstance(data, list):
        return _FlowList(data) if _is_flat(data) else [_styled(value, "list") for value in data]
    return data


def _is_flat(data: Any) -> bool:
    """Whether `data` contains no list with anything but scalars."""
    if isinstance(data, dict):
        return all(map(_is_flat, data.values()))
    return not isinstance(data, list) or not any(isinstance(value, dict | list) for value in data)
