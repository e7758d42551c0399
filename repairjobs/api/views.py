from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.errors import Conflict, ConflictSerializer
from common.api.json_format import JSONParser
from common.api.openapi import error_response, list_response
from common.api.parsing import must_be, to_whole_number
from common.api.permissions import sees_personal_data
from common.api.views import StrictView
from repairjobs.api import filters
from repairjobs.api.errors import as_http
from repairjobs.api.pagination import DocumentPagination
from repairjobs.api.serializers import (
    DocumentSerializer,
    JobPartSerializer,
    PartMoveSerializer,
    PartSerializer,
    PaymentSerializer,
    SmsSerializer,
    TextSerializer,
    TransactionSerializer,
)
from repairjobs.documents import documents
from repairjobs.masking import masked_document
from repairjobs.models import (
    MAX_JOB_ID,
    MIN_JOB_ID,
    Job,
    JobStatus,
    JobTransaction,
    Part,
    PartStatus,
    Sms,
    spoken_id,
)
from repairjobs.services import parts, paying, texting

JOB_ID = OpenApiParameter(
    "job_id", int, OpenApiParameter.PATH, description="As the client has it: 123, or 00123."
)
MALFORMED = error_response(
    "Malformed: each field or parameter with what is wrong.",
    {"limit": ["Must be a whole number from 1 to 10000 (default 1000), not 0."]},
)
UNKNOWN = error_response("There is no such job.", {"detail": "job 123 is unknown"})
MAX_LINKS = 50
NEW_PART = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 1}
PART_EXAMPLE = {"id": 1, **NEW_PART, "status": "needed"}
EXAMPLE = {
    "job_id": "00123",
    "job_date": "2021-01-01",
    "job_type": "REPAIR",
    "job_status": "IN PROGRESS",
    "customer": [
        {
            "client_firstname": "Test",
            "client_lastname": "Customer",
            "client_postcode": "AB1 2CD",
            "client_mobile": "07700 900123",
        }
    ],
    "product": [{"product_id": "WM-1", "product_type": "Washing machine"}],
    "paid": False,
    "parts": [PART_EXAMPLE],
    "attention": [],
}
PAYMENT_EXAMPLE = {"reference": "P-1", "amount": "120.00", "currency": "GBP"}
MESSAGE_EXAMPLE = {
    "kind": "private",
    "to": "+447700900123",
    "text": "Your machine can be fetched from noon.",
    "state": "queued",
    "segments": 1,
    "created_at": "2021-01-01T09:00:00Z",
    "from": "Repairs",
}
NO_TEXT_EXAMPLE = {"detail": "the number has opted out", "conflicts": {}}
CONFLICT_EXAMPLE = {
    "detail": "payment P-1 is known with other content",
    "conflicts": {"amount": {"stored": "120.00", "sent": "12.00"}},
}
TRANSACTION_EXAMPLE = {
    "Job_id": 123,
    "Job_status": "NEW",
    "creationDate": "2021-01-01T09:00:00Z",
    "Update_note": "GET new job",
}


class JobView(StrictView):
    """A view below one job's path, which takes JSON."""

    parser_classes = [JSONParser]

    def related(self, content: Any) -> list[tuple[str, str]]:
        job = self.kwargs.get("job_id")
        return [("The job", f"/jobs/{job}"), *below_a_job(job)] if job else []

    def job_id(self) -> int:
        """The job's id in the path.

        :raises NotFound: if no job can have it.
        """
        sent: str = self.kwargs["job_id"]
        number = to_whole_number(sent)
        if number is None or not MIN_JOB_ID <= number <= MAX_JOB_ID:
            raise NotFound(f"job {sent} is unknown")
        return number

    def known_job_id(self) -> int:
        """
        :raises NotFound: also if we never collected it.
        """
        job_id = self.job_id()
        if not Job.objects.filter(pk=job_id).exists():
            raise NotFound(f"job {job_id} is unknown")
        return job_id


def below_a_job(job_id: str) -> list[tuple[str, str]]:
    """The pages about one job, besides its document."""
    pages = [("Ledger", "transactions"), ("SMS", "messages"), ("Parts", "parts")]
    pages.append(("Record a payment", "payments"))
    return [(what, f"/jobs/{job_id}/{path}") for what, path in pages]


