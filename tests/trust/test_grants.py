"""Chains: a sound one is believed, and each way of cheating has its own refusal."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.errors import RefusedError
from loa.trust.grants import (
    MAX_CACHED,
    MAX_PATHS,
    MAX_SUBJECTS,
    ChainStore,
    Grant,
    Role,
    VerifiedChain,
    issue,
    verify_chain,
)
from loa.trust.keys import SigningKey, VerifyKey
from loa.trust.tokens import RIGHTS

NOW_US = 1_800_000_000_000_000
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
NATION, PROVINCE, COMMUNE, ELSEWHERE = (f"{number:016x}" for number in (0xA1, 0xB2, 0xC3, 0xD4))
ANCESTRY = (NATION, PROVINCE, COMMUNE)
KEYS = {role: SigningKey.from_bytes(bytes([number]) * 32) for number, role in enumerate(Role, 1)}
ROOT, AUTHORITY, NODE, SESSION = (KEYS[role] for role in (Role.ROOT, Role.AUTHORITY, Role.NODE, Role.SESSION))
EVIL = SigningKey.from_bytes(b"e" * 32)
ROOTS = {ROOT.public.key_id: ROOT.public}
LINKS = (Role.ROOT, Role.AUTHORITY, Role.NODE, Role.SESSION)


def grant_of(role: Role) -> Grant:
    """The sound grant of this role."""
    issuer, places, rights, cls, level = {
        Role.ROOT: (ROOT, ("*",), RIGHTS, 3, 15),
        Role.AUTHORITY: (ROOT, (PROVINCE,), RIGHTS, 3, 14),
        Role.NODE: (AUTHORITY, (COMMUNE,), RIGHTS - {"place"}, 2, 12),
        Role.SESSION: (NODE, (COMMUNE,), frozenset({"air"}), 2, 12),
    }[role]
    return Grant(
        issuer=issuer.public.key_id,
        subject=KEYS[role].public,
        role=role,
        max_class=cls,
        level=level,
        places=places,
        not_before_us=NOW_US - DAY_US,
        expires_us=NOW_US + DAY_US,
        serial=1,
        rights=frozenset(rights),
    )


Change = Callable[[Grant], Grant]


def token_of(role: Role, change: Change = lambda grant: grant, key: SigningKey | None = None) -> str:
    grant = change(grant_of(role))
    signer = key or next(k for k in (*KEYS.values(), EVIL) if k.public.key_id == grant.issuer)
    return issue(replace(grant, issuer=signer.public.key_id), signer)


def chain_with(role: Role, change: Change) -> list[str]:
    """The sound chain with one link changed, and signed again by its own issuer."""
    return [token_of(one, change if one is role else lambda grant: grant) for one in LINKS]


SOUND = [token_of(role) for role in LINKS]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    assert str(caught.value)
    return caught.value.reason


def verify(tokens: list[str], now_us: int = NOW_US, ancestry: tuple[str, ...] = ANCESTRY) -> VerifiedChain:
    return verify_chain(tokens, ROOTS, ancestry, now_us)


def store_of(tokens: list[str], roots: dict[str, VerifyKey] | None = None) -> ChainStore:
    store = ChainStore(roots or ROOTS)
    for token in tokens:
        store.learn(token)
    return store


def test_a_sound_chain() -> None:
    chain = verify(SOUND)
    assert chain.subject == SESSION.public
    assert (chain.max_class, chain.level, chain.rights) == (2, 12, frozenset({"air"}))
    assert chain.expires_us == NOW_US + DAY_US
    assert verify(SOUND[1:]).subject == SESSION.public, "the root may be left out, for it is pinned"


def test_it_covers_its_place_and_all_below_and_nothing_else() -> None:
    assert verify(SOUND, ancestry=(*ANCESTRY, "0" * 16)).covers((*ANCESTRY, "1" * 16))
    for ancestry in (
        (),
        (NATION,),
        (NATION, PROVINCE),
        (NATION, PROVINCE, ELSEWHERE),
        (NATION, ELSEWHERE, COMMUNE),
    ):
        assert refused(lambda a=ancestry: verify(SOUND, ancestry=a)) == "territory"  # type: ignore[misc]


def test_a_link_that_names_more_places_gains_nothing() -> None:
    """Coverage is the intersection of all links, so a wider child reaches no place that its parent does
    not.
    """
    wide = chain_with(
        Role.SESSION, lambda grant: replace(grant, places=(COMMUNE, ELSEWHERE, PROVINCE, NATION))
    )
    assert verify(wide).covers(ANCESTRY)
    assert refused(lambda: verify(wide, ancestry=(NATION, PROVINCE, ELSEWHERE))) == "territory"
    assert refused(lambda: verify(wide, ancestry=(NATION, ELSEWHERE))) == "territory"


WIDER: list[tuple[str, Role, Change]] = [
    ("class", Role.SESSION, lambda grant: replace(grant, max_class=3)),
    ("level", Role.SESSION, lambda grant: replace(grant, level=13)),
    ("rights", Role.SESSION, lambda grant: replace(grant, rights=frozenset({"air", "place"}))),
    ("time", Role.SESSION, lambda grant: replace(grant, expires_us=NOW_US + 2 * DAY_US)),
    ("time", Role.SESSION, lambda grant: replace(grant, not_before_us=NOW_US - 2 * DAY_US)),
    ("level", Role.NODE, lambda grant: replace(grant, level=15)),
]


@pytest.mark.parametrize(("what", "role", "change"), WIDER)
def test_a_child_wider_than_its_parent(what: str, role: Role, change: Change) -> None:
    tokens = chain_with(role, change)
    assert refused(lambda: verify(tokens)) == "wider"
    store = store_of(tokens[: LINKS.index(role)])
    learn = store.verify_session if role is Role.SESSION else lambda token, _now: store.learn(token)
    assert refused(lambda: learn(tokens[LINKS.index(role)], NOW_US)) == "wider", what


@pytest.mark.parametrize("role", LINKS)
def test_each_link_can_expire(role: Role) -> None:
    tokens = [token_of(one, lambda g: replace(g, expires_us=NOW_US + MINUTE_US)) for one in LINKS]
    tokens[: LINKS.index(role)] = SOUND[: LINKS.index(role)]
    assert verify(tokens, NOW_US + MINUTE_US - 1).subject == SESSION.public
    assert refused(lambda: verify(tokens, NOW_US + MINUTE_US)) == "expired"


@pytest.mark.parametrize("role", LINKS)
def test_each_link_can_be_too_early_but_for_a_minute(role: Role) -> None:
    tokens = [token_of(one, lambda g: replace(g, not_before_us=NOW_US)) for one in LINKS]
    tokens[: LINKS.index(role)] = SOUND[: LINKS.index(role)]
    assert verify(tokens, NOW_US - MINUTE_US).subject == SESSION.public
    assert refused(lambda: verify(tokens, NOW_US - MINUTE_US - 1)) == "early"


def test_chains_that_sign_themselves_and_second_roots() -> None:
    tokens = [
        token_of(Role.ROOT, lambda grant: replace(grant, subject=EVIL.public), EVIL),
        token_of(Role.AUTHORITY, lambda grant: replace(grant, subject=EVIL.public), EVIL),
        token_of(Role.NODE, lambda grant: replace(grant, subject=EVIL.public), EVIL),
        token_of(Role.SESSION, key=EVIL),
    ]
    assert refused(lambda: verify(tokens)) == "root"
    assert refused(lambda: verify(tokens[3:])) == "root"
    assert refused(lambda: store_of(tokens[:1])) == "issuer"
    assert refused(lambda: store_of(SOUND[:3]).verify_session(tokens[3], NOW_US)) == "issuer"
    second = token_of(Role.ROOT, lambda grant: replace(grant, subject=EVIL.public))
    assert refused(lambda: verify([second])) == "root"


def test_the_name_of_a_root_under_another_signature() -> None:
    """Key confusion: the issuer says it is the root, and another key signed."""
    header, claims, _ = SOUND[1].split(".")
    signature = token_of(Role.AUTHORITY, key=EVIL).split(".")[2]
    forged = f"{header}.{claims}.{signature}"
    assert refused(lambda: verify([forged])) == "signature"
    assert refused(lambda: store_of([forged])) == "signature"


def test_a_swapped_link() -> None:
    other = token_of(Role.NODE, lambda grant: replace(grant, subject=EVIL.public))
    assert refused(lambda: verify([SOUND[0], SOUND[1], other, SOUND[3]])) == "link"
    assert refused(lambda: verify([SOUND[0], SOUND[2], SOUND[1], SOUND[3]])) == "link"
    assert refused(lambda: verify([SOUND[1], SOUND[0]])) == "link"


def test_links_swapped_for_their_cousins_signature() -> None:
    """Claims of one token, signature of another by the same key."""
    longer = token_of(Role.SESSION, lambda grant: replace(grant, serial=2))
    forged = ".".join([*longer.split(".")[:2], SOUND[3].split(".")[2]])
    assert refused(lambda: verify([*SOUND[:3], forged])) == "signature"


@pytest.mark.parametrize(
    ("token", "reason"),
    [("eyJhbGciOiJub25lIn0." + SOUND[3].split(".", 1)[1], "algorithm"), ("a.b", "malformed")],
)
def test_what_is_no_grant_of_ours(token: str, reason: str) -> None:
    """test_tokens.py has all the ways."""
    assert refused(lambda: verify([*SOUND[:3], token])) == reason
    assert refused(lambda: store_of(SOUND[:3]).verify_session(token, NOW_US)) == reason
    assert refused(lambda: store_of([token])) == reason


def test_a_chain_of_authorities_ends_somewhere() -> None:
    keys = [ROOT, *(SigningKey.from_bytes(bytes([n]) * 32) for n in range(50, 60))]
    base = grant_of(Role.AUTHORITY)
    tokens = [
        issue(replace(base, issuer=above.public.key_id, subject=below.public), above)
        for above, below in pairwise(keys)
    ]
    assert refused(lambda: verify([])) == "malformed"
    assert refused(lambda: verify(tokens[:9])) == "malformed"
    assert verify(tokens[:7]).subject == keys[7].public
    assert refused(lambda: verify(tokens[:8])) == "long"
    store = store_of(tokens[:7])
    assert refused(lambda: store.learn(tokens[7])) == "long"


def test_who_may_issue_what() -> None:
    node = token_of(Role.NODE, lambda grant: replace(grant, issuer=ROOT.public.key_id))
    assert refused(lambda: verify([SOUND[0], node])) == "role"
    session = token_of(Role.SESSION, lambda grant: replace(grant, issuer=AUTHORITY.public.key_id))
    assert refused(lambda: verify([*SOUND[:2], session])) == "role"
    below = token_of(
        Role.SESSION, lambda grant: replace(grant, issuer=SESSION.public.key_id, subject=EVIL.public)
    )
    assert refused(lambda: verify([*SOUND, below])) == "role"
    grandchild = token_of(
        Role.AUTHORITY, lambda g: replace(g, issuer=NODE.public.key_id, subject=EVIL.public)
    )
    assert refused(lambda: verify([*SOUND[:3], grandchild])) == "role"


def test_an_authority_below_an_authority() -> None:
    """Province -> commune -> its node: the commune's territory is both."""
    commune = SigningKey.from_bytes(b"c" * 32)
    middle = replace(grant_of(Role.AUTHORITY), subject=commune.public, issuer=AUTHORITY.public.key_id)
    node = replace(grant_of(Role.NODE), issuer=commune.public.key_id)
    tokens = [*SOUND[:2], issue(middle, AUTHORITY), issue(node, commune), SOUND[3]]
    assert verify(tokens).covers(ANCESTRY)


