"""What an operator does in the admin."""

import pytest

from repairjobs import errands, sms
from repairjobs.models import Errand, ErrandKind, Sms
from tests.repairjobs import desk
from tests.repairjobs.factories import ClientJobFactory

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
            {"action": action, "_selected_action": chosen},
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


def test_makes_due_what_was_given_up(job, phone, operate):
    phone.answers = [sms.SmsNotSent("refused")] * errands.MOST_ATTEMPTS
    for _ in range(errands.MOST_ATTEMPTS):
        desk.run()
        desk.wait(hours=1)
    assert Errand.objects.quarantined().count() == 1

    assert operate("errand", "retry", Errand.objects.all()) == ["1 errands are due now."]
    desk.run()

    assert len(phone.received) == 1
    assert desk.status_of(1)[0] == "OPENED"


@pytest.mark.parametrize("page", ["sms", "errand", "job", "jobtransaction"])
def test_adds_changes_and_deletes_nothing_by_hand(job, client, django_user_model, page):
    client.force_login(django_user_model.objects.create_superuser("operator"))
    before = Sms.objects.count(), Errand.objects.count()

    assert client.get(f"/admin/repairjobs/{page}/add/").status_code == 403
    first = Errand.objects.get(kind=ErrandKind.SMS).pk
    assert client.post(f"/admin/repairjobs/errand/{first}/delete/").status_code == 403

    assert (Sms.objects.count(), Errand.objects.count()) == before
