"""OpenAPI responses and examples of ``/dashboard``."""

import json
from datetime import UTC, date, datetime

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from common.api.csv_renderer import write_csv
from common.api.json_format import JSONRenderer
from common.api.openapi import error_response
from dashboard.api.serializers import ReportQuerySerializer, ReportSerializer, report_table
from dashboard.models import Counts, DateBasis
from dashboard.services.report import Period, Report, ReportQuery, ReportRow

REPORT = Report(
    ReportQuery(1, Period.YEAR, 2020, DateBasis.STAY_DATE),
    [ReportRow(date(2020, 1, 1), Counts(bookings=3, cancellations=1))],
    datetime(2020, 12, 31, 23, 59, 59, tzinfo=UTC),
)
JSON_EXAMPLE = json.loads(JSONRenderer().render(ReportSerializer(REPORT).data))
CSV_EXAMPLE = write_csv(report_table(REPORT))

get_report = extend_schema(
    summary="Bookings per month, day or year",
    parameters=[ReportQuerySerializer],
    responses={
        (200, "application/json"): OpenApiResponse(
            ReportSerializer, "The report.", [OpenApiExample("A year", JSON_EXAMPLE)]
        ),
        (200, "text/csv"): OpenApiResponse(
            OpenApiTypes.STR,
            "The report. As CSV it is a file to download with one line per row.",
            [OpenApiExample("A year as CSV", CSV_EXAMPLE, media_type="text/csv")],
        ),
        304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match."),
        (400, "application/json"): error_response(
            "A parameter is missing, unknown or not allowed.",
            {"hotel_id": ["This field is required."]},
        ),
    },
)
