"""The names of classes in generated files, and names that these or PyTorch use, which no part of a spec may have."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Final

from archspec.ops import Ops

MODULE_NAMES: Final = frozenset({
    "add_module", "append", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu", "cuda",
    "double", "dump_patches", "eval", "extend", "extra_repr", "float", "forward", "get_buffer", "get_extra_state",
    "get_parameter", "get_submodule", "half", "insert", "ipu", "load_state_dict", "modules", "mtia", "named_buffers",
    "named_children", "named_modules", "named_parameters", "parameters", "pop", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook",
    "requires_grad_", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train",
    "training", "type", "xpu", "zero_grad", "T_destination",
    "_apply", "_backward_hooks", "_backward_pre_hooks", "_buffers", "_call_impl", "_compiled_call_impl",
    "_forward_hooks",
    "_forward_hooks_always_called", "_forward_hooks_with_kwargs", "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_get_backward_hooks", "_get_backward_pre_hooks", "_get_item_by_idx", "_get_name", "_is_full_backward_hook",
    "_load_from_state_dict", "_load_state_dict_post_hooks", "_load_state_dict_pre_hooks",
    "_maybe_warn_non_full_backward_hook", "_modules", "_named_members", "_non_persistent_buffers_set", "_parameters",
    "_register_load_state_dict_pre_hook", "_register_state_dict_hook", "_replicate_for_data_parallel",
    "_save_to_state_dict", "_slow_forward", "_state_dict_hooks", "_state_dict_pre_hooks", "_version",
    "_wrapped_call_impl",
    "FINISH", "_features", "_finish", "_key", "_program", "_return", "_returns", "_run", "_tuple",
})  # fmt: skip
"""Attributes of `nn.Module`, `nn.Sequential` and built blocks. No module can be registered under these names."""

CONTAINER_NAMES: Final = frozenset({"clear", "items", "keys", "update", "values"})
"""Further attributes of `nn.ModuleDict`. No entry of a container can have one of these names."""

VARIABLES: Final = frozenset({"x", "out", "layer", "layers", "module", "name", "self"})
"""Variables that every generated file uses."""

_SOURCE_NAMES: Final = frozenset({
    "Callable", "F", "NamedTuple", "OrderedDict", "Sequence", "Tensor",
    "_", "annotations", "ceil", "enumerate", "float", "floor", "fnmatchcase", "int", "isinstance", "len", "list",
    "make_divisible", "max", "min", "module", "name", "nn", "partial", "range", "round", "sqrt", "str", "sum", "super",
    "torch", "tuple", "zip",
})  # fmt: skip


_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")


def why_unusable(name: str) -> str:
    """Why a name cannot be that of a module's attribute, and thus part of a `state_dict` key; empty if it can.

    >>> why_unusable("class"), why_unusable("pos-embed")
    ('it is a Python keyword', '')
    """
    if not _NAME.fullmatch(name):
        return "use letters, digits, '_' and '-'"
    if name in MODULE_NAMES or name.startswith("__"):
        return "nn.Module has an attribute of that name"
    if iskeyword(name):
        return "it is a Python keyword"
    return "it stands for the input of the network or block" if name == "input" else ""


def source_names(ops: Ops) -> frozenset[str]:
    """Names that generated files use, which no network, class, parameter or local name may have."""
    return _SOURCE_NAMES | ops.helper_names


def is_source_name(name: str, ops: Ops) -> bool:
    """Whether a name is one of `source_names`; it imports only the ops whose helper the name may be."""
    return name in _SOURCE_NAMES or ops.is_helper(name)


def class_name(name: str) -> str:
    """The default name of the generated class: `resnet_101` → `Resnet101`.

    >>> class_name("my_net")
    'MyNet'
    """
    return "".join(part[0].upper() + part[1:] for part in name.split("_") if part)
