"""template.yaml, held against the code that it deploys."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from common.scheduled import find_job, scheduled_jobs
from serverless.handlers import SPARE_SECONDS
from tests.common.setting_names import environment_variables
from tests.processes import ROOT

# Where there is no reason to ask more often; there is no demo of the client on Lambda, as its table
# would be a file in one sandbox.
NIGHTLY, UNSCHEDULED = {"reconcile_jobs"}, {"simulate_client"}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as what they are given."""


def _given(loader, suffix, node):
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", _given)
TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE = yaml.load(TEXT, Loader)
OF_ALL = TEMPLATE["Globals"]["Function"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
HANDLERS = {
    name: each["ImageConfig"]["Command"][0].rpartition(".") for name, each in FUNCTIONS.items()
}
BY_ROUND = {
    handler: FUNCTIONS[name] for name, (_, _, handler) in HANDLERS.items() if handler != "http"
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_round = pytest.mark.parametrize("name", BY_ROUND)


def resources(name):
    return TEMPLATE["Resources"][name]["Properties"]


def variables(function):
    return function["Environment"]["Variables"]


def test_is_valid():
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, ROOT / "template.yaml"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


class TestFunctions:
    def test_are_there_for_every_round_and_for_http_of_every_service(self):
        served = [
            variables(each)["SERVICES"]
            for name, each in FUNCTIONS.items()
            if HANDLERS[name][2] == "http"
        ]

        assert {module for module, _, _ in HANDLERS.values()} == {"serverless.handlers"}
        assert set(BY_ROUND) == {job.name for job in scheduled_jobs()} - UNSCHEDULED
        assert sorted(served) == sorted(settings.KNOWN_SERVICES)

    @each_round
    def test_carry_the_service_of_their_round(self, name):
        app = find_job(name).run.__module__.partition(".")[0]
        assert variables(BY_ROUND[name])["SERVICES"] == app

    @each_function
    def test_set_what_the_settings_read(self, name):
        names = {*variables(FUNCTIONS[name]), *variables(OF_ALL)}

        assert names - {"SETTINGS_SECRET"} <= environment_variables()

    @each_function
    def test_may_read_their_own_secret_alone(self, name):
        secret = variables(FUNCTIONS[name])["SETTINGS_SECRET"]

        policies = FUNCTIONS[name]["Policies"]

        assert policies == [{"AWSSecretsManagerGetSecretValuePolicy": {"SecretArn": secret}}]

    @each_function
    def test_are_told_no_secret_by_their_environment(self, name):
        names = " ".join({*variables(FUNCTIONS[name]), *variables(OF_ALL)})

        assert not re.search(r"DATABASE_URL|MONGO_URL|SECRET_KEY|PRIVATE|SIGNATURE|_KEY\b", names)
        assert "{{resolve:" not in TEXT

    @each_round
    def test_have_time_for_a_round_and_what_is_under_way(self, name):
        assert BY_ROUND[name].get("Timeout", OF_ALL["Timeout"]) > SPARE_SECONDS + 20

    def test_at_errands_have_ended_before_others_may_claim_theirs(self):
        timeouts = [
            each.get("Timeout", OF_ALL["Timeout"])
            for name, each in BY_ROUND.items()
            if name.endswith("_outbox")
        ]

        assert len(timeouts) == 3
        assert max(timeouts) < settings.OUTBOX_LEASE.total_seconds()


class TestSchedules:
    @each_round
    def test_wake_every_round_before_the_next_one(self, name):
        (event,) = BY_ROUND[name]["Events"].values()
        expression = event["Properties"]["ScheduleExpression"]

        assert event["Type"] == "ScheduleV2"
        # SAM's own names would be those of every stack in the account.
        assert event["Properties"]["OmitName"] is True
        if name in NIGHTLY:
            assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression)
        else:
            assert expression == "rate(1 minute)"
            assert BY_ROUND[name].get("Timeout", OF_ALL["Timeout"]) < 60

    @each_round
    def test_leave_the_retry_to_the_next_round(self, name):
        (event,) = BY_ROUND[name]["Events"].values()
        for rules in (event["Properties"]["RetryPolicy"], BY_ROUND[name]["EventInvokeConfig"]):
            assert rules["MaximumRetryAttempts"] == 0
            assert rules["MaximumEventAgeInSeconds"] == 60

    @each_round
    def test_tell_of_failures(self, name):
        (event,) = BY_ROUND[name]["Events"].values()
        told = BY_ROUND[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]

        assert told["Destination"] == event["Properties"]["DeadLetterConfig"]["Arn"]

    def test_simulate_only_where_there_is_a_demo(self):
        assert TEMPLATE["Resources"]["SimulateEvents"]["Condition"] == "IsDemo"
        assert TEMPLATE["Parameters"]["Demo"]["Default"] == "false"


class TestTheProxyOfMySql:
    def test_sets_what_our_sessions_set(self):
        pool = resources("MySqlTargets")["ConnectionPoolConfigurationInfo"]
        set_first = pool["InitQuery"]
        ours = settings.MYSQL_OPTIONS

        assert set_first.startswith(ours["init_command"])
        # As Django does; MariaDB knows no variable transaction_isolation before 11.1.
        isolation = ours["isolation_level"].upper()
        assert set_first.endswith(f"; SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")


class TestTheProxies:
    def test_are_reached_by_the_functions_wherever_the_subnets_are(self):
        admitted = resources("ProxiesGroup")["SecurityGroupIngress"]
        left = [resources("FunctionsToMySqlProxy"), resources("FunctionsToPostgresProxy")]

        assert [each["FromPort"] for each in admitted] == [each["FromPort"] for each in left]
        assert {each["SourceSecurityGroupId"] for each in admitted} == {"FunctionsGroup"}
        assert {each["DestinationSecurityGroupId"] for each in left} == {"ProxiesGroup"}


class TestAlarms:
    @each_round
    def test_tell_of_a_round_that_fails_each_time(self, name):
        """Those of every minute fill the queue; the nightly one has an alarm of its own."""
        alarm = "ReconciliationFails" if name in NIGHTLY else "RoundsFail"
        queue = BY_ROUND[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]

        (watched,) = (each["Value"] for each in resources(alarm)["Dimensions"])

        assert resources(alarm)["AlarmActions"] == ["Alarms"]
        if name in NIGHTLY:
            assert FUNCTIONS[watched] is BY_ROUND[name]
            assert resources(alarm)["Threshold"] == 1
        else:
            assert watched == queue["Destination"].replace(".Arn", ".QueueName")
            assert resources(alarm)["Threshold"] <= resources(alarm)["Period"] / 60


class TestTheImage:
    def test_of_every_function_is_the_stage_lambda(self):
        stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

        of_each = [TEMPLATE["Resources"][name]["Metadata"] for name in FUNCTIONS]
        assert {each["DockerBuildTarget"] for each in of_each} == {"lambda"}
        # SAM writes into it: none is another function's too.
        assert len({id(each) for each in of_each}) == len(FUNCTIONS)
        assert "lambda" in stages
        # The last stage is the default, and runs elsewhere.
        assert stages[-1] == "app"
