"""The files that pin packages: what is installed together agrees."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)


def test_what_the_image_installs_at_once_names_each_package_in_one_version() -> None:
    steps = (ROOT / "services/Dockerfile").read_text().replace("\\\n", " ")
    installs = [line for line in re.split(r"&&|\n", steps) if "pip install" in line]
    by_name = {path.name: path for path in ROOT.glob("tests/tools/*.txt")}
    by_name["requirements.txt"] = ROOT / "services/realtime/requirements.txt"
    together = [re.findall(r"-r (\S+)", line) for line in installs]
    assert [len(names) for names in together].count(2) == 1

    for names in together:
        pins = {pin for name in names for pin in PIN.findall(by_name[Path(name).name].read_text())}
        assert len(pins) == len({package for package, _ in pins}), sorted(pins)
