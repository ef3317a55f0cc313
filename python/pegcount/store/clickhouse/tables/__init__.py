"""The tables of a cluster: what they hold and why, and how they are made, checked and promoted."""
