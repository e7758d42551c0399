from typing import Any

from django.conf import settings

from common.urls import optional_slash
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
from repairjobs.integrations.sms import WEBHOOK_PROVIDERS

LIST: dict[str, Any] = {"get": "list"}
LIST_AND_CREATE: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns = [
    *optional_slash("jobs", JobViewSet.as_view(LIST, name="Jobs"), "jobs"),
    *optional_slash(
        "jobs/<str:job_id>", JobViewSet.as_view({"get": "retrieve"}, name="Job"), "job"
    ),
    *optional_slash(
        "jobs/<str:job_id>/transactions",
        JobTransactionViewSet.as_view(LIST, name="Job's ledger"),
        "job-transactions",
    ),
    *optional_slash(
        "transactions", TransactionViewSet.as_view(LIST, name="Ledger"), "transactions"
    ),
    *optional_slash(
        "jobs/<str:job_id>/messages",
        MessageViewSet.as_view(LIST_AND_CREATE, name="Job's SMS"),
        "job-messages",
    ),
    *optional_slash(
        "jobs/<str:job_id>/payments",
        PaymentViewSet.as_view({"post": "create"}, name="Job's payments"),
        "job-payments",
    ),
    *optional_slash(
        "jobs/<str:job_id>/parts",
        JobPartViewSet.as_view(LIST_AND_CREATE, name="Job's parts"),
        "job-parts",
    ),
    *optional_slash(
        "jobs/<str:job_id>/parts/<str:part_id>",
        JobPartViewSet.as_view({"patch": "partial_update"}, name="Part"),
        "job-part",
    ),
    *optional_slash("parts", PartViewSet.as_view(LIST, name="Parts"), "parts"),
]
for provider in WEBHOOK_PROVIDERS:
    options = {"provider_name": provider}
    urlpatterns += [
        *optional_slash(
            f"webhooks/{provider}/status",
            StatusWebhookView.as_view(**options),
            f"{provider}-status",
        ),
        *optional_slash(
            f"webhooks/{provider}/inbound",
            InboundWebhookView.as_view(**options),
            f"{provider}-inbound",
        ),
    ]
if settings.CLIENT_SANDBOX:
    urlpatterns += [
        *optional_slash(
            "client/jobs",
            ClientJobViewSet.as_view(LIST_AND_CREATE, name="Client's jobs"),
            "client-jobs",
        ),
        *optional_slash(
            "client/jobs/<str:job_id>",
            ClientJobViewSet.as_view({"get": "retrieve", "put": "update"}, name="Client's job"),
            "client-job",
        ),
    ]
