-- Names that belong to one owner, numbers within a location, reserved party ids; and what was answered under a key.

create table es.claims (
    scope text not null,
    key text not null,
    owner text not null,
    primary key (scope, key)
);

create table es.commands (
    scope text not null,
    key text not null,
    fingerprint bytea not null,
    answer jsonb not null,
    pos bigint not null,
    at timestamptz not null default now(),
    primary key (scope, key)
);

create index commands_at on es.commands (at);

create table es.party_ids (
    country_code text not null,
    party_id text not null,
    reserved_by uuid not null,
    primary key (country_code, party_id)
);

-- The first candidate that nobody has. A concurrent reservation of the same one is waited for; it is a short transaction.
create function es.reserve_party_id(p_country_code text, p_candidates text[], p_reserved_by uuid) returns text
language plpgsql as $$
declare
    candidate text;
begin
    for candidate in
        select c.party_id
          from unnest(p_candidates) with ordinality as c (party_id, nr)
         where not exists (
                select
                  from es.party_ids taken
                 where taken.country_code = p_country_code
                   and taken.party_id = c.party_id)
         order by c.nr
    loop
        insert into es.party_ids (country_code, party_id, reserved_by)
        values (p_country_code, candidate, p_reserved_by)
        on conflict do nothing;
        if found then
            return candidate;
        end if;
    end loop;
    return null;
end
$$;
