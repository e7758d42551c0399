import json

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.models import Job, OptOut, Sms
from repairjobs.services import private_messages, sms_webhooks
from repairjobs.services.masking import mask_number
from tests.common.routes import key_header
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory

pytestmark = pytest.mark.django_db(databases="__all__")

# What a page may not hold; each only there if it is the customer's.
SECRETS = ["Firstly", "Lastly", "ZZ9 9ZZ", "07700 900456", "+447700900456", "447700900456", "Heyho"]


@pytest.fixture(autouse=True)
def closed(settings, phone):
    settings.API_KEYS_REQUIRED = True
    driver.go_live()


@pytest.fixture
def job():
    ClientJobFactory(
        job_id=123,
        firstname="Firstly",
        lastname="Lastly",
        postcode="ZZ9 9ZZ",
        mobile="07700 900456",
    )
    driver.import_jobs()
    driver.run_outbox()
    private_messages.send_private_message(job_id=123, text="Heyho", at=timezone.now())
    reply = InboundMessage("m-1", "447700900456", "447700900999", "Heyho back")
    sms_webhooks.receive_message(reply, at=timezone.now())
    driver.run_outbox()
    return Job.objects.get()


PATHS = ["/jobs", "/jobs/123", "/jobs/123/messages", "/client/jobs", "/client/jobs/123"]


def secrets_in(text):
    return [secret for secret in SECRETS if secret in text]


class TestTheAPI:
    def ask(self, api, path, **fields):
        answer = api.get(path, headers=key_header("repairjobs", **fields))
        assert answer.status_code == 200
        return json.dumps(answer.json(), ensure_ascii=False)

    @pytest.mark.parametrize("path", PATHS)
    def test_shows_customers_to_a_key(self, api, job, path):
        assert secrets_in(self.ask(api, path))

    @pytest.mark.parametrize("path", [*PATHS, "/transactions", "/jobs/123/transactions", "/parts"])
    def test_masks_them_for_a_key_that_may_not_see_them(self, api, job, path):
        shown = self.ask(api, path, sees_personal_data=False)

        assert not secrets_in(shown)
        assert ("+44••••••0456" in shown) == (path in PATHS)

    def test_masks_what_a_write_answers_too(self, api, job):
        headers = key_header("repairjobs", sees_personal_data=False)

        sent = api.post("/jobs/123/messages", {"text": "Heyho"}, format="json", headers=headers)
        moved = api.put(
            "/client/jobs/123", {"Job_status": "IN PROGRESS"}, format="json", headers=headers
        )

        assert (sent.status_code, moved.status_code) == (201, 200)
        assert sent.json()["to"] == moved.json()["Client_mobile"] == "+44••••••0456"
        assert not secrets_in(sent.content.decode() + moved.content.decode())

    @pytest.mark.parametrize(
        ("permissions", "is_shown"),
        [(["view_job"], False), (["view_job", "view_personal_data"], True)],
    )
    def test_asks_people_for_the_permission(self, client, job, user, permissions, is_shown):
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)

        for path in PATHS:
            page = client.get(path, headers={"Accept": "text/html"}).content.decode()
            assert bool(secrets_in(page)) == is_shown


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("someone", is_staff=True)


class TestTheAdmin:
    @pytest.fixture
    def pages(self, job):
        OptOut.objects.create(number="+447700900456", since=timezone.now())
        lists = [f"/admin/repairjobs/{name}/" for name in ("job", "sms", "optout")]
        rows = [(lists[0], job.pk), *[(lists[1], sms.pk) for sms in Sms.objects.all()]]
        rows.append((lists[2], OptOut.objects.get().pk))
        return [*lists, *[f"{path}{pk}/change/" for path, pk in rows]]

    @pytest.fixture
    def sign_in(self, client, user):
        def sign_in(*permissions):
            names = ["view_job", "view_sms", "view_optout", *permissions]
            user.user_permissions.set(Permission.objects.filter(codename__in=names))
            client.force_login(user)
            return client

        return sign_in

    def test_shows_customers_to_who_may_see_them(self, sign_in, pages):
        client = sign_in("view_personal_data")

        found = {path for path in pages if secrets_in(client.get(path).content.decode())}

        assert found == set(pages)

    def test_masks_them_for_others(self, sign_in, pages):
        client = sign_in()

        for path in pages:
            page = client.get(path)
            assert page.status_code == 200
            assert not secrets_in(page.content.decode()), path
            assert "•••" in page.content.decode()

    @pytest.mark.parametrize(
        "query",
        ["job/?mobile__startswith=07700", "job/?lastname=Lastly", "sms/?recipient__contains=0456"],
    )
    def test_answers_no_questions_about_them(self, sign_in, pages, query):
        assert sign_in().get(f"/admin/repairjobs/{query}").status_code == 400
        assert sign_in("view_personal_data").get(f"/admin/repairjobs/{query}").status_code == 200

    @pytest.mark.parametrize(("permissions", "found"), [([], 0), (["view_personal_data"], 1)])
    def test_searches_them_only_for_who_may_see_them(self, sign_in, pages, permissions, found):
        page = sign_in(*permissions).get("/admin/repairjobs/job/?q=Lastly")

        # Without fields to search, the search is off and the list is whole.
        listed = page.context["cl"]
        assert ("lastname" in listed.search_fields) == bool(found)

    @pytest.mark.parametrize(("permissions", "found"), [([], 0), (["view_personal_data"], 1)])
    @pytest.mark.parametrize("typed", ["+447700900456", "ZZ99ZZ"])
    def test_finds_customers_only_for_who_may_see_them(
        self, sign_in, pages, permissions, found, typed
    ):
        page = sign_in(*permissions).get("/admin/repairjobs/job/", {"q": typed})

        assert len(page.context["cl"].result_list) == found

    @pytest.mark.parametrize(("permissions", "is_offered"), [([], False), (["change_sms"], True)])
    def test_offers_actions_to_who_may_change(self, sign_in, pages, permissions, is_offered):
        page = sign_in(*permissions).get("/admin/repairjobs/sms/").content.decode()

        assert ("resolve_as_sent" in page) == is_offered


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+447700900456", "+44••••••0456"),
        ("07700 900456", "+44••••••0456"),
        ("12", "•••"),
        ("none", "•••"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_masked_number_tells_its_end_at_most(number, shown):
    assert mask_number(number) == shown
