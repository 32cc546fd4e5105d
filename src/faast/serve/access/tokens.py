"""Tokens of a folder: secrets that clients show, each with a name and a scope."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Never

from faast.core.atomic_files import write_whole
from faast.core.locking import exclusive

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$"
"""Names of tokens: they are shown in the history of tasks."""

SECRET_BYTES = 32
"""Random bytes of a secret: so many that a fast hash keeps it, and no guess finds it."""


class Scope(StrEnum):
    """What a token allows; each scope includes the ones before it."""

    ASK = "ask"
    TEACH = "teach"
    ADMIN = "admin"

    @classmethod
    def _missing_(cls, value: object) -> Never:
        raise ValueError(f"there is no scope {value!r}; the scopes are {', '.join(cls)}")

    def includes(self, other: Scope) -> bool:
        """Say whether this scope allows what the other one does."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Token:
    """A token without its secret.

    Attributes
    ----------
    name : str
    scope : Scope
    created : str
        Time in UTC, ISO 8601.
    sha256 : str
        Hash of the secret.
    """

    name: str
    scope: Scope
    created: str
    sha256: str


class TokenFile:
    """The file `tokens.json` of a folder; a server that is running sees changes at once.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens.json"
        self._version: tuple[int, int, int] | None = None
        self._tokens: list[Token] = []
        self._required = False

    @property
    def required(self) -> bool:
        """Whether clients need a token: once there was a file, also when it is empty or gone."""
        self._required = self._required or self.path.exists()
        return self._required

    def create(self, name: str, scope: str) -> str:
        """Add a token and return its secret, which is kept nowhere.

        Raises
        ------
        ValueError
            If the name is taken or is none, or there is no such scope.
        OSError
            If the file cannot be written.
        """
        if not re.fullmatch(NAME_PATTERN, name):
            raise ValueError(
                f"{name!r} cannot name a token; use up to 64 letters, digits and any of _ . @ -"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self.path):
            tokens = self.tokens
            if any(token.name == name for token in tokens):
                raise ValueError(f"there is a token {name!r} already; revoke it or choose another")
            secret = f"faast_{secrets.token_urlsafe(SECRET_BYTES)}"
            created = datetime.now(UTC).isoformat(timespec="seconds")
            self._write([*tokens, Token(name, Scope(scope), created, _sha256(secret))])
        return secret

    def revoke(self, name: str) -> None:
        """Remove a token; raises a ValueError if there is none of that name."""
        with exclusive(self.path):
            tokens = self.tokens
            kept = [token for token in tokens if token.name != name]
            if len(kept) == len(tokens):
                names = ", ".join(token.name for token in tokens) or "none"
                raise ValueError(f"there is no token {name!r}; there are: {names}")
            self._write(kept)

    @property
    def tokens(self) -> list[Token]:
        """All tokens in the order in which they were made.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        version = self._look()
        if version != self._version:
            self._tokens = [] if version is None else self._read()
            self._version = version
        return self._tokens

    def find(self, secret: str) -> Token | None:
        """Return the token with a secret. The time it takes does not tell how near a guess is."""
        given = _sha256(secret)
        found = [token for token in self.tokens if hmac.compare_digest(token.sha256, given)]
        return found[0] if found else None

    def _look(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the file is replaced."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> list[Token]:
        try:
            tokens = [
                Token(**(entry | {"scope": Scope(entry["scope"])}))
                for entry in json.loads(self.path.read_bytes())
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{self.path} is not a file of tokens ({error}); restore it from a backup, or "
                "delete it and make new tokens"
            ) from error
        return tokens

    def _write(self, tokens: list[Token]) -> None:
        content = json.dumps([asdict(token) for token in tokens], indent=2)
        if not self.path.exists():  # a file that is replaced passes its mode on
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            self.path.write_text("[]")
        write_whole(self.path, f"{content}\n".encode())


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
