from collections.abc import Mapping

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.formats import JSONRenderer
from config.api.strict import StrictView
from dashboard.api.page import ReportPageRenderer
from dashboard.api.serializers import QuestionSerializer, ReportSerializer
from dashboard.models import Ingestion
from dashboard.report import Question, report

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
    renderer_classes = [JSONRenderer, ReportPageRenderer]

    def known_parameters(self) -> Mapping[str, str]:
        return KNOWN

    @extend_schema(
        summary="Bookings per month, day or year",
        parameters=[QuestionSerializer],
        responses={
            200: OpenApiResponse(
                ReportSerializer, "The report.", [OpenApiExample("A year", EXAMPLE)]
            ),
            304: OpenApiResponse(description="Unchanged since the ETag in If-None-Match."),
            400: OpenApiResponse(description="A parameter is missing, unknown or not allowed."),
        },
    )
    def get(self, request: Request) -> Response:
        """A hotel's year; `ETag` and `If-None-Match` spare an unchanged answer."""
        question = read_question(request.query_params.dict(), timezone.now().year)
        return Response(report(question, Ingestion.objects.current().watermark))
