"""Words by address: the definition itself, against a second implementation in plain integers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.randomness import Words, fresh_key, scattered, words

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "philox.json").read_text())
MASK = (1 << 64) - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 from the paper's round function, in Python integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [
            (second >> 64) ^ c[1] ^ k[0],
            second & MASK,
            (first >> 64) ^ c[3] ^ k[1],
            first & MASK,
        ]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


@pytest.mark.parametrize("vector", GOLDEN["vectors"])
def test_second_implementation_meets_random123(vector: dict[str, list[str]]) -> None:
    numbers = {name: [int(word, 16) for word in hexes] for name, hexes in vector.items()}
    assert philox(numbers["counter"], numbers["key"]) == numbers["output"]


@given(
    key=st.integers(0, 2**128 - 1),
    sample=st.integers(0, 2**64 - 1),
    space=st.integers(0, 1),
    word=st.integers(0, 40),
)
def test_a_word_is_its_block_and_lane(key: int, sample: int, space: int, word: int) -> None:
    block = philox([word // 4 + 1, sample, space, 0], [key & MASK, key >> 64])
    assert int(words(key, sample, space, word + 1)[word]) == block[word % 4]


@given(
    key=st.integers(0, 2**128 - 1),
    space=st.integers(0, 2),
    asked=st.lists(
        st.tuples(st.sampled_from([0, 5, 2**63 - 1, 2**63, 2**64 - 1]), st.integers(0, 999)),
        max_size=20,
    ),
)
def test_words_here_and_there_are_those_of_all(
    key: int, space: int, asked: list[tuple[int, int]]
) -> None:
    samples = np.array([sample for sample, _ in asked], np.uint64)
    places = np.array([place for _, place in asked], np.intp)
    wanted = [words(key, sample, space, 1000)[place] for sample, place in asked]
    np.testing.assert_array_equal(scattered(key, samples, space, places), wanted)


def test_what_was_asked_before_decides_no_word() -> None:
    source = Words(2**128 - 3)
    for sample, space, count in ((7, 0, 5), (2**63, 1, 3), (7, 0, 6), (2**64 - 1, 2, 1), (7, 0, 5)):
        fresh = np.random.Philox(key=2**128 - 3, counter=sample << 64 | space << 128)
        np.testing.assert_array_equal(source.first(sample, space, count), fresh.random_raw(count))


def test_samples_beyond_2_to_the_63_do_not_collide() -> None:
    firsts = {int(words(1, sample, 0, 1)[0]) for sample in (0, 2**63, 2**63 + 5, 2**64 - 1)}
    assert len(firsts) == 4


def test_fresh_keys_differ_and_have_128_bits() -> None:
    keys = {fresh_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}
    assert len({bit for key in keys for bit in range(128) if int(key, 16) >> bit & 1}) == 128
