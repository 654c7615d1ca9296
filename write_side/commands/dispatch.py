"""One way for every command: remembered? → prepare → load → decide → append; on a conflict load and decide again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from write_side.commands import cpos, credentials, evses, locations, logos, photos, uploads
from write_side.commands.wishes import (
    AddLocationPhotos,
    ApproveStaged,
    ChangeCpoLogo,
    ChangeEvseStatus,
    ChangeLocation,
    Command,
    ForgetCpo,
    ImportLocations,
    PushEvse,
    PushLocations,
    RegisterCpo,
    RejectStaged,
    ReplaceLocationPhoto,
    ResetPassword,
    RotateTokenC,
    StageLocations,
)
from write_side.domain.errors import Conflict, DomainError, Faults, IdempotencyKeyReused, KeyTaken, StoreOutOfReach
from write_side.ports import Answer, Submission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from write_side.domain.changes import Decision
    from write_side.events.ranges import Position
    from write_side.ports import IdempotencyKey, Origin, World

MAX_DECISIONS: Final = 10
"""How often a command is decided before it is sent back: each time somebody else's command was accepted instead."""


async def _nothing_reserved(_command: Command, _facts: object, _world: World) -> None:
    """Most commands hold nothing outside their append."""


async def _append(_command: Command, submission: Submission, world: World) -> Position:
    """Most commands go into the log through the coalescing writer."""
    if submission.changes is None and submission.origin.key is None:
        return submission.position
    return await world.events.append(submission)


class Handler(NamedTuple):
    """How one kind of command is handled; its own types of command, facts and state belong together.

    prepare: facts, once, may do I/O; load: state with its `position`, before each decision; decide: pure;
    abandon: gives back what `prepare` reserved, when the command is refused; append: how what was decided is written.
    """

    prepare: Callable[[Any, World, UUID], Awaitable[Any]]
    load: Callable[[Any, Any, World], Awaitable[Any]]
    decide: Callable[[Any, Any, Any], Decision]
    abandon: Callable[[Any, Any, World], Awaitable[None]] = _nothing_reserved
    append: Callable[[Any, Submission, World], Awaitable[Position]] = _append


HANDLERS: Final[dict[type[Command], Handler]] = {
    PushLocations: Handler(locations.prepare_push, locations.load_push, locations.decide_push),
    PushEvse: Handler(evses.prepare_push, evses.load_push, evses.decide_push),
    ChangeEvseStatus: Handler(evses.prepare_status, evses.load_status, evses.decide_status),
    ChangeLocation: Handler(locations.prepare_change, locations.load_change, locations.decide_change),
    RotateTokenC: Handler(credentials.prepare_token_c, credentials.load_cpo, credentials.decide_token_c),
    ResetPassword: Handler(credentials.prepare_password, credentials.load_cpo, credentials.decide_password),
    ForgetCpo: Handler(credentials.prepare_forget, credentials.load_cpo, credentials.decide_forget),
    RegisterCpo: Handler(cpos.prepare_register, cpos.load_register, cpos.decide_register, cpos.abandon_register),
    ImportLocations: Handler(
        uploads.prepare_import, uploads.load_import, uploads.decide_upload, append=uploads.append_upload
    ),
    StageLocations: Handler(
        uploads.prepare_stage, uploads.load_stage, uploads.decide_upload, append=uploads.append_upload
    ),
    ApproveStaged: Handler(
        uploads.prepare_approve, uploads.load_approve, uploads.decide_upload, append=uploads.append_upload
    ),
    RejectStaged: Handler(uploads.prepare_reject, uploads.load_reject, uploads.decide_reject),
    AddLocationPhotos: Handler(photos.prepare_add, photos.load_add, photos.decide_add, photos.abandon_add),
    ReplaceLocationPhoto: Handler(
        photos.prepare_replace, photos.load_replace, photos.decide_replace, photos.abandon_replace
    ),
    ChangeCpoLogo: Handler(logos.prepare_logo, logos.load_logo, logos.decide_logo),
}


async def dispatch(command: Command, origin: Origin, world: World) -> Answer:
    """Decide one command and write all that follows from it, or nothing.

    returns: the contract's payload and the position of the last event; under a key that was used for the same body
             before, what was answered then
    raises:  Faults, DomainError  refused
             GeocoderOutOfReach, ImagesOutOfReach  nothing was done
             StoreOutOfReach      nothing was half done; where the store's answer was lost, unknown whether it was done
    """
    if (answer := await _remembered(origin.key, world)) is not None:
        return answer
    try:
        return await _decide_and_append(command, origin, world)
    except (Faults, DomainError, KeyTaken) as refusal:
        # A twin of this call may have been accepted meanwhile, and be the very reason why this one is refused.
        if (answer := await _remembered(origin.key, world)) is not None:
            return answer
        if isinstance(refusal, KeyTaken):
            raise StoreOutOfReach from refusal
        raise


async def _remembered(key: IdempotencyKey | None, world: World) -> Answer | None:
    if key is None:
        return None
    remembered = await world.events.remembered(key.scope, key.key)
    if remembered is None:
        return None
    if remembered.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    return remembered.answer


async def _decide_and_append(command: Command, origin: Origin, world: World) -> Answer:
    command_id = world.new_id()
    handler = HANDLERS[type(command)]
    facts = await handler.prepare(command, world, command_id)
    try:
        for attempt in range(MAX_DECISIONS):
            state = await handler.load(command, facts, world)
            decision = handler.decide(command, facts, state)
            submission = Submission(
                command_id, origin, decision.changes, decision.data, decision.ignored, state.position
            )
            try:
                position = await handler.append(command, submission, world)
            except Conflict:
                await world.pause(attempt)
                continue
            return Answer(decision.data, position, decision.ignored)
    except (Faults, DomainError, KeyTaken):
        # Known not to be written. After other trouble it may be: then what was reserved stays reserved.
        await handler.abandon(command, facts, world)
        raise
    await handler.abandon(command, facts, world)
    raise StoreOutOfReach
