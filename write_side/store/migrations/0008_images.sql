create sequence es.photo_ids as integer;

-- Images that no event speaks of. A row is there before its file is, and goes in the transaction of the event that
-- speaks of it; it comes back in that of the event that puts another image in its place. So whoever dies when, no file
-- is forgotten: when a row is due, its file is removed, and then the row.
create table es.loose_images (
    name text primary key,                   -- of the stored image
    filename text,                           -- of an upload that may become a logo: as its sender called it
    client text,                             -- who sent it with Basic: then any CPO may take it
    cpo_owner_id integer,                    -- who sent it with Bearer: then it is that CPO's alone
    stored_at timestamptz not null default now(),
    due_at timestamptz                       -- null: it waits for its CPO
);

create index loose_images_due on es.loose_images (due_at) where due_at is not null;
create index loose_images_filename on es.loose_images (filename, stored_at) where filename is not null;
create index loose_images_own on es.loose_images (cpo_owner_id, stored_at) where cpo_owner_id is not null;
