"""An oracle: the four reports computed in plain Python from a list of records."""
