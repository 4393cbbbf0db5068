"""Declared models mean what Pydantic's would: the same classes, declared with either, agree on every value."""

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import ValidationError

from archspec import declarations
from archspec.frontend.model import Item
from archspec.ops import OPS

STRICT = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def declared(front: Any, base: type) -> dict[str, Any]:
    """Models with all that a field can have, declared with archspec's `declarations` or with Pydantic."""
    field, before = front.Field, front.BeforeValidator
    size_ = Annotated[int, field(ge=1, lt=9)]
    pair = Annotated[
        list[size_], field(min_length=2, max_length=2), before(lambda v: [v, v] if isinstance(v, int) else v)
    ]

    def short(value: Any) -> Any:
        if value == "long":
            raise ValueError("too long a word")
        return value

    class Leaf(base):  # type: ignore[misc]
        """A model inside another."""

        kind: ClassVar[str] = "leaf"
        size: size_ = field(3, le=7, description="extent")
        share: float = field(0.5, gt=0, le=1)
        word: str | None = field(None, max_length=3, pattern="^[a-z]+$")
        other: Annotated[str, before(short)] | None = None

    class Grown(Leaf):
        """One with more fields, and another type for one of them."""

        both: pair
        size: Literal[1, 2, "M"] = 1  # type: ignore[assignment]
        from_: bool | None = field(None, alias="from")

    class Tree(base):  # type: ignore[misc]
        """One that holds others, and checks itself."""

        leaf: Leaf
        more: dict[Annotated[str, field(pattern="^[a-z]$")], Leaf | size_] = field({}, max_length=2)
        row: tuple[int, str | bool, Any] | None = None
        names: list[str] = field(["x"], min_length=1)

        @front.model_validator(mode="before")  # type: ignore[untyped-decorator]
        @classmethod
        def _bare(cls, data: Any) -> Any:
            return {"leaf": {}} if data == "bare" else data

        @front.model_validator(mode="after")  # type: ignore[untyped-decorator]
        def _different(self) -> Any:
            if len(set(self.names)) < len(self.names):
                raise ValueError("names must differ")
            return self

    return {"Leaf": Leaf, "Grown": Grown, "Tree": Tree}


class Theirs(pydantic.BaseModel):
    """The settings of archspec's models, for Pydantic's."""

    model_config = STRICT


OURS = declared(declarations, declarations.Model)
PYDANTICS = declared(pydantic, Theirs)

numbers = st.integers(-1, 10) | st.sampled_from([0.5, 1.0, 2.5, float("nan"), True])
words = st.sampled_from(["", "M", "a", "ab", "long", "bare", "A1"])
simple = numbers | words | st.none()
lists = st.lists(simple, max_size=4)
leaves = st.fixed_dictionaries(
    {}, optional={"size": simple, "share": numbers, "word": words, "other": words, "kind": words}
)
parts = {
    "more": st.dictionaries(words, leaves | simple, max_size=3),
    "row": lists | st.tuples(numbers, words, simple),
    "names": st.lists(words, max_size=3),
}
DATA = {
    "Leaf": leaves | simple | lists,
    "Grown": st.fixed_dictionaries(
        {"both": lists | numbers}, optional={"size": simple, "from": simple, "from_": words}
    ),
    "Tree": words | st.fixed_dictionaries({"leaf": leaves | simple}, optional=parts),
}


def outcome(model: Any, data: Any) -> Any:
    """What a model makes of data: its values, or the kind, the place and the words of each mistake."""
    try:
        return plain(model.model_validate(deepcopy(data)))
    except ValidationError as error:
        return [(detail["type"], detail["loc"], detail["msg"]) for detail in error.errors()]


def plain(value: Any) -> Any:
    """Models as dictionaries, whoever made them."""
    if hasattr(type(value), "model_fields"):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_same_as_with_pydantic(name: str, data: st.DataObject) -> None:
    drawn = data.draw(DATA[name])
    assert outcome(OURS[name], drawn) == outcome(PYDANTICS[name], drawn)


def test_the_fields_are_in_the_same_order() -> None:
    for name, model in OURS.items():
        assert list(model.model_fields) == list(PYDANTICS[name].model_fields)


def test_a_default_belongs_to_one_model() -> None:
    first, second = (OURS["Tree"].model_validate({"leaf": {}}) for _ in range(2))
    assert first == second
    first.names.append("y")
    assert second.names == ["x"]
    made = OURS["Tree"].model_construct(leaf=None)
    made.names.append("y")
    assert OURS["Tree"].model_construct(leaf=None).names == ["x"]


def test_models_are_frozen() -> None:
    leaf = OURS["Leaf"].model_validate({})
    with pytest.raises(FrozenInstanceError, match="'size'"):
        leaf.size = 5
    assert leaf.model_copy({"size": 5}).size == 5
    assert leaf.size == 3


def test_models_are_values() -> None:
    conv: dict[str, Any] = {"out_channels": 8, "kernel_size": [3, 5]}
    first, second = (OPS["conv2d"].model_validate(conv) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != OPS["conv2d"].model_validate({**conv, "bias": False})
    assert first != OPS["max_pool2d"].model_validate({"kernel_size": 3})
    assert repr(first).startswith("Conv2d(out_channels=8, kernel_size=(3, 5), stride=1,")
    assert deepcopy(first) == first == pickle.loads(pickle.dumps(first))


def test_what_a_cached_property_found_is_no_field() -> None:
    item = Item.model_validate({"relu": {"op": "relu"}})
    before = repr(item)
    assert item.is_literal
    assert repr(item) == before
    assert item == Item.model_validate({"relu": {"op": "relu"}})
    assert not item.model_copy({"op": "=kind"}).is_literal


def test_a_type_that_no_spec_can_hold_is_told() -> None:
    class Odd(declarations.Model):
        """A field with a type that is not among those a spec needs."""

        value: set[int]

    with pytest.raises(TypeError, match="set"):
        Odd.model_validate({"value": {1}})
