"""Everything that a person does here: what a role allows, an API token narrows and the audit log names.

Law: one act, one thing to allow. Who asks names the act and the places; who answers looks at roles
(`roles.py`).
"""

from enum import StrEnum


class Act(StrEnum):
    SEE = "see"
    """Places, speakers, programs, broadcasts, whom they reached."""
    AIR = "air"
    """Ordinary broadcasts, live or stored."""
    AIR_PRIORITY = "air_priority"
    STOP = "stop"
    """Any broadcast but an emergency."""
    REORDER = "reorder"
    ALERT = "alert"
    """Raise an emergency: it cuts through everything."""
    DRILL = "drill"
    """An emergency that says of itself that it is an exercise, under keys of its own."""
    STOP_ALERT = "stop_alert"
    EDIT_CONTENT = "edit_content"
    EDIT_PLACES = "edit_places"
    EDIT_SPEAKERS = "edit_speakers"
    """Names, notes, positions."""
    ENROL = "enrol"
    """Make enrolment codes, for new speakers and for replacements."""
    APPROVE_SPEAKER = "approve_speaker"
    """Let an enrolled speaker in, block it, let it in again, remove it."""
    VOLUME = "volume"
    EDIT_PEOPLE = "edit_people"
    """Accounts, and who has which role where."""
    EDIT_ROLES = "edit_roles"
    """What the roles are: at the root place only."""
    SEE_AUDIT = "see_audit"
    SEE_KEYS = "see_keys"
    """What expires when, which keys were revoked: at the root place only."""
    REVOKE_KEYS = "revoke_keys"
    OWN = "own"
    """One's own account: password, second factor, sessions, API tokens. Nobody needs a role for it."""
