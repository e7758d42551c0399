import json

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.models import Job, OptOut, Sms
from repairjobs.services import private_messages, sms_webhooks
from repairjobs.services.masking import mask_number
from tests.common.routes import key_header
from tests.support.ids import readable
from tests.support.repairjobs import workflow_driver as driver

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.engine_independent]

# Personal data of the customer, which occurs nowhere else on a page.
PERSONAL_DATA = [
    "Firstly",
    "Lastly",
    "ZZ9 9ZZ",
    "07700 900456",
    "+447700900456",
    "447700900456",
    "Heyho",
]


@pytest.fixture(autouse=True)
def _keys_required(settings, live):
    settings.API_KEYS_REQUIRED = True


@pytest.fixture
def job():
    driver.open_job(
        123,
        firstname="Firstly",
        lastname="Lastly",
        postcode="ZZ9 9ZZ",
        mobile="07700 900456",
    )
    private_messages.send_private_message(job_id=123, text="Heyho", at=timezone.now())
    reply = InboundMessage("m-1", "447700900456", "447700900999", "Heyho back")
    sms_webhooks.receive_message(reply, at=timezone.now())
    driver.run_outbox()
    return Job.objects.get()


PATHS = ["/jobs", "/jobs/123", "/jobs/123/messages", "/client/jobs", "/client/jobs/123"]


def personal_data_in(text):
    return [value for value in PERSONAL_DATA if value in text]


class TestApi:
    def get(self, api, path, **fields):
        response = api.get(path, headers=key_header("repairjobs", **fields))
        assert response.status_code == 200
        return json.dumps(response.json(), ensure_ascii=False)

    @pytest.mark.parametrize("path", PATHS)
    def test_a_key_sees_personal_data(self, api, job, path):
        assert personal_data_in(self.get(api, path))

    @pytest.mark.parametrize("path", [*PATHS, "/transactions", "/jobs/123/transactions", "/parts"])
    def test_a_key_for_masked_data_sees_masked_numbers_only(self, api, job, path):
        content = self.get(api, path, sees_personal_data=False)

        assert not personal_data_in(content)
        assert ("+44••••••0456" in content) == (path in PATHS)

    def test_a_key_for_masked_data_gets_masked_responses_to_its_writes(self, api, job):
        headers = key_header("repairjobs", sees_personal_data=False)

        created = api.post("/jobs/123/messages", {"text": "Heyho"}, format="json", headers=headers)
        changed = api.put(
            "/client/jobs/123", {"Job_status": "IN PROGRESS"}, format="json", headers=headers
        )

        assert (created.status_code, changed.status_code) == (201, 200)
        assert created.json()["to"] == changed.json()["Client_mobile"] == "+44••••••0456"
        assert not personal_data_in(created.content.decode() + changed.content.decode())

    @pytest.mark.parametrize(
        ("permissions", "is_shown"),
        [(["view_job"], False), (["view_job", "view_personal_data"], True)],
        ids=readable,
    )
    def test_a_person_sees_personal_data_only_with_the_permission(
        self, client, job, user, permissions, is_shown
    ):
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)

        for path in PATHS:
            page = client.get(path, headers={"Accept": "text/html"}).content.decode()
            assert bool(personal_data_in(page)) == is_shown


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("someone", is_staff=True)


class TestAdmin:
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

    def test_a_person_with_the_permission_sees_personal_data_on_every_page(self, sign_in, pages):
        client = sign_in("view_personal_data")

        open_pages = {path for path in pages if personal_data_in(client.get(path).content.decode())}

        assert open_pages == set(pages)

    def test_a_person_without_the_permission_sees_masked_values_on_every_page(self, sign_in, pages):
        client = sign_in()

        for path in pages:
            page = client.get(path)
            assert page.status_code == 200
            assert not personal_data_in(page.content.decode()), path
            assert "•••" in page.content.decode()

    @pytest.mark.parametrize(
        "query",
        ["job/?mobile__startswith=07700", "job/?lastname=Lastly", "sms/?recipient__contains=0456"],
    )
    def test_filters_on_personal_data_need_the_permission(self, sign_in, pages, query):
        assert sign_in().get(f"/admin/repairjobs/{query}").status_code == 400
        assert sign_in("view_personal_data").get(f"/admin/repairjobs/{query}").status_code == 200

    @pytest.mark.parametrize(
        ("permissions", "is_searched"),
        [([], False), (["view_personal_data"], True)],
        ids=["without permission", "with permission"],
    )
    def test_names_are_searched_only_with_the_permission(
        self, sign_in, pages, permissions, is_searched
    ):
        page = sign_in(*permissions).get("/admin/repairjobs/job/?q=Lastly")

        # Without search fields there is no search, and the list shows all rows.
        assert ("lastname" in page.context["cl"].search_fields) == is_searched

    @pytest.mark.parametrize(
        ("permissions", "row_count"),
        [([], 0), (["view_personal_data"], 1)],
        ids=["without permission", "with permission"],
    )
    @pytest.mark.parametrize("typed", ["+447700900456", "ZZ99ZZ"])
    def test_customers_are_found_only_with_the_permission(
        self, sign_in, pages, permissions, row_count, typed
    ):
        page = sign_in(*permissions).get("/admin/repairjobs/job/", {"q": typed})

        assert len(page.context["cl"].result_list) == row_count

    @pytest.mark.parametrize(
        ("permissions", "is_offered"), [([], False), (["change_sms"], True)], ids=readable
    )
    def test_actions_are_offered_only_to_people_who_may_change_sms(
        self, sign_in, pages, permissions, is_offered
    ):
        page = sign_in(*permissions).get("/admin/repairjobs/sms/").content.decode()

        assert ("resolve_as_sent" in page) == is_offered


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+447700900456", "+44••••••0456"),
        ("07700 900456", "+44••••••0456"),
        ("12", "•••"),
        ("none", "•••"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_masked_number_shows_at_most_its_end(number, masked):
    assert mask_number(number) == masked
