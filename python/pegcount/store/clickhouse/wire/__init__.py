"""The servers of a cluster over HTTP: addresses, connections, requests, and what their errors mean."""
