"""The proof of one entry: what shows that it stands in the log under a signed head, to whoever has the head's signer."""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import UUID

from crypto import merkle
from crypto.canonical import canonical_json
from crypto.errors import CryptoError
from oa_server.audit import access, rules
from oa_server.audit.actions import SUBTREE, head_bytes, record_content
from oa_server.audit.schemas import ProofOut
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict
from oa_server.core.ports import ports


async def proof_of(actor: Actor, record_id: UUID) -> ProofOut:
    """The proof of a record under the newest signed head.

    Raises Denied, NotFound; Conflict while no head covers it, or when the log does not agree with its head.
    """
    record = await access.record(actor, record_id)
    leaf, head = await access.leaf_of(record_id), await access.last_head()
    if leaf is None or head is None or head.size <= leaf.seq:
        raise Conflict(rules.NO_HEAD_YET)
    path = await _path(leaf.seq, head.size)
    if not merkle.verify_inclusion(bytes.fromhex(leaf.digest), leaf.seq, head.size, path, bytes.fromhex(head.root)):
        raise Conflict(rules.DAMAGED)
    return ProofOut(
        type="oa/audit-proof/1",
        record=record_content(record),
        leaf=leaf.digest,
        index=leaf.seq,
        size=head.size,
        path=[step.hex() for step in path],
        root=head.root,
        at=head.at.isoformat(timespec="microseconds"),
        signature=base64.b64encode(bytes(head.signature)).decode(),
    )


async def _path(index: int, size: int) -> list[bytes]:
    """Sibling hashes from a leaf up: through its own subtree, then through the roots of the subtrees.

    The two fit together because RFC 9162, 2.1.1 splits a tree at powers of two: above the subtrees, which hold 1024 leaves
    each but for the last, the tree is that of their roots.
    """
    own, whole = index // SUBTREE, size // SUBTREE
    roots = await access.subtree_roots(whole)
    for number in range(len(roots), -(-size // SUBTREE)):
        roots.append(merkle.root_of_hashes(await _leaves(number, size)))
    return merkle.inclusion_proof(index % SUBTREE, await _leaves(own, size)) + merkle.inclusion_proof(own, roots)


async def _leaves(subtree: int, size: int) -> list[bytes]:
    return await access.leaf_digests(subtree * SUBTREE, min((subtree + 1) * SUBTREE, size))


async def is_proof(proof: ProofOut) -> bool:
    """Whether a proof shows what it says: the record hashes to the leaf, the leaf leads to the root, and the head over
    that was signed by this installation."""
    assert ports.head_signer is not None, "app.py plugs the head signer in"
    try:
        leaf = merkle.leaf_hash(canonical_json(proof.record))
        path, root = [bytes.fromhex(step) for step in proof.path], bytes.fromhex(proof.root)
        signature = base64.b64decode(proof.signature, validate=True)
        at = datetime.fromisoformat(proof.at)
    except (ValueError, CryptoError):
        return False
    fits = leaf.hex() == proof.leaf and merkle.verify_inclusion(leaf, proof.index, proof.size, path, root)
    return fits and await ports.head_signer.verify_head(head_bytes(proof.size, proof.root, at), signature, at)
