"""Messages as in DRF's tutorial: counted one by one, by the ORM."""

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Sum
from django.utils import timezone
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from stats.models import DailyTotal, Message


class MessageSerializer(serializers.ModelSerializer):
    timestamp = serializers.DateTimeField(default=timezone.now)

    class Meta:
        model = Message
        fields = ["uuid", "customer_id", "type", "amount_thousandths", "timestamp"]
        extra_kwargs = {"uuid": {"validators": []}}  # a repeated message is valid


def record(content: dict[str, Any]) -> tuple[Message, bool]:
    """Store a message once and add it to its daily total."""
    uuid = content.pop("uuid")
    with transaction.atomic():
        message, is_new = Message.objects.get_or_create(uuid=uuid, defaults=content)
        if is_new:
            first = {"messages": 1, "amount_thousandths": message.amount_thousandths}
            total, is_first = DailyTotal.objects.get_or_create(
                customer_id=message.customer_id,
                type=message.type,
                day=message.timestamp.date(),
                defaults=first,
            )
            if not is_first:
                DailyTotal.objects.filter(pk=total.pk).update(
                    messages=F("messages") + 1,
                    amount_thousandths=F("amount_thousandths") + message.amount_thousandths,
                )
    return message, is_new


class MessageViewSet(viewsets.ModelViewSet):
    queryset = Message.objects.all()
    serializer_class = MessageSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        many = isinstance(request.data, list)
        serializer = self.get_serializer(data=request.data, many=many)
        serializer.is_valid(raise_exception=True)
        if many:
            messages = [record(content)[0] for content in serializer.validated_data]
            return Response(self.get_serializer(messages, many=True).data)
        message, is_new = record(serializer.validated_data)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.get_serializer(message).data, status=code)


class Stats(APIView):
    """A customer's year, summed from its messages on each request."""

    def get(self, request: Request) -> Response:
        year = int(request.query_params["year"])
        sums = (
            Message.objects.filter(
                customer_id=request.query_params["customer_id"],
                timestamp__gte=date(year, 1, 1).isoformat(),
                timestamp__lt=date(year + 1, 1, 1).isoformat(),
            )
            .values("customer_id", "type")
            .annotate(count=Count("uuid"), total=Sum("amount_thousandths"))
            .order_by("customer_id", "type")
        )
        return Response(list(sums))
