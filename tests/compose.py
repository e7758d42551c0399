"""What docker-compose.yml and the Dockerfile say, for tests that hold them to the project."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from tests.processes import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "billing-and-booking"]
STAGES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").split("\nFROM ")
# The last stage of the Dockerfile is the one that runs, over the one that holds the code.
IMAGE = STAGES[-1]
CODE = next(stage for stage in STAGES if stage.startswith("base AS code\n"))

REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")


def resolved(text: str, values: Mapping[str, str]) -> str:
    """The text as Compose hands it on: ``${NAME}``, ``${NAME:-default}``, ``${NAME:?…}``."""

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        default = (found["rest"] or "") if found["how"] == "-" else ""
        return values.get(found["name"]) or default

    return REFERENCE.sub(value, text)


def environment_of(service: str, values: Mapping[str, str]) -> dict[str, str]:
    said = SERVICES[service].get("environment", {})
    return {name: resolved(value, values) for name, value in said.items()}


def command_of(service: str) -> list[str]:
    """What the container runs: its own command, or its image's."""
    command = SERVICES[service].get("command") or _of_the_image("CMD")
    words = shlex.split(command) if isinstance(command, str) else command
    return [resolved(word, {}) for word in words]


def health_command_of(service: str) -> list[str]:
    """What asks a container of ours for its health."""
    check = SERVICES[service].get("healthcheck")
    if not check:
        return _of_the_image("CMD", after="HEALTHCHECK.*")
    kind, *words = check["test"]
    words = [resolved(word, {}) for word in words]
    return ["sh", "-c", *words] if kind == "CMD-SHELL" else words


def _of_the_image(word: str, after: str = "") -> list[str]:
    found = re.search(rf"^{after}{word} (\[.*\])$", IMAGE, re.MULTILINE)
    assert found, f"the Dockerfile has no {after}{word}"
    words: list[str] = json.loads(found[1])
    return words
