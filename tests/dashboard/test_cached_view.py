from datetime import UTC, date, datetime

import pytest
from rest_framework.test import APIRequestFactory

from dashboard.api.cached_view import full_view
from dashboard.models import Ingestion
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["dashboard"])


class TestCachedResponses:
    def test_cached_response_equals_that_of_the_full_view(self, api):
        DailyTotalFactory(day=date(2020, 1, 31))
        query = "/dashboard?hotel_id=1&year=2020&period=day"

        assert api.get(query).content == full_view(APIRequestFactory().get(query)).render().content

    def test_response_changes_with_the_totals(self, api):
        Ingestion.objects.create(pk=1)
        before = api.get("/dashboard?hotel_id=1&year=2020")
        DailyTotalFactory(day=date(2020, 1, 31))
        state = Ingestion.objects.current()
        state.advance_watermark(datetime(2020, 1, 1, tzinfo=UTC))
        state.save()

        after = api.get("/dashboard?hotel_id=1&year=2020")

        assert before.json()["total"]["bookings"] == 0
        assert after.json()["total"]["bookings"] == 3
        assert before.headers["ETag"] != after.headers["ETag"]

    def test_unchanged_response_is_not_sent_again(self, api):
        query = "/dashboard?hotel_id=1&year=2020"  # this year may end between two requests
        etag = api.get(query).headers["ETag"]

        response = api.get(query, headers={"If-None-Match": etag})

        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == etag
        other = api.get(query, headers={"If-None-Match": '"other"'})
        assert other.status_code == 200

    @pytest.mark.parametrize(
        "accept", ["", "*/*", "application/json, text/plain, */*", "application/json"]
    )
    def test_programs_get_the_cached_response(self, api, accept):
        response = api.get("/dashboard?hotel_id=1", headers={"Accept": accept})

        assert response.headers["ETag"]
        assert api.get("/dashboard?hotel_id=1&format=json").headers["ETag"]

    @pytest.mark.parametrize("accept", ["application/xml", "application/json;indent=4"])
    def test_other_media_types_are_left_to_the_full_view(self, api, accept):
        assert "ETag" not in api.get("/dashboard?hotel_id=1", headers={"Accept": accept}).headers

    def test_cached_response_needs_one_query(self, api, django_assert_num_queries):
        api.get("/dashboard?hotel_id=1")

        with django_assert_num_queries(1, using="dashboard"):
            api.get("/dashboard?hotel_id=1")
