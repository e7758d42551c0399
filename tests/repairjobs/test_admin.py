"""The admin's lists, and the actions of an operator."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import override_settings

from repairjobs.models import Job, OptOut, OutboxKind, OutboxTask, Payment, Sms
from repairjobs.services.outbox.base import TaskKind
from tests.support.ids import readable
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def operator(client, django_user_model):
    """The test client of a signed-in operator."""
    client.force_login(django_user_model.objects.create_superuser("operator"))
    return client


@pytest.fixture
def run_action(operator):
    """Run an action for rows of a list, and return the messages of the page after it."""

    def run_action(page, action, rows):
        response = operator.post(
            f"/admin/repairjobs/{page}/",
            {
                "action": action,
                "_selected_action": [str(row.pk) for row in rows],
                "confirmed": "yes",
            },
            follow=True,
        )
        return [str(message) for message in response.context["messages"]]

    return run_action


@pytest.mark.parametrize(
    ("action", "sms_count"), [("resolve_as_sent", 1), ("send_again", 2)], ids=["sent", "not sent"]
)
def test_an_operator_resolves_sms_that_were_perhaps_sent(
    job, vonage, run_action, action, sms_count
):
    vonage.fail(Fault.BROKEN_ACCEPTED)
    driver.run_outbox()
    assert driver.attention_of(1)

    assert run_action("sms", action, Sms.objects.all()) == ["SMS resolved: 1."]
    driver.run_outbox()

    assert len(vonage.accepted) == sms_count
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.attention_of(1) == []
    assert run_action("sms", action, Sms.objects.all()) == ["SMS resolved: 0."]
    driver.run_outbox()
    assert len(vonage.accepted) == sms_count
    entry = LogEntry.objects.get()
    assert entry.user.username == "operator"
    assert entry.change_message in {"Marked as sent.", "Sent again."}
    assert any("resolved by hand" in note for note in driver.ledger_of(1))


def test_an_operator_retries_dead_letters(job, vonage, run_action):
    vonage.fail(*[Fault.THROTTLED] * TaskKind.max_attempts)
    for _ in range(TaskKind.max_attempts):
        driver.run_outbox()
        driver.let_time_pass(hours=1)
    assert OutboxTask.objects.dead_letters().count() == 1

    assert run_action("outboxtask", "retry", OutboxTask.objects.all()) == [
        "Tasks that are due now: 1."
    ]
    driver.run_outbox()

    assert len(vonage.accepted) == 1
    assert driver.statuses_of(1)[0] == "OPENED"
    assert LogEntry.objects.get().change_message == "Due now, with no attempts used."
    assert "EVENT sms task retried by hand" in driver.ledger_of(1)


@pytest.mark.parametrize("page", ["sms", "outboxtask", "job", "jobtransaction"])
def test_no_row_can_be_added_or_deleted_by_hand(job, operator, page):
    counts_before = Sms.objects.count(), OutboxTask.objects.count()

    assert operator.get(f"/admin/repairjobs/{page}/add/").status_code == 403
    task = OutboxTask.objects.get(kind=OutboxKind.SMS)
    response = operator.post(f"/admin/repairjobs/outboxtask/{task.pk}/delete/")
    assert response.status_code == 403

    assert (Sms.objects.count(), OutboxTask.objects.count()) == counts_before


@pytest.mark.parametrize(
    ("page", "action"),
    [("sms", "resolve_as_sent"), ("sms", "send_again"), ("outboxtask", "retry")],
    ids=["resolve as sent", "send again", "retry"],
)
def test_an_action_asks_for_confirmation_first(job, vonage, operator, page, action):
    vonage.fail(Fault.BROKEN)
    driver.run_outbox(OutboxKind.SMS)
    row = (Sms if page == "sms" else OutboxTask).objects.first()

    response = operator.post(
        f"/admin/repairjobs/{page}/", {"action": action, "_selected_action": [row.pk]}
    )

    assert response.template_name == "common/admin/confirm.html"
    assert str(row) in response.content.decode()
    assert Sms.objects.get().state == "unknown"
    assert not LogEntry.objects.exists()


class TestConfirmation:
    """Three SMS, of which one was perhaps sent."""

    LIST = "/admin/repairjobs/sms/"

    @pytest.fixture
    def ask(self, job, vonage, admin_client):
        for job_id in (2, 3):
            ClientJobFactory(job_id=job_id)
        driver.import_jobs()
        vonage.fail(Fault.BROKEN)
        driver.run_outbox()

        def ask(action, **filters):
            ids = [row.pk for row in Sms.objects.filter(**filters)]
            return admin_client.post(
                self.LIST, {"action": action, "_selected_action": ids}, follow=True
            )

        return ask

    @pytest.mark.parametrize("action", ["resolve_as_sent", "send_again"])
    def test_the_confirmation_names_only_unknown_sms(self, ask, action):
        response = ask(action)

        (unknown_sms,) = Sms.objects.filter(state="unknown")
        assert (response.context["count"], response.context["row_names"]) == (1, [str(unknown_sms)])
        assert "Selected rows that are left out: 2." in response.content.decode()

    def test_only_the_confirmed_sms_are_resolved(self, ask, admin_client):
        confirmation = ask("send_again")
        Sms.objects.update(state="unknown")
        form = {name: [] for name, _ in confirmation.context["hidden_fields"]}
        for name, value in confirmation.context["hidden_fields"]:
            form[name].append(value)

        response = admin_client.post(self.LIST, form | {"confirmed": "yes"}, follow=True)

        messages = [str(message) for message in response.context["messages"]]
        assert messages == ["SMS resolved: 1."]
        assert Sms.objects.filter(state="unknown").count() == 2

    def test_the_confirmation_is_repeated_if_there_are_more_rows_by_now(self, ask, admin_client):
        all_rows = {"select_across": "1", "confirmed": "yes"}
        form = dict(ask("send_again").context["hidden_fields"]) | all_rows
        Sms.objects.update(state="unknown")

        confirmation = admin_client.post(self.LIST, form)

        assert confirmation.context["count"] == 3
        assert Sms.objects.filter(state="unknown").count() == 3
        form = dict(confirmation.context["hidden_fields"]) | all_rows
        response = admin_client.post(self.LIST, form, follow=True)
        messages = [str(message) for message in response.context["messages"]]
        assert messages == ["SMS resolved: 3."]

    @pytest.mark.parametrize("action", ["resolve_as_sent", "send_again"])
    def test_an_action_without_eligible_rows_only_warns(self, ask, action):
        response = ask(action, state="accepted")

        (message,) = response.context["messages"]
        assert (
            str(message)
            == "Nothing was done. This action applies only to SMS whose outcome is unknown."
        )
        assert message.level_tag == "warning"
        assert response.redirect_chain


class TestLists:
    @pytest.fixture(scope="class")
    @classmethod
    def jobs(cls, shared_rows, vonage_server):
        with shared_rows("default", "repairjobs", "client"):
            with override_settings(**vonage_server.settings):
                driver.go_live()
                for job_id, mobile in [(1, "07700 900123"), (2, "none"), (3, "07700 900124")]:
                    ClientJobFactory(job_id=job_id, mobile=mobile)
                driver.import_jobs()
                driver.run_outbox()
            driver.pay(1)
            OptOut.objects.create(number="+447700900456", since=NOON)
            yield

    def ids(self, response):
        return {row.pk for row in response.context["cl"].result_list}

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ("", {1, 2, 3}),
            ("?q=00002", {2}),
            ("?q=900124", {3}),
            ("?q=none", {2}),
            ("?attention=yes", {2}),
            ("?status=OPENED", {1, 2, 3}),
            ("?status=CLOSED", set()),
            ("?under_way=yes", {1, 2, 3}),
        ],
        ids=readable,
    )
    def test_the_list_of_jobs_can_be_searched_and_filtered(self, jobs, admin_client, query, ids):
        assert self.ids(admin_client.get(f"/admin/repairjobs/job/{query}")) == ids

    @pytest.mark.parametrize(
        "typed",
        [
            "Ada Example",
            "example ada",
            "QX9 7ZZ",
            "qx97zz",
            "Example QX9",
            "07700 900199",
            "07700900199",
            "+447700900199",
            "+44 7700 900199",
            "0044 7700-900199",
        ],
    )
    @pytest.mark.parametrize("mobile", ["07700 900199", "+44 (0)7700-900199", "7700900199"])
    def test_a_customer_is_found_in_any_spelling(self, jobs, admin_client, typed, mobile):
        Job.objects.filter(job_id=3).update(
            firstname="Ada", lastname="Example", postcode="QX9 7ZZ", mobile=mobile
        )

        assert self.ids(admin_client.get("/admin/repairjobs/job/", {"q": typed})) == {3}

    def test_the_list_of_jobs_shows_customers_and_products(self, jobs, admin_client):
        Job.objects.update(lastname="Example", product_type="Kettle")

        page = admin_client.get("/admin/repairjobs/job/").content.decode()

        assert page.count("Example") == page.count("Kettle") == 3

    def test_the_attention_filter_says_that_the_document_database_is_unavailable(
        self, jobs, admin_client, settings, closed_mongo_url
    ):
        settings.MONGO_URL = closed_mongo_url

        response = admin_client.get("/admin/repairjobs/job/?attention=yes")

        assert self.ids(response) == set()
        assert "cannot be listed" in response.content.decode()

    @pytest.mark.parametrize(
        "page",
        [
            "job",
            "jobtransaction",
            "payment",
            "part",
            "sms",
            "outboxtask",
            "deliveryreceipt",
            "optout",
            "acknowledgement",
            "importcursor",
        ],
    )
    @pytest.mark.parametrize("query", ["", "?q=1"])
    def test_a_list_costs_four_queries(
        self, jobs, admin_client, page, query, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(4, using="repairjobs"):
            assert admin_client.get(f"/admin/repairjobs/{page}/{query}").status_code == 200

    def test_the_ledger_can_be_filtered_by_kind(self, jobs, admin_client):
        rows = admin_client.get("/admin/repairjobs/jobtransaction/?kind=PUT").context["cl"]

        assert {row.note for row in rows.result_list} == {"PUT Job_status OPENED"}

    @pytest.mark.parametrize(
        "number", ["07700900123", "07700 900123", "+447700900123", "0044 7700 900 123"]
    )
    def test_an_sms_is_found_by_its_number_in_any_spelling(self, jobs, admin_client, number):
        ids = set(Sms.objects.filter(recipient="+447700900123").values_list("pk", flat=True))

        response = admin_client.get("/admin/repairjobs/sms/", {"q": number})

        assert self.ids(response) == ids != set()

    def test_an_sms_is_found_by_a_job_id_that_looks_like_a_phone_number(self, jobs, admin_client):
        job = Job.objects.create(job_id=1_632_960_000, imported_at=NOON)
        sms = Sms.objects.create(job=job, kind="private", state="queued", created_at=NOON)

        response = admin_client.get("/admin/repairjobs/sms/?q=1632960000")

        assert self.ids(response) == {sms.pk}

    def test_an_opt_out_is_found_by_its_number_in_any_spelling(self, jobs, admin_client):
        response = admin_client.get("/admin/repairjobs/optout/?q=07700900456")

        assert self.ids(response) == {OptOut.objects.get().pk}

    def test_a_payment_is_found_by_its_reference(self, jobs, admin_client):
        response = admin_client.get("/admin/repairjobs/payment/?q=P-1")

        assert self.ids(response) == {Payment.objects.get().pk}


@pytest.mark.parametrize(("write_started", "word"), [(False, "no"), (True, "yes")])
def test_a_boolean_is_shown_as_yes_or_no(job, admin_client, write_started, word):
    OutboxTask.objects.update(write_started=write_started)
    task = OutboxTask.objects.first()

    page = admin_client.get(f"/admin/repairjobs/outboxtask/{task.pk}/change/").content.decode()

    value = page[page.index("Write started") : page.index("The status may have been")]
    assert f">{word}<" in value.replace("\n", "")
    assert "close_small" not in page


def test_the_page_of_a_payment_shows_the_exact_amount(job, admin_client):
    payment = Payment.objects.create(
        reference="P-9",
        job_id=1,
        amount_hundredths=2**53 + 1,
        currency="GBP",
        received_at=NOON,
    )

    page = admin_client.get(f"/admin/repairjobs/payment/{payment.pk}/change/").content.decode()

    assert "90071992547409.93" in page
    assert "hundredths" not in page
