from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.errors import Conflict, ConflictSerializer
from common.api.openapi import error_response, list_response
from repairjobs.api.errors import as_http
from repairjobs.api.serializers import ClientJobSerializer
from repairjobs.api.views import JOB_ID, MALFORMED, JobView
from repairjobs.integrations import client_database
from repairjobs.models import ClientJob, JobStatus

EXAMPLE = {
    "Job_id": 123,
    "Job_type": "REPAIR",
    "Job_status": "NEW",
    "Client_firstname": "Test",
    "Client_lastname": "Customer",
    "Client_postcode": "AB1 2CD",
    "Client_mobile": "07700 900123",
    "Product_id": "WM-1",
    "Product_type": "Washing machine",
}
# The client's database gives the next id.
NEW = {name: EXAMPLE[name] for name in EXAMPLE if name != "Job_id"}
A_ROW = OpenApiResponse(ClientJobSerializer, "The row.", [OpenApiExample("A row", EXAMPLE)])
UNKNOWN_THERE = error_response(
    "The client has no such job.", {"detail": "the client has no job 123"}
)


@extend_schema_view(
    list=extend_schema(
        summary="List the client's jobs",
        responses={
            200: list_response(ClientJobSerializer, "The client's rows, by id.", EXAMPLE),
            400: MALFORMED,
        },
    )
)
class ClientJobViewSet(JobView, mixins.ListModelMixin, viewsets.GenericViewSet[ClientJob]):
    """Stands in for the client's own application over the same table, for trying things out."""

    queryset = ClientJob.objects.all()
    lookup_field = "job_id"
    serializer_class = ClientJobSerializer
    keyset = ("job_id",)

    def example(self, method: str) -> Any:
        if method == "POST":
            return NEW
        return {"Job_status": "JOB COMPLETED"} if method == "PUT" else None

    def related(self, content: Any) -> list[tuple[str, str]]:
        if isinstance(content, list):
            return [("Our jobs", "/jobs")]
        return [("Our job", f"/jobs/{content['Job_id']}"), ("All of the client's", "/client/jobs")]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The client's rows, by id."""
        with as_http():
            return super().list(request, *args, **kwargs)

    @extend_schema(
        summary="Get one of the client's jobs",
        parameters=[JOB_ID],
        responses={200: A_ROW, 404: UNKNOWN_THERE},
    )
    def retrieve(self, request: Request, job_id: str) -> Response:
        """The client's row."""
        with as_http():
            row = client_database.fetch([self.job_id()]).get(self.job_id())
        return self._answer(row)

    @extend_schema(
        summary="Add a job at the client",
        examples=[OpenApiExample("A new job", NEW, request_only=True)],
        responses={
            201: OpenApiResponse(ClientJobSerializer, "Added.", [OpenApiExample("Added", EXAMPLE)]),
            400: MALFORMED,
            409: OpenApiResponse(
                ConflictSerializer,
                "The id is taken.",
                [OpenApiExample("Taken", {"detail": "job 123 is taken", "conflicts": {}})],
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Add a row; without a Job_status it is NEW."""
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            with as_http():
                row = client_database.add_job(
                    **{"status": JobStatus.NEW.value} | sent.validated_data
                )
        except client_database.JobIdTaken as refusal:
            raise Conflict(str(refusal), {}) from refusal
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a job at the client",
        parameters=[JOB_ID],
        examples=[
            OpenApiExample("Work is done", {"Job_status": "JOB COMPLETED"}, request_only=True)
        ],
        responses={200: A_ROW, 400: MALFORMED, 404: UNKNOWN_THERE},
    )
    def update(self, request: Request, job_id: str) -> Response:
        """Change the columns that are sent; a Job_id in the body is ignored."""
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        sent.validated_data.pop("job_id", None)
        with as_http():
            row = client_database.change_job(self.job_id(), **sent.validated_data)
        return self._answer(row)

    def _answer(self, row: ClientJob | None) -> Response:
        if row is None:
            raise NotFound(f"the client has no job {self.job_id()}")
        return Response(self.get_serializer(row).data)
