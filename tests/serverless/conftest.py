import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import copy_migrated_databases, environment
from tests.serverless.gateway import HOST
from tests.serverless.local import Function

Start = Callable[..., Function]


@pytest.fixture(scope="session")
def new_stores(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    copy_migrated_databases(environment(folder))
    return folder


@pytest.fixture(scope="module")
def cloud(new_stores, tmp_path_factory) -> Iterator[Start]:
    """Starts functions over stores that the tests of a module share."""
    folder = tmp_path_factory.mktemp("cloud") / "data"
    shutil.copytree(new_stores, folder)
    with ExitStack() as ending:
        yield starter(folder, ending)


@pytest.fixture
def own_cloud(new_stores, tmp_path) -> Iterator[Start]:
    """Starts functions over stores of the test's own."""
    shutil.copytree(new_stores, tmp_path / "data")
    with ExitStack() as ending:
        yield starter(tmp_path / "data", ending)


def starter(folder: Path, ending: ExitStack) -> Start:
    def start(handler: str, services: str, **settings: str) -> Function:
        env = environment(folder, SERVICES=services, ALLOWED_HOSTS=HOST, API_KEYS_REQUIRED="false")
        function = Function(handler, env | settings)
        function.start()
        ending.callback(function.end)
        return function

    return start
