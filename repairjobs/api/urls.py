from typing import Any

from django.conf import settings

from common.urls import both_slashes
from repairjobs.api.sandbox import ClientJobViewSet
from repairjobs.api.views import (
    JobPartViewSet,
    JobTransactionViewSet,
    JobViewSet,
    MessageViewSet,
    PartViewSet,
    PaymentViewSet,
    TransactionViewSet,
)
from repairjobs.api.webhooks import InboundWebhookView, StatusWebhookView

LIST: dict[str, Any] = {"get": "list"}
LIST_AND_CREATE: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns = [
    *both_slashes("jobs", JobViewSet.as_view(LIST, name="Jobs"), "jobs"),
    *both_slashes("jobs/<str:job_id>", JobViewSet.as_view({"get": "retrieve"}, name="Job"), "job"),
    *both_slashes(
        "jobs/<str:job_id>/transactions",
        JobTransactionViewSet.as_view(LIST, name="Job's ledger"),
        "job-transactions",
    ),
    *both_slashes("transactions", TransactionViewSet.as_view(LIST, name="Ledger"), "transactions"),
    *both_slashes(
        "jobs/<str:job_id>/messages",
        MessageViewSet.as_view(LIST_AND_CREATE, name="Job's SMS"),
        "job-messages",
    ),
    *both_slashes(
        "jobs/<str:job_id>/payments",
        PaymentViewSet.as_view({"post": "create"}, name="Job's payments"),
        "job-payments",
    ),
    *both_slashes(
        "jobs/<str:job_id>/parts",
        JobPartViewSet.as_view(LIST_AND_CREATE, name="Job's parts"),
        "job-parts",
    ),
    *both_slashes(
        "jobs/<str:job_id>/parts/<str:part_id>",
        JobPartViewSet.as_view({"patch": "partial_update"}, name="Part"),
        "job-part",
    ),
    *both_slashes("parts", PartViewSet.as_view(LIST, name="Parts"), "parts"),
    *both_slashes("webhooks/vonage/status", StatusWebhookView.as_view(), "vonage-status"),
    *both_slashes("webhooks/vonage/inbound", InboundWebhookView.as_view(), "vonage-inbound"),
]
if settings.CLIENT_SANDBOX:
    urlpatterns += [
        *both_slashes(
            "client/jobs",
            ClientJobViewSet.as_view(LIST_AND_CREATE, name="Client's jobs"),
            "client-jobs",
        ),
        *both_slashes(
            "client/jobs/<str:job_id>",
            ClientJobViewSet.as_view({"get": "retrieve", "put": "update"}, name="Client's job"),
            "client-job",
        ),
    ]
