"""The `emsp` command: a verb a role (contract §7)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import typer
import uvloop
from rich.console import Console

from api.clients import WrongClients
from api.command_faults import (
    DemoFailed,
    NotReady,
    Unanswered,
    Unhealthy,
    UnknownPlace,
    UnknownStream,
    ViewsDiffer,
)
from api.embedded import EmbeddedPostgresFailed
from api.log import set_up_logging
from api.migrate import ChangedMigration
from api.settings import WrongSettings, read_settings
from ocpi.identifiers import Party
from projections.dead_letters import StillPoison
from projections.generations import Refused
from write_side.commands.wishes import ResetPassword, RotateTokenC
from write_side.domain.errors import ForgottenCpo, UnknownCpo

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from api.settings import Settings

app = typer.Typer(
    help="The backend of an e-mobility service provider: CPOs push their locations, drivers find them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

cpo = typer.Typer(help="Replace a CPO's secrets: it gets new ones by mail, and its sessions end.", no_args_is_help=True)
app.add_typer(cpo, name="cpo")

dead_letters = typer.Typer(help="Events that no projection could draw, by key.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")

EXPECTED = (
    WrongSettings,
    WrongClients,
    EmbeddedPostgresFailed,
    ChangedMigration,
    DemoFailed,
    UnknownPlace,
    UnknownStream,
    NotReady,
    Refused,
    StillPoison,
    Unhealthy,
    ViewsDiffer,
    Unanswered,
    UnknownCpo,
    ForgottenCpo,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


def main() -> None:
    """Run the command; what an operator can mend is told in one line a fault, without a trace."""
    try:
        app()
    except EXPECTED as fault:
        lines = fault.lines if isinstance(fault, WrongSettings) else [f"{type(fault).__name__}: {fault}"]
        for line in lines:
            print(f"emsp: {line}", file=sys.stderr)  # noqa: T201 - the command talks to a person
        sys.exit(1)


def _of(module: str) -> Any:  # noqa: ANN401 - a module
    """A module of ours that only some commands need, and whose import takes up to a second."""
    return import_module(f"api.{module}")


def _run(role: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    settings = read_settings()
    set_up_logging(settings.log_format)
    uvloop.run(role(settings))


@app.command()
def run() -> None:
    """Everything in one process: migrate, API, publisher, projector, mail. The embedded default."""
    _run(_of("roles").run_everything)


@app.command()
def api() -> None:
    """The HTTP API: REST, webhooks and GraphQL."""
    _run(_of("roles").run_api)


@app.command()
def publish() -> None:
    """The publisher: event log → RabbitMQ. Several may run; one leads, the others stand by."""
    _run(_of("roles").run_publisher)


@app.command()
def project() -> None:
    """The projector: RabbitMQ → views. Several may run; one leads, the others stand by."""
    _run(_of("roles").run_projector)


@app.command()
def mail(
    *,
    retry: Annotated[
        bool, typer.Option("--retry", help="only let every mail that waits be tried now, and end")
    ] = False,
) -> None:
    """The mail sender: waiting mails → the mail server, or .eml files. Several may run; each mail is one's."""
    _run(_of("roles").retry_mails if retry else _of("roles").run_mail)


@app.command()
def migrate() -> None:
    """Create or upgrade the schemas of both databases."""
    _run(_of("roles").run_migrate)


@app.command()
def rebuild(
    *,
    back: Annotated[bool, typer.Option("--back", help="switch back to the views before the last rebuild")] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="remove the views before the last rebuild")] = False,
) -> None:
    """Build the views anew from the events, beside the live ones, and switch over. Stopped, it goes on where it was."""
    _run(lambda settings: _of("rebuild_commands").rebuild(settings, back=back, drop_old=drop_old))


@app.command()
def verify(
    repair: Annotated[
        list[str] | None, typer.Option(help="mend the rows of this key: location/ID, cpo/COUNTRY/PARTY or places")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="count all rows, but compare so many locations only, taken by chance")
    ] = None,
) -> None:
    """Replay the events and compare with the live views, row by row; exit 1 where they differ."""
    _run(lambda settings: _of("rebuild_commands").verify(settings, repair=repair or [], sample=sample))


