"""What people do with single memories: look, count, correct, forget, erase."""
