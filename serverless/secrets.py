"""Settings that are secrets, from AWS Secrets Manager."""

import json

from botocore.session import get_session


def read_settings(secret: str) -> dict[str, str]:
    """The settings by name that a secret holds as a JSON object.

    :param secret: its ARN.
    :raises ValueError: if it holds anything else.
    """
    client = get_session().create_client("secretsmanager")
    found = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        # Not what it holds: this goes to the log.
        raise ValueError("SETTINGS_SECRET holds no JSON object of texts")
    return found
