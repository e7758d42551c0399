"""OpenAPI responses and examples of ``/dashboard``."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from common.api.openapi import error_response
from dashboard.api.serializers import ReportQuerySerializer, ReportSerializer

REPORT = {
    "hotel_id": 1,
    "period": "year",
    "year": 2020,
    "by": "night_of_stay",
    "data": [{"year": 2020, "bookings": 3, "cancellations": 1, "net": 2}],
    "total": {"bookings": 3, "cancellations": 1, "net": 2},
    "ingested_through": "2020-12-31T23:59:59Z",
}
REPORT_CSV = "hotel_id,by,year,bookings,cancellations,net\r\n1,night_of_stay,2020,3,1,2\r\n"

get_report = extend_schema(
    summary="Bookings per month, day or year",
    parameters=[ReportQuerySerializer],
    responses={
        (200, "application/json"): OpenApiResponse(
            ReportSerializer, "The report.", [OpenApiExample("A year", REPORT)]
        ),
        (200, "text/csv"): OpenApiResponse(
            OpenApiTypes.STR,
            "The report. As CSV it is a file to download with one line per row.",
            [OpenApiExample("A year as CSV", REPORT_CSV, media_type="text/csv")],
        ),
        304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match."),
        (400, "application/json"): error_response(
            "A parameter is missing, unknown or not allowed.",
            {"hotel_id": ["This field is required."]},
        ),
    },
)
