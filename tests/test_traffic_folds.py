"""Bins of a scan that become those of an answer, against plain Python."""

from random import Random

import numpy as np
from naive_traffic import Cells
from pegcount.traffic import Fold, KeyValue
from seeds import chance
from traffic_answers import check, random_cells_of, random_question, respond, shuffled

ROUNDS = 300


def random_fold(cells: Cells, dice: Random) -> Fold:
    bin_count = dice.randrange(1, 4)
    bins = np.array([dice.randrange(-1, bin_count) for _ in range(cells.bin_count)], np.int64)
    numbers = sorted(dice.sample(range(len(cells.texts) + 2), dice.randrange(3)))
    numbers = [number for place, number in enumerate(numbers) if number <= len(cells.texts) + place]
    values = [np.array([dice.randrange(3) for _ in bins], np.int64) for _ in numbers]
    return Fold(bins, bin_count, tuple(zip(numbers, values, strict=True)))


def folded(cells: Cells, fold: Fold) -> Cells:
    """The cells in other bins, with the keys of a fold."""
    texts = list(cells.texts)
    for number, _ in fold.keys:
        texts.insert(number, False)
    added = Cells(fold.bin_count, cells.kinds, tuple(texts))
    nothing = [kind() for kind in cells.kinds]
    for (number, keys), measures in cells.measures.items():
        all_keys: list[KeyValue] = list(keys)
        for place, values in fold.keys:
            all_keys.insert(place, int(values[number]))
        has_something = any(measures[:6]) or bool(measures[6].changes())
        if fold.bin[number] >= 0 and (has_something or cells.texts or not fold.keys):
            place_of = (int(fold.bin[number]), tuple(all_keys))
            before = added.measures.get(place_of, nothing)
            added.measures[place_of] = [a + b for a, b in zip(before, measures, strict=True)]
    return added


def test_folds_of_cells_at_random() -> None:
    dice = chance("traffic", "fold")
    for _ in range(ROUNDS):
        texts = tuple(dice.choice([True, False]) for _ in range(dice.randrange(3)))
        cells = random_cells_of(texts, dice.randrange(1, 6), dice)
        fold = random_fold(cells, dice)
        expected = folded(cells, fold)
        found = shuffled(cells, dice).folded(fold.bin, fold.bin_count, fold.keys)
        asked = random_question(expected, dice)
        check(respond(found, asked), expected, asked)
