from typing import Any

from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from repairjobs.api import docs
from repairjobs.api.serializers import ClientJobSerializer
from repairjobs.api.views import JobView
from repairjobs.integrations import client_database
from repairjobs.models import ClientJob, JobStatus


@docs.client_jobs
class ClientJobViewSet(JobView, mixins.ListModelMixin, viewsets.GenericViewSet[ClientJob]):
    """A simulation of the client's own application, which adds and changes the client's rows."""

    queryset = ClientJob.objects.all()
    lookup_field = "job_id"
    serializer_class = ClientJobSerializer
    keyset = ("job_id",)

    def example(self, method: str) -> Any:
        return {"POST": docs.NEW_CLIENT_JOB, "PUT": docs.CLIENT_JOB_COMPLETED}.get(method)

    def related(self, content: Any) -> list[tuple[str, str]]:
        if isinstance(content, list):
            return [("Our jobs", "/jobs")]
        return [("Our job", f"/jobs/{content['Job_id']}"), ("All client's jobs", "/client/jobs")]

    def retrieve(self, request: Request, job_id: str) -> Response:
        """Return the client's row."""
        number = self.get_job_id()
        return self._respond(client_database.fetch([number]).get(number))

    def create(self, request: Request) -> Response:
        """Add a row. The default Job_status is NEW."""
        columns = self.get_serializer(data=request.data)
        columns.is_valid(raise_exception=True)
        row = client_database.add_job(**{"status": JobStatus.NEW.value} | columns.validated_data)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    def update(self, request: Request, job_id: str) -> Response:
        """Change the columns in the body. A Job_id in the body is ignored."""
        columns = self.get_serializer(data=request.data)
        columns.is_valid(raise_exception=True)
        columns.validated_data.pop("job_id", None)
        return self._respond(
            client_database.change_job(self.get_job_id(), **columns.validated_data)
        )

    def _respond(self, row: ClientJob | None) -> Response:
        if row is None:
            raise NotFound(f"the client has no job {self.get_job_id()}")
        return Response(self.get_serializer(row).data)
