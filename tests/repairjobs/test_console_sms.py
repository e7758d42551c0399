import logging
from threading import get_ident

from repairjobs.integrations.sms import sms_provider

TO = "+447700900456"


def send_sms(text="Your job 00123 is open."):
    return sms_provider().send(to=TO, text=text, reference="courtesy-1")


def test_the_console_prints_the_sms_and_logs_nothing(settings, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    settings.SMS_BACKEND = "console"

    uuid = send_sms(text="Olá 😀 \ud800")

    printed = capfd.readouterr().out
    assert TO in printed
    assert "Olá 😀" in printed
    # Threads of other tests may log meanwhile: MongoDB's clients watch their servers.
    messages = [record.getMessage() for record in caplog.records if record.thread == get_ident()]
    assert messages == []
    assert uuid != send_sms()


def test_the_console_prints_although_celery_redirects_standard_output(settings, capfd, monkeypatch):
    settings.SMS_BACKEND = "console"
    monkeypatch.setattr("sys.stdout", None)

    send_sms()

    assert TO in capfd.readouterr().out
