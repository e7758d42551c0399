"""The service beside a plain model of it, under whatever Hypothesis thinks of."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from stats import ledger
from stats.models import DailyTotal, Message
from tests.stats.conftest import DOORS, Door

DAYS = [date(2026, 1, 30) + timedelta(days=number) for number in range(4)]
UUIDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(12)]

messages = st.fixed_dictionaries(
    {
        "customerId": st.integers(1, 3),
        "type": st.sampled_from(["A", "B"]),
        "amount": st.sampled_from(["0.000", "0.001", "0.012", "999999999.999"]),
        "uuid": st.sampled_from(UUIDS),
    },
    optional={
        "timestamp": st.tuples(
            st.sampled_from(DAYS), st.sampled_from(["00:00:00", "23:59:59"])
        ).map(lambda it: f"{it[0]}T{it[1]}Z")
    },
)
bounds = st.none() | st.sampled_from(DAYS)


class Service(RuleBasedStateMachine):
    """Post, repeat, contradict, batch, come late, and ask: it answers as the model does."""

    def __init__(self):
        super().__init__()
        Message.objects.all().delete()
        DailyTotal.objects.all().delete()
        self.doors = {name: Door(headers) for name, headers in DOORS.items()}
        self.http = self.doors["front"]
        self.model = {}

    def differences(self, message):
        """The fields in which a message differs from the one under its uuid."""
        known = self.model[message["uuid"]]
        return {name for name, value in message.items() if known[name] != value}

    @rule(message=messages, door=st.sampled_from(list(DOORS)))
    def post(self, message, door):
        answer = self.doors[door].post("/messages", message)

        if message["uuid"] not in self.model:
            assert answer.status_code == 201
            assert answer.json | message == answer.json
            self.model[message["uuid"]] = answer.json
        elif differences := self.differences(message):
            assert answer.status_code == 409
            assert set(answer.json["conflicts"]) == differences
        else:
            assert answer.status_code == 200
            assert answer.json == self.model[message["uuid"]]

    @rule(data=st.data())
    def repeat(self, data):
        if self.model:
            uuid = data.draw(st.sampled_from(sorted(self.model)))
            assert self.http.post("/messages", self.model[uuid]).status_code == 200

    @rule(batch=st.lists(messages | st.just({"uuid": "x"}), max_size=8))
    def batch(self, batch):
        answer = self.http.post("/messages/batch", batch).json

        outcomes, conflicts = Counter(), []
        for index, message in enumerate(batch):
            if "amount" not in message:
                outcomes["rejected"] += 1
            elif message["uuid"] not in self.model:
                outcomes["accepted"] += 1
                self.model[message["uuid"]] = self.http.get(f"/messages/{message['uuid']}").json
                assert self.differences(message) == set()
            elif differences := self.differences(message):
                conflicts.append((index, message["uuid"], differences))
            else:
                outcomes["duplicates"] += 1
        assert answer["accepted"] == outcomes["accepted"]
        assert answer["duplicates"] == outcomes["duplicates"]
        assert len(answer["rejected"]) == outcomes["rejected"]
        assert conflicts == [
            (it["index"], it["uuid"], set(it["fields"])) for it in answer["conflicts"]
        ]

    @rule(
        customer=st.none() | st.integers(1, 4),
        type=st.none() | st.sampled_from(["A", "B", "C"]),
        first=bounds,
        last=bounds,
        interval=st.none() | st.sampled_from(["day", "month"]),
    )
    def ask(self, customer, type, first, last, interval):
        asked = {"customerId": customer, "type": type, "from": first, "to": last}
        asked = {name: str(it) for name, it in (asked | {"interval": interval}).items() if it}
        answer = self.http.get("/stats", **asked)
        if first and last and first > last:
            assert answer.status_code == 400
            return

        counts, sums = Counter(), Counter()
        for it in self.model.values():
            day = it["timestamp"][:10]
            is_asked = (
                customer in (None, it["customerId"])
                and type in (None, it["type"])
                and str(first or "") <= day <= str(last or "9")
            )
            if is_asked:
                when = {"day": [day], "month": [day[:7]], None: []}[interval]
                key = (it["customerId"], it["type"], *when)
                counts[key] += 1
                sums[key] += Decimal(it["amount"])
        assert [tuple(row.values()) for row in answer.json] == [
            (*key, counts[key], f"{sums[key]:.3f}") for key in sorted(counts)
        ]

    @invariant()
    def totals_equal_the_messages(self):
        assert ledger.differences() == []


@pytest.mark.hypothesis
@pytest.mark.django_db(transaction=True)
def test_the_service_is_its_model():
    run_state_machine_as_test(
        Service,
        settings=settings(
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )
