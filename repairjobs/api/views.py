from functools import partial
from typing import Any
from uuid import uuid4

from django.db.models import QuerySet
from django.utils import timezone
from django_filters.utils import translate_validation
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.json_format import JSONParser
from common.api.parsing import to_whole_number
from common.api.permissions import sees_personal_data
from common.api.views import StrictView
from repairjobs.api import docs
from repairjobs.api.errors import ErrorsAsHttp
from repairjobs.api.filters import DocumentFilter, PartFilter
from repairjobs.api.pagination import DocumentPagination
from repairjobs.api.serializers import (
    DocumentSerializer,
    JobPartSerializer,
    PartSerializer,
    PartStatusSerializer,
    PaymentSerializer,
    SmsSerializer,
    TextSerializer,
    TransactionSerializer,
)
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import Document
from repairjobs.models import (
    MAX_JOB_ID,
    MIN_JOB_ID,
    Job,
    JobTransaction,
    Part,
    Sms,
    UnknownJob,
    format_job_id,
)
from repairjobs.services import parts, payments, private_messages
from repairjobs.services.masking import mask_document

MAX_LINKS = 50


class JobView(ErrorsAsHttp, StrictView):
    """A view with a job's id in its path."""

    parser_classes = [JSONParser]

    def related(self, content: Any) -> list[tuple[str, str]]:
        job_id = self.kwargs.get("job_id")
        return [("The job", f"/jobs/{job_id}"), *job_links(job_id)] if job_id else []

    def get_job_id(self) -> int:
        """Return the job's id from the path.

        :raises NotFound: if no job can have this id.
        """
        text: str = self.kwargs["job_id"]
        number = to_whole_number(text)
        if number is None or not MIN_JOB_ID <= number <= MAX_JOB_ID:
            raise NotFound(f"job {text} is unknown")
        return number


class JobRowsView(JobView, mixins.ListModelMixin):
    """A list of rows that belong to the job in the path."""

    def get_queryset(self) -> QuerySet[Any]:
        job_id = self.get_job_id()
        if not Job.objects.is_known(job_id):
            raise UnknownJob(job_id)
        rows: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        return rows.filter(job_id=job_id)


def job_links(job_id: str) -> list[tuple[str, str]]:
    """Return the links to the pages about a job, except its document."""
    pages = [
        ("Ledger", "transactions"),
        ("SMS", "messages"),
        ("Parts", "parts"),
        ("Record a payment", "payments"),
    ]
    return [(title, f"/jobs/{job_id}/{path}") for title, path in pages]


@docs.jobs
class JobViewSet(JobView, viewsets.GenericViewSet[Any]):
    """Repair jobs, by the id that the client's system gave them."""

    queryset = Job.objects.none()  # the browsable API and the filters need a queryset
    serializer_class = DocumentSerializer
    pagination_class = DocumentPagination
    filterset_class = DocumentFilter

    def related(self, content: Any) -> list[tuple[str, str]]:
        if isinstance(content, list):
            job_ids = [document["job_id"] for document in content[:MAX_LINKS]]
            return [(job_id, f"/jobs/{job_id}") for job_id in job_ids]
        return job_links(content["job_id"])

    def list(self, request: Request) -> Response:
        """List the documents of jobs, by job_id as text. Changes appear within seconds."""
        filters = DocumentFilter(request.query_params, queryset=self.get_queryset())
        if filters.errors:
            raise translate_validation(filters.errors)
        pages = self.paginator
        assert isinstance(pages, DocumentPagination)
        find = partial(document_store().find, **filters.form.cleaned_data)
        documents = pages.paginate(request, find)
        return pages.get_paginated_response([self._mask(document) for document in documents])

    def retrieve(self, request: Request, job_id: str) -> Response:
        """Return the job's document. Changes appear within seconds."""
        document = document_store().get(format_job_id(self.get_job_id()))
        if document is None:
            raise UnknownJob(self.get_job_id())
        return Response(self._mask(document))

    def _mask(self, document: Document) -> Document:
        return document if sees_personal_data(self.request) else mask_document(document)


