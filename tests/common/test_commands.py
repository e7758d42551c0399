"""manage.py as operators meet it: what it says where it cannot do what was asked."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.processes import environment, manage

OURS = {
    name: app
    for name, app in get_commands().items()
    if app in {"common", "common.api_keys", "stats", "dataprovider", "dashboard", "repairjobs"}
}


class TestEachCommand:
    @pytest.mark.parametrize("name", sorted(OURS))
    def test_explains_itself_and_its_arguments(self, name):
        command = load_command_class(OURS[name], name)
        parser = command.create_parser("manage.py", name)
        common = {action.dest for action in BaseCommand().create_parser("", "")._actions}
        own = [action for action in parser._actions if action.dest not in common]

        assert len(command.help.split()) > 6
        assert [action.dest for action in own if not action.help] == []


@pytest.mark.parametrize(
    ("command", "option", "least"),
    [
        ("seed_messages", "--messages", 0),
        ("seed_jobs", "--days", 0),
        ("seed_jobs", "--jobs", 0),
        ("simulate_events", "--guests", 1),
        ("simulate_client", "--rounds", 1),
    ],
)
@pytest.mark.parametrize("spelled", ["-1", "many", "1.5"])
def test_a_number_that_says_nothing_is_refused(command, option, least, spelled):
    with pytest.raises(CommandError, match=f"allowed: a whole number from {least} on"):
        call_command(command, f"{option}={spelled}")


@pytest.mark.processes
class TestFailures:
    @pytest.fixture
    def env(self, tmp_path):
        return environment(tmp_path)

    def told(self, env, *arguments):
        done = manage(env, *arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    def test_names_the_setting(self, env):
        said = self.told(env | {"SERVICES": "stat"}, "seed")

        assert said.startswith("Settings: SERVICES names stat; allowed: all, or some of")

    def test_says_that_a_store_is_not_migrated(self, env):
        assert "migrate_databases" in self.told(env, "seed_messages")

    def test_says_that_a_store_is_away(self, env):
        away = "postgres://nobody:nothing@127.0.0.1:1/nowhere"

        said = self.told(env | {"DATABASE_URL": away, "SECRET_KEY": "k" * 50}, "list_api_keys")

        assert "connection to server" in said

    def test_shows_where_it_was_to_who_asks(self, env):
        assert "Traceback" in manage(env, "seed_messages", "--traceback").stderr


@pytest.mark.django_db(databases=["default", "dataprovider", "dashboard", "repairjobs"])
def test_the_plan_of_all_migrations_can_be_seen():
    out = StringIO()

    call_command("migrate_databases", "--plan", stdout=out)

    assert [line for line in out.getvalue().splitlines() if line.startswith("In ")] == [
        "In default:",
        "In dataprovider:",
        "In dashboard:",
        "In repairjobs:",
    ]
