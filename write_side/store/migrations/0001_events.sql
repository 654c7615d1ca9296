-- The log: every event, once, for ever. Positions are gapless and in commit order, because whoever appends holds the
-- one row of `head` until its transaction ends (docs/decisions/0003).

create table es.head (
    one boolean primary key default true check (one),
    pos bigint not null
) with (fillfactor = 50);

insert into es.head (pos) values (0);

create table es.events (
    pos bigint primary key,
    originator_id uuid not null,
    originator_version integer not null,
    topic text not null,
    state bytea not null,
    party text not null,
    occurred_at timestamptz not null,
    command_id uuid not null,
    correlation_id text not null,
    actor text not null,
    unique (originator_id, originator_version)
);

create index events_topic on es.events (topic, pos);
create index events_party on es.events (party, pos);

create function es.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'es.events is append-only';
end
$$;

create trigger events_append_only
before update or delete or truncate on es.events
for each statement execute function es.refuse_change();

create sequence es.location_ids as integer;
create sequence es.connector_ids as integer;
create sequence es.cpo_owner_ids as integer;
