"""The two state machines: their tables, their diagrams in the documentation, their constraints."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

import repairjobs
from repairjobs.models import (
    FINISHED,
    UNDER_WAY,
    Job,
    JobState,
    OutboxTask,
    Part,
    Payment,
    Sms,
    SmsState,
)
from repairjobs.services import parts
from repairjobs.services.sms_states import NOT_YET_FAILED, SMS_TRANSITIONS, UNRESOLVED_STATES
from repairjobs.services.workflow import (
    ANY,
    DUE_TASKS,
    IMPORT,
    TRANSITIONS,
    JobEvent,
    SendSms,
    WritePaidStatus,
    WriteStatus,
)
from tests.support.ids import readable
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON

APP = Path(repairjobs.__file__).parent
DOCUMENTATION = APP.parent / "docs" / "repairjobs.md"
EDGE = re.compile(r"^    (\S+) --> (\S+)(?: : (.*))?$", re.MULTILINE)
NOTE = re.compile(r"^    note right of (\S+)\n(.*?)\n    end note$", re.MULTILINE | re.DOTALL)


def job_diagram():
    return DOCUMENTATION.read_text().split("```mermaid\n")[1].partition("```")[0]


def sms_diagram():
    return DOCUMENTATION.read_text().split("```mermaid\n")[2].partition("```")[0]


def identifier(state):
    return state.value.replace(" ", "_")


def edges(diagram, states, groups):
    """Return the diagram's arrows as (state, event, next state), one for each state of a group."""
    nodes = {identifier(state): [state] for state in states} | groups
    arrows = set()
    for source, target, event in EDGE.findall(diagram):
        for state in nodes.get(source, []):
            arrows.add((state, event, state if target in groups else nodes[target][0]))
    return arrows


def describe(task):
    match task:
        case SendSms(kind):
            return f"{kind} SMS"
        case WriteStatus(status, after):
            return f"{status} after the {after} SMS"
        case WritePaidStatus():
            return "paid status"


class TestDiagrams:
    def test_the_job_diagram_shows_exactly_the_transitions_of_the_table(self):
        groups = {"any": ANY, "under_way": UNDER_WAY, "finished": FINISHED}

        drawn = edges(job_diagram(), JobState, groups)

        assert drawn == {
            (source, row.event.value, row.target or source)
            for row in TRANSITIONS
            for source in row.sources
        }

    def test_the_job_diagram_starts_with_the_import(self):
        starts = [edge for edge in EDGE.findall(job_diagram()) if edge[0] == "[*]"]

        assert starts == [("[*]", identifier(IMPORT.target), IMPORT.event.value)]

    def test_the_job_diagram_notes_exactly_the_due_tasks_of_each_state(self):
        drawn = {
            state: [line.strip() for line in text.splitlines()]
            for state, text in NOTE.findall(job_diagram())
        }

        expected = {}
        for due in DUE_TASKS:
            conditions = ", ".join(
                condition.__name__.replace("_", " ") for condition in due.conditions
            )
            for state in due.states:
                line = describe(due.task) + (f" ({conditions})" if conditions else "")
                expected.setdefault(identifier(state), []).append(line)
        assert drawn == expected

    def test_the_sms_diagram_shows_exactly_the_transitions_of_the_table(self):
        groups = {
            "unresolved": UNRESOLVED_STATES,
            "not_yet_failed": NOT_YET_FAILED,
            "not_delivered": (SmsState.SUPPRESSED, SmsState.ACCEPTED, SmsState.FAILED),
        }

        drawn = edges(sms_diagram(), SmsState, groups)

        assert drawn == {
            (source, row.event.value, row.target)
            for row in SMS_TRANSITIONS
            for source in row.sources
        }

    def test_the_sms_diagram_starts_with_queued_and_received_messages(self):
        starts = {target for source, target, _ in EDGE.findall(sms_diagram()) if source == "[*]"}

        assert starts == {"queued", "received"}


class TestTables:
    def test_every_event_is_defined_once_in_every_state_of_a_job(self):
        defined = [(source, row.event) for row in TRANSITIONS for source in row.sources]

        events = set(JobEvent) - {JobEvent.IMPORTED}
        assert sorted(defined) == sorted(product(JobState, events))

    def test_no_event_of_an_sms_is_defined_twice_in_a_state(self):
        defined = [(source, row.event) for row in SMS_TRANSITIONS for source in row.sources]

        assert len(defined) == len(set(defined))

    def test_an_sms_that_was_perhaps_sent_is_sent_again_only_by_a_person(self):
        ways = [row.event for row in SMS_TRANSITIONS if row.target == SmsState.QUEUED]

        assert ways == ["not sent", "resolved as not sent"]

    def test_only_the_tables_change_jobs_and_sms(self):
        forbidden = re.compile(
            r"\bjob\.save\(|\bjob\.state = |\bsms\.state = |apply_event\("
            r"|\bJob\.objects\.(\w+\(.*\)\.)?(bulk_)?(update|create)\("
        )

        modules = {
            path.relative_to(APP).as_posix()
            for path in APP.rglob("*.py")
            if forbidden.search(path.read_text())
        }

        assert modules == {"services/workflow.py", "services/sms_states.py"}


@pytest.mark.django_db(databases=["repairjobs", "client"])
class TestConstraints:
    @pytest.fixture(autouse=True)
    def _rows(self, job):
        driver.pay(1)
        parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1, at=NOON)

    @pytest.mark.parametrize(
        ("model", "values"),
        [
            (Job, {"state": "lost"}),
            (Job, {"state": JobState.CLOSED}),
            (Job, {"closed_at": NOON}),
            (Sms, {"state": "lost"}),
            (Sms, {"kind": "letter"}),
            (OutboxTask, {"kind": "fax"}),
            (Part, {"status": "lost"}),
            (Part, {"quantity": 0}),
            (Payment, {"amount_hundredths": -1}),
            (Payment, {"currency": "gbp"}),
            (Payment, {"currency": "GB"}),
            (Payment, {"currency": "G1P"}),
        ],
        ids=readable,
    )
    def test_the_database_rejects_values_outside_the_tables(self, model, values):
        with pytest.raises(IntegrityError), transaction.atomic(using="repairjobs"):
            model.objects.update(**values)

        assert model.objects.exists()
