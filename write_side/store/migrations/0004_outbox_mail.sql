-- Mails that wait to be sent, encrypted with the configured key, deleted after delivery.

create table es.outbox_mail (
    id bigint generated always as identity primary key,
    message_id text not null unique,
    sealed bytea not null,
    tries integer not null default 0,
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now()
);

create index outbox_mail_due on es.outbox_mail (due_at, id);
