"""Where secrets come from, told by one reference: `env:NAME`, `file:PATH` or `infisical:/PATH/NAME`."""

from emily_runtime.errors import SecretRefused, SecretUnavailable
from emily_runtime.secrets.environment import EnvironmentSource
from emily_runtime.secrets.file import FileSource
from emily_runtime.secrets.infisical import InfisicalSource
from emily_runtime.secrets.infisical_settings import InfisicalSettings
from emily_runtime.secrets.reading import Secrets
from emily_runtime.secrets.reference import Reference, referred
from emily_runtime.secrets.secret import Secret
from emily_runtime.secrets.source import SecretSource

__all__ = [
    "EnvironmentSource",
    "FileSource",
    "InfisicalSettings",
    "InfisicalSource",
    "Reference",
    "Secret",
    "SecretRefused",
    "SecretSource",
    "SecretUnavailable",
    "Secrets",
    "referred",
]
