"""Where the webhook is asked: at a path that nobody but the API server is told.

What it answers is about the Agents of a tenant, and any pod of the cluster may connect to it:
no policy of a network can name the API server, and this presents no certificate of its own
unless whoever administers the cluster has given it one. So the path stands for the right to
ask. It is in the webhook's configuration, which is no tenant's to read.
"""

import hashlib

from sympozium_controller.admission.certificates import Pair

_CHARS = 40
_FOR = b"path of the webhook\0"


def path_of(pair: Pair) -> str:
    """Return where is asked while *pair* is presented: whoever has not seen its key cannot tell."""
    return f"/validate/agentruns/{hashlib.sha256(_FOR + pair.key.encode()).hexdigest()[:_CHARS]}"
