import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import copy_migrated_databases, environment
from tests.serverless.gateway import HOST
from tests.serverless.runtime import Function

Start = Callable[..., Function]


@pytest.fixture(scope="session")
def new_databases(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    copy_migrated_databases(environment(folder))
    return folder


@pytest.fixture(scope="module")
def cloud(new_databases, tmp_path_factory) -> Iterator[Start]:
    """Start functions on databases that the tests of a module share."""
    folder = tmp_path_factory.mktemp("cloud") / "data"
    shutil.copytree(new_databases, folder)
    with ExitStack() as functions:
        yield starter(folder, functions)


@pytest.fixture
def own_cloud(new_databases, tmp_path) -> Iterator[Start]:
    """Start functions on new databases."""
    shutil.copytree(new_databases, tmp_path / "data")
    with ExitStack() as functions:
        yield starter(tmp_path / "data", functions)


def starter(folder: Path, functions: ExitStack) -> Start:
    def start(handler: str, services: str, **settings: str) -> Function:
        env = environment(folder, SERVICES=services, ALLOWED_HOSTS=HOST, API_KEYS_REQUIRED="false")
        function = Function(handler, env | settings)
        function.start()
        functions.callback(function.end)
        return function

    return start
