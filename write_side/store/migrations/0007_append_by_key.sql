-- es.append again, of the same meaning as in 0006, but faster: what is looked up in the large tables is looked up by key
-- in a lateral subquery, which leaves the planner no other way, so that the small lists may be joined by hash; and the
-- plan is made once and not for each batch. (0006 forbade hash and merge joins: batches of 200 were compared pairwise.)
--   written      it was appended before (a batch sent again after a lost answer); pos as it was then
--   conflict     one of its streams has moved on
--   claim_taken  one of its names is another owner's
--   key_taken    its idempotency key was remembered meanwhile
--   appended     all of it was written; pos is the position of its last event, or p_standing where it has none
-- One command's conflict never fails its neighbours. The caller puts no two commands that touch the same stream,
-- claim or key into one batch. Commands are numbered from 1 in the order of p_commands.

create or replace function es.append(
    p_commands uuid[],
    p_parties text[],
    p_correlation_ids text[],
    p_actors text[],
    p_standing bigint[],
    e_command integer[],
    e_stream uuid[],
    e_version integer[],
    e_topic text[],
    e_state bytea[],
    e_at timestamptz[],
    c_command integer[],
    c_scope text[],
    c_key text[],
    c_owner text[],
    k_command integer[],
    k_scope text[],
    k_key text[],
    k_fingerprint bytea[],
    k_answer text[]
) returns table (command integer, outcome text, pos bigint)
language plpgsql
set enable_seqscan = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    base bigint;
begin
    -- Whoever holds this row appends alone, so commit order is position order. What earlier holders committed is seen
    -- below: read committed takes a new snapshot for each statement (PostgreSQL manual, "Transaction Isolation").
    select head.pos into strict base from es.head for update;

    return query
    with event as materialized (
        select *
          from unnest(e_command, e_stream, e_version, e_topic, e_state, e_at)
               with ordinality as e (command, stream, version, topic, state, at, nr)
    ),
    claim as materialized (
        select *
          from unnest(c_command, c_scope, c_key, c_owner) as c (command, scope, key, owner)
    ),
    answer as materialized (
        select *
          from unnest(k_command, k_scope, k_key, k_fingerprint, k_answer) as k (command, scope, key, fingerprint, answer)
    ),
    asked as materialized (
        select *
          from unnest(p_commands, p_parties, p_correlation_ids, p_actors, p_standing)
               with ordinality as a (id, party, correlation_id, actor, standing, command)
    ),
    occupied as materialized (
        select event.command,
               bool_and(stored.command_id = asked.id) as by_itself,
               max(stored.pos) as pos
          from event
          join asked using (command)
         cross join lateral (
               select events.pos,
                      events.command_id
                 from es.events
                where events.originator_id = event.stream
                  and events.originator_version = event.version
                limit 1) as stored
         group by event.command
    ),
    claim_taken as materialized (
        select distinct claim.command
          from claim
         cross join lateral (
               select claims.owner
                 from es.claims
                where claims.scope = claim.scope
                  and claims.key = claim.key
                limit 1) as taken
         where taken.owner <> claim.owner
    ),
    key_taken as materialized (
        select distinct answer.command
          from answer
         cross join lateral (
               select commands.pos
                 from es.commands
                where commands.scope = answer.scope
                  and commands.key = answer.key
                limit 1) as known
    ),
    verdict as materialized (
        select asked.*,
               case
                   when occupied.by_itself then 'written'
                   when occupied.command is not null then 'conflict'
                   when claim_taken.command is not null then 'claim_taken'
                   when key_taken.command is not null then 'key_taken'
                   else 'appended'
               end as outcome,
               occupied.pos as written_pos
          from asked
          left join occupied on occupied.command = asked.command
          left join claim_taken on claim_taken.command = asked.command
          left join key_taken on key_taken.command = asked.command
    ),
    placed as materialized (
        select event.*,
               verdict.id,
               verdict.party,
               verdict.correlation_id,
               verdict.actor,
               base + row_number() over (order by event.nr) as pos
          from event
          join verdict using (command)
         where verdict.outcome = 'appended'
    ),
    appended as (
        insert into es.events (
            pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor)
        select pos, stream, version, topic, state, party, at, id, correlation_id, actor
          from placed
         order by pos
    ),
    moved as (
        update es.head
           set pos = (select max(pos) from placed)
         where exists (select from placed)
    ),
    told as (
        select pg_notify('es_events', max(pos)::text)
          from placed
        having max(pos) is not null
    ),
    standing as materialized (
        select verdict.command,
               verdict.outcome,
               case verdict.outcome
                   when 'written' then verdict.written_pos
                   when 'appended' then coalesce(max(placed.pos), verdict.standing)
               end as pos
          from verdict
          left join placed using (command)
         group by verdict.command, verdict.outcome, verdict.written_pos, verdict.standing
    ),
    claimed as (
        insert into es.claims (scope, key, owner)
        select claim.scope, claim.key, claim.owner
          from claim
          join verdict using (command)
         where verdict.outcome = 'appended'
        on conflict do nothing
    ),
    remembered as (
        insert into es.commands (scope, key, fingerprint, answer, pos)
        select answer.scope, answer.key, answer.fingerprint, answer.answer::jsonb, standing.pos
          from answer
          join standing using (command)
         where standing.outcome = 'appended'
    )
    select standing.command::integer, standing.outcome, standing.pos
      from standing
      left join told on true
     order by standing.command;
end
$$;
