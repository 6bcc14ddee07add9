"""Which colour answers whom: kept, changed as a whole, and the minds moved along."""
