"""What is known of flags in the database."""
