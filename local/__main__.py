"""``python -m local``: see :mod:`local.launcher`."""

import sys

from local.launcher import main

sys.exit(main())
