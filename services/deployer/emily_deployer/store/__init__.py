"""Where deploys are kept: in PostgreSQL, or in a journal where there is no database."""
