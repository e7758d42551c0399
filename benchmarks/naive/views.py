from datetime import date
from typing import Any

from django.db.models import Count, Q
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.pagination import KeysetPagination
from dashboard.models import DailyTotal, Event
from dataprovider.models import Event as ReportedEvent


class ReportedEventSerializer(serializers.ModelSerializer):
    class Meta:
        model = ReportedEvent
        fields = ["id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"]


class EventList(generics.ListAPIView):
    queryset = ReportedEvent.objects.all()
    serializer_class = ReportedEventSerializer
    pagination_class = KeysetPagination
    keyset = ("timestamp", "id")


class CountedReport(APIView):
    """A hotel's year by day, counted from its events on each request."""

    def get(self, request: Request) -> Response:
        year = int(request.query_params["year"])
        days = (
            Event.objects.filter(
                hotel_id=request.query_params["hotel_id"],
                night_of_stay__range=(date(year, 1, 1), date(year, 12, 31)),
            )
            .values("night_of_stay")
            .annotate(
                bookings=Count("id", filter=Q(rpg_status=1)),
                cancellations=Count("id", filter=Q(rpg_status=2)),
            )
            .order_by("night_of_stay")
        )
        return Response({"data": list(days)})


class DailyTotalSerializer(serializers.ModelSerializer):
    net = serializers.SerializerMethodField()

    class Meta:
        model = DailyTotal
        fields = ["day", "bookings", "cancellations", "net"]

    def get_net(self, total: DailyTotal) -> Any:
        return total.bookings - total.cancellations


class SerializedReport(APIView):
    """A hotel's year by day, from the totals, with a DRF serializer."""

    def get(self, request: Request) -> Response:
        year = int(request.query_params["year"])
        totals = DailyTotal.objects.filter(
            hotel_id=request.query_params["hotel_id"],
            date_basis="night_of_stay",
            day__range=(date(year, 1, 1), date(year, 12, 31)),
        ).order_by("day")
        return Response({"data": DailyTotalSerializer(totals, many=True).data})
