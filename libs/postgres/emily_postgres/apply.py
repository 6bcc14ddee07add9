"""Applies the migrations of a package: `python -m emily_postgres.apply SCHEMA PACKAGE [--contract]`.

Run with the interpreter of the version whose migrations are meant. The URL of the database comes in the
environment variable EMILY_DATABASE_URL, or else in the file that EMILY_DATABASE_URL_FILE names: an argument
would be seen by everybody on the machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from emily_postgres.errors import PostgresError
from emily_postgres.migrating import Database
from emily_postgres.migration import load

URL = "EMILY_DATABASE_URL"
URL_FILE = "EMILY_DATABASE_URL_FILE"


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """0 when all is applied that may be; 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="emily_postgres.apply", description=__doc__)
    parser.add_argument("schema")
    parser.add_argument("package", help="that holds the folder `migrations`")
    parser.add_argument("--contract", action="store_true", help="apply contractions too")
    given = parser.parse_args(arguments)
    try:
        files = load(resources.files(given.package).joinpath("migrations"))
        url = environ.get(URL) or Path(environ[URL_FILE]).read_text().strip()
        done = Database(url, given.schema).migrate(files, contract=given.contract)
    except KeyError:
        print(f"{URL} or {URL_FILE}: must be set", file=sys.stderr)
        return 1
    except (PostgresError, OSError, ImportError) as failure:
        print(failure, file=sys.stderr)
        return 1
    print("\n".join(f"applied {each.file}" for each in done) or "nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
