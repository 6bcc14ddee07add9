"""Which properties of a filesystem can be wished for, and how ZFS shows each when asked for exact values."""

from __future__ import annotations

import difflib
import re

from emily_zfs_agent.sizes import bytes_of

SMALLEST_BLOCK = 512
LARGEST_BLOCK = 16 * 1024**2
DEFAULT_RECORDSIZE = 128 * 1024
OWN = "org.emily:"
"""User properties that are ours to set."""

AT_CREATION = frozenset(("casesensitivity", "encryption", "keyformat", "normalization", "utf8only"))
"""Can't be changed later."""

_SWITCH = r"on|off"
_CACHE = r"all|none|metadata"
_WORDS = {
    "aclinherit": r"discard|noallow|restricted|passthrough|passthrough-x",
    "aclmode": r"discard|groupmask|passthrough|restricted",
    "acltype": r"off|nfsv4|posix",
    "atime": _SWITCH,
    "canmount": r"on|off|noauto",
    "casesensitivity": r"sensitive|insensitive|mixed",
    "checksum": r"on|off|fletcher2|fletcher4|sha256|sha512|skein|edonr|blake3",
    "compression": r"on|off|lz4|lzjb|zle|gzip(-[1-9])?|zstd(-([1-9]|1[0-9]))?|zstd-fast(-\d+)?",
    "copies": r"[123]",
    "dedup": r"on|off|verify|(sha256|sha512|skein|blake3)(,verify)?|edonr,verify",
    "devices": _SWITCH,
    "direct": r"disabled|standard|always",
    "dnodesize": r"legacy|auto|1k|2k|4k|8k|16k",
    "encryption": r"on|off|aes-(128|192|256)-(ccm|gcm)",
    "exec": _SWITCH,
    "keyformat": r"raw|hex|passphrase",
    "keylocation": r"prompt|(file|https?)://\S+",
    "logbias": r"latency|throughput",
    "mountpoint": r"none|legacy|/.*",
    "nbmand": _SWITCH,
    "normalization": r"none|formC|formD|formKC|formKD",
    "overlay": _SWITCH,
    "prefetch": _CACHE,
    "primarycache": _CACHE,
    "readonly": _SWITCH,
    "redundant_metadata": r"all|most|some|none",
    "relatime": _SWITCH,
    "secondarycache": _CACHE,
    "setuid": _SWITCH,
    "sharenfs": r".+",
    "sharesmb": r".+",
    "snapdir": r"hidden|visible|disabled",
    "sync": r"standard|always|disabled",
    "utf8only": _SWITCH,
    "vscan": _SWITCH,
    "xattr": r"on|off|sa|dir",
}
_BLOCKS = frozenset(("recordsize", "special_small_blocks"))
_LIMITS = frozenset(("quota", "refquota", "reservation", "refreservation"))
_KNOWN = sorted(_WORDS.keys() | _BLOCKS | _LIMITS)
_USER = re.compile(r"[a-z0-9][a-z0-9._+-]*:[a-z0-9:._+-]+")


def exact(name: str, value: str) -> str:
    """The value as `zfs get -p` would show it.

    Raises:
        ValueError: The property is unknown or the value none of its own; the message says what fits.
    """
    if ":" in name:
        return _user(name, value)
    if name in _BLOCKS:
        return str(_block(value, smallest=0 if name == "special_small_blocks" else SMALLEST_BLOCK))
    if name in _LIMITS:
        return "0" if value == "none" else str(bytes_of(value))
    pattern = _WORDS.get(name)
    if pattern is None:
        meant = difflib.get_close_matches(name, _KNOWN, n=1)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(_KNOWN)}, and any NAME:NAME"
        raise ValueError(f"no property that can be wished for; {hint}")
    if not re.fullmatch(pattern, value):
        raise ValueError(f"{value!r} does not fit; it is one of {pattern}")
    return value


def starves_the_pool(recordsize: int, special_small_blocks: int) -> bool:
    """Whether every block of the dataset would count as small, and land on the special vdev."""
    return special_small_blocks > 0 and special_small_blocks >= recordsize


def _user(name: str, value: str) -> str:
    if name.startswith(OWN):
        raise ValueError(f"{OWN}* marks what the zfs-agent took; choose a name of your own")
    if not _USER.fullmatch(name) or len(name) > 255:
        raise ValueError("not a name of a user property; write lower-case letters, such as com.example:owner")
    if not value.isprintable() or len(value) > 1024:
        raise ValueError("at most 1024 printable characters fit")
    return value


def _block(value: str, *, smallest: int) -> int:
    size = bytes_of(value)
    if size == smallest == 0:
        return 0
    if size & (size - 1) or not SMALLEST_BLOCK <= size <= LARGEST_BLOCK:
        raise ValueError(f"{value!r} is not a power of two from 512 to 16M")
    return size
