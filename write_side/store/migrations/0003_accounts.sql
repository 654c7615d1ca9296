-- Who may log in, and with what. Only hashes; never in an event.

create table es.users (
    user_key text primary key,               -- casefolded username
    username text not null,
    cpo_owner_id integer not null,
    country_code text not null,
    party_id text not null,
    role text not null,
    password_hash text not null,             -- argon2id
    temporary_until timestamptz,             -- null once the user has chosen a password
    created_at timestamptz not null default now()
);

create table es.tokens_c (
    token_hash bytea primary key,            -- SHA-256
    country_code text not null,
    party_id text not null,
    cpo_owner_id integer not null,
    created_at timestamptz not null default now()
);

create index tokens_c_of_party on es.tokens_c (country_code, party_id);

create table es.sessions (
    id uuid primary key,
    user_key text not null references es.users,
    refresh_hash bytea not null,             -- SHA-256 of the refresh token that is good now
    created_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz
);

create index sessions_of_user on es.sessions (user_key) where ended_at is null;

-- One row for each try to log in that has not succeeded: written before the password is looked at, so that
-- a hundred tries at once count as a hundred.
create table es.login_tries (
    id bigint generated always as identity primary key,
    user_key text not null,
    address text not null,
    at timestamptz not null default now()
);

create index login_tries_of_address on es.login_tries (address, at);
create index login_tries_at on es.login_tries (at);
