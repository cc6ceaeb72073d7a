"""Compares the arguments of our Terraform modules with the schemas of the real providers.

`make terraform-test` runs it with the Python of .tools/providers. The providers are in no
package registry; what CDK for Terraform has generated from their schemas is. Unknown and missing
arguments are found, at every depth; values are not judged, and nothing is planned.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[2]
META = {"count", "for_each", "depends_on", "provider", "lifecycle", "provisioner", "timeouts"}
PLACE = re.compile(r"providers/hashicorp/\w+/([0-9.]+)/docs")

Types = dict[str, Any]


def main() -> int:
    """Print what was compared, and every argument that is wrong; 1 if there is one."""
    wheels = Path(sys.argv[1])
    schemas: dict[str, Types] = {}
    compared, wrong = 0, []
    for file in sorted((ROOT / "terraform").rglob("*.tf")):
        for kind, name, body in _blocks(file):
            provider = kind.removeprefix("data.").split("_")[0]
            if provider not in schemas:
                schemas[provider] = _types_of(provider, wheels)
            where = f"{file.relative_to(ROOT)}: {kind}.{name}"
            compared += 1
            wrong += [f"{where}: {what}" for what in _judge(kind, body, schemas[provider])]
    for provider, types in sorted(schemas.items()):
        print(f"hashicorp/{provider} {_version(types)}: {len(types)} types")
    for line in wrong:
        print(line)
    print(f"==> {compared} resources and data sources compared, {len(wrong)} mistakes")
    return 1 if wrong else 0


def _blocks(file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    with file.open() as text:
        content = hcl2.load(text)
    for prefix, section in (("", "resource"), ("data.", "data")):
        for block in content.get(section, []):
            for kind, named in block.items():
                for name, body in named.items():
                    yield prefix + kind.strip('"'), name.strip('"'), body


def _types_of(provider: str, wheels: Path) -> Types:
    (wheel,) = wheels.glob(f"cdktf_cdktf_provider_{provider}-*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (package,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            model = inner.extractfile("package/.jsii")
            assert model is not None
            types: Types = json.load(model)["types"]
            return types


def _version(types: Types) -> str:
    """The provider's version, as the model's links to its documentation name it."""
    for item in types.values():
        if found := PLACE.search(json.dumps(item.get("docs", {}))):
            return found[1]
    return "of unknown version"


def _judge(kind: str, body: dict[str, Any], types: Types) -> Iterator[str]:
    provider, rest = kind.removeprefix("data.").split("_", 1)
    name = f"data_{provider}_{rest}" if kind.startswith("data.") else rest
    camel = _camel(name)
    config = f"@cdktf/provider-{provider}.{camel}.{camel[0].upper()}{camel[1:]}Config"
    if config not in types:
        yield "the provider has no such thing"
        return
    yield from _judge_block(body, config, types, "")


def _judge_block(body: dict[str, Any], config: str, types: Types, path: str) -> Iterator[str]:
    known = {each["name"]: each for each in types[config].get("properties", [])}
    given = {
        _camel(name): value
        for name, value in body.items()
        if name not in META and not name.startswith("__")
    }
    for name in given.keys() - known.keys():
        yield f"{path}{_snake(name)} is unknown"
    for name, each in known.items():
        if not each.get("optional") and name not in given:
            yield f"{path}{_snake(name)} is missing"
    for name in given.keys() & known.keys():
        for inner in _structures(known[name]["type"], types):
            blocks = given[name] if isinstance(given[name], list) else [given[name]]
            for block in blocks:
                if isinstance(block, dict):
                    yield from _judge_block(block, inner, types, f"{path}{_snake(name)}.")


def _structures(kind: Any, types: Types) -> Iterator[str]:
    """The structures that a value of this type may be: blocks with arguments of their own."""
    if isinstance(kind, dict):
        name = kind.get("fqn")
        if name in types and types[name].get("datatype"):
            yield name
        for inner in kind.values():
            yield from _structures(inner, types)
    elif isinstance(kind, list):
        for inner in kind:
            yield from _structures(inner, types)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


if __name__ == "__main__":
    sys.exit(main())
