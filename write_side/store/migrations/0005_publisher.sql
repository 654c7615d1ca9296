-- How far the publisher has come: everything up to here was confirmed by the broker. Moved by compare-and-set only.

create table es.publisher (
    one boolean primary key default true check (one),  -- there is one row
    pos bigint not null,
    log_id uuid not null default gen_random_uuid()  -- names this log on a broker that others use too
) with (fillfactor = 50);

insert into es.publisher (pos) values (0);
