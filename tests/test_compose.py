"""docker-compose.yml and the Dockerfile match the project. No Docker is needed."""

import json
import re
from importlib.resources import files
from itertools import pairwise

import jsonschema
import pytest
from django.conf import settings
from django.core.management import get_commands
from django.utils.module_loading import import_string

from stats.services.group_commit import WAIT_SECONDS
from tests.common.setting_names import environment_variables
from tests.compose import CODE, COMPOSE, IMAGE, OURS, SERVICES, TEXT, command_of, health_command_of
from tests.processes import ROOT

# Variables of the database images and of the tests.
OTHER_VARIABLES = {
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"},
    "mariadb": {
        "MARIADB_USER",
        "MARIADB_PASSWORD",
        "MARIADB_DATABASE",
        "MARIADB_RANDOM_ROOT_PASSWORD",
    },
    "tests": {"CI", "POSTGRES_URL", "MYSQL_URL", "MONGO_URL", "REDIS_URL"},
}
UNITS = {"s": 1, "m": 60, "h": 3600}
every_service = pytest.mark.parametrize("name", SERVICES)
every_app_service = pytest.mark.parametrize("name", OURS)
ONE_SHOTS = {name for name, service in SERVICES.items() if service["restart"] == "no"}


def seconds(duration):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([smh])", duration))


def test_the_file_follows_the_compose_specification():
    vendored = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))


class TestEachService:
    @every_service
    def test_a_service_restarts_unless_it_runs_once(self, name):
        assert SERVICES[name]["restart"] == (
            "no" if name in {"migrate", "tests"} else "unless-stopped"
        )

    @every_service
    def test_a_service_has_a_health_check_unless_it_runs_once(self, name):
        check = SERVICES[name].get("healthcheck", {})

        if name in ONE_SHOTS:
            assert check == {"disable": True}
        else:
            assert check.get("test") or health_command_of(name)

    @every_service
    def test_a_service_has_limits_of_cpu_and_memory(self, name):
        assert set(SERVICES[name]["deploy"]["resources"]["limits"]) >= {"cpus", "memory"}

    @every_service
    def test_a_service_sets_only_variables_that_are_read(self, name):
        variables = set(SERVICES[name].get("environment", {}))

        assert variables <= OTHER_VARIABLES.get(name, environment_variables())

    @every_service
    def test_a_service_waits_until_its_dependencies_are_healthy(self, name):
        for other, dependency in SERVICES[name].get("depends_on", {}).items():
            runs_once = other in ONE_SHOTS
            expected = "service_completed_successfully" if runs_once else "service_healthy"
            assert dependency["condition"] == expected

    @every_service
    def test_a_service_publishes_ports_only_on_this_machine(self, name):
        for port in SERVICES[name].get("ports", []):
            assert port.startswith("127.0.0.1:")
            assert command_of(name)[command_of(name).index("--port") + 1] == port.split(":")[-1]

    @every_service
    def test_a_service_keeps_its_files_in_a_named_volume(self, name):
        for volume in SERVICES[name].get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]

    @every_app_service
    def test_a_service_runs_a_command_that_exists(self, name):
        words = " ".join(command_of(name)).split()

        assert words[0] in {"granian", "celery", "sh"}
        for word, following in pairwise(words):
            if word == "manage.py":
                assert following in get_commands()
        if words[0] == "granian":
            assert callable(import_string(words[-1].replace(":", ".")))

    @every_app_service
    def test_a_service_can_write_only_to_its_data_folder(self, name):
        service = SERVICES[name]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["environment"]["DATA_DIR"].startswith(service["tmpfs"][0])


class TestSecrets:
    def test_a_missing_secret_stops_compose_with_a_message(self):
        names = set(re.findall(r"\$\{(\w*(?:SECRET|PASSWORD)\w*)", TEXT))
        required = dict(re.findall(r"\$\{(\w+):\?([^}]+)\}", TEXT))

        assert names == set(required) == {"SECRET_KEY", "POSTGRES_PASSWORD", "MARIADB_PASSWORD"}
        assert all(len(message.split()) > 3 for message in required.values())

    def test_every_variable_is_in_the_example_file(self):
        example = (ROOT / ".env.example").read_text()

        for name in set(re.findall(r"\$\{(\w+)", TEXT)):
            assert re.search(rf"^#{name}=", example, re.MULTILINE), name

    def test_no_file_contains_a_secret(self):
        for service in SERVICES.values():
            for name, value in service.get("environment", {}).items():
                if "SECRET" in name or (name.endswith("PASSWORD") and "RANDOM" not in name):
                    assert value.startswith("${")


class TestWorkers:
    workers = [name for name in OURS if "worker" in command_of(name)]

    def test_every_queue_has_exactly_one_worker_service(self):
        queues = [
            queue
            for name in self.workers
            for queue in command_of(name)[command_of(name).index("--queues") + 1].split(",")
        ]

        assert sorted(queues) == sorted(settings.KNOWN_SERVICES)

    @pytest.mark.parametrize("name", workers)
    def test_workers_use_prefork_so_that_time_limits_work(self, name):
        command = command_of(name)

        assert command[command.index("--pool") + 1] == "prefork"

    @pytest.mark.parametrize("name", workers)
    def test_a_worker_has_time_to_finish_its_longest_task(self, name):
        assert seconds(SERVICES[name]["stop_grace_period"]) > settings.CELERY_TASK_TIME_LIMIT


@pytest.mark.parametrize("name", ["web", "dataprovider"])
def test_a_web_process_has_time_to_finish_its_longest_request(name):
    command = command_of(name)
    kill_timeout = int(command[command.index("--workers-kill-timeout") + 1])

    assert WAIT_SECONDS < kill_timeout < seconds(SERVICES[name]["stop_grace_period"])


class TestImage:
    def test_the_image_contains_every_service(self):
        copied = re.findall(r"^COPY (?!--from)(\S+) ", CODE, re.MULTILINE)

        assert set(copied) == {"manage.py", "common", "config", "local", *settings.KNOWN_SERVICES}
        assert all((ROOT / path).exists() for path in copied)

    def test_the_image_does_not_run_as_root(self):
        assert "\nUSER 10001\n" in IMAGE

    def test_the_image_installs_only_wheels(self):
        installs = re.findall(r"pip install .*", (ROOT / "Dockerfile").read_text())

        assert len(installs) == 3
        assert all("--only-binary :all:" in line for line in installs)

    @pytest.mark.parametrize("name", [".env", "var", ".venv", ".git"])
    def test_the_build_context_excludes_local_files(self, name):
        assert name in (ROOT / ".dockerignore").read_text().split()
