"""Prometheus metrics: the requests of this process, and what the services want watched."""

from collections.abc import Iterator

from django.db import Error
from prometheus_client import REGISTRY, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.service import served_services

REQUEST_SECONDS = Histogram(
    "http_request_seconds", "Time to answer a request.", ["method", "route", "status"]
)


class ServiceGauges(Collector):
    """Each service's gauges, read from its store when Prometheus asks."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for service in served_services():
            try:
                gauges = service.gauges()
            except Error:
                # A store that is away is told by /readyz; the other numbers still count.
                continue
            for name, (documentation, value) in gauges.items():
                yield GaugeMetricFamily(name, documentation, value=value)


REGISTRY.register(ServiceGauges())
