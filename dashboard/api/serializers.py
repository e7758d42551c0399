from typing import Any

from rest_framework import serializers

from common.api.fields import ChoiceField, Int64Field
from dashboard.models import Reading


class QuestionSerializer(serializers.Serializer[Any]):
    hotel_id = Int64Field(help_text="the hotel's id, a whole number")
    period = ChoiceField(
        ["month", "day", "year"], default="month", help_text="month, day or year (default month)"
    )
    year = Int64Field(
        min_value=1, max_value=9999, required=False, help_text="1 to 9999 (default this year, UTC)"
    )
    by = ChoiceField(
        Reading.values,
        default=Reading.NIGHT_OF_STAY.value,
        help_text="night_of_stay (default: what is on the books for that night) "
        "or timestamp (when it was booked)",
    )


class CountsSerializer(serializers.Serializer[Any]):
    bookings = serializers.IntegerField()
    cancellations = serializers.IntegerField()
    net = serializers.IntegerField()


class RowSerializer(CountsSerializer):
    year = serializers.IntegerField(required=False, help_text="With period=year.")
    month = serializers.CharField(required=False, help_text="With period=month.")
    day = serializers.DateField(required=False, help_text="With period=day.")


class ReportSerializer(QuestionSerializer):
    year = Int64Field()
    data = RowSerializer(many=True)  # type: ignore[assignment]
    total = CountsSerializer()
    ingested_through = serializers.DateTimeField(
        allow_null=True,
        help_text="Every event that the provider had with a timestamp up to here is counted.",
    )
