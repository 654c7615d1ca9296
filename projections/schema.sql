-- The views: disposable, built from the events, never written by anybody but the projector that holds the checkpoint.
-- Names are unqualified: the connection's search_path says which schema is meant (`views`, or one being rebuilt).
-- A document is JSON, ready to serve, with the contract's names (contract §5); columns beside it are for filters.
-- Its type is text: nobody asks the database to look inside, and the type json would parse it at every write.

create table checkpoint (
    one boolean primary key default true check (one),  -- there is one row
    generation bigint not null default 1,
    version text not null default '',                  -- which code made these tables and draws them
    pos bigint not null default 0,
    at timestamptz not null default now()
) with (fillfactor = 50);

insert into checkpoint default values;

create table location_view (
    id integer primary key,
    country_code text not null,
    party_id text not null,
    cpo_owner_id integer not null,
    name_key text not null,              -- casefolded name
    publish boolean not null,
    is_public boolean not null,          -- published, and has an EVSE that is not REMOVED
    city_key text not null,              -- casefolded
    province_key text not null,          -- casefolded
    facets integer[] not null,           -- what it can be found by, and its EVSEs that are not REMOVED (ocpi/facets.py)
    name_grams integer[] not null,       -- one to three letters in a row of its name, with its party (ocpi/facets.py)
    point cube not null,                 -- on the unit sphere: (cos lat cos lng, cos lat sin lng, sin lat)
    head text not null,                  -- JSON: what LOCATION_IN_EVSE shows
    evses text not null,                 -- JSON: [EVSE_WITHOUT_LOCATIONS], in order of registration, REMOVED ones too
    revision bigint not null             -- position of the last event folded into this row
) with (fillfactor = 70);                -- room for the next status change on the same page: no index is touched

-- Small as they are, they need no compression, and must not push a document out of the row.
alter table location_view
      alter column facets set storage main,
      alter column name_grams set storage main;

create index location_of_party on location_view (country_code, party_id, id);
create index location_public on location_view (id) where is_public;
create index location_public_city on location_view (city_key, id) where is_public;
create index location_public_province on location_view (province_key, id) where is_public;
-- Walked in the order of distance, or of id: pages without the facets that are asked for are left out. siglen: in bytes.
create index location_public_point on location_view using gist (point, facets gist__intbig_ops (siglen = 66))
       where is_public;
create index location_public_facets on location_view using gist (id, facets gist__intbig_ops (siglen = 66))
       where is_public;
create index location_name_grams on location_view using gin (name_grams gin__int_ops);

create table evse_view (
    country_code text not null,
    party_id text not null,
    uid_key text not null,               -- casefolded uid
    location_id integer not null,
    location_name_key text not null,     -- casefolded name of its location
    created_at timestamptz not null,
    registered_pos bigint not null,      -- position of its registration: the order of registration
    is_removed boolean not null,
    capabilities text[] not null,
    payment_types text[] not null,
    connectors text[] not null,          -- 'standard/power' of each connector with '*' for any, and 'AC' for every AC_…:
                                         -- an AC_3_PHASE TYPE_2 gives TYPE_2/AC_3_PHASE TYPE_2/AC TYPE_2/* */AC_3_PHASE */AC
    document text not null,              -- JSON: EVSE_WITHOUT_LOCATIONS, the same text as in its location's evses
    revision bigint not null,
    primary key (country_code, party_id, uid_key)
) with (fillfactor = 75);

create index evse_of_location on evse_view (location_id, uid_key);
create index evse_by_date on evse_view (country_code, party_id, created_at, location_id, registered_pos)
       include (location_name_key);
create index evse_by_location_name on evse_view (country_code, party_id, location_name_key, location_id, registered_pos);

create table history_view (             -- one row for each event of a location or its EVSEs; rows are only ever added
    location_id integer not null,
    pos bigint not null,                 -- of the event
    at timestamptz not null,             -- when it happened, by the clock of whoever decided it
    since timestamptz not null,          -- the latest `at` of the location until then: never goes back as pos goes on
    topic text not null,
    command_id uuid not null,
    correlation_id text not null,
    actor text not null,
    uid text collate "C" not null,       -- of the EVSE; '' for the location itself
    connector_id smallint not null,      -- 0 for the EVSE itself
    before text,                         -- JSON: the fields that changed, as they were; null: there was nothing
    after text not null,                 -- JSON: see projections/history.py
    primary key (location_id, pos)
);

create index history_of_part on history_view (location_id, uid, connector_id, since, pos);

create table cpo_view (
    country_code text not null,
    party_id text not null,
    cpo_owner_id integer not null,
    details text not null,               -- JSON: what R13 answers, the contact sealed
    revision bigint not null,
    primary key (country_code, party_id)
);

create table place_view (
    province text not null,
    city text not null,
    province_key text not null,          -- casefolded
    locations integer not null check (locations >= 0),  -- how many of location_view are public there
    primary key (province, city)
) with (fillfactor = 50);

create index place_of_province on place_view (province_key);

create table pending_view (              -- what CPOs have staged and not yet approved or rejected
    country_code text not null,
    party_id text not null,
    name_key text not null,              -- casefolded name
    staged_pos bigint not null,          -- position of the event that staged it first, and
    nr integer not null,                 -- its place in there: the order of the rows of the upload
    head text not null,                  -- JSON: the location as it was uploaded, without its EVSEs
    evse_count integer not null,
    evses text not null,                 -- the JSON of its EVSEs, with commas between them
    primary key (country_code, party_id, name_key)
);

create index pending_in_order on pending_view (country_code, party_id, staged_pos, nr);

create table dead_letter (               -- events that are not in the rows above (projections/letter_table.py)
    pos bigint primary key,
    key text not null,                   -- what is parked: `location/ID` or `cpo/COUNTRY/PARTY`
    party text not null,
    topic text not null,
    event bytea not null,                -- a range of this one event, as the bus carries it
    parked_at timestamptz not null default now(),
    error text,                          -- of the first of its key: what the projection raised; the others wait behind it
    raised_in text,                      -- and where
    tries integer not null default 0     -- and how often it was tried
);

create index dead_letter_of_key on dead_letter (key, pos);
