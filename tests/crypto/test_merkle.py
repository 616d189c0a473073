"""The tree of RFC 9162, against its own definition, the published vectors and every wrong claim."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of_hashes,
    verify_consistency,
    verify_inclusion,
)

# Leaves and roots of the certificate-transparency reference implementations.
PUBLISHED_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

HASHES = [leaf_hash(str(number).encode()) for number in range(70)]
LEAVES = [leaf_hash(bytes.fromhex(data)) for data in PUBLISHED_LEAVES]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    """The roots are those that other implementations publish."""
    assert root_of_hashes(LEAVES[:size]).hex() == PUBLISHED_ROOTS[size]


def test_published_proof() -> None:
    """A proof of inclusion holds the very hashes that other implementations publish."""
    assert [node.hex() for node in inclusion_proof(0, LEAVES)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162, 2.1.1 words it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(defined_root(leaves[:k]), defined_root(leaves[k:]))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_frontier_is_the_definition(leaves: list[bytes]) -> None:
    """Appending one leaf at a time leads to the root that the standard defines, at every size."""
    frontier = Frontier()
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf)
        assert frontier.root() == defined_root(leaves[:size])
    assert (frontier.size, len(frontier.roots)) == (len(leaves), len(leaves).bit_count())


def test_frontier_goes_on_from_what_was_stored() -> None:
    """A frontier that was stored and restored grows as if nothing had happened; a garbled one is refused."""
    stored = Frontier()
    for leaf in HASHES[:37]:
        stored.append(leaf)
    restored = Frontier(stored.size, list(stored.roots))
    for leaf in HASHES[37:]:
        restored.append(leaf)
    assert restored.root() == defined_root(HASHES)
    with pytest.raises(ValueError, match="37 leaves has 3"):
        Frontier(37, stored.roots[:-1])


def test_every_inclusion() -> None:
    """Every leaf of every small tree is proved, and not at any other place, size or root."""
    for size in range(1, 35):
        root = root_of_hashes(HASHES[:size])
        for index in range(size):
            proof = inclusion_proof(index, HASHES[:size])
            assert verify_inclusion(HASHES[index], index, size, proof, root)
            assert not verify_inclusion(HASHES[index], index, size, proof, EMPTY_ROOT)
            assert not any(verify_inclusion(HASHES[index], i, size, proof, root) for i in range(size + 1) if i != index)
            assert not verify_inclusion(HASHES[index], index, size, [*proof, root], root)
            assert not any(verify_inclusion(HASHES[index], index, size, proof[:n], root) for n in range(len(proof)))


def test_every_consistency() -> None:
    """Every growth of every small tree is proved, and no cut, stretched or swapped proof is taken."""
    roots = [root_of_hashes(HASHES[:size]) for size in range(35)]
    for size in range(1, 35):
        for old in range(1, size + 1):
            proof = consistency_proof(old, HASHES[:size])
            assert verify_consistency(old, size, roots[old], roots[size], proof)
            assert not verify_consistency(old, size, EMPTY_ROOT, roots[size], proof)
            assert not verify_consistency(old, size, roots[old], EMPTY_ROOT, proof)
            assert not verify_consistency(old, size, roots[old], roots[size], [*proof, roots[size]])
            assert not any(verify_consistency(old, size, roots[old], roots[size], proof[:n]) for n in range(len(proof)))


@given(st.data())
def test_a_rewritten_leaf_breaks_consistency(data: st.DataObject) -> None:
    """A log in which an old leaf was rewritten can prove no consistency with its old head."""
    size = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, size - 1))
    place = data.draw(st.integers(0, old - 1))
    rewritten = [*HASHES[:place], leaf_hash(b"rewritten"), *HASHES[place + 1 : size]]
    old_root = root_of_hashes(HASHES[:old])
    proof = consistency_proof(old, rewritten)
    assert not verify_consistency(old, size, old_root, root_of_hashes(rewritten), proof)


def test_impossible_questions() -> None:
    """What lies outside a tree has no proof, and no claim about it is believed."""
    with pytest.raises(IndexError):
        inclusion_proof(3, HASHES[:3])
    for old in (0, 4):
        with pytest.raises(IndexError):
            consistency_proof(old, HASHES[:3])
    assert not verify_inclusion(HASHES[0], -1, 3, [], HASHES[0])
    assert not verify_consistency(4, 3, HASHES[0], HASHES[0], HASHES[:2])
    assert not verify_consistency(0, 3, EMPTY_ROOT, HASHES[0], HASHES[:2])


def test_leaves_are_no_nodes() -> None:
    """The bytes of a node, taken for a leaf, hash to something else."""
    left, right = HASHES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
