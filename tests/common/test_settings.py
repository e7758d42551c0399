"""The settings, loaded in processes of their own with different environment variables."""

import json
import subprocess
import sys

import pytest

from tests.common.setting_names import environment_variables
from tests.processes import ROOT, environment

ALL_DATABASES = ["default", "dataprovider", "dashboard", "repairjobs", "client"]
PRINT_SETTINGS = """
import django, json
django.setup()
from config.celery import app
from django.conf import settings as s
from django.urls import get_resolver
app.finalize()
print(json.dumps({
    "services": s.SERVICES, "databases": list(s.DATABASES), "secret": s.SECRET_KEY,
    "middleware": s.MIDDLEWARE, "apps": s.INSTALLED_APPS, "beat": sorted(app.conf.beat_schedule),
    "events": any(p.name == "events" for g in get_resolver().url_patterns
                  for p in getattr(g, "url_patterns", [g])),
    "provider": s.DATA_PROVIDER_URL,
    "lease": s.OUTBOX_LEASE.total_seconds(),
    "timeouts": {alias: database["OPTIONS"]["read_timeout"]
                 for alias, database in s.DATABASES.items()
                 if "read_timeout" in database["OPTIONS"]},
}))
"""


@pytest.mark.processes
class TestSettings:
    @pytest.fixture
    def load(self, tmp_path):
        """Load the settings with these variables. Return some values, or the error."""

        def load(**variables):
            env = environment(tmp_path, DJANGO_SETTINGS_MODULE="config.settings") | variables
            process = subprocess.run(
                [sys.executable, "-c", PRINT_SETTINGS],
                cwd=ROOT,
                env=env,
                text=True,
                capture_output=True,
            )
            last = (process.stdout or process.stderr).strip().splitlines()[-1]
            return json.loads(last) if process.returncode == 0 else last

        return load

    def test_a_process_serves_everything_by_default(self, load):
        values = load()

        assert values["services"] == ["stats", "dataprovider", "dashboard", "repairjobs"]
        assert values["databases"] == ALL_DATABASES
        assert values["provider"] == "http://127.0.0.1:8000"
        assert "django.contrib.admin" in values["apps"]
        assert values["beat"] == [
            "dashboard.ingest_events",
            "repairjobs.collect_jobs",
            "repairjobs.follow_jobs",
            "repairjobs.run_document_outbox",
            "repairjobs.run_sms_outbox",
            "repairjobs.run_status_outbox",
            "repairjobs.sweep_jobs",
        ]

    def test_the_simulator_runs_only_in_a_demo(self, load):
        assert "dataprovider.simulate_events" in load(DEMO="true")["beat"]

    def test_a_process_of_one_service_loads_nothing_of_the_others(self, load):
        values = load(SERVICES="dashboard")

        assert values["databases"] == ["default", "dashboard"]
        assert not values["events"]
        assert not [app for app in values["apps"] if "admin" in app or "auth" in app]
        assert not [name for name in values["middleware"] if "session" in name.lower()]

    def test_a_process_of_stats_alone_has_one_database(self, load):
        values = load(SERVICES="stats")

        assert values["databases"] == ["default"]
        assert not [app for app in values["apps"] if "admin" in app or "auth" in app]
        assert not [name for name in values["middleware"] if "session" in name.lower()]

    def test_a_mysql_statement_times_out_before_the_outbox_lease_ends(self, load):
        url = "mysql://root@db/name"
        values = load(
            SECRET_KEY="given",
            REPAIRJOBS_DATABASE_URL=url,
            CLIENT_DATABASE_URL=f"{url}?read_timeout=3",
        )

        assert values["timeouts"]["repairjobs"] < values["lease"]
        assert values["timeouts"]["client"] == 3

    def test_a_generated_secret_key_is_kept_between_starts(self, load):
        first = load()["secret"]

        assert len(first) >= 50
        assert load()["secret"] == first
        assert load(SECRET_KEY="given")["secret"] == "given"

    def test_an_empty_variable_counts_as_not_set(self, load):
        assert load(PORT="", DATABASE_URL="", SERVICES="")["databases"] == ALL_DATABASES

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            ({"SERVICES": "dashbord"}, "dashboard, repairjobs, not dashbord."),
            ({"PORT": "http"}, "PORT must be a whole number from 1 to 65535, not 'http'."),
            ({"PORT": "99999"}, "PORT must be a whole number from 1 to 65535, not '99999'."),
            ({"INGEST_SECONDS": "0"}, "INGEST_SECONDS must be a whole number from 1"),
            ({"DEMO": "maybe"}, "DEMO must be true or false, not 'maybe'."),
            ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must be a database URL"),
            ({"DATA_DIR": "/dev/null/x"}, "DATA_DIR cannot be created"),
            ({"DATABASE_URL": "postgres://127.0.0.1/x"}, "SECRET_KEY is not set"),
            ({"BROKER_URL": "redis://127.0.0.1"}, "SECRET_KEY is not set"),
            ({"RATE_LIMIT": "many"}, "RATE_LIMIT must be off, or a rate such as 6000/minute"),
            ({"SMS_BACKEND": "pigeon"}, "SMS_BACKEND must be console or vonage, not 'pigeon'."),
        ],
    )
    def test_a_wrong_variable_stops_the_start_with_a_clear_message(self, load, variables, message):
        assert message in load(**variables)


def test_every_environment_variable_is_in_the_example_file_and_in_the_readme():
    names = environment_variables() - {"ENV_FILE"}

    example, readme = (ROOT / ".env.example").read_text(), (ROOT / "README.md").read_text()

    assert {name for name in names if f"{name}=" not in example} == set()
    assert {name for name in names if f"`{name}`" not in readme} == set()
