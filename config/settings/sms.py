"""The SMS provider: SMS are printed to standard output, or sent by Vonage."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.environment import env, seconds, whole_number

SMS_BACKEND = env.str("SMS_BACKEND", "console")
SMS_BACKEND_IS_NAMED = "SMS_BACKEND" in env.ENVIRON
if SMS_BACKEND not in {"console", "vonage"}:
    raise ImproperlyConfigured(f"SMS_BACKEND must be console or vonage, not {SMS_BACKEND!r}.")

SMS_PER_SECOND = whole_number("SMS_PER_SECOND", 30)
# An SMS that was perhaps sent delays the job's next step by at most this long.
SMS_UNKNOWN_TIMEOUT = seconds("SMS_UNKNOWN_SECONDS", 15 * 60)

VONAGE_FROM = env.str("VONAGE_FROM", "Repairs")
VONAGE_APPLICATION_ID = env.str("VONAGE_APPLICATION_ID", "")
VONAGE_PRIVATE_KEY = env.str("VONAGE_PRIVATE_KEY", "")
VONAGE_SIGNATURE_SECRET = env.str("VONAGE_SIGNATURE_SECRET", "")
VONAGE_API_HOST = env.str("VONAGE_API_HOST", "api.nexmo.com")
VONAGE_TIMEOUT = whole_number("VONAGE_TIMEOUT", 10)