@extend_schema_view(
    list=extend_schema(
        summary="List jobs",
        parameters=[
            OpenApiParameter(
                "status",
                {"type": "string", "enum": JobStatus.values},
                description=filters.STATUS_TEXT,
            ),
            OpenApiParameter("attention", bool, description=filters.ATTENTION_TEXT),
        ],
        responses={
            200: list_response(DocumentSerializer, "The jobs' documents, by job_id.", EXAMPLE),
            400: MALFORMED,
        },
    ),
    retrieve=extend_schema(
        summary="Get a job",
        parameters=[JOB_ID],
        responses={
            200: OpenApiResponse(
                DocumentSerializer, "The document.", [OpenApiExample("A job", EXAMPLE)]
            ),
            404: UNKNOWN,
        },
    ),
)
class JobViewSet(JobView, viewsets.GenericViewSet[Any]):
    """Repair jobs, by the id that the client's system gave them."""

    queryset = Job.objects.none()  # which the page in a browser asks for
    serializer_class = DocumentSerializer
    pagination_class = DocumentPagination
    filter_backends = [filters.DocumentFilterForm]

    def related(self, content: Any) -> list[tuple[str, str]]:
        if isinstance(content, list):
            return [(each["job_id"], f"/jobs/{each['job_id']}") for each in content[:MAX_LINKS]]
        return below_a_job(content["job_id"])

    def known_parameters(self) -> Mapping[str, str]:
        if self.action != "list":
            return {}
        return {"status": filters.STATUS_TEXT, "attention": filters.ATTENTION_TEXT}

    def list(self, request: Request) -> Response:
        """Documents of jobs, by job_id as text. They follow a change within seconds."""
        wanted = self._wanted(request)
        pages = self.paginator
        assert isinstance(pages, DocumentPagination)
        after = pages.begin(request)
        with as_http():
            found = documents().find(**wanted, after=after, limit=pages.limit + 1)
        return pages.get_paginated_response([self._shown(each) for each in pages.end(found)])

    def retrieve(self, request: Request, job_id: str) -> Response:
        """The job's document. It follows a change within seconds."""
        with as_http():
            found = documents().get(spoken_id(self.job_id()))
        if found is None:
            raise NotFound(f"job {self.job_id()} is unknown")
        return Response(self._shown(found))

    def _shown(self, document: dict[str, Any]) -> dict[str, Any]:
        return document if sees_personal_data(self.request) else masked_document(document)

    def _wanted(self, request: Request) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        parsers = {"status": filters.parse_status, "attention": filters.parse_attention}
        for name, parse in parsers.items():
            sent = request.query_params.get(name)
            try:
                wanted[name] = None if sent is None else parse(sent)
            except (ValueError, KeyError) as error:
                allowed = self.known_parameters()[name]
                raise ValidationError({name: [must_be(allowed, sent)]}) from error
        return wanted


@extend_schema_view(
    list=extend_schema(
        summary="List the ledger",
        responses={
            200: list_response(
                TransactionSerializer, "The lines, oldest first.", TRANSACTION_EXAMPLE
            ),
            400: MALFORMED,
        },
    )
)
class TransactionViewSet(
    StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[JobTransaction]
):
    """Every GET from the client, PUT to it and event of the repair jobs, oldest first."""

    queryset = JobTransaction.objects.all()
    serializer_class = TransactionSerializer
    keyset = ("created_at", "id")


@extend_schema_view(
    list=extend_schema(
        summary="List a job's part of the ledger",
        parameters=[JOB_ID],
        responses={
            200: list_response(
                TransactionSerializer, "The lines, oldest first.", TRANSACTION_EXAMPLE
            ),
            400: MALFORMED,
            404: UNKNOWN,
        },
    )
)
class JobTransactionViewSet(JobView, TransactionViewSet):
    """Every GET from the client, PUT to it and event of a repair job, oldest first."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(job_id=self.known_job_id())


@extend_schema_view(
    list=extend_schema(
        summary="List a job's SMS",
        parameters=[JOB_ID],
        responses={
            200: list_response(SmsSerializer, "The SMS, oldest first.", MESSAGE_EXAMPLE),
            400: MALFORMED,
            404: UNKNOWN,
        },
    )
)
class MessageViewSet(JobView, mixins.ListModelMixin, viewsets.GenericViewSet[Sms]):
    """Every SMS of a job, both ways, oldest first."""

    queryset = Sms.objects.all()
    serializer_class = SmsSerializer
    keyset = ("created_at", "id")

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(job_id=self.known_job_id())

    def example(self, method: str) -> Any:
        return {"text": MESSAGE_EXAMPLE["text"]} if method == "POST" else None

    @extend_schema(
        summary="Text the customer",
        parameters=[JOB_ID],
        request=TextSerializer,
        examples=[
            OpenApiExample(
                "Words of the desk", {"text": MESSAGE_EXAMPLE["text"]}, request_only=True
            )
        ],
        responses={
            201: OpenApiResponse(SmsSerializer, "Owed.", [OpenApiExample("Owed", MESSAGE_EXAMPLE)]),
            400: MALFORMED,
            404: UNKNOWN,
            409: OpenApiResponse(
                ConflictSerializer,
                "The number cannot be texted, or has opted out.",
                [OpenApiExample("Opted out", NO_TEXT_EXAMPLE)],
            ),
        },
    )
    def create(self, request: Request, job_id: str) -> Response:
        """Send the customer a private SMS, who sees our number and never the desk's."""
        sent = TextSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            with as_http():
                sms = texting.send_private_message(
                    job_id=self.job_id(), at=timezone.now(), **sent.validated_data
                )
        except texting.CannotText as refusal:
            raise Conflict(str(refusal), {}) from refusal
        return Response(self.get_serializer(sms).data, status=status.HTTP_201_CREATED)


