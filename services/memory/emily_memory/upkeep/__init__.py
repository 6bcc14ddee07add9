"""What happens behind the scenes, and what keeps a database in order."""
