from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.csv_renderer import CSVRenderer, Table
from common.api.json_format import JSONRenderer
from common.api.views import StrictView
from dashboard.api import docs
from dashboard.api.pages import MAX_HOTELS, MAX_YEARS, PageData, ReportPageRenderer
from dashboard.api.serializers import (
    ReportQuerySerializer,
    ReportSerializer,
    parse_query,
    report_table,
)
from dashboard.models import DailyTotal
from dashboard.services.report import Report, build_report, compare_with_year_before

# The allowed values of each query parameter.
PARAMETERS = {name: str(field.help_text) for name, field in ReportQuerySerializer().fields.items()}
PARAMETERS["format"] = "json, csv or api"


class ReportView(StrictView):
    """Bookings and cancellations of a hotel in a year, per month, day or year.

    Each event counts one room-night. Periods without events are included.
    """

    name = "Dashboard"
    renderer_classes = [JSONRenderer, CSVRenderer, ReportPageRenderer]
    report: Report | None = None
    page: PageData | None = None  # for ReportPageRenderer

    def known_parameters(self) -> Mapping[str, str]:
        return PARAMETERS

    @docs.get_report
    def get(self, request: Request) -> Response:
        """Return the report of a hotel and a year.

        If the report is unchanged since the ETag in `If-None-Match`, the response is 304.
        """
        parameters = request.query_params.dict()
        if request.accepted_renderer.format == "api" and not parameters.keys() - {"format"}:
            return Response({})  # the page shows a form to choose a hotel
        self.report = build_report(parse_query(parameters, this_year=timezone.now().year))
        return Response(ReportSerializer(self.report).data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Other errors show no hotels: the client may have no access to them.
        may_show_hotels = response.status_code in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}
        if may_show_hotels and response.accepted_renderer.format == "api":
            self.page = self._load_page()
        return response

    def _load_page(self) -> PageData:
        hotels = DailyTotal.objects.first_hotels(MAX_HOTELS)
        if self.report is None:
            return PageData(hotels)
        comparison = compare_with_year_before(self.report.query, max_years=MAX_YEARS)
        return PageData(hotels, self.report, comparison)

    def table(self, content: Any) -> Table:
        assert self.report is not None
        return report_table(self.report)
