"""One service's life: settings, start, ready, drain, stop."""

from emily_runtime.database_settings import DatabaseAddress, DatabaseSettings
from emily_runtime.errors import CheckpointError, NoMigration, Refused, SettingsError
from emily_runtime.life import Life
from emily_runtime.loading import load_settings
from emily_runtime.mind import Emission, Gauges, Migration, Mind, Question
from emily_runtime.run import run
from emily_runtime.service import Service
from emily_runtime.settings import ServiceSettings

__all__ = [
    "CheckpointError",
    "DatabaseAddress",
    "DatabaseSettings",
    "Emission",
    "Gauges",
    "Life",
    "Migration",
    "Mind",
    "NoMigration",
    "Question",
    "Refused",
    "Service",
    "ServiceSettings",
    "SettingsError",
    "load_settings",
    "run",
]
