"""Which changes of the schema would break a client that is out there.

What clients send may become looser, what they receive may become richer; nothing
published may vanish, be renamed, change its type, or be asked for anew.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def breaking_changes(published: Schema, new: Schema) -> list[str]:
    """Return a sentence for each change that a published client would trip over."""
    return [
        *_lost_names(published, new),
        *(
            sentence
            for name, before in published["$defs"].items()
            if name in new["$defs"]
            for sentence in _changed_model(
                name, before, new["$defs"][name], is_taken=name in published["taken"]
            )
        ),
    ]


def _lost_names(published: Schema, new: Schema) -> Iterator[str]:
    for code in published["errorCodes"]:
        if code not in new["errorCodes"]:
            yield f"the error code `{code}` is gone"
    for kind in ("clientEvents", "acknowledgements", "serverEvents"):
        for event, model in published[kind].items():
            if event not in new[kind]:
                yield f"`{event}` is gone from {kind}"
            elif model not in new["$defs"]:
                yield f"the model {model} of `{event}` is gone"
    for name in published["$defs"]:
        if name not in new["$defs"]:
            yield f"the model {name} is gone"


def _changed_model(name: str, before: Schema, after: Schema, *, is_taken: bool) -> Iterator[str]:
    old, new = before.get("properties", {}), after.get("properties", {})
    required_before, required_after = before.get("required", []), after.get("required", [])
    for member in old:
        if member not in new:
            yield f"{name}.{member} is gone"
        elif _shape(old[member]) != _shape(new[member]):
            change = _widened(_shape(old[member]), _shape(new[member]))
            if not (is_taken and change):
                yield f"{name}.{member} changed its type"
        elif not is_taken and member in required_before and member not in required_after:
            yield f"{name}.{member} may now be missing"
    if is_taken:
        for member in required_after:
            if member not in required_before:
                yield f"{name}.{member} is now required"
    lost = set(before.get("enum", [])) - set(after.get("enum", []))
    if lost:
        yield f"{name} lost {', '.join(sorted(lost))}"


def _shape(member: Schema) -> frozenset[str]:
    """The set of types that a member may have, bounds left aside."""
    if "anyOf" in member:
        return frozenset().union(*(_shape(choice) for choice in member["anyOf"]))
    if "$ref" in member:
        return frozenset({member["$ref"]})
    if "const" in member:
        return frozenset({f"const {member['const']}"})
    kind = str(member.get("type", "any"))
    if kind == "array":
        return frozenset(f"array of {shape}" for shape in _shape(member.get("items", {})))
    return frozenset({kind})


def _widened(before: frozenset[str], after: frozenset[str]) -> bool:
    return "any" in after or before < after
