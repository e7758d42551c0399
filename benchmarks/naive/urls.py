from django.http import HttpResponse
from django.urls import path

from benchmarks.naive import messages, views

urlpatterns = [
    path("healthz", lambda request: HttpResponse()),
    path("events", views.EventList.as_view()),
    path("messages", messages.MessageViewSet.as_view({"post": "create"})),
    path("stats", messages.Stats.as_view()),
    path("dashboard/counted", views.CountedReport.as_view()),
    path("dashboard/serialized", views.SerializedReport.as_view()),
]
