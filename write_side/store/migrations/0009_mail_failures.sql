-- Whose mail waits, and why it was refused for good: what operators see of it.

alter table es.outbox_mail
    add column party text,
    add column failure text;
