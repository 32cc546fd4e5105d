"""One lock per object, held outside it: locks cannot be copied or pickled."""

from __future__ import annotations

import os
from threading import Lock, RLock
from weakref import WeakKeyDictionary

_LOCKS: WeakKeyDictionary[object, RLock] = WeakKeyDictionary()
_GUARD = Lock()
if hasattr(os, "register_at_fork"):  # no thread of the child will ever release a lock that is held
    os.register_at_fork(before=_GUARD.acquire, after_in_parent=_GUARD.release)
    os.register_at_fork(after_in_child=_LOCKS.clear)
    os.register_at_fork(after_in_child=_GUARD.release)


def lock_of(holder: object) -> RLock:
    """Return the lock of an object, the same one as long as the object lives."""
    with _GUARD:
        return _LOCKS.setdefault(holder, RLock())
