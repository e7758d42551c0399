"""template.yaml matches the code that it deploys."""

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

# simulate_client is not deployed: its table would be a file in one sandbox.
NIGHTLY, UNSCHEDULED = {"reconcile_jobs"}, {"simulate_client"}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions (!Ref X) as their argument."""


def _argument(loader, suffix, node):
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", _argument)
TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE = yaml.load(TEXT, Loader)
GLOBALS = TEMPLATE["Globals"]["Function"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
HANDLERS = {
    name: function["ImageConfig"]["Command"][0].rpartition(".")
    for name, function in FUNCTIONS.items()
}
JOB_FUNCTIONS = {
    handler: FUNCTIONS[name] for name, (_, _, handler) in HANDLERS.items() if handler != "http"
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_job = pytest.mark.parametrize("name", JOB_FUNCTIONS)


def resources(name):
    return TEMPLATE["Resources"][name]["Properties"]


def variables(function):
    return function["Environment"]["Variables"]


def test_the_template_passes_cfn_lint():
    lint = Path(sys.executable).with_name("cfn-lint")
    process = subprocess.run([lint, ROOT / "template.yaml"], capture_output=True, text=True)

    assert (process.returncode, process.stdout) == (0, "")


class TestFunctions:
    def test_every_scheduled_job_and_the_http_api_of_every_service_have_a_function(self):
        served = [
            variables(function)["SERVICES"]
            for name, function in FUNCTIONS.items()
            if HANDLERS[name][2] == "http"
        ]

        assert {module for module, _, _ in HANDLERS.values()} == {"serverless.handlers"}
        assert set(JOB_FUNCTIONS) == {job.name for job in scheduled_jobs()} - UNSCHEDULED
        assert sorted(served) == sorted(settings.KNOWN_SERVICES)

    @each_job
    def test_a_function_serves_only_the_service_of_its_job(self, name):
        app = find_job(name).run.__module__.partition(".")[0]
        assert variables(JOB_FUNCTIONS[name])["SERVICES"] == app

    @each_function
    def test_a_function_sets_only_variables_that_the_settings_read(self, name):
        names = {*variables(FUNCTIONS[name]), *variables(GLOBALS)}

        assert names - {"SETTINGS_SECRET"} <= environment_variables()

    @each_function
    def test_a_function_may_read_only_its_own_secret(self, name):
        secret = variables(FUNCTIONS[name])["SETTINGS_SECRET"]

        policies = FUNCTIONS[name]["Policies"]

        assert policies == [{"AWSSecretsManagerGetSecretValuePolicy": {"SecretArn": secret}}]

    @each_function
    def test_no_function_has_a_secret_in_its_environment(self, name):
        names = " ".join({*variables(FUNCTIONS[name]), *variables(GLOBALS)})

        assert not re.search(r"DATABASE_URL|MONGO_URL|SECRET_KEY|PRIVATE|SIGNATURE|_KEY\b", names)
        assert "{{resolve:" not in TEXT

    @each_job
    def test_every_timeout_leaves_time_for_work_and_the_running_step(self, name):
        assert JOB_FUNCTIONS[name].get("Timeout", GLOBALS["Timeout"]) > SPARE_SECONDS + 20

    def test_an_outbox_function_ends_before_its_leases_end(self):
        timeouts = [
            function.get("Timeout", GLOBALS["Timeout"])
            for name, function in JOB_FUNCTIONS.items()
            if name.endswith("_outbox")
        ]

        assert len(timeouts) == 3
        assert max(timeouts) < settings.OUTBOX_LEASE.total_seconds()


class TestSchedules:
    @each_job
    def test_every_job_ends_before_its_next_start(self, name):
        (event,) = JOB_FUNCTIONS[name]["Events"].values()
        expression = event["Properties"]["ScheduleExpression"]

        assert event["Type"] == "ScheduleV2"
        # SAM's default names would collide with those of another stack in the account.
        assert event["Properties"]["OmitName"] is True
        if name in NIGHTLY:
            assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression)
        else:
            assert expression == "rate(1 minute)"
            assert JOB_FUNCTIONS[name].get("Timeout", GLOBALS["Timeout"]) < 60

    @each_job
    def test_no_failed_job_is_retried(self, name):
        (event,) = JOB_FUNCTIONS[name]["Events"].values()
        for rules in (event["Properties"]["RetryPolicy"], JOB_FUNCTIONS[name]["EventInvokeConfig"]):
            assert rules["MaximumRetryAttempts"] == 0
            assert rules["MaximumEventAgeInSeconds"] == 60

    @each_job
    def test_failures_go_to_the_queue(self, name):
        (event,) = JOB_FUNCTIONS[name]["Events"].values()
        destination = JOB_FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]

        assert destination["Destination"] == event["Properties"]["DeadLetterConfig"]["Arn"]

    def test_the_simulator_is_deployed_only_with_the_demo(self):
        assert TEMPLATE["Resources"]["SimulateEvents"]["Condition"] == "IsDemo"
        assert TEMPLATE["Parameters"]["Demo"]["Default"] == "false"


class TestMySqlProxy:
    def test_the_mysql_proxy_sets_the_session_variables_of_our_connections(self):
        pool = resources("MySqlTargets")["ConnectionPoolConfigurationInfo"]
        options = settings.MYSQL_OPTIONS

        assert pool["InitQuery"].startswith(options["init_command"])
        # The statement that Django uses. MariaDB has no variable transaction_isolation before 11.1.
        isolation = options["isolation_level"].upper()
        assert pool["InitQuery"].endswith(f"; SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")


class TestProxies:
    def test_the_security_groups_let_functions_reach_the_proxies(self):
        ingress = resources("ProxiesGroup")["SecurityGroupIngress"]
        egress = [resources("FunctionsToMySqlProxy"), resources("FunctionsToPostgresProxy")]

        assert [rule["FromPort"] for rule in ingress] == [rule["FromPort"] for rule in egress]
        assert {rule["SourceSecurityGroupId"] for rule in ingress} == {"FunctionsGroup"}
        assert {rule["DestinationSecurityGroupId"] for rule in egress} == {"ProxiesGroup"}


class TestAlarms:
    @each_job
    def test_an_alarm_reports_a_job_that_keeps_failing(self, name):
        """Most jobs report failures to the queue. The nightly job has its own alarm."""
        alarm = "ReconciliationFails" if name in NIGHTLY else "ScheduledJobsFail"
        queue = JOB_FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]

        (watched,) = (dimension["Value"] for dimension in resources(alarm)["Dimensions"])

        assert resources(alarm)["AlarmActions"] == ["Alarms"]
        if name in NIGHTLY:
            assert FUNCTIONS[watched] is JOB_FUNCTIONS[name]
            assert resources(alarm)["Threshold"] == 1
        else:
            assert watched == queue["Destination"].replace(".Arn", ".QueueName")
            assert resources(alarm)["Threshold"] <= resources(alarm)["Period"] / 60


class TestImage:
    def test_every_function_uses_the_image_stage_lambda(self):
        stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

        metadata = [TEMPLATE["Resources"][name]["Metadata"] for name in FUNCTIONS]
        assert {entry["DockerBuildTarget"] for entry in metadata} == {"lambda"}
        # SAM writes into the metadata, so no two functions may share it by a YAML anchor.
        assert len({id(entry) for entry in metadata}) == len(FUNCTIONS)
        assert "lambda" in stages
        # The last stage is the default. It does not run on Lambda.
        assert stages[-1] == "app"