def test_two_generations_of_root() -> None:
    new = SigningKey.from_bytes(b"n" * 32)
    both = ROOTS | {new.public.key_id: new.public}
    renewed = token_of(Role.AUTHORITY, key=new)
    assert verify_chain([renewed, *SOUND[2:]], both, ANCESTRY, NOW_US).subject == SESSION.public
    store = store_of([SOUND[1], renewed, SOUND[2]], both)
    assert len(store.chains(NODE.public.key_id, NOW_US)) == 2
    only_new = store_of([renewed, SOUND[2]], {new.public.key_id: new.public})
    assert only_new.verify_session(SOUND[3], NOW_US).subject == SESSION.public
    assert refused(lambda: store_of([SOUND[1]], {new.public.key_id: new.public})) == "issuer"


def test_the_store_believes_what_verify_chain_believes() -> None:
    store = store_of(SOUND[:3])
    assert store.verify_session(SOUND[3], NOW_US, ANCESTRY).covers(ANCESTRY)
    assert refused(lambda: store.verify_session(SOUND[3], NOW_US, (NATION, ELSEWHERE))) == "territory"
    assert refused(lambda: store.verify_session(SOUND[2], NOW_US)) == "role"
    assert refused(lambda: store.learn(SOUND[3])) == "role"
    assert refused(lambda: store.chains("0" * 16, NOW_US)) == "issuer"


