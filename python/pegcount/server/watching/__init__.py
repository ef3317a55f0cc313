"""`TrafficService.WatchTraffic`: answers to the traffic question that are kept up to date.

    request -> query, shared by its watchers -> state -> changes since the last message of a watcher

Each distinct query is evaluated once per interval, by the same lanes as `QueryTraffic`, for all of its
watchers. A watcher keeps the state that its last message told, and its next one is made when its client has
read that: a slow reader gets fewer updates, never a queue of them.
"""

from pegcount.server.watching.watches import TrafficWatches

__all__ = ["TrafficWatches"]
