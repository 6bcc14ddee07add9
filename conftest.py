"""Laws are judged by what they give, not by how long a loaded machine takes over it."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
