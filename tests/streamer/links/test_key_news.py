"""What linked speakers hear of the node's keys, over real sockets: after the welcome, and at a change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loa.key_news import KeyNews
from loa.station.keyring import Keyring, open_ring, ring_path
from loa.station.vault import FileVault
from loa.streamer.admission import Enrolled
from loa.trust.statements import Placement, Revocations, RootsOrder, open_statement
from loa.wire.control import Chain, Placed, Revoked, Roots, TimeAsk, TimeReply, Want

PROVINCE, NORTH = f"{1:016x}", f"{2:016x}"
SPEAKER = f"{10:016x}"


class Book:
    """The roster and the volumes, as the news need them."""

    def __init__(self, node: Any, keyring: Keyring) -> None:
        self.node, self.keyring = node, keyring
        self.signers: list[str] = []

    def unsigned(self) -> list[str]:
        return list(self.node.speakers)

    def find(self, speaker_id: str) -> Enrolled | None:
        enrolled: Enrolled = self.node.speakers[speaker_id]
        signed = self.keyring.sign(Placement(speaker_id, 2, (PROVINCE, NORTH), 500))
        return replace(enrolled, placement=signed)

    async def sign_anew(self, signer: str) -> None:
        self.signers.append(signer)


@pytest.fixture
def keyring(tmp_path: Path, node: Any) -> Keyring:
    vault = FileVault(tmp_path)
    ring = open_ring(tmp_path, vault, PROVINCE, node.clock.now_us())
    return Keyring(ring, vault, ring_path(tmp_path), hand_over_s=0)


@pytest.fixture
async def book(node: Any, keyring: Keyring) -> AsyncIterator[Book]:
    """With the news running."""
    await node.start()
    news = KeyNews(keyring)
    news.send_by(node.links)
    node.first_words[SPEAKER] = news.messages()
    node.lists |= {want.hash: news.wanted(want)[0] for want in [_want(keyring.node.public.key_id)]}
    assert news.wanted(_want("f" * 16)) == []
    book = Book(node, keyring)
    task = asyncio.create_task(news.run(book, book, node.links), name="key news")
    yield book
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _want(key_id: str) -> Want:
    return Want("chain", bytes.fromhex(key_id))


async def test_after_the_welcome_come_the_roots_to_pin_and_the_grants_of_the_second(
    book: Book, linked: Any, keyring: Keyring
) -> None:
    speaker = await linked(10)
    roots, chain = await speaker.hear(), await speaker.hear()
    assert isinstance(roots, Roots)
    order = open_statement(roots.statement, keyring.roots[0])
    assert isinstance(order, RootsOrder)
    assert order.roots == keyring.roots
    assert chain == Chain(keyring.other_grants)
    await speaker.nothing_came()


async def test_who_wants_the_chain_of_our_key_is_given_all_of_it(
    book: Book, linked: Any, keyring: Keyring
) -> None:
    speaker = await linked(10)
    await speaker.hear()
    await speaker.hear()
    await speaker.say(_want(keyring.node.public.key_id))
    assert await speaker.hear() == Chain((*keyring.grants, *keyring.other_grants))


async def test_a_fresh_key_and_a_revocation_are_told_at_once_the_grants_first(
    book: Book, node: Any, linked: Any, keyring: Keyring
) -> None:
    speaker = await linked(10)
    await speaker.hear()
    await speaker.hear()
    old = keyring.node.public.key_id
    await keyring.rotate("node", now_us=node.clock.now_us())
    assert await speaker.hear() == Chain(keyring.grants)
    assert isinstance(await speaker.hear(), Roots)
    assert await speaker.hear() == Chain(keyring.other_grants)
    await keyring.revoke(old, now_us=node.clock.now_us())
    assert await speaker.hear() == Chain(keyring.grants)
    assert isinstance(await speaker.hear(), Roots)
    revoked = await speaker.hear()
    assert isinstance(revoked, Revoked)
    listed = open_statement(revoked.statement, keyring.ring.holders[0].key)
    assert isinstance(listed, Revocations)
    assert [one.subject for one in listed.revoked] == [old]


async def test_when_another_registrar_signs_linked_speakers_are_placed_anew(
    book: Book, node: Any, linked: Any, keyring: Keyring
) -> None:
    speaker = await linked(10)
    node.enrol(11)  # not linked: it is given the new placement with its welcome
    first = keyring.registrar.public.key_id
    await keyring.rotate("registrar", now_us=node.clock.now_us())
    heard = [await speaker.hear() for _ in range(6)]
    placed = heard[-1]
    assert isinstance(placed, Placed)
    second = keyring.registrar.public
    assert open_statement(placed.placement, second) == Placement(SPEAKER, 2, (PROVINCE, NORTH), 500)
    assert sum(isinstance(message, Chain) for message in heard[:-1]) == 3
    await speaker.say(TimeAsk(1))
    assert isinstance(await speaker.hear(), TimeReply), "placed once"
    assert book.signers == [first, second.key_id]
