"""The output of management commands: help texts and errors."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.processes import environment, manage

OWN_DATABASES = ["default", "dataprovider", "dashboard", "repairjobs"]
OUR_COMMANDS = {
    name: app
    for name, app in get_commands().items()
    if app in {"common", "common.api_keys", "stats", "dataprovider", "dashboard", "repairjobs"}
}


class TestHelp:
    @pytest.mark.parametrize("name", sorted(OUR_COMMANDS))
    def test_every_command_and_argument_has_a_help_text(self, name):
        command = load_command_class(OUR_COMMANDS[name], name)
        parser = command.create_parser("manage.py", name)
        common = {action.dest for action in BaseCommand().create_parser("", "")._actions}
        own = [action for action in parser._actions if action.dest not in common]

        assert len(command.help.split()) > 6
        assert [action.dest for action in own if not action.help] == []


@pytest.mark.parametrize(
    ("command", "option", "minimum"),
    [
        ("seed_messages", "--messages", 0),
        ("seed_jobs", "--days", 0),
        ("seed_jobs", "--jobs", 0),
        ("simulate_events", "--guests", 1),
        ("simulate_client", "--rounds", 1),
    ],
)
@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_a_number_out_of_range_is_rejected(command, option, minimum, value):
    with pytest.raises(CommandError, match=f"must be a whole number of at least {minimum}, not"):
        call_command(command, f"{option}={value}")


@pytest.mark.processes
class TestFailures:
    @pytest.fixture
    def env(self, tmp_path):
        return environment(tmp_path)

    def error(self, env, *arguments):
        process = manage(env, *arguments)
        assert process.returncode == 1
        assert "Traceback" not in process.stderr
        return process.stderr

    def test_an_error_in_the_settings_names_the_variable(self, env):
        error = self.error(env | {"SERVICES": "stat"}, "seed")

        assert error.startswith("Settings: SERVICES must be all, or a comma-separated list of")

    def test_an_error_about_missing_tables_names_migrate_databases(self, env):
        assert "migrate_databases" in self.error(env, "seed_messages")

    def test_an_unavailable_database_is_reported_in_one_message(self, env):
        url = "postgres://nobody:nothing@127.0.0.1:1/nowhere"

        error = self.error(env | {"DATABASE_URL": url, "SECRET_KEY": "k" * 50}, "list_api_keys")

        assert "connection to server" in error

    def test_the_option_traceback_shows_the_traceback(self, env):
        assert "Traceback" in manage(env, "seed_messages", "--traceback").stderr


@pytest.mark.django_db(databases=OWN_DATABASES)
def test_migrate_databases_shows_the_plan_of_every_database():
    out = StringIO()

    call_command("migrate_databases", "--plan", stdout=out)

    assert [line for line in out.getvalue().splitlines() if line.startswith("In ")] == [
        "In default:",
        "In dataprovider:",
        "In dashboard:",
        "In repairjobs:",
    ]


def test_migrate_databases_migrates_every_database(settings, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "common.management.commands.migrate_databases.call_command",
        lambda name, **options: calls.append((name, options.get("database"))),
    )

    call_command("migrate_databases")

    assert calls[: len(OWN_DATABASES)] == [("migrate", alias) for alias in OWN_DATABASES]
    assert set(calls[len(OWN_DATABASES) :]) <= {("create_client_database", None)}
