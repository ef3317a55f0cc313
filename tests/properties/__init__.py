"""Property tests of the whole service over gRPC, on random worlds."""
