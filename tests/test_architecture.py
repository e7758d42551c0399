"""docs/architecture.md, compared with the code."""

import re
from importlib import import_module

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.engine_independent

TEXT = (ROOT / "docs" / "architecture.md").read_text()
NAME = re.compile(r"`((?:stats|dataprovider|dashboard|repairjobs)\.[\w.]+)`")
FLOWS = {
    title: re.findall(r"^\d+\. (.*?)(?=^\d+\. |\Z)", body, re.MULTILINE | re.DOTALL)
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
MAX_STEPS = 10


def resolve(name):
    """Return the module of a dotted name, and the object."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return module.__name__, found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", sorted(set(NAME.findall(TEXT))))
def test_every_name_in_the_architecture_exists(name):
    resolve(name)


@pytest.mark.parametrize("title", FLOWS)
def test_every_flow_has_at_most_ten_steps(title):
    assert 0 < len(FLOWS[title]) <= MAX_STEPS


@pytest.mark.parametrize("title", FLOWS)
def test_no_flow_enters_a_module_twice(title):
    modules = [resolve(NAME.search(step)[1])[0] for step in FLOWS[title]]

    entered_again = [
        module
        for position, module in enumerate(modules)
        if module in modules[: max(position - 1, 0)] and ".models" not in module
    ]
    assert entered_again == []
