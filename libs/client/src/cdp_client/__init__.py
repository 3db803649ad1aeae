"""What product engineers install: emit events to Tessera, subscribe to its segments.

`Emitter` needs nothing but httpx; `BrokerEmitter`, `members`, `subscribe` and `follow` need the extra
`cdp-client[kafka]`.
"""

from cdp_client.broker import BrokerEmitter
from cdp_client.following import Flip, Unreadable
from cdp_client.http import EmitError, Emitter
from cdp_client.subscription import follow, members, subscribe

__all__ = ["BrokerEmitter", "EmitError", "Emitter", "Flip", "Unreadable", "follow", "members", "subscribe"]