def test_a_cached_session_still_expires() -> None:
    store = store_of(SOUND[:3])
    store.verify_session(SOUND[3], NOW_US)
    assert refused(lambda: store.verify_session(SOUND[3], NOW_US + DAY_US)) == "expired"
    assert refused(lambda: store.verify_session(SOUND[3], NOW_US - DAY_US - MINUTE_US - 1)) == "early"
    assert store.verify_session(SOUND[3], NOW_US).subject == SESSION.public


def test_a_newer_link_replaces_and_narrows_all_below_it() -> None:
    store = store_of(SOUND[:3])
    store.verify_session(SOUND[3], NOW_US)
    smaller = token_of(Role.NODE, lambda grant: replace(grant, serial=2, max_class=1))
    assert store.learn(smaller)
    assert refused(lambda: store.verify_session(SOUND[3], NOW_US)) == "wider"
    assert not store.learn(SOUND[2])
    assert refused(lambda: store.verify_session(SOUND[3], NOW_US)) == "wider"


def test_learning_needs_the_upper_link_first() -> None:
    store = ChainStore(ROOTS)
    assert refused(lambda: store.learn(SOUND[2])) == "issuer"
    assert not store.learn(SOUND[0])
    assert store.learn(SOUND[1])
    assert store.learn(SOUND[2])
    assert not store.learn(SOUND[2])