class PaymentViewSet(JobView, viewsets.GenericViewSet[Any]):
    """Payments for a job."""

    serializer_class = PaymentSerializer

    def example(self, method: str) -> Any:
        # A reference stands for one payment, over all jobs.
        reference = f"P-{uuid4().hex[:8]}"
        return {**PAYMENT_EXAMPLE, "reference": reference} if method == "POST" else None

    @extend_schema(
        summary="Record a payment",
        parameters=[JOB_ID],
        examples=[OpenApiExample("A payment", PAYMENT_EXAMPLE, request_only=True)],
        responses={
            201: OpenApiResponse(
                PaymentSerializer, "Recorded.", [OpenApiExample("Recorded", PAYMENT_EXAMPLE)]
            ),
            200: OpenApiResponse(
                PaymentSerializer,
                "This very payment was recorded before; nothing changed.",
                [OpenApiExample("Known", PAYMENT_EXAMPLE)],
            ),
            400: MALFORMED,
            404: UNKNOWN,
            409: OpenApiResponse(
                ConflictSerializer,
                "The reference stands for another payment, which stays.",
                [OpenApiExample("Conflict", CONFLICT_EXAMPLE)],
            ),
        },
    )
    def create(self, request: Request, job_id: str) -> Response:
        """Record a payment, once by its reference; one makes the job paid, more are kept too."""
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            with as_http():
                payment, is_new = paying.receive_payment(
                    job_id=self.job_id(), at=timezone.now(), **sent.validated_data
                )
        except paying.PaymentConflict as refusal:
            raise Conflict(str(refusal), _spoken(refusal)) from refusal
        return Response(
            PaymentSerializer(payment).data,
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )


def _spoken(refusal: paying.PaymentConflict) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "stored": stored if name == "job_id" else str(stored),
            "sent": sent if name == "job_id" else str(sent),
        }
        for name, (stored, sent) in refusal.conflicts.items()
    }


@extend_schema_view(
    list=extend_schema(
        summary="List parts",
        responses={
            200: list_response(
                JobPartSerializer, "The parts.", {"job_id": "00123", **PART_EXAMPLE}
            ),
            400: MALFORMED,
        },
    )
)
class PartViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[Part]):
    """The parts that repairs need, over all jobs."""

    queryset = Part.objects.select_related("job")
    serializer_class = JobPartSerializer
    filterset_class = filters.PartFilter
    keyset = ("job_id", "id")


@extend_schema_view(
    list=extend_schema(
        summary="List a job's parts",
        parameters=[JOB_ID],
        responses={
            200: list_response(PartSerializer, "The job's parts.", PART_EXAMPLE),
            400: MALFORMED,
            404: UNKNOWN,
        },
    )
)
class JobPartViewSet(JobView, mixins.ListModelMixin, viewsets.GenericViewSet[Part]):
    """The parts that a repair needs."""

    queryset = Part.objects.all()
    serializer_class = PartSerializer
    keyset = ("job_id", "id")

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(job_id=self.known_job_id())

    def example(self, method: str) -> Any:
        if method == "POST":
            return NEW_PART
        return {"status": PartStatus.RECEIVED} if method == "PATCH" else None

    @extend_schema(
        summary="Note a part",
        parameters=[JOB_ID],
        examples=[OpenApiExample("A part", NEW_PART, request_only=True)],
        responses={
            201: OpenApiResponse(PartSerializer, "Noted.", [OpenApiExample("Noted", PART_EXAMPLE)]),
            400: MALFORMED,
            404: UNKNOWN,
        },
    )
    def create(self, request: Request, job_id: str) -> Response:
        """Note a part that the repair needs; it stands in the job's document too."""
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_http():
            part = parts.add_part(job_id=self.job_id(), **sent.validated_data)
        return Response(self.get_serializer(part).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Move a part on",
        parameters=[JOB_ID, OpenApiParameter("part_id", int, OpenApiParameter.PATH)],
        request=PartMoveSerializer,
        examples=[OpenApiExample("It came", {"status": PartStatus.RECEIVED}, request_only=True)],
        responses={
            200: OpenApiResponse(
                PartSerializer,
                "Moved on.",
                [OpenApiExample("Moved on", {**PART_EXAMPLE, "status": PartStatus.RECEIVED})],
            ),
            400: MALFORMED,
            404: UNKNOWN,
        },
    )
    def partial_update(self, request: Request, job_id: str, part_id: str) -> Response:
        """Say how far a part has come, in either direction."""
        number = to_whole_number(part_id)
        if number is None:
            raise NotFound(f"job {self.job_id()} has no part {part_id}")
        sent = PartMoveSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_http():
            part = parts.move_part(job_id=self.job_id(), part_id=number, **sent.validated_data)
        return Response(self.get_serializer(part).data)
