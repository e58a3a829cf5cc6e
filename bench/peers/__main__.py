"""Make the tables and keys of a peer: ``python -m bench.peers NAME COUNT`` prints the headers."""

from __future__ import annotations

import importlib
import json
import sys

if __name__ == "__main__":
    peer = importlib.import_module(f"bench.peers.{sys.argv[1]}")
    print(json.dumps(peer.prepare(int(sys.argv[2]))))
