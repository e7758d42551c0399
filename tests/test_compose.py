"""The containers' files: no Docker is needed to see whether they fit the project."""

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

# What the database images document, and the suite reads.
THEIRS = {
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
every_one_of_ours = pytest.mark.parametrize("name", OURS)
ONE_SHOTS = {name for name, service in SERVICES.items() if service["restart"] == "no"}


def seconds(duration):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([smh])", duration))


def test_the_file_is_as_the_compose_specification_has_it():
    vendored = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))


class TestEachService:
    @every_service
    def test_starts_again_by_itself_unless_it_runs_once(self, name):
        assert SERVICES[name]["restart"] == (
            "no" if name in {"migrate", "tests"} else "unless-stopped"
        )

    @every_service
    def test_tells_its_health_unless_it_runs_once(self, name):
        check = SERVICES[name].get("healthcheck", {})

        if name in ONE_SHOTS:
            assert check == {"disable": True}
        else:
            assert check.get("test") or health_command_of(name)

    @every_service
    def test_is_bounded_in_processors_and_memory(self, name):
        assert set(SERVICES[name]["deploy"]["resources"]["limits"]) >= {"cpus", "memory"}

    @every_service
    def test_is_set_by_names_that_somebody_reads(self, name):
        variables = set(SERVICES[name].get("environment", {}))

        assert variables <= THEIRS.get(name, environment_variables())

    @every_service
    def test_waits_for_the_health_of_those_who_have_one(self, name):
        for other, how in SERVICES[name].get("depends_on", {}).items():
            runs_once = other in ONE_SHOTS
            expected = "service_completed_successfully" if runs_once else "service_healthy"
            assert how["condition"] == expected

    @every_service
    def test_is_reached_from_this_machine_alone(self, name):
        for port in SERVICES[name].get("ports", []):
            assert port.startswith("127.0.0.1:")
            assert command_of(name)[command_of(name).index("--port") + 1] == port.split(":")[-1]

    @every_service
    def test_keeps_its_files_in_a_volume_that_has_a_name(self, name):
        for volume in SERVICES[name].get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]

    @every_one_of_ours
    def test_runs_what_there_is(self, name):
        words = " ".join(command_of(name)).split()

        assert words[0] in {"granian", "celery", "sh"}
        for word, following in pairwise(words):
            if word == "manage.py":
                assert following in get_commands()
        if words[0] == "granian":
            assert callable(import_string(words[-1].replace(":", ".")))

    @every_one_of_ours
    def test_may_write_nothing_but_its_folder(self, name):
        service = SERVICES[name]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["environment"]["DATA_DIR"].startswith(service["tmpfs"][0])


class TestSecrets:
    def test_are_each_asked_for_with_a_sentence(self):
        named = set(re.findall(r"\$\{(\w*(?:SECRET|PASSWORD)\w*)", TEXT))
        required = dict(re.findall(r"\$\{(\w+):\?([^}]+)\}", TEXT))

        assert named == set(required) == {"SECRET_KEY", "POSTGRES_PASSWORD", "MARIADB_PASSWORD"}
        assert all(len(sentence.split()) > 3 for sentence in required.values())

    def test_are_told_of_in_the_example(self):
        example = (ROOT / ".env.example").read_text()

        for name in set(re.findall(r"\$\{(\w+)", TEXT)):
            assert re.search(rf"^#{name}=", example, re.MULTILINE), name

    def test_stand_in_no_file(self):
        for service in SERVICES.values():
            for name, value in service.get("environment", {}).items():
                if "SECRET" in name or (name.endswith("PASSWORD") and "RANDOM" not in name):
                    assert value.startswith("${")


class TestWorkers:
    workers = [name for name in OURS if "worker" in command_of(name)]

    def test_take_every_queue_once(self):
        taken = [
            queue
            for name in self.workers
            for queue in command_of(name)[command_of(name).index("--queues") + 1].split(",")
        ]

        assert sorted(taken) == sorted(settings.KNOWN_SERVICES)

    @pytest.mark.parametrize("name", workers)
    def test_have_processes_that_a_time_limit_can_end(self, name):
        command = command_of(name)

        assert command[command.index("--pool") + 1] == "prefork"

    @pytest.mark.parametrize("name", workers)
    def test_may_finish_their_longest_task(self, name):
        assert seconds(SERVICES[name]["stop_grace_period"]) > settings.CELERY_TASK_TIME_LIMIT


@pytest.mark.parametrize("name", ["web", "dataprovider"])
def test_a_web_process_may_finish_its_longest_request(name):
    command = command_of(name)
    gives_up = int(command[command.index("--workers-kill-timeout") + 1])

    assert WAIT_SECONDS < gives_up < seconds(SERVICES[name]["stop_grace_period"])


class TestTheImage:
    def test_holds_what_there_is_and_every_service(self):
        copied = re.findall(r"^COPY (?!--from)(\S+) ", CODE, re.MULTILINE)

        assert set(copied) == {"manage.py", "common", "config", "local", *settings.KNOWN_SERVICES}
        assert all((ROOT / path).exists() for path in copied)

    def test_is_run_by_nobody_in_particular(self):
        assert "\nUSER 10001\n" in IMAGE

    def test_takes_wheels_alone(self):
        installs = re.findall(r"pip install .*", (ROOT / "Dockerfile").read_text())

        assert len(installs) == 3
        assert all("--only-binary :all:" in line for line in installs)

    @pytest.mark.parametrize("name", [".env", "var", ".venv", ".git"])
    def test_never_sees_what_is_this_machines_own(self, name):
        assert name in (ROOT / ".dockerignore").read_text().split()