def test_what_is_persisted_is_learnt_again() -> None:
    commune = SigningKey.from_bytes(b"c" * 32)
    middle = issue(
        replace(grant_of(Role.AUTHORITY), subject=commune.public, issuer=AUTHORITY.public.key_id), AUTHORITY
    )
    store = store_of([SOUND[1], SOUND[2], middle])
    again = store_of(list(store.tokens()))
    assert set(again.tokens()) == {SOUND[1], SOUND[2], middle}


def test_rights_and_territory_of_statements() -> None:
    store = store_of(SOUND[:3])
    key_id = NODE.public.key_id
    assert store.authority(key_id, "volume", ANCESTRY, NOW_US).subject == NODE.public
    assert refused(lambda: store.authority(key_id, "place", ANCESTRY, NOW_US)) == "right"
    assert refused(lambda: store.authority(key_id, "volume", (NATION, PROVINCE), NOW_US)) == "territory"
    assert refused(lambda: store.authority(key_id, "volume", ANCESTRY, NOW_US + DAY_US)) == "expired"


def test_a_key_with_two_authorities_serves_both_territories() -> None:
    other = SigningKey.from_bytes(b"c" * 32)
    second = issue(
        replace(grant_of(Role.AUTHORITY), subject=other.public, places=(ELSEWHERE,)),
        ROOT,
    )
    node = issue(replace(grant_of(Role.NODE), issuer=other.public.key_id, places=(ELSEWHERE,)), other)
    store = store_of([SOUND[1], SOUND[2], second, node])
    wide = token_of(Role.SESSION, lambda grant: replace(grant, places=(COMMUNE, ELSEWHERE)))
    assert store.verify_session(wide, NOW_US, ANCESTRY).covers(ANCESTRY)
    assert store.verify_session(wide, NOW_US, (NATION, ELSEWHERE)).covers((ELSEWHERE,))
    assert not store.verify_session(wide, NOW_US, ANCESTRY).covers((ELSEWHERE,))


