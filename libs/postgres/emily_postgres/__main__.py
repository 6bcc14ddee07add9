"""The embedded server in the foreground, for a supervisor."""

import sys

from emily_postgres.embedded import main

sys.exit(main(sys.argv[1:]))
