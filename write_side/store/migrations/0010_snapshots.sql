-- The state of long streams at some version, so that a command need not fold all of their events. Never the truth: a
-- snapshot may be deleted at any time, and one of another shape than the code's is not looked at.

create table es.snapshots (
    originator_id uuid primary key,
    originator_version integer not null,
    pos bigint not null,                     -- of the last event that is in it
    kind text not null,                      -- Location, Evse, Cpo
    shape text not null,                     -- of the code that wrote it (write_side/store/aggregates.py)
    state bytea not null                     -- JSON
);
