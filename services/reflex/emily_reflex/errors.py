"""What can go wrong with a model before the service starts."""


class ModelUnusable(Exception):
    """The trained model can't be read; the message names the file, the fault and the remedy."""
