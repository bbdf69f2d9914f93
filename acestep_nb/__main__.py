"""``python -m acestep_nb`` is the command line ``acestep-nb``."""

import sys

from acestep_nb.cli import main

sys.exit(main())
