-- examples/postgrest/clinic.sql: a table of appointments to try the API with
--
-- Whoever has a table of appointments leaves this out, and gives api.sql the
-- columns' names.
--
--   clinic   schema of the appointments (clinic)
--
-- Copyright (c) 2026, the vidtoken authors

\set ON_ERROR_STOP on
\if :{?clinic}
\else
    \set clinic clinic
\endif

BEGIN;

CREATE SCHEMA :"clinic";

CREATE TABLE :"clinic".appointments (
    id integer PRIMARY KEY,
    doctor_id integer NOT NULL,
    patient_id integer NOT NULL,
    starts_at timestamptz NOT NULL,
    minutes integer NOT NULL,
    cancelled boolean NOT NULL DEFAULT false
);

-- Yesterday's, two of now, tomorrow's, and one that is cancelled.
INSERT INTO :"clinic".appointments VALUES
    (46, 1, 2, now() - interval '1 day', 60, false),
    (47, 1, 2, now(), 60, false),
    (48, 1, 3, now(), 60, false),
    (49, 1, 2, now() + interval '1 day', 60, false),
    (50, 1, 2, now(), 60, true);

COMMIT;
