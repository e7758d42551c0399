"""The environment variables that the settings read, found in their source."""

import re

from django.conf import settings

from tests.processes import ROOT

READ = re.compile(r'\b(?:env\.\w+|boolean|whole_number|seconds)\(\s*"([A-Z_]+)"')


def environment_variables() -> set[str]:
    sources = [path.read_text() for path in (ROOT / "config" / "settings").glob("*.py")]
    names = {name for source in sources for name in READ.findall(source)}
    return names | set(settings.DATABASE_URL_VARIABLES.values())
