"""What Prometheus reads: counts of the calls, of the store and of the process, over HTTP.

calls that end -> CallMetrics -+
store -> StoreCollector -------+-> ServerMetrics -> MetricsEndpoint -> GET /metrics
server -> StateCollector ------+
"""

from pegcount.metrics.endpoint import MetricsEndpoint, MetricsListenError
from pegcount.metrics.server_metrics import ServerMetrics

__all__ = ["MetricsEndpoint", "MetricsListenError", "ServerMetrics"]
