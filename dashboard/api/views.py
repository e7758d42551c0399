from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.csv_renderer import CSVRenderer, Table
from common.api.json_format import JSONRenderer
from common.api.openapi import error_response
from common.api.views import StrictView
from dashboard.api.pages import KINDS, ReportPageRenderer
from dashboard.api.serializers import QuestionSerializer, ReportSerializer
from dashboard.models import Ingestion
from dashboard.services.report import Question, report

EXAMPLE = {
    "hotel_id": 1,
    "period": "year",
    "year": 2020,
    "by": "night_of_stay",
    "data": [{"year": 2020, "bookings": 3, "cancellations": 1, "net": 2}],
    "total": {"bookings": 3, "cancellations": 1, "net": 2},
    "ingested_through": "2020-12-31T23:59:59Z",
}


# Each query parameter, with what is allowed for it.
KNOWN = {name: str(field.help_text) for name, field in QuestionSerializer().fields.items()}
KNOWN["format"] = "json, csv or api"
CSV_EXAMPLE = "hotel_id,by,year,bookings,cancellations,net\r\n1,night_of_stay,2020,3,1,2\r\n"


def read_question(parameters: Mapping[str, str], this_year: int) -> Question:
    """What is asked for; ``this_year`` where no year is.

    :raises ValidationError: naming each parameter that is missing or not allowed.
    """
    serializer = QuestionSerializer(data=parameters)
    serializer.is_valid(raise_exception=True)
    return Question(**{"year": this_year} | serializer.validated_data)


class ReportView(StrictView):
    """Bookings and cancellations of a hotel and year, per month, day or year, zeros included.

    One event is one room-night.
    """

    name = "Dashboard"
    renderer_classes = [JSONRenderer, CSVRenderer, ReportPageRenderer]

    def known_parameters(self) -> Mapping[str, str]:
        return KNOWN

    @extend_schema(
        summary="Bookings per month, day or year",
        parameters=[QuestionSerializer],
        responses={
            (200, "application/json"): OpenApiResponse(
                ReportSerializer, "The report.", [OpenApiExample("A year", EXAMPLE)]
            ),
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR,
                "The report; as CSV to download, a line for each row.",
                [OpenApiExample("A year as CSV", CSV_EXAMPLE, media_type="text/csv")],
            ),
            304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match."),
            (400, "application/json"): error_response(
                "A parameter is missing, unknown or not allowed.",
                {"hotel_id": ["This field is required."]},
            ),
        },
    )
    def get(self, request: Request) -> Response:
        """A hotel's year; `ETag` and `If-None-Match` spare an unchanged answer."""
        asked = request.query_params.dict()
        if request.accepted_renderer.format == "api" and not asked.keys() - {"format"}:
            return Response({})  # the page offers the hotels
        question = read_question(asked, timezone.now().year)
        return Response(report(question, Ingestion.objects.current().watermark))

    def table(self, content: dict[str, Any]) -> Table:
        """The report's rows, each with what they are about."""
        about = {"hotel_id": content["hotel_id"], "by": content["by"]}
        return Table(
            f"dashboard-hotel-{content['hotel_id']}-{content['year']}-by-{content['period']}",
            [*about, content["period"], *KINDS],
            [about | row for row in content["data"]],
        )
