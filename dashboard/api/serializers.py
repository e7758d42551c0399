from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from common.api.csv_renderer import Table
from common.api.fields import ChoiceField, Int64Field
from dashboard.models import MEASURES, Counts, DateBasis
from dashboard.services.report import FIRST_YEAR, LAST_YEAR, Period, Report, ReportQuery


class ReportQuerySerializer(serializers.Serializer[Any]):
    hotel_id = Int64Field(help_text="the id of the hotel, a whole number")
    period = ChoiceField(
        [period.value for period in Period],
        default=Period.MONTH.value,
        help_text="month, day or year (default month)",
    )
    year = Int64Field(
        min_value=FIRST_YEAR,
        max_value=LAST_YEAR,
        required=False,
        help_text="1 to 9999 (default this year, UTC)",
    )
    by = ChoiceField(
        DateBasis.values,
        default=DateBasis.STAY_DATE.value,
        help_text="night_of_stay (default: the stay date) or timestamp (the booking date)",
    )


def parse_query(parameters: Mapping[str, str], *, this_year: int) -> ReportQuery:
    """Return the report query of these query parameters.

    :raises ValidationError: with an error for each parameter that is missing or not allowed.
    """
    serializer = ReportQuerySerializer(data=parameters)
    serializer.is_valid(raise_exception=True)
    values = serializer.validated_data
    return ReportQuery(
        hotel_id=values["hotel_id"],
        period=Period(values["period"]),
        year=values.get("year", this_year),
        date_basis=DateBasis(values["by"]),
    )


class CountsSerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {
            measure.name: serializers.IntegerField() for measure in MEASURES
        }

    def to_representation(self, counts: Counts) -> dict[str, Any]:
        return {measure.name: measure.of(counts) for measure in MEASURES}


class RowSerializer(CountsSerializer):
    year = serializers.IntegerField(required=False, help_text="With period=year.")
    month = serializers.CharField(required=False, help_text="With period=month.")
    day = serializers.DateField(required=False, help_text="With period=day.")


class ReportSerializer(ReportQuerySerializer):
    year = Int64Field()
    data = RowSerializer(many=True)  # type: ignore[assignment]
    total = CountsSerializer()
    ingested_through = serializers.DateTimeField(
        allow_null=True,
        help_text="The report counts all events with timestamps up to this time.",
    )

    def to_representation(self, report: Report) -> dict[str, Any]:
        # The fields above are for OpenAPI. They would take many times as long for 366 rows.
        query, counts = report.query, CountsSerializer()
        return {
            "hotel_id": query.hotel_id,
            "period": query.period.value,
            "year": query.year,
            "by": query.date_basis.value,
            "data": [
                {
                    query.period.value: format_start(query.period, row.start),
                    **counts.to_representation(row.counts),
                }
                for row in report.rows
            ],
            "total": counts.to_representation(report.total),
            "ingested_through": report.ingested_through,
        }


def report_table(report: Report) -> Table:
    """Return the rows for CSV, each with the hotel and the date basis."""
    query = report.query
    constants = {"hotel_id": query.hotel_id, "by": query.date_basis.value}
    return Table(
        f"dashboard-hotel-{query.hotel_id}-{query.year}-by-{query.period}",
        [*constants, query.period.value, *(measure.name for measure in MEASURES)],
        [
            constants
            | {query.period.value: format_start(query.period, row.start)}
            | {measure.name: measure.of(row.counts) for measure in MEASURES}
            for row in report.rows
        ],
    )


def format_start(period: Period, start: date) -> str | int:
    """Return the period that begins on this day: 2020-01-31, 2020-01 or 2020."""
    if period is Period.YEAR:
        return start.year
    return start.isoformat() if period is Period.DAY else start.isoformat()[:7]
