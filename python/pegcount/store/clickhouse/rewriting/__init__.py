"""Changes of stored records by rules: deletions, erasures, masking and retention."""
