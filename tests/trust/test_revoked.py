"""What an issuer has taken back is void with all below it, forward only; and which roots are believed."""

from collections.abc import Callable

import pytest

from loa.errors import RefusedError
from loa.trust.grants import MAX_LISTS, ChainStore, Grant, Role, issue
from loa.trust.keys import SigningKey, VerifyKey
from loa.trust.statements import Revocations, Revoked, RootsOrder
from loa.trust.tokens import RIGHTS

NOW_US = 1_800_000_000_000_000
DAY_US = 86_400_000_000
PLACE = "a1" * 8
ROOT, ROOT2, ROOT3, AUTHORITY, NODE, OTHER, SESSION = (
    SigningKey.from_bytes(bytes([number]) * 32) for number in range(1, 8)
)


def token(issuer: SigningKey, subject: SigningKey, role: Role, serial: int = 1) -> str:
    grant = Grant(
        issuer=issuer.public.key_id,
        subject=subject.public,
        role=role,
        max_class=3,
        level=15,
        places=(PLACE,),
        not_before_us=NOW_US - DAY_US,
        expires_us=NOW_US + DAY_US,
        serial=serial,
        rights=frozenset({"air"}) if role is Role.SESSION else RIGHTS,
    )
    return issue(grant, issuer)


def authority(root: SigningKey = ROOT, serial: int = 1) -> str:
    return token(root, AUTHORITY, Role.AUTHORITY, serial)


def node(serial: int = 1) -> str:
    return token(AUTHORITY, NODE, Role.NODE, serial)


def session(serial: int = 1) -> str:
    return token(NODE, SESSION, Role.SESSION, serial)


def void(version: int, *entries: tuple[SigningKey, int]) -> Revocations:
    return Revocations(version, tuple(Revoked(key.public.key_id, serial) for key, serial in entries))


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


def reason(chains: ChainStore) -> str | None:
    """Why the session is not believed now; None when it is."""
    try:
        chains.verify_session(session(), NOW_US)
    except RefusedError as error:
        return error.reason
    return None


@pytest.fixture
def store() -> ChainStore:
    made = store_of(ROOT)
    assert reason(made) is None
    return made


def store_of(*roots: SigningKey) -> ChainStore:
    made = ChainStore({root.public.key_id: root.public for root in roots})
    for link in (*(authority(root) for root in roots), node()):
        made.learn(link)
    return made


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [(ROOT, AUTHORITY), (AUTHORITY, NODE), (NODE, SESSION)],
    ids=["top", "mid", "session"],
)
def test_a_revoked_link_voids_all_below_it(
    store: ChainStore, issuer: SigningKey, subject: SigningKey
) -> None:
    assert store.revoke(issuer.public, void(1, (subject, 1)))
    assert reason(store) == "revoked"


def test_what_was_revoked_is_not_learned_again(store: ChainStore) -> None:
    store.revoke(AUTHORITY.public, void(1, (NODE, 4)))
    assert refused(lambda: store.learn(node(4))) == "revoked"
    assert refused(lambda: store.chains(NODE.public.key_id, NOW_US)) == "revoked"
    assert not store.believes(NODE.public.key_id)
    assert store.learn(node(5))
    assert store.believes(NODE.public.key_id)
    assert reason(store) is None


def test_nobody_voids_what_another_gave(store: ChainStore) -> None:
    store.learn(token(AUTHORITY, OTHER, Role.NODE))
    store.revoke(OTHER.public, void(1, (NODE, 9), (SESSION, 9), (AUTHORITY, 9)))
    store.revoke(NODE.public, void(1, (AUTHORITY, 9), (NODE, 9)))
    assert reason(store) is None


def test_another_way_down_still_holds() -> None:
    store = store_of(ROOT, ROOT2)
    store.revoke(ROOT.public, void(1, (AUTHORITY, 1)))
    assert reason(store) is None
    store.revoke(ROOT2.public, void(1, (AUTHORITY, 1)))
    assert reason(store) == "revoked"


