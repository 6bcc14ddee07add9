"""Snapshots of ZFS datasets: taken on schedule, held, kept and destroyed by a policy."""
