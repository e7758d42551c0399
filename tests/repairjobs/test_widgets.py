import re

import pytest
from django.utils import timezone

from repairjobs.models import Job, JobState, Sms
from repairjobs.widgets import widgets
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = pytest.mark.django_db(databases="__all__")


def widgets_for(*models):
    """Return the widgets for a person who may see these models."""
    return list(widgets(can_view=lambda model: model in models, at=timezone.now()))


def test_the_tiles_count_jobs_and_sms_that_need_a_person(job, vonage):
    ClientJobFactory(job_id=2, mobile="none")
    vonage.fail(Fault.BROKEN)
    driver.import_jobs()
    driver.run_outbox()

    tiles = {tile.title: tile for tile in widgets_for("job", "sms")[:3]}

    assert tiles["Needs attention"].value == "2"
    assert tiles["Needs attention"].is_alarm
    assert (tiles["Jobs under way"].value, tiles["Jobs under way"].note) == (
        "2",
        "1 with status NEW",
    )
    assert tiles["Unknown SMS"].is_alarm


def test_alarms_are_listed_above_all_widgets(job, vonage, admin_client):
    page_without_alarms = admin_client.get("/admin/").content.decode()
    assert 'aria-label="Alarms"' not in page_without_alarms

    driver.open_job(2, mobile="none")
    page = admin_client.get("/admin/").content.decode()

    alarms = page[page.index('aria-label="Alarms"') : page.index("<section")]
    assert re.findall('href="(.*?)">(.*?) <strong.*?>(.*?)<', alarms) == [
        ("/admin/repairjobs/job/?attention=yes", "Repair jobs: Needs attention", "1")
    ]


def test_each_tile_links_to_the_rows_that_it_counts(job, vonage, admin_client):
    for job_id in (2, 3):
        ClientJobFactory(job_id=job_id)
    driver.import_jobs()
    vonage.fail(Fault.BROKEN)
    driver.run_outbox()
    Job.objects.filter(pk=2).update(state=JobState.CLOSED, closed_at=NOON)

    row_counts = {
        tile.title: len(admin_client.get(tile.link).context["cl"].result_list)
        for tile in widgets_for("job", "sms", "outboxtask")
        if hasattr(tile, "link")
    }

    assert row_counts == {
        "Needs attention": 1,
        "Jobs under way": 2,
        "Dead letters": 0,
        "Unknown SMS": 1,
    }


def test_the_charts_show_statuses_of_jobs_and_outcomes_of_sms(job):
    Sms.objects.update(created_at=timezone.now())
    driver.run_outbox()

    statuses, outcomes = widgets_for("job", "sms")[-2:]

    assert dict(zip(statuses.labels, statuses.series["Jobs"], strict=True)) == {
        "NEW": 0,
        "OPENED": 1,
        "IN PROGRESS": 0,
        "JOB COMPLETED": 0,
    }
    assert dict(zip(outcomes.labels, outcomes.series["SMS"], strict=True))["accepted"] == 1


def test_the_attention_tile_says_that_the_document_database_is_unavailable(
    job, settings, closed_mongo_url
):
    settings.MONGO_URL = closed_mongo_url

    assert widgets_for("job")[0].note == "the document database is unavailable"


def test_a_person_sees_only_the_widgets_of_permitted_models(job):
    assert [tile.title for tile in widgets_for("outboxtask")] == ["Dead letters"]


def test_all_widgets_cost_five_queries(job, django_assert_max_num_queries):
    with django_assert_max_num_queries(5, using="repairjobs"):
        widgets_for("job", "sms", "outboxtask")