def test_lists_only_move_forward(store: ChainStore) -> None:
    assert store.revoke(AUTHORITY.public, void(3, (NODE, 1)))
    for version in (2, 3):
        assert not store.revoke(AUTHORITY.public, void(version))
    assert reason(store) == "revoked"
    assert store.revoke(AUTHORITY.public, void(4))
    assert reason(store) is None


def test_a_list_of_an_unknown_issuer_is_refused(store: ChainStore) -> None:
    assert refused(lambda: store.revoke(OTHER.public, void(1))) == "issuer"


def test_a_void_issuer_is_heard_for_it_may_come_back(store: ChainStore) -> None:
    store.revoke(ROOT.public, void(1, (AUTHORITY, 1)))
    assert store.revoke(AUTHORITY.public, void(1, (NODE, 1)))
    store.learn(authority(serial=2))
    assert reason(store) == "revoked"
    assert refused(lambda: store.learn(node(1))) == "revoked"


def test_what_is_void_is_persisted_so_that_its_own_list_can_be_taken_back(store: ChainStore) -> None:
    store.revoke(ROOT.public, void(1, (AUTHORITY, 1)))
    again = ChainStore({ROOT.public.key_id: ROOT.public})
    for link in store.tokens():
        again.learn(link)
    again.revoke(ROOT.public, void(1, (AUTHORITY, 1)))
    assert again.revoke(AUTHORITY.public, void(1, (NODE, 1)))
    assert reason(again) == "revoked"


def test_lists_are_bounded_and_a_root_s_always_has_room(store: ChainStore) -> None:
    issuers = [SigningKey.generate() for _ in range(MAX_LISTS + 1)]
    store.learn(token(ROOT, OTHER, Role.AUTHORITY))
    for issuer in issuers:
        store.learn(token(OTHER, issuer, Role.NODE))
    for issuer in issuers[:-1]:
        store.revoke(issuer.public, void(1))
    assert refused(lambda: store.revoke(issuers[-1].public, void(1))) == "full"
    assert store.revoke(ROOT.public, void(1, (OTHER, 1)))
    assert store.revoke(AUTHORITY.public, void(1, (NODE, 1)))
    assert reason(store) == "revoked"


# --- roots


def order(version: int, *roots: SigningKey) -> RootsOrder:
    return RootsOrder(version, tuple(root.public for root in roots))


def test_new_roots_are_believed_and_old_ones_are_not(store: ChainStore) -> None:
    store.pin(order(0, ROOT, ROOT2))
    assert reason(store) is None
    store.learn(authority(ROOT2))
    store.pin(order(1, ROOT2, ROOT3))
    assert reason(store) is None
    store.pin(order(2, ROOT3))
    assert reason(store) == "issuer"
    assert store.tokens() == ()
    assert refused(lambda: store.key(AUTHORITY.public.key_id)) == "issuer"


def test_roots_only_move_forward(store: ChainStore) -> None:
    store.pin(order(5, ROOT))
    for version in (4, 5):
        store.pin(order(version, ROOT3))
    assert reason(store) is None


def test_only_what_leads_to_a_root_is_persisted() -> None:
    store = store_of(ROOT, ROOT2)
    store.pin(order(1, ROOT2))
    again = ChainStore({ROOT2.public.key_id: ROOT2.public})
    assert len(store.tokens()) == 2
    for link in store.tokens():
        assert again.learn(link)
    assert reason(again) is None


def test_another_key_with_a_known_id_revokes_nothing(store: ChainStore) -> None:
    """A key id has 64 bits; the key behind it has 256."""
    twin = VerifyKey(OTHER.public.raw)
    twin.key_id = AUTHORITY.public.key_id
    assert refused(lambda: store.revoke(twin, void(1, (NODE, 1)))) == "issuer"
