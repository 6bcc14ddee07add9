"""One service's life: settings, start, ready, drain, stop."""