def test_authorities_that_grant_each_other_end() -> None:
    """A circle of valid grants neither hangs nor adds anything."""
    a, b = SigningKey.from_bytes(b"a" * 32), SigningKey.from_bytes(b"b" * 32)
    base = grant_of(Role.AUTHORITY)
    tokens = [
        issue(replace(base, subject=a.public), ROOT),
        issue(replace(base, subject=b.public, issuer=a.public.key_id), a),
        issue(replace(base, subject=a.public, issuer=b.public.key_id), b),
        issue(replace(grant_of(Role.NODE), issuer=b.public.key_id), b),
    ]
    store = store_of(tokens)
    assert 1 <= len(store.chains(NODE.public.key_id, NOW_US)) <= MAX_PATHS
    assert store.verify_session(SOUND[3], NOW_US, ANCESTRY).covers(ANCESTRY)


def test_memory_is_bounded() -> None:
    store = store_of(SOUND[:3])
    session = grant_of(Role.SESSION)
    for serial in range(MAX_CACHED + 10):
        store.verify_session(issue(replace(session, serial=serial), NODE), NOW_US)
    assert store.forgotten == 10
    issuers = [SigningKey.from_bytes(bytes([n]) * 32) for n in range(200, 201 + MAX_PATHS)]
    for issuer in issuers:
        store.learn(issue(replace(grant_of(Role.AUTHORITY), subject=issuer.public), ROOT))
    node = replace(grant_of(Role.NODE), subject=EVIL.public)
    for issuer in issuers[:-1]:
        assert store.learn(issue(replace(node, issuer=issuer.public.key_id), issuer))
    last = replace(node, issuer=issuers[-1].public.key_id)
    assert refused(lambda: store.learn(issue(last, issuers[-1]))) == "full"


def test_links_that_are_over_make_room_when_it_is_needed() -> None:
    store = store_of(SOUND[:3])
    issuers = [SigningKey.from_bytes(bytes([n]) * 32) for n in range(200, 201 + MAX_PATHS)]
    authority = replace(grant_of(Role.AUTHORITY), expires_us=NOW_US + 10 * DAY_US)
    for issuer in issuers:
        store.learn(issue(replace(authority, subject=issuer.public), ROOT))
    node = replace(grant_of(Role.NODE), subject=EVIL.public)
    for issuer in issuers[:-1]:
        store.learn(issue(replace(node, issuer=issuer.public.key_id), issuer))
    later = replace(
        node, issuer=issuers[-1].public.key_id, not_before_us=NOW_US + DAY_US, expires_us=NOW_US + 2 * DAY_US
    )
    assert store.learn(issue(later, issuers[-1]))
    assert len(store.chains(EVIL.public.key_id, NOW_US + DAY_US)) == 1


def test_subjects_are_bounded_and_what_is_over_makes_room() -> None:
    store, base = ChainStore(ROOTS), grant_of(Role.AUTHORITY)
    for number in range(MAX_SUBJECTS):
        key = SigningKey.from_bytes(number.to_bytes(32, "big"))
        assert store.learn(issue(replace(base, subject=key.public), ROOT))
    one_more = replace(base, subject=EVIL.public)
    assert refused(lambda: store.learn(issue(one_more, ROOT))) == "full"
    assert len(store.tokens()) == MAX_SUBJECTS
    later = replace(one_more, not_before_us=NOW_US + DAY_US, expires_us=NOW_US + 2 * DAY_US)
    assert store.learn(issue(later, ROOT))
    assert len(store.tokens()) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.data())
def test_one_changed_letter_anywhere_is_refused(link: int, data: st.DataObject) -> None:
    token = SOUND[link]
    at = data.draw(st.integers(0, len(token) - 2))
    letter = data.draw(st.sampled_from("ABab01-_.").filter(lambda one: one != token[at]))
    tokens = list(SOUND)
    tokens[link] = token[:at] + letter + token[at + 1 :]
    assert refused(lambda: verify(tokens)) in {"malformed", "algorithm", "signature", "root", "link"}
