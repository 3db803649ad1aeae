"""Real servers on this machine, started and ended by Python: `Stack.start("embedded")` or `Stack.start("local")`.

Every server runs in a process group and a folder of its own, listens on a free port of 127.0.0.1 and keeps
that port and that folder when it is stopped and started again. Nothing outlives the Python process that
started it, however that process ends. The calls block (a Kafka takes three seconds to start): in a coroutine
use `await asyncio.to_thread(stack.kafka_server.start)`.
"""

from __future__ import annotations

from cdp_devstack.servers.child import Child, ServerError
from cdp_devstack.servers.ports import free_port
from cdp_devstack.servers.server import Server
from cdp_devstack.servers.stack import Kind, Name, Stack

__all__ = ["Child", "Kind", "Name", "Server", "ServerError", "Stack", "free_port"]