def _party(name: str) -> Party:
    commands = _of("cpo_commands")
    try:
        party: Party = commands.party_named(name)
    except commands.WrongParty as wrong:
        raise typer.BadParameter(str(wrong)) from None
    return party


ThatCpo = Annotated[Party, typer.Argument(parser=_party, metavar="COUNTRY/PARTY", help="the CPO, as in PH/ABC")]


@cpo.command("rotate-token-c")
def rotate_token_c(party: ThatCpo) -> None:
    """Another machine token (Token C); the one before stops at once."""
    _run(lambda settings: _of("cpo_commands").replace_secret(settings, party, RotateTokenC))


@cpo.command("reset-password")
def reset_password(party: ThatCpo) -> None:
    """A temporary password in place of its own."""
    _run(lambda settings: _of("cpo_commands").replace_secret(settings, party, ResetPassword))


@app.command()
def forget(
    party: Annotated[
        Party, typer.Option("--cpo", parser=_party, metavar="COUNTRY/PARTY", help="the CPO, as in PH/ABC")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Make a CPO's personal data unreadable in log, snapshots and views; its mails, sessions and Token C go too."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Forget the contact of {party}? This can't be undone.", abort=True)
    _run(lambda settings: _of("cpo_commands").forget(settings, party))


KEY = typer.Argument(metavar="KEY", help="location/ID or cpo/COUNTRY/PARTY, as `list` names it")


@dead_letters.command("list")
def list_dead_letters() -> None:
    """What is parked: keys whose events wait, and why."""
    _run(_of("dead_letter_commands").print_keys)


@dead_letters.command("show")
def show_dead_letters(key: Annotated[str, KEY]) -> None:
    """The events that wait under a key, with what its projection raised."""
    _run(lambda settings: _of("dead_letter_commands").print_letters(settings, key))


@dead_letters.command("retry")
def retry_dead_letters(
    keys: Annotated[list[str] | None, KEY] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="every key that is parked")] = False,
) -> None:
    """Draw the events of a key, in order, once the code is mended; a key is drawn whole or stays parked."""
    if every == bool(keys):
        raise typer.BadParameter("name keys, or --all")
    _run(lambda settings: _of("dead_letter_commands").retry(settings, keys or [], every=every))


@dead_letters.command("drop")
def drop_dead_letters(
    keys: Annotated[list[str], KEY], *, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False
) -> None:
    """Forget the events of a key without drawing them: what they changed is missing in the views until a repair."""
    if not yes:
        typer.confirm(f"Drop what waits under {', '.join(keys)}? The views stay without it.", abort=True)
    _run(lambda settings: _of("dead_letter_commands").drop(settings, keys))


@app.command()
def status() -> None:
    """Positions, lag, generations, what waits; exit 1 where it is not well, with a line that says why."""
    _run(_of("status").print_status)


@app.command()
def events(
    stream: Annotated[
        str | None, typer.Option(help="only this stream: location/ID, evse/PH/ABC/UID or cpo/PH/ABC")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="only until that moment, like 2026-11-23T01:02:03Z, or that position")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option(help="go on with new events")] = False,
) -> None:
    """Print the event log, a JSON line an event."""
    _run(lambda settings: _of("reports").print_events(settings, stream, at, follow=follow))


@app.command()
def demo(
    url: Annotated[str | None, typer.Option(help="where the API listens")] = None,
) -> None:
    """Load demo data through the public API, as a client would."""

    async def load(settings: Settings) -> None:
        client, secret = _of("compose").first_client(settings)
        base_url = url or f"http://{settings.http_host}:{settings.http_port}"
        await _of("demo.loader").load_demo(
            base_url=base_url, client=client, client_secret=secret, data_dir=settings.data_dir, console=Console()
        )

    _run(load)
