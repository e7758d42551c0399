"""What an operator does in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.integrations.documents.sql import SqlDocumentStore
from repairjobs.integrations.sms.base import InboundMessage, SmsNotSent, SmsUnknown
from repairjobs.models import (
    ClientJob,
    Job,
    OptOut,
    OutboxKind,
    OutboxTask,
    Payment,
    Sms,
)
from repairjobs.services import parts, private_messages, sms_webhooks
from repairjobs.services.outbox.base import TaskKind
from repairjobs.widgets import widgets
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory

FLAG = "the client deleted the row"

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def job(phone):
    driver.go_live()
    ClientJobFactory(job_id=1)
    driver.import_jobs()


@pytest.fixture
def operate(client, django_user_model):
    """Let an operator do something to all rows of a page; answer with what the page says then."""
    client.force_login(django_user_model.objects.create_superuser("operator"))

    def operate(page, action, rows):
        chosen = [str(row.pk) for row in rows]
        answer = client.post(
            f"/admin/repairjobs/{page}/",
            {"action": action, "_selected_action": chosen, "confirmed": "yes"},
            follow=True,
        )
        return [str(message) for message in answer.context["messages"]]

    return operate


@pytest.mark.parametrize(
    ("action", "texts"), [("resolve_as_sent", 1), ("send_again", 2)], ids=["sent", "not sent"]
)
def test_settles_sms_that_may_have_left(job, phone, operate, action, texts):
    phone.answers = [SmsUnknown("timeout")]
    driver.run_outbox()
    assert driver.attention_of(1)

    assert operate("sms", action, Sms.objects.all()) == ["SMS resolved: 1."]
    driver.run_outbox()

    assert len(phone.received) == texts
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.attention_of(1) == []
    assert operate("sms", action, Sms.objects.all()) == ["SMS resolved: 0."]
    driver.run_outbox()
    assert len(phone.received) == texts
    entry = LogEntry.objects.get()
    assert entry.user.username == "operator"
    assert entry.change_message in {"Marked as sent.", "Sent again."}
    assert any("resolved by hand" in note for note in driver.ledger_of(1))


def test_makes_due_what_was_given_up(job, phone, operate):
    phone.answers = [SmsNotSent("refused")] * TaskKind.max_attempts
    for _ in range(TaskKind.max_attempts):
        driver.run_outbox()
        driver.let_time_pass(hours=1)
    assert OutboxTask.objects.dead_letters().count() == 1

    assert operate("outboxtask", "retry", OutboxTask.objects.all()) == [
        "Tasks that are due now: 1."
    ]
    driver.run_outbox()

    assert len(phone.received) == 1
    assert driver.statuses_of(1)[0] == "OPENED"
    assert LogEntry.objects.get().change_message == "Due now, with no attempts used."
    assert "EVENT sms task retried by hand" in driver.ledger_of(1)


@pytest.mark.parametrize("page", ["sms", "outboxtask", "job", "jobtransaction"])
def test_adds_changes_and_deletes_nothing_by_hand(job, client, django_user_model, page):
    client.force_login(django_user_model.objects.create_superuser("operator"))
    before = Sms.objects.count(), OutboxTask.objects.count()

    assert client.get(f"/admin/repairjobs/{page}/add/").status_code == 403
    first = OutboxTask.objects.get(kind=OutboxKind.SMS).pk
    assert client.post(f"/admin/repairjobs/outboxtask/{first}/delete/").status_code == 403

    assert (Sms.objects.count(), OutboxTask.objects.count()) == before


@pytest.mark.parametrize(
    ("page", "action"), [("sms", "resolve_as_sent"), ("sms", "send_again"), ("outboxtask", "retry")]
)
def test_is_asked_first(job, phone, client, django_user_model, page, action):
    client.force_login(django_user_model.objects.create_superuser("operator"))
    phone.answers = [SmsUnknown("timeout")]
    driver.run_outbox(OutboxKind.SMS)
    row = (Sms if page == "sms" else OutboxTask).objects.first()

    answer = client.post(
        f"/admin/repairjobs/{page}/", {"action": action, "_selected_action": [row.pk]}
    )

    assert answer.template_name == "common/admin/confirm.html"
    assert str(row) in answer.content.decode()
    assert Sms.objects.get().state == "unknown"
    assert not LogEntry.objects.exists()


class TestWhatIsAsked:
    @pytest.fixture
    def ask(self, job, phone, admin_client):
        for number in (2, 3):
            ClientJobFactory(job_id=number)
        driver.import_jobs()
        phone.answers = [SmsUnknown("timeout")]
        driver.run_outbox()

        def ask(action, **which):
            chosen = [row.pk for row in Sms.objects.filter(**which)]
            return admin_client.post(
                "/admin/repairjobs/sms/",
                {"action": action, "_selected_action": chosen},
                follow=True,
            )

        return ask

    @pytest.mark.parametrize("action", ["resolve_as_sent", "send_again"])
    def test_is_of_sms_that_may_have_left_alone(self, ask, action):
        answer = ask(action)

        (unknown,) = Sms.objects.filter(state="unknown")
        assert (answer.context["count"], answer.context["row_names"]) == (1, [str(unknown)])
        assert "Left out: 2, of which none is in doubt." in answer.content.decode()

    def test_is_all_that_is_done(self, ask, admin_client):
        asked = ask("send_again")
        Sms.objects.update(state="unknown")
        sent = {name: [] for name, _ in asked.context["hidden_fields"]}
        for name, value in asked.context["hidden_fields"]:
            sent[name].append(value)

        done = admin_client.post("/admin/repairjobs/sms/", sent | {"confirmed": "yes"}, follow=True)

        assert [str(told) for told in done.context["messages"]] == ["SMS resolved: 1."]
        assert Sms.objects.filter(state="unknown").count() == 2

    def test_is_asked_anew_where_there_are_others_by_now(self, ask, admin_client):
        everything = {"select_across": "1", "confirmed": "yes"}
        sent = dict(ask("send_again").context["hidden_fields"]) | everything
        Sms.objects.update(state="unknown")

        again = admin_client.post("/admin/repairjobs/sms/", sent)

        assert again.context["count"] == 3
        assert Sms.objects.filter(state="unknown").count() == 3
        sent = dict(again.context["hidden_fields"]) | everything
        done = admin_client.post("/admin/repairjobs/sms/", sent, follow=True)
        assert [str(told) for told in done.context["messages"]] == ["SMS resolved: 3."]

    @pytest.mark.parametrize("action", ["resolve_as_sent", "send_again"])
    def test_is_nothing_where_there_is_nothing_to_do(self, ask, action):
        answer = ask(action, state="accepted")

        (told,) = answer.context["messages"]
        assert str(told) == "None of those 2 is in doubt: nothing was done."
        assert told.level_tag == "warning"
        assert answer.redirect_chain


class TestAcknowledge:
    @pytest.fixture
    def gone(self, job):
        driver.run_outbox()
        ClientJob.objects.all().delete()
        driver.sync_jobs()
        assert driver.attention_of(1) == [FLAG]

    @pytest.fixture
    def someone(self, client, django_user_model):
        user = django_user_model.objects.create_user("someone", is_staff=True)

        def someone(*permissions):
            user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
            client.force_login(user)
            return client

        return someone

    PAGE = "/admin/repairjobs/job/1/acknowledge/"

    def test_shows_first_what_is_then_taken_off(self, gone, someone):
        client = someone("view_job", "change_job")

        asked = client.get(self.PAGE)
        assert asked.context["row_names"] == [FLAG]
        assert driver.attention_of(1) == [FLAG]
        client.post(self.PAGE, dict(asked.context["hidden_fields"]))

        assert driver.attention_of(1) == []
        entry = LogEntry.objects.get()
        assert (entry.user.username, entry.change_message) == (
            "someone",
            "Flags marked as seen: 1.",
        )

    def test_is_offered_while_there_is_something_to_look_at(self, gone, someone):
        client = someone("view_job", "change_job")
        offered = f'href="{self.PAGE}"'

        assert offered in client.get("/admin/repairjobs/job/1/change/").content.decode()
        client.post(self.PAGE, dict(client.get(self.PAGE).context["hidden_fields"]))

        assert offered not in client.get("/admin/repairjobs/job/1/change/").content.decode()

    def test_is_only_for_who_may_change_jobs(self, gone, someone):
        answer = someone("view_job").post(self.PAGE, {"flag": "missing"})

        assert answer.status_code == 403
        assert driver.attention_of(1) == [FLAG]


class TestJobPage:
    def test_tells_that_there_is_no_such_job(self, admin_client):
        answer = admin_client.get("/admin/repairjobs/job/99999/change/", follow=True)

        assert "job with ID “99999” doesn’t exist" in answer.content.decode()

    @pytest.fixture
    def lived(self, job, phone):
        driver.run_outbox()
        private_messages.send_private_message(job_id=1, text="Your call", at=timezone.now())
        driver.run_outbox()
        reply = InboundMessage("m-1", "447700900123", "447700900999", "Heyho")
        sms_webhooks.receive_message(reply, at=timezone.now())
        driver.pay(1)
        parts.add_part(job_id=1, part_number="B-7", name="Belt", quantity=2, at=NOON)
        driver.run_outbox()
        OutboxTask.objects.enqueue(Job.objects.get(), OutboxKind.STATUS, "CLOSED")

    def test_tells_all_of_a_job_oldest_first(self, lived, admin_client):
        answer = admin_client.get("/admin/repairjobs/job/1/change/")
        page = answer.content.decode()

        moments = answer.context["timeline"]
        assert [each.at for each in moments] == sorted(each.at for each in moments)
        told = [moment.title for moment in moments]
        assert "GET new job" in told
        assert "PUT Job_status OPENED" in told
        assert "Payment of 120.00 GBP" in told
        assert "SMS from +447700900123" in told
        for text in ["Your call", "Heyho", "2 × B-7 Belt", "status CLOSED", "&quot;job_id&quot;"]:
            assert text in page

    def test_shows_only_what_may_be_seen(self, lived, client, django_user_model):
        user = django_user_model.objects.create_user("someone", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_job"))
        client.force_login(user)

        answer = client.get("/admin/repairjobs/job/1/change/")

        assert answer.context["timeline"] == []
        assert not answer.context["parts"]
        assert not answer.context["outbox_tasks"]
        for secret in ["Customer", "900123", "Heyho", "AB1 2CD"]:
            assert secret not in answer.content.decode()

    def test_opens_though_the_documents_are_away(self, lived, admin_client, monkeypatch):
        monkeypatch.setattr(SqlDocumentStore, "get", _away)

        page = admin_client.get("/admin/repairjobs/job/1/change/").content.decode()

        assert "The document database is unavailable." in page

    def test_asks_a_bounded_number_of_questions(
        self, lived, admin_client, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(14, using="repairjobs"):
            admin_client.get("/admin/repairjobs/job/1/change/")


def _away(*args, **kwargs):
    raise DocumentsUnavailable("away")


class TestLists:
    @pytest.fixture
    def some(self, job, phone):
        for number in (2, 3):
            ClientJobFactory(job_id=number, mobile="none" if number == 2 else "07700 900124")
        driver.import_jobs()
        driver.run_outbox()
        driver.pay(1)
        OptOut.objects.create(number="+447700900456", since=NOON)

    def ids(self, answer):
        return {row.pk for row in answer.context["cl"].result_list}

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
    )
    def test_of_jobs_is_searched_and_narrowed(self, some, admin_client, query, ids):
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
    def test_of_jobs_finds_a_customer_however_it_is_typed(self, some, admin_client, typed, mobile):
        Job.objects.filter(job_id=3).update(
            firstname="Ada", lastname="Example", postcode="QX9 7ZZ", mobile=mobile
        )

        assert self.ids(admin_client.get("/admin/repairjobs/job/", {"q": typed})) == {3}

    def test_of_jobs_shows_who_and_what_was_found(self, some, admin_client):
        Job.objects.update(lastname="Example", product_type="Kettle")

        page = admin_client.get("/admin/repairjobs/job/").content.decode()

        assert page.count("Example") == page.count("Kettle") == 3

    def test_of_jobs_tells_when_nobody_knows_which_need_attention(
        self, some, admin_client, monkeypatch
    ):
        monkeypatch.setattr(SqlDocumentStore, "find", _away)

        answer = admin_client.get("/admin/repairjobs/job/?attention=yes")

        assert self.ids(answer) == set()
        assert "cannot be listed" in answer.content.decode()

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
    def test_ask_four_questions(
        self, some, admin_client, page, query, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(4, using="repairjobs"):
            assert admin_client.get(f"/admin/repairjobs/{page}/{query}").status_code == 200

    def test_of_the_ledger_is_narrowed_by_kind(self, some, admin_client):
        rows = admin_client.get("/admin/repairjobs/jobtransaction/?kind=PUT").context["cl"]

        assert {row.note for row in rows.result_list} == {"PUT Job_status OPENED"}

    @pytest.mark.parametrize(
        "number", ["07700900123", "07700 900123", "+447700900123", "0044 7700 900 123"]
    )
    def test_of_sms_finds_a_number_however_it_is_typed(self, some, admin_client, number):
        to_it = set(Sms.objects.filter(recipient="+447700900123").values_list("pk", flat=True))

        answer = admin_client.get("/admin/repairjobs/sms/", {"q": number})

        assert self.ids(answer) == to_it != set()

    def test_of_sms_finds_a_job_whose_number_could_be_a_phone_s(self, some, admin_client):
        job = Job.objects.create(job_id=1_632_960_000, imported_at=NOON)
        found = Sms.objects.create(job=job, kind="private", state="queued", created_at=NOON)

        answer = admin_client.get("/admin/repairjobs/sms/?q=1632960000")

        assert self.ids(answer) == {found.pk}

    def test_of_opt_outs_finds_a_number_however_it_is_typed(self, some, admin_client):
        answer = admin_client.get("/admin/repairjobs/optout/?q=07700900456")

        assert self.ids(answer) == {OptOut.objects.get().pk}

    def test_of_payments_finds_a_reference(self, some, admin_client):
        answer = admin_client.get("/admin/repairjobs/payment/?q=P-1")

        assert self.ids(answer) == {Payment.objects.get().pk}


@pytest.mark.parametrize(("write_started", "word"), [(False, "no"), (True, "yes")])
def test_says_in_words_what_is_so_or_not(job, admin_client, write_started, word):
    OutboxTask.objects.update(write_started=write_started)
    task = OutboxTask.objects.first()

    page = admin_client.get(f"/admin/repairjobs/outboxtask/{task.pk}/change/").content.decode()

    shown = page[page.index("Write started") : page.index("The status may have been")]
    assert f">{word}<" in shown.replace("\n", "")
    assert "close_small" not in page


class TestPaymentPage:
    def test_shows_the_amount_exactly(self, job, admin_client):
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


class TestCards:
    def shown(self, *models):
        return list(widgets(can_view=lambda model: model in models, at=timezone.now()))

    def test_tell_what_a_person_must_look_at(self, job, phone):
        ClientJobFactory(job_id=2, mobile="none")
        phone.answers = [SmsUnknown("timeout")]
        driver.import_jobs()
        driver.run_outbox()
        figures = {card.title: card for card in self.shown("job", "sms")[:3]}

        assert figures["Needs attention"].value == "2"
        assert figures["Needs attention"].is_alarm
        assert (figures["Jobs under way"].value, figures["Jobs under way"].note) == (
            "2",
            "1 with status NEW",
        )
        assert figures["Unknown SMS"].is_alarm

    def test_that_alarm_stand_above_all_others(self, job, phone, admin_client):
        calm = admin_client.get("/admin/").content.decode()
        assert "To be looked at" not in calm

        ClientJobFactory(job_id=2, mobile="none")
        driver.import_jobs()
        driver.run_outbox()
        page = admin_client.get("/admin/").content.decode()

        above = page[page.index("To be looked at") : page.index("<section")]
        assert re.findall('href="(.*?)">(.*?) <strong.*?>(.*?)<', above) == [
            ("/admin/repairjobs/job/?attention=yes", "Repair jobs: Needs attention", "1")
        ]

    def test_lead_to_what_they_count(self, job, phone, admin_client):
        for number in (2, 3):
            ClientJobFactory(job_id=number)
        driver.import_jobs()
        phone.answers = [SmsUnknown("timeout")]
        driver.run_outbox()
        Job.objects.filter(pk=2).update(closed_at=NOON, state="closed")
        counted = {
            card.title: len(admin_client.get(card.link).context["cl"].result_list)
            for card in self.shown("job", "sms", "outboxtask")
            if hasattr(card, "link")
        }

        assert counted == {
            "Needs attention": 1,
            "Jobs under way": 2,
            "Dead letters": 0,
            "Unknown SMS": 1,
        }

    def test_chart_statuses_and_outcomes(self, job, phone):
        Sms.objects.update(created_at=timezone.now())
        driver.run_outbox()
        statuses, outcomes = self.shown("job", "sms")[-2:]

        assert dict(zip(statuses.labels, statuses.series["Jobs"], strict=True)) == {
            "NEW": 0,
            "OPENED": 1,
            "IN PROGRESS": 0,
            "JOB COMPLETED": 0,
        }
        assert dict(zip(outcomes.labels, outcomes.series["SMS"], strict=True))["accepted"] == 1

    def test_say_that_documents_are_away(self, job, monkeypatch):
        monkeypatch.setattr(SqlDocumentStore, "count_attention", _away)

        assert self.shown("job")[0].note == "the document database is unavailable"

    def test_are_only_for_who_may_see(self, job):
        assert [card.title for card in self.shown("outboxtask")] == ["Dead letters"]

    def test_ask_five_questions(self, job, django_assert_max_num_queries):
        with django_assert_max_num_queries(5, using="repairjobs"):
            self.shown("job", "sms", "outboxtask")
