-- The keys that personal data in events are encrypted with: one for each CPO, itself encrypted with EMSP_SEAL_KEY.
-- To forget a CPO is to delete its key: the events stay as they are, and nobody can read that part of them any more.
create table es.personal_keys (
    key_id uuid primary key,
    country_code text not null,
    party_id text not null,
    sealed_key bytea not null,
    created_at timestamptz not null default now()
);

create index personal_keys_of_party on es.personal_keys (country_code, party_id);
