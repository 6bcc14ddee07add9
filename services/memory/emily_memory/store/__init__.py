"""What is on record: the database, its tables, and the way a row gets there and back."""
