import pytest

from repairjobs.models import ClientJob
from tests.support.repairjobs.factories import ClientJobFactory
from tests.support.repairjobs.statements import unavailable

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_row_cannot_be_added_after_the_largest_id(api):
    ClientJobFactory(job_id=2**31 - 1)

    response = api.post("/client/jobs", {"Client_mobile": "07700 900123"}, format="json")

    assert response.status_code == 409
    assert "there is no id after" in response.json()["detail"]


def test_rows_of_the_client_can_be_added_and_changed(api):
    added = api.post("/client/jobs", {"Client_mobile": "07700 900123"}, format="json")
    repeated = api.post("/client/jobs", {"Job_id": added.json()["Job_id"]}, format="json")
    path = f"/client/jobs/{added.json()['Job_id']}"
    changed = api.put(path, {"Job_status": "IN PROGRESS"}, format="json")

    assert (added.status_code, added.json()["Job_status"]) == (201, "NEW")
    assert repeated.status_code == 409
    assert changed.json() == added.json() | {"Job_status": "IN PROGRESS"}
    assert api.get(path).json() == changed.json()
    assert api.get("/client/jobs").json() == [changed.json()]
    assert api.put("/client/jobs/99999", {}, format="json").status_code == 404


def test_an_unavailable_client_is_503(api):
    with unavailable("client"):
        response = api.get("/client/jobs/1")

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert not ClientJob.objects.exists()
