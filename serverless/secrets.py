"""Secret settings from AWS Secrets Manager."""

import json

from botocore.session import get_session


def read_settings(secret: str) -> dict[str, str]:
    """Return the settings that a secret contains as a JSON object of strings.

    :param secret: the ARN.
    :raises ValueError: if the secret has a different format.
    """
    client = get_session().create_client("secretsmanager")
    values = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        # The message is logged, so it must not contain the secret.
        raise ValueError("SETTINGS_SECRET must be a JSON object of strings")
    return values
