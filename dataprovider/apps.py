from common.service import AdminPage, Freshness, ServiceConfig


class DataProviderConfig(ServiceConfig):
    default = True
    name = "dataprovider"
    verbose_name = "Data provider"
    summary = "Booking and cancellation events of hotels."
    links = [
        ("Events", "/events"),
        ("Bookings of hotel 1", "/events?hotel_id=1&rpg_status=1"),
        ("API", "/docs/dataprovider"),
    ]
    commands = [("Get the first two events of hotel 1", "'{url}/events?hotel_id=1&limit=2'")]
    admin_pages = [AdminPage("event", "event_note")]

    def freshness(self) -> Freshness:
        from dataprovider.models import Event

        last = Event.objects.last_recorded()
        return {"Last event recorded": last.recorded_at if last else None}
