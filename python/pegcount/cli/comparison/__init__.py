"""What `pegcount compare` does: asks two places the same random questions, and finds answers that differ."""

from pegcount.cli.comparison.asking import Comparison, compared
from pegcount.cli.comparison.places import place_of_store
from pegcount.cli.comparison.questions import ACTIVE, questions
from pegcount.cli.comparison.values import Values

__all__ = ["ACTIVE", "Comparison", "Values", "compared", "place_of_store", "questions"]
