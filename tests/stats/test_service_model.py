"""The service compared with a simple model of it, under random operations of Hypothesis."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from stats.models import DailyTotal, Message
from stats.services.verification import find_differences
from tests.stats.conftest import ROUTES, WsgiClient

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
        ).map(lambda day_and_time: "{}T{}Z".format(*day_and_time))
    },
)
bounds = st.none() | st.sampled_from(DAYS)


class Service(RuleBasedStateMachine):
    """Posts new, repeated, conflicting and late messages, alone and in batches, and reports."""

    def __init__(self):
        super().__init__()
        Message.objects.all().delete()
        DailyTotal.objects.all().delete()
        self.routes = {name: WsgiClient(headers) for name, headers in ROUTES.items()}
        self.http = self.routes["fast path"]
        self.model = {}

    def differences(self, message):
        """Return the fields in which a message differs from the stored one with its uuid."""
        known = self.model[message["uuid"]]
        return {name for name, value in message.items() if known[name] != value}

    @rule(message=messages, route=st.sampled_from(list(ROUTES)))
    def post(self, message, route):
        answer = self.routes[route].post("/messages", message)

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
            (conflict["index"], conflict["uuid"], set(conflict["fields"]))
            for conflict in answer["conflicts"]
        ]

    @rule(
        customer=st.none() | st.integers(1, 4),
        type=st.none() | st.sampled_from(["A", "B", "C"]),
        first=bounds,
        last=bounds,
        interval=st.none() | st.sampled_from(["day", "month"]),
    )
    def report(self, customer, type, first, last, interval):
        query = {
            "customerId": customer,
            "type": type,
            "from": first,
            "to": last,
            "interval": interval,
        }
        answer = self.http.get(
            "/stats", **{name: str(value) for name, value in query.items() if value}
        )
        if first and last and first > last:
            assert answer.status_code == 400
            return

        counts, sums = Counter(), Counter()
        for message in self.model.values():
            day = message["timestamp"][:10]
            is_included = (
                customer in (None, message["customerId"])
                and type in (None, message["type"])
                and str(first or "") <= day <= str(last or "9")
            )
            if is_included:
                period = {"day": [day], "month": [day[:7]], None: []}[interval]
                key = (message["customerId"], message["type"], *period)
                counts[key] += 1
                sums[key] += Decimal(message["amount"])
        assert [tuple(row.values()) for row in answer.json] == [
            (*key, counts[key], f"{sums[key]:.3f}") for key in sorted(counts)
        ]

    @invariant()
    def totals_equal_the_messages(self):
        assert find_differences() == []


@pytest.mark.hypothesis
@pytest.mark.django_db(transaction=True)
def test_service_answers_as_its_model_does():
    run_state_machine_as_test(
        Service,
        settings=settings(
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )
