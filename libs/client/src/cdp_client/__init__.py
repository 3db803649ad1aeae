"""What product engineers install: emit events to Tessera, subscribe to its segments.

`Emitter` needs nothing but httpx; `BrokerEmitter` and `subscribe` need the extra `cdp-client[kafka]`.
"""

from cdp_client.broker import BrokerEmitter, Flip, subscribe
from cdp_client.http import EmitError, Emitter

__all__ = ["BrokerEmitter", "EmitError", "Emitter", "Flip", "subscribe"]
