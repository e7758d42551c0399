"""Prometheus metrics: requests of this process, and gauges of the services."""

from collections.abc import Iterator

from django.db import Error
from prometheus_client import REGISTRY, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.service import served_services

REQUEST_SECONDS = Histogram(
    "http_request_seconds", "Seconds to answer a request.", ["method", "route", "status"]
)


class ServiceGauges(Collector):
    """The gauges of the services, queried at each scrape."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for service in served_services():
            try:
                gauges = service.gauges()
            except Error:
                # /readyz reports an unavailable database. The other gauges are still returned.
                continue
            for name, (documentation, value) in gauges.items():
                yield GaugeMetricFamily(name, documentation, value=value)


REGISTRY.register(ServiceGauges())
