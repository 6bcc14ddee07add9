"""Feature flags: checked definitions, a replica, evaluation in process."""

from emily_flags.definition import Flag, document_of, parse_document, parse_flag, require_consistent
from emily_flags.errors import FlagsError, InvalidFlag
from emily_flags.evaluation import Evaluator
from emily_flags.files import load_file, load_folder
from emily_flags.following import following, following_on
from emily_flags.provider import EmilyProvider
from emily_flags.replica import Replica

__all__ = [
    "EmilyProvider",
    "Evaluator",
    "Flag",
    "FlagsError",
    "InvalidFlag",
    "Replica",
    "document_of",
    "following",
    "following_on",
    "load_file",
    "load_folder",
    "parse_document",
    "parse_flag",
    "require_consistent",
]
