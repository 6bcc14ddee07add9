"""From a query to the best episodes: candidates by meaning and by words, weighed and ordered."""
