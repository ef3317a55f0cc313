"""What an acknowledgement survives: kills, power cuts, I/O errors, full disks, flipped bytes, retries."""
