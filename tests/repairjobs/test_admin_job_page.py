"""The admin's page of a job, and the page on which a person marks its flags as seen."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.models import ClientJob, Job, OutboxKind, OutboxTask
from repairjobs.services import parts, private_messages, sms_webhooks
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON

pytestmark = pytest.mark.django_db(databases="__all__")

FLAG = "the client deleted the row"
PAGE = "/admin/repairjobs/job/1/change/"


@pytest.fixture
def sign_in(client, django_user_model):
    """Sign in as a person with these permissions; return the client."""
    user = django_user_model.objects.create_user("someone", is_staff=True)

    def sign_in(*permissions):
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return sign_in


class TestAcknowledge:
    ACKNOWLEDGE = "/admin/repairjobs/job/1/acknowledge/"

    @pytest.fixture(autouse=True)
    def _job_without_row(self, job):
        driver.run_outbox()
        ClientJob.objects.all().delete()
        driver.sync_jobs()
        assert driver.attention_of(1) == [FLAG]

    def test_a_person_marks_the_listed_flags_as_seen(self, sign_in):
        client = sign_in("view_job", "change_job")

        confirmation = client.get(self.ACKNOWLEDGE)
        assert confirmation.context["row_names"] == [FLAG]
        assert driver.attention_of(1) == [FLAG]
        client.post(self.ACKNOWLEDGE, dict(confirmation.context["hidden_fields"]))

        assert driver.attention_of(1) == []
        entry = LogEntry.objects.get()
        assert (entry.user.username, entry.change_message) == (
            "someone",
            "Flags marked as seen: 1.",
        )

    def test_the_job_page_links_to_the_confirmation_while_there_are_flags(self, sign_in):
        client = sign_in("view_job", "change_job")
        link = f'href="{self.ACKNOWLEDGE}"'

        assert link in client.get(PAGE).content.decode()
        client.post(self.ACKNOWLEDGE, dict(client.get(self.ACKNOWLEDGE).context["hidden_fields"]))

        assert link not in client.get(PAGE).content.decode()

    def test_a_person_who_may_not_change_jobs_cannot_mark_flags(self, sign_in):
        response = sign_in("view_job").post(self.ACKNOWLEDGE, {"flag": "missing"})

        assert response.status_code == 403
        assert driver.attention_of(1) == [FLAG]


def test_an_unknown_job_has_a_message_instead_of_a_page(admin_client):
    response = admin_client.get("/admin/repairjobs/job/99999/change/", follow=True)

    assert "job with ID “99999” doesn’t exist" in response.content.decode()


class TestJobPage:
    @pytest.fixture(autouse=True)
    def _job_with_a_history(self, job):
        driver.run_outbox()
        private_messages.send_private_message(job_id=1, text="Your call", at=timezone.now())
        driver.run_outbox()
        reply = InboundMessage("m-1", "447700900123", "447700900999", "Heyho")
        sms_webhooks.receive_message(reply, at=timezone.now())
        driver.pay(1)
        parts.add_part(job_id=1, part_number="B-7", name="Belt", quantity=2, at=NOON)
        driver.run_outbox()
        OutboxTask.objects.enqueue(Job.objects.get(), OutboxKind.STATUS, "CLOSED")

    def test_the_page_shows_everything_about_a_job_oldest_first(self, admin_client):
        response = admin_client.get(PAGE)
        page = response.content.decode()

        timeline = response.context["timeline"]
        assert [entry.at for entry in timeline] == sorted(entry.at for entry in timeline)
        titles = [entry.title for entry in timeline]
        assert "GET new job" in titles
        assert "PUT Job_status OPENED" in titles
        assert "Payment of 120.00 GBP" in titles
        assert "SMS from +447700900123" in titles
        for text in ["Your call", "Heyho", "2 × B-7 Belt", "status CLOSED", "&quot;job_id&quot;"]:
            assert text in page

    def test_the_page_shows_only_permitted_models_and_no_personal_data(self, sign_in):
        response = sign_in("view_job").get(PAGE)

        assert response.context["timeline"] == []
        assert not response.context["parts"]
        assert not response.context["outbox_tasks"]
        for personal_data in ["Customer", "900123", "Heyho", "AB1 2CD"]:
            assert personal_data not in response.content.decode()

    def test_the_page_opens_although_the_document_database_is_unavailable(
        self, admin_client, settings, closed_mongo_url
    ):
        settings.MONGO_URL = closed_mongo_url

        page = admin_client.get(PAGE).content.decode()

        assert "The document database is unavailable." in page

    def test_the_page_costs_fourteen_queries(self, admin_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(14, using="repairjobs"):
            admin_client.get(PAGE)
