"""Feature flags: kept, changed at run time, pushed to every replica."""