@docs.transactions
class TransactionViewSet(
    StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[JobTransaction]
):
    """The ledger: every GET from the client, every PUT to it and every event, oldest first."""

    queryset = JobTransaction.objects.all()
    serializer_class = TransactionSerializer
    keyset = ("created_at", "id")


@docs.job_transactions
class JobTransactionViewSet(JobRowsView, viewsets.GenericViewSet[JobTransaction]):
    """The ledger of a job: every GET from the client, PUT to it and event, oldest first."""

    queryset = JobTransaction.objects.all()
    serializer_class = TransactionSerializer
    keyset = ("created_at", "id")


@docs.messages
class MessageViewSet(JobRowsView, viewsets.GenericViewSet[Sms]):
    """Every SMS of a job, to and from the customer, oldest first."""

    queryset = Sms.objects.all()
    serializer_class = SmsSerializer
    keyset = ("created_at", "id")

    def example(self, method: str) -> Any:
        return docs.NEW_MESSAGE if method == "POST" else None

    def create(self, request: Request, job_id: str) -> Response:
        """Send an SMS to the job's customer. The customer sees only the number of this service."""
        message = TextSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        sms = private_messages.send_private_message(
            job_id=self.get_job_id(), at=timezone.now(), **message.validated_data
        )
        return Response(self.get_serializer(sms).data, status=status.HTTP_201_CREATED)


@docs.payments
class PaymentViewSet(JobView, viewsets.GenericViewSet[Any]):
    """Payments for a job."""

    serializer_class = PaymentSerializer

    def example(self, method: str) -> Any:
        # Each reference belongs to one payment only, over all jobs.
        reference = f"P-{uuid4().hex[:8]}"
        return {**docs.PAYMENT, "reference": reference} if method == "POST" else None

    def create(self, request: Request, job_id: str) -> Response:
        """Record a payment. Sending the same reference again changes nothing.

        The first payment makes the job paid. Later payments are recorded too.
        """
        payment = self.get_serializer(data=request.data)
        payment.is_valid(raise_exception=True)
        stored, is_new = payments.receive_payment(
            job_id=self.get_job_id(), at=timezone.now(), **payment.validated_data
        )
        return Response(
            self.get_serializer(stored).data,
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )


@docs.parts
class PartViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[Part]):
    """The parts that repairs need, of all jobs."""

    queryset = Part.objects.select_related("job")
    serializer_class = JobPartSerializer
    filterset_class = PartFilter
    keyset = ("job_id", "id")


@docs.job_parts
class JobPartViewSet(JobRowsView, viewsets.GenericViewSet[Part]):
    """The parts that a repair needs."""

    queryset = Part.objects.all()
    serializer_class = PartSerializer
    keyset = ("job_id", "id")

    def example(self, method: str) -> Any:
        return {"POST": docs.NEW_PART, "PATCH": docs.PART_RECEIVED}.get(method)

    def create(self, request: Request, job_id: str) -> Response:
        """Add a part that the repair needs. The job's document shows the part, too."""
        part = self.get_serializer(data=request.data)
        part.is_valid(raise_exception=True)
        stored = parts.add_part(job_id=self.get_job_id(), at=timezone.now(), **part.validated_data)
        return Response(self.get_serializer(stored).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, job_id: str, part_id: str) -> Response:
        """Set the status of a part. The statuses may be set in any order."""
        number = to_whole_number(part_id)
        if number is None:
            raise NotFound(f"job {self.get_job_id()} has no part {part_id}")
        change = PartStatusSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        part = parts.move_part(
            job_id=self.get_job_id(), part_id=number, at=timezone.now(), **change.validated_data
        )
        return Response(self.get_serializer(part).data)
