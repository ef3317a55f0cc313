"""Acknowledged records survive kills, power cuts, I/O errors, full disks, flipped bytes and retries."""
