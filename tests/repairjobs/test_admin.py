"""What an operator does in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from repairjobs import documents, errands, sms
from repairjobs.cards import cards
from repairjobs.models import (
    ClientJob,
    Errand,
    ErrandKind,
    Job,
    OptOut,
    Payment,
    Sms,
)
from repairjobs.services import hearing, parts, texting
from tests.repairjobs import desk
from tests.repairjobs.factories import NOON, ClientJobFactory

FLAG = "the client's row has gone"

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def job(phone):
    desk.go_live()
    ClientJobFactory(job_id=1)
    desk.collect()


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
    ("action", "texts"), [("settle_as_sent", 1), ("send_again", 2)], ids=["sent", "not sent"]
)
def test_settles_sms_that_may_have_left(job, phone, operate, action, texts):
    phone.answers = [sms.SmsUnknown("timeout")]
    desk.run()
    assert desk.attention(1)

    assert operate("sms", action, Sms.objects.all()) == ["Settled 1 SMS."]
    desk.run()

    assert len(phone.received) == texts
    assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
    assert desk.attention(1) == []
    assert operate("sms", action, Sms.objects.all()) == ["Settled 0 SMS."]
    desk.run()
    assert len(phone.received) == texts
    entry = LogEntry.objects.get()
    assert entry.user.username == "operator"
    assert entry.change_message.startswith("Settled: it was")
    assert any("settled by hand" in note for note in desk.ledger(1))


def test_makes_due_what_was_given_up(job, phone, operate):
    phone.answers = [sms.SmsNotSent("refused")] * errands.MAX_ATTEMPTS
    for _ in range(errands.MAX_ATTEMPTS):
        desk.run()
        desk.wait(hours=1)
    assert Errand.objects.quarantined().count() == 1

    assert operate("errand", "retry", Errand.objects.all()) == ["1 errands are due now."]
    desk.run()

    assert len(phone.received) == 1
    assert desk.status_of(1)[0] == "OPENED"
    assert LogEntry.objects.get().change_message == "Due now, with all attempts before it."
    assert "EVENT sms is due now, by hand" in desk.ledger(1)


@pytest.mark.parametrize("page", ["sms", "errand", "job", "jobtransaction"])
def test_adds_changes_and_deletes_nothing_by_hand(job, client, django_user_model, page):
    client.force_login(django_user_model.objects.create_superuser("operator"))
    before = Sms.objects.count(), Errand.objects.count()

    assert client.get(f"/admin/repairjobs/{page}/add/").status_code == 403
    first = Errand.objects.get(kind=ErrandKind.SMS).pk
    assert client.post(f"/admin/repairjobs/errand/{first}/delete/").status_code == 403

    assert (Sms.objects.count(), Errand.objects.count()) == before


@pytest.mark.parametrize(
    ("page", "action"), [("sms", "settle_as_sent"), ("sms", "send_again"), ("errand", "retry")]
)
def test_is_asked_first(job, phone, client, django_user_model, page, action):
    client.force_login(django_user_model.objects.create_superuser("operator"))
    phone.answers = [sms.SmsUnknown("timeout")]
    desk.run(ErrandKind.SMS)
    row = (Sms if page == "sms" else Errand).objects.first()

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
        desk.collect()
        phone.answers = [sms.SmsUnknown("timeout")]
        desk.run()

        def ask(action, **which):
            chosen = [row.pk for row in Sms.objects.filter(**which)]
            return admin_client.post(
                "/admin/repairjobs/sms/",
                {"action": action, "_selected_action": chosen},
                follow=True,
            )

        return ask

    @pytest.mark.parametrize("action", ["settle_as_sent", "send_again"])
    def test_is_of_sms_that_may_have_left_alone(self, ask, action):
        answer = ask(action)

        (unknown,) = Sms.objects.filter(state="unknown")
        assert (answer.context["count"], answer.context["row_names"]) == (1, [str(unknown)])
        assert "Selected rows that are left out: 2." in answer.content.decode()

    def test_is_all_that_is_done(self, ask, admin_client):
        asked = ask("send_again")
        Sms.objects.update(state="unknown")
        sent = {name: [] for name, _ in asked.context["hidden_fields"]}
        for name, value in asked.context["hidden_fields"]:
            sent[name].append(value)

        done = admin_client.post("/admin/repairjobs/sms/", sent | {"confirmed": "yes"}, follow=True)

        assert [str(told) for told in done.context["messages"]] == ["Settled 1 SMS."]
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
        assert [str(told) for told in done.context["messages"]] == ["Settled 3 SMS."]

    @pytest.mark.parametrize("action", ["settle_as_sent", "send_again"])
    def test_is_nothing_where_there_is_nothing_to_do(self, ask, action):
        answer = ask(action, state="accepted")

        (told,) = answer.context["messages"]
        assert str(told) == (
            "Nothing was done. This action applies only to SMS whose outcome is unknown."
        )
        assert told.level_tag == "warning"
        assert answer.redirect_chain


class TestAcknowledge:
    @pytest.fixture
    def gone(self, job):
        desk.run()
        ClientJob.objects.all().delete()
        desk.follow()
        assert desk.attention(1) == [FLAG]

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
        assert desk.attention(1) == [FLAG]
        client.post(self.PAGE, dict(asked.context["hidden_fields"]))

        assert desk.attention(1) == []
        entry = LogEntry.objects.get()
        assert (entry.user.username, entry.change_message) == ("someone", "Marked 1 as seen.")

    def test_is_offered_while_there_is_something_to_look_at(self, gone, someone):
        client = someone("view_job", "change_job")
        offered = f'href="{self.PAGE}"'

        assert offered in client.get("/admin/repairjobs/job/1/change/").content.decode()
        client.post(self.PAGE, dict(client.get(self.PAGE).context["hidden_fields"]))

        assert offered not in client.get("/admin/repairjobs/job/1/change/").content.decode()

    def test_is_only_for_who_may_change_jobs(self, gone, someone):
        answer = someone("view_job").post(self.PAGE, {"flag": "missing"})

        assert answer.status_code == 403
        assert desk.attention(1) == [FLAG]


class TestJobPage:
    def test_tells_that_there_is_no_such_job(self, admin_client):
        answer = admin_client.get("/admin/repairjobs/job/99999/change/", follow=True)

        assert "job with ID “99999” doesn’t exist" in answer.content.decode()

    @pytest.fixture
    def lived(self, job, phone):
        desk.run()
        texting.send_private_message(job_id=1, text="Your call", at=timezone.now())
        desk.run()
        hearing.receive_sms(
            message_uuid="m-1",
            sender="447700900123",
            recipient="447700900999",
            text="Heyho",
            at=timezone.now(),
        )
        desk.pay(1)
        parts.add_part(job_id=1, part_number="B-7", name="Belt", quantity=2)
        desk.run()
        Errand.objects.owe(Job.objects.get(), ErrandKind.STATUS, "CLOSED")

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
        assert not answer.context["errands"]
        for secret in ["Customer", "900123", "Heyho", "AB1 2CD"]:
            assert secret not in answer.content.decode()

    def test_opens_though_the_documents_are_away(self, lived, admin_client, monkeypatch):
        monkeypatch.setattr(documents.SqlDocuments, "get", _away)

        page = admin_client.get("/admin/repairjobs/job/1/change/").content.decode()

        assert "The store of documents is away." in page

    def test_asks_a_bounded_number_of_questions(
        self, lived, admin_client, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(14, using="repairjobs"):
            admin_client.get("/admin/repairjobs/job/1/change/")


def _away(*args, **kwargs):
    raise documents.DocumentsUnavailable("away")


class TestLists:
    @pytest.fixture(scope="class")
    @classmethod
    def some(cls, shared_rows):
        with shared_rows("default", "repairjobs", "client"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sms, "send", desk.Phone().send)
                desk.go_live()
                for number, mobile in [(1, "07700 900123"), (2, "none"), (3, "07700 900124")]:
                    ClientJobFactory(job_id=number, mobile=mobile)
                    desk.collect()
                desk.run()
            desk.pay(1)
            OptOut.objects.create(number="+447700900456", since=NOON)
            yield

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
        monkeypatch.setattr(documents.SqlDocuments, "find", _away)

        answer = admin_client.get("/admin/repairjobs/job/?attention=yes")

        assert self.ids(answer) == set()
        assert "nobody can tell" in answer.content.decode()

    @pytest.mark.parametrize(
        "page",
        [
            "job",
            "jobtransaction",
            "payment",
            "part",
            "sms",
            "errand",
            "deliveryreport",
            "optout",
            "acknowledgement",
            "collection",
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
        job = Job.objects.create(job_id=1_632_960_000, collected_at=NOON)
        found = Sms.objects.create(job=job, kind="private", state="queued", created_at=NOON)

        answer = admin_client.get("/admin/repairjobs/sms/?q=1632960000")

        assert self.ids(answer) == {found.pk}

    def test_of_opt_outs_finds_a_number_however_it_is_typed(self, some, admin_client):
        answer = admin_client.get("/admin/repairjobs/optout/?q=07700900456")

        assert self.ids(answer) == {OptOut.objects.get().pk}

    def test_of_payments_finds_a_reference(self, some, admin_client):
        answer = admin_client.get("/admin/repairjobs/payment/?q=P-1")

        assert self.ids(answer) == {Payment.objects.get().pk}


@pytest.mark.parametrize(("is_intended", "word"), [(False, "no"), (True, "yes")])
def test_says_in_words_what_is_so_or_not(job, admin_client, is_intended, word):
    Errand.objects.update(is_intended=is_intended)
    errand = Errand.objects.first()

    page = admin_client.get(f"/admin/repairjobs/errand/{errand.pk}/change/").content.decode()

    shown = page[page.index("Is intended") : page.index("A write to the client may")]
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
        return list(cards(can_view=lambda model: model in models, at=timezone.now()))

    def test_tell_what_a_person_must_look_at(self, job, phone):
        ClientJobFactory(job_id=2, mobile="none")
        phone.answers = [sms.SmsUnknown("timeout")]
        desk.collect()
        desk.run()
        figures = {card.title: card for card in self.shown("job", "sms")[:3]}

        assert figures["Needs attention"].value == "2"
        assert figures["Needs attention"].is_alarm
        assert (figures["Jobs under way"].value, figures["Jobs under way"].note) == (
            "2",
            "1 of them new",
        )
        assert figures["Unsettled SMS"].is_alarm

    def test_that_alarm_stand_above_all_others(self, job, phone, admin_client):
        calm = admin_client.get("/admin/").content.decode()
        assert 'aria-label="Alarms"' not in calm

        ClientJobFactory(job_id=2, mobile="none")
        desk.collect()
        desk.run()
        page = admin_client.get("/admin/").content.decode()

        above = page[page.index('aria-label="Alarms"') : page.index("<section")]
        assert re.findall('href="(.*?)">(.*?) <strong.*?>(.*?)<', above) == [
            ("/admin/repairjobs/job/?attention=yes", "Repair jobs: Needs attention", "1")
        ]

    def test_lead_to_what_they_count(self, job, phone, admin_client):
        for number in (2, 3):
            ClientJobFactory(job_id=number)
        desk.collect()
        phone.answers = [sms.SmsUnknown("timeout")]
        desk.run()
        Job.objects.filter(pk=2).update(closed_at=NOON)
        counted = {
            card.title: len(admin_client.get(card.link).context["cl"].result_list)
            for card in self.shown("job", "sms", "errand")
            if hasattr(card, "link")
        }

        assert counted == {
            "Needs attention": 1,
            "Jobs under way": 2,
            "Given up for now": 0,
            "Unsettled SMS": 1,
        }

    def test_chart_statuses_and_outcomes(self, job, phone):
        Sms.objects.update(created_at=timezone.now())
        desk.run()
        statuses, outcomes = self.shown("job", "sms")[-2:]

        assert dict(zip(statuses.labels, statuses.series["Jobs"], strict=True)) == {
            "NEW": 0,
            "OPENED": 1,
            "IN PROGRESS": 0,
            "JOB COMPLETED": 0,
        }
        assert dict(zip(outcomes.labels, outcomes.series["SMS"], strict=True))["accepted"] == 1

    def test_say_that_documents_are_away(self, job, monkeypatch):
        monkeypatch.setattr(documents.SqlDocuments, "count_attention", _away)

        assert self.shown("job")[0].note == "the store of documents is away"

    def test_are_only_for_who_may_see(self, job):
        assert [card.title for card in self.shown("errand")] == ["Given up for now"]

    def test_ask_five_questions(self, job, django_assert_max_num_queries):
        with django_assert_max_num_queries(5, using="repairjobs"):
            self.shown("job", "sms", "errand")
